"""The page of groups: it stands alone, shows what there is, and believes no name."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from genus.data.read import read_dataset
from genus.errors import OutputError
from genus.estimators.grouped import GroupedImages
from genus.estimators.grouping import group_images
from genus.estimators.grouping_options import GroupingOptions
from genus.features.feature_set import parse_feature_set
from genus.report import groups
from genus.report.dendrogram import draw_dendrogram
from genus.report.groups import hue_of, render_groups, write_groups_page

N = 60
OPTIONS = GroupingOptions(
    parse_feature_set("thumbnail@32"), 3, algorithms=("K-Means", "Ward", "BIRCH"), random_state=0
)
VOID = {"meta", "img", "br", "hr", "input", "path", "circle", "link"}


def pictures() -> tuple[list[np.ndarray], list[str]]:
    digits = load_digits(n_class=3)
    images = [(np.kron(image, np.ones((6, 6))) * 15).astype(np.uint8) for image in digits.images[:N]]
    return images, [f"digit {label}" for label in digits.target[:N]]


@pytest.fixture(scope="module")
def data() -> object:
    return read_dataset(*pictures())


@pytest.fixture(scope="module")
def grouped(data: object) -> GroupedImages:
    return group_images(replace(data, labels=None), OPTIONS)[0]  # type: ignore[type-var]


@pytest.fixture(scope="module")
def page(grouped: GroupedImages, data: object) -> str:
    sources = dict(zip(grouped.names, data.sources, strict=True))  # type: ignore[attr-defined]
    return render_groups(grouped, title="digits", folder="out", sources=sources)


def map_data(page: str) -> dict[str, list[object]]:
    found = re.search(r'id="map-data">(.*?)</script>', page, re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


class Tags(HTMLParser):
    """Counts tags that are not closed where they must be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open and tag not in ("li", "p"):
            while self.open and self.open[-1] in ("li", "p", "option"):
                self.open.pop()
        if tag in self.open:
            assert self.open.pop() == tag


def test_it_stands_alone_and_is_well_formed(page: str) -> None:
    assert 'src="http' not in page and "<link" not in page and "@import" not in page
    tags = Tags()
    tags.feed(page)
    assert not tags.open


def test_it_says_what_was_found_and_why_it_was_chosen(page: str, grouped: GroupedImages) -> None:
    assert f"{N} images in 3 groups" in page
    assert page.count('<article class="group"') == 3
    assert "agrees best with the others" in page
    for row in grouped.comparison["rows"]:
        assert row["name"] in page


def test_every_image_is_on_the_map_with_its_group_and_picture(page: str, grouped: GroupedImages) -> None:
    found = map_data(page)
    assert found["group"] == grouped.row_labels.tolist() and len(found["x"]) == N
    assert all(str(uri).startswith("data:image/") for uri in found["picture"]) and len(found["picture"]) == N


def test_many_images_share_pictures(grouped: GroupedImages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "_MAX_POINTS", 40)
    monkeypatch.setattr(groups, "_MAX_HOVER", 10)
    page = render_groups(grouped, title="digits", folder="out")
    assert len(map_data(page)["x"]) == 40 and len(map_data(page)["picture"]) == 10
    assert f"40 of {N} images are drawn" in page


def test_pictures_that_are_gone_leave_their_names(grouped: GroupedImages) -> None:
    page = render_groups(grouped, title="digits", folder="out")
    assert "no picture" in page and grouped.names[0] in page


def test_known_labels_are_shown_only_where_there_are_some(page: str, data: object) -> None:
    assert "known labels" not in page and "Adj. Rand" not in page
    measured = group_images(data, OPTIONS)[0]  # type: ignore[arg-type]
    page = render_groups(measured, title="digits", folder="out")
    assert re.search(r"known labels: <bdi>digit \d</bdi> \d+%", page) and "Adj. Rand" in page


def test_names_are_shown_and_what_is_dropped(grouped: GroupedImages) -> None:
    page = render_groups(grouped.renamed({0: "round", 1: "-"}), title="digits", folder="out")
    assert "<bdi>round</bdi>" in page and "<bdi>dropped</bdi>" in page
    assert "genus name out 2=NAME" in page and "genus train out/labels.csv" in page


def test_names_are_text_and_never_markup(grouped: GroupedImages) -> None:
    nasty = "<script>alert(1)</script>"
    odd = replace(grouped.renamed({0: nasty}), names=tuple(f"{nasty}{i}" for i in range(N)))
    page = render_groups(odd, title=nasty, folder="out")
    assert "<script>alert" not in page and map_data(page)["name"][0] == f"{nasty}0"


def test_colours_of_neighbouring_groups_differ() -> None:
    hues = [hue_of(number) for number in range(12)]
    assert all(min(abs(a - b), 360 - abs(a - b)) > 60 for a, b in zip(hues, hues[1:], strict=False))


def test_one_group_needs_no_tree(data: object) -> None:
    one = group_images(replace(data, labels=None), replace(OPTIONS, n_clusters=1))[0]  # type: ignore[type-var]
    page = render_groups(one, title="digits", folder="out")
    assert 'id="tree"' not in page and "There is one group" in page


def test_it_is_written_whole_or_not_at_all(grouped: GroupedImages, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="its folder does not exist"):
        write_groups_page(grouped, tmp_path / "no" / "page.html", title="digits", folder="out")
    write_groups_page(grouped, tmp_path / "page.html", title="digits", folder="out")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize("n", [2, 3, 7])
def test_a_tree_has_a_leaf_a_group_and_its_lines_do_not_cross(n: int) -> None:
    merges = np.array([[0, 1], *([n + i, i + 2] for i in range(n - 2))])
    tree = draw_dendrogram(merges, np.arange(1.0, n))
    assert sorted(leaf.index for leaf in tree.leaves) == list(range(n))
    assert [leaf.y for leaf in tree.leaves] == sorted(leaf.y for leaf in tree.leaves)
    assert tree.path.count("M") == n - 1
