"""The page as a whole: self-contained, well-formed, inert, bounded."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from genus.errors import OutputError, ParameterError
from genus.metrics.evaluate import evaluate
from genus.report.content import PredictionRow, ReportContent
from genus.report.page import render_report, write_report

from .content import HOSTILE, THUMBNAIL, make_content

VOID = {"meta", "img", "input", "br", "hr", "link"}
SHAPES = {"circle", "line", "path", "polygon", "polyline", "rect"}


class Page(HTMLParser):
    """Reads a page, insisting on balanced tags."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"<{tag}> repeats an attribute"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SHAPES
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def data(self) -> dict[str, list[object]]:
        return json.loads(next(text for tag, text in self.texts if tag == "script" and text.startswith("{")))

    @property
    def words(self) -> str:
        return " ".join(text for tag, text in self.texts if tag not in ("script", "style"))


@pytest.mark.parametrize("n_classes", [1, 2, 7, 25, 26, 150])
def test_pages_are_well_formed_for_any_number_of_classes(n_classes: int) -> None:
    page = Page(render_report(make_content(300, tuple(f"class {i}" for i in range(n_classes)))))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert len(page.all("h1")) == len(page.all("main")) == 1


def test_nothing_is_fetched() -> None:
    content = make_content(100, HOSTILE)
    text = render_report(content)
    page = Page(text)
    assert not {tag for tag, _ in page.tags} & {
        "link",
        "iframe",
        "object",
        "embed",
        "base",
        "audio",
        "video",
        "use",
    }
    for tag, attrs in page.tags:
        assert tag == "img" or "src" not in attrs
        assert str(attrs.get("src", "data:image/")).startswith("data:image/")
        assert str(attrs.get("href", "#")).startswith("#")
        assert not {"srcset", "action", "formaction", "poster", "background"} & set(attrs)
    style = "".join(text for tag, text in page.texts if tag == "style")
    assert "url(" not in style
    assert "@import" not in style
    own = "".join(text for tag, text in page.texts if tag == "script" and not text.startswith("{"))
    assert not re.search(r"fetch\(|XMLHttpRequest|WebSocket|import\(|innerHTML|eval\(|https?:", own)


def test_the_policy_allows_our_script_alone() -> None:
    text = render_report(make_content())
    page = Page(text)
    policy = next(
        str(a["content"]) for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"
    )
    script = re.search(r"<script>(.*?)</script>", text, re.S)
    assert script
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_hostile_names_are_text() -> None:
    text = render_report(make_content(100, HOSTILE))
    page = Page(text)
    assert len(page.all("script")) == 2
    for _, attrs in page.tags:
        assert not [name for name in attrs if name.startswith("on")]
    for name in HOSTILE[:5]:
        assert name in page.words
        assert name in page.data["classes"]
    assert "49" not in page.words.split()
    assert not re.search("[\x00-\x08\x0e-\x1f\ud800-\udfff]", text)
    text.encode("utf-8")


def test_the_script_knows_every_cell_and_each_thumbnail_is_there_once() -> None:
    content = make_content(200)
    text = render_report(content)
    page = Page(text)
    assert sum(cell[2] for cell in page.data["cells"]) == 200  # type: ignore[index]
    n_thumbnails = sum(row.thumbnail is not None for row in content.predictions)
    shown = [int(str(a["id"]).removeprefix("picture-")) for a in page.all("img")]
    rows = page.data["rows"]
    assert len(shown) + sum(row[4] is not None for row in rows) == n_thumbnails  # type: ignore[index]
    assert all(rows[i][4] is None for i in shown)  # type: ignore[index]


def test_every_table_has_headers_and_every_picture_words() -> None:
    text = render_report(make_content())
    for table in re.findall(r"<table.*?</table>", text, re.S):
        assert 'scope="col"' in table
        assert 'scope="row"' in table or "narrow" in table
    for attrs in Page(text).all("img"):
        assert attrs["alt"]
    for attrs in Page(text).all("svg"):
        assert attrs["role"] == "img"
        assert attrs["aria-label"]


def test_links_within_the_page_lead_somewhere() -> None:
    page = Page(render_report(make_content()))
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    assert {str(a["href"])[1:] for a in page.all("a")} <= ids


def test_the_size_is_bounded() -> None:
    content = make_content(30_000, tuple(f"class {i}" for i in range(100)), skill=0.5)
    assert len(render_report(content)) < 1_500_000


def test_an_evaluation_alone_makes_a_page() -> None:
    evaluation = evaluate([0, 1], [[0.9, 0.1], [0.2, 0.8]], ["cat", "dog"])
    page = Page(render_report(ReportContent(title="pets", evaluation=evaluation, kind="evaluation")))
    assert "Evaluation report" in page.words
    assert "It mixed up nothing" in page.words
    assert "Leaderboard" not in page.words
    assert "Surest mistakes" not in page.words


def test_unknown_classes_are_told_apart() -> None:
    evaluation = evaluate([0, 1, -1], [[0.9, 0.1], [0.2, 0.8], [0.2, 0.8]], ["cat", "dog"])
    rows = (PredictionRow("a.jpg", "a heron", "dog", 0.8, THUMBNAIL),)
    page = Page(render_report(ReportContent(title="pets", evaluation=evaluation, predictions=rows)))
    assert "1 more image of classes it never learned is left out" in " ".join(page.words.split())
    assert page.data["rows"][0][1] == "a heron"  # type: ignore[index]


@pytest.mark.parametrize(
    "uri",
    ["https://example.org/a.jpg", "file.jpg", "data:text/html;base64,AAAA", 'data:image/jpeg;base64,A"B', ""],
)
def test_thumbnails_must_be_in_the_page(uri: str) -> None:
    content = make_content()
    row = replace(content.predictions[0], thumbnail=uri)
    with pytest.raises(ParameterError, match="data URI"):
        render_report(replace(content, predictions=(row,)))


def test_the_same_content_gives_the_same_page() -> None:
    assert render_report(make_content()) == render_report(make_content())


def test_write_report(tmp_path: Path) -> None:
    content = make_content(50, HOSTILE)
    write_report(content, tmp_path / "a.report.html")
    assert (tmp_path / "a.report.html").read_text(encoding="utf-8") == render_report(content)
    with pytest.raises(OutputError, match="does not exist"):
        write_report(content, tmp_path / "missing" / "a.html")
