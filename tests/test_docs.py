"""The documentation is right: its Python runs, its commands exist, its links lead somewhere."""

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image
from typer.testing import CliRunner

from genus.cli.main import app
from genus.estimators.classifier import ImageClassifier

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "benchmarks" / "peers" / "README.md"]
)
RUN = ("data", "features", "model-file", "predicting", "training")
N_DIGITS = 300


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    line: int


def blocks(page: Path, *languages: str) -> list[Block]:
    text = page.read_text("utf-8")
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    made = [Block(m[1], m[2], text[: m.start()].count("\n") + 2) for m in found]
    return [block for block in made if block.language in languages]


def commands(page: Path) -> Iterator[tuple[int, list[str]]]:
    """Every `genus ...` of the console and bash blocks, without what stands before a pipe."""
    for block in blocks(page, "console", "bash"):
        for i, line in enumerate(block.text.splitlines()):
            last = line.removeprefix("$ ").split(" | ")[-1]
            words = shlex.split(last, comments=True)
            if words[:1] == ["genus"]:
                yield block.line + i, words[1:]


PYTHON_PAGES = [page for page in PAGES if blocks(page, "python")]
COMMANDS = [
    pytest.param(words, id=f"{name(page)}:{line}") for page in PAGES for line, words in commands(page)
]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages speak of: a folder of digits, a model trained on it, two photographs."""
    folder = tmp_path_factory.mktemp("examples")
    digits = load_digits()
    for i, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        if i < N_DIGITS:
            path = folder / "digits" / str(label) / f"{i:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((pixels * 15.9).astype("uint8")).resize((32, 32)).save(path)
    for photo in ("china.jpg", "flower.jpg"):
        Image.fromarray(load_sample_image(photo)).save(folder / photo)
    model = ImageClassifier(features="hog@32", heads=["lda"], random_state=0).fit(folder / "digits")
    for path in ("digits.onnx", "my-digits.onnx"):
        model.save(folder / path)
    return folder


@pytest.fixture
def here(examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the examples, as the current folder."""
    shutil.copytree(examples, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PYTHON_PAGES, ids=name)
def test_python_runs(page: Path, here: Path) -> None:
    if page.stem in ("README", "training"):
        (here / "digits.onnx").unlink()
        (here / "my-digits.onnx").unlink()
    namespace: dict[str, Any] = {}
    for block in blocks(page, "python"):
        code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
        exec(code, namespace)


@pytest.mark.parametrize("words", COMMANDS)
def test_commands_exist_with_their_options(words: list[str]) -> None:
    group: Any = typer.main.get_command(app)
    if words[0].startswith("-"):
        assert words[0] in ("--help", "--version", "--install-completion")
        return
    group.get_command(None, words[0]).make_context(words[0], words[1:])  # raises for what it does not know


@pytest.mark.parametrize("page", RUN)
def test_commands_run(page: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENUS_CACHE", str(here / "cache"))
    if page == "training":
        (here / "digits.onnx").unlink()
    done = 0
    for block in blocks(ROOT / "docs" / f"{page}.md", "console"):
        for line in block.text.splitlines():
            if line.startswith("$ genus"):
                result = CliRunner().invoke(app, shlex.split(line)[2:])
                assert result.exit_code == 0, f"{line}\n{result.output}"
                done += 1
    assert done


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        place = (page.parent / file).resolve() if file else page
        assert place.exists(), f"{target}: no such file"
        if anchor:
            assert anchor in anchors(place), f"{target}: no such heading"


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub links to them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_can_be_reached_from_the_index() -> None:
    reached, waiting = set(), [ROOT / "docs" / "index.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            links = re.findall(r"\]\(([^)#\s]+\.md)", page.read_text("utf-8"))
            waiting += [(page.parent / link).resolve() for link in links if "://" not in link]
    missing = {name(page) for page in (ROOT / "docs").rglob("*.md")} - {name(page) for page in reached}
    assert not missing
