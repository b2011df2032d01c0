"""The documentation is right: what it shows runs, what it names exists, its links lead somewhere."""

import ast
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image
from typer.testing import CliRunner

import genus
from genus.classify.heads import HEADS
from genus.classify.scores import METRICS
from genus.cli.main import VERBS, app
from genus.cluster.trials import ALGORITHMS
from genus.cluster.trials import METRICS as GROUPING_METRICS
from genus.estimators.classifier import ImageClassifier
from genus.features.backbone import BACKBONES
from genus.features.feature_set import PRESETS, parse_feature_set
from genus.graph import GraphBuilder
from genus.model_file import read_model_file

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "benchmarks" / "peers" / "README.md"])
# The pages whose commands are run and not only parsed.
RUN = (
    "index",
    "data",
    "audit",
    "clustering",
    "training",
    "predicting",
    "report",
    "model-file",
    "features",
    "confidence",
    "evidence",
    "search",
    "several-labels",
    "few-examples",
    "taxonomies",
)
# The pages that train the model they go on to use.
STARTS_WITHOUT_MODEL = ("README", "index", "training", "few-examples")
# Options of other programs.
FOREIGN_OPTIONS = {
    "--nproc-per-node",
    "--hypothesis-profile",
    "--only",
    "--quick",
    "--strict",
    "--upgrade",
    "--write",
}
NOT_RUN = re.compile(r"<!-- not run: \S.* -->\n\Z")
N_DIGITS, N_EACH_DIGIT = 160, 9
FLOWERS = ("daisy", "rose", "tulip")  # handwritten 0, 1 and 2 stand in for them
N_TRAIN, N_TEST = 11, 2


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    line: int
    runs: bool

    def lines(self) -> list[str]:
        """The commands of a console or bash block."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line.removeprefix("$ ") for line in lines if self.language == "bash" or line.startswith("$ ")]


@cache
def blocks(page: Path) -> tuple[Block, ...]:
    text = page.read_text("utf-8")
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return tuple(
        Block(m[1], m[2], text[: m.start()].count("\n") + 2, not NOT_RUN.search(text[: m.start()]))
        for m in found
    )


@cache
def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def commands(line: str) -> Iterator[list[str]]:
    """The words after each `genus` of a line, whatever pipes and other programs are around it."""
    for part in re.split(r"\s(?:\||&&|;)\s", line):
        words = shlex.split(part, comments=True)
        if words[:1] == ["genus"]:
            yield words[1:]


def found(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words begin with, and the words behind it."""
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "list_commands") and not words[0].startswith("-"):
        command, words = command.get_command(None, words[0]), words[1:]
    return command, words


@cache
def options(verb: str) -> frozenset[str]:
    """How the options of a verb, and of the verbs below it, are spelt."""
    command, _ = found(verb.split())
    below = command.list_commands(None) if hasattr(command, "list_commands") else []
    known = (opt for p in command.params for opt in (*p.opts, *p.secondary_opts))
    return frozenset({*known, "--help", "-h"}).union(*(options(f"{verb} {each}") for each in below))


SHOWN = [
    pytest.param(words, id=f"{name(page)}:{block.line}: {' '.join(words)}")
    for page in PAGES
    for block in blocks(page)
    if block.language in ("console", "bash")
    for line in block.lines()
    for words in commands(line)
]
RUNNABLE = [
    page for page in PAGES if page.stem in RUN or any(block.language == "python" for block in blocks(page))
]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages speak of: folders of digits, two photographs, a table, a network, models."""
    folder = tmp_path_factory.mktemp("examples")
    digits = load_digits()
    rows = ["path,species,patient,part"]
    seen = dict.fromkeys(range(10), 0)
    for i, (pixels, label) in enumerate(zip(digits.images[:N_DIGITS], digits.target, strict=False)):
        picture = Image.fromarray((pixels * 15.9).astype("uint8")).resize((32, 32))
        seen[label] += 1
        if seen[label] <= N_EACH_DIGIT:
            save(picture, folder / "digits" / str(label) / f"{i:04}.png")
        if label < len(FLOWERS) and seen[label] <= N_TRAIN:
            path = f"flowers/{FLOWERS[label]}/{i:04}.png"
            save(picture, folder / path)
            rows.append(f"{path},{FLOWERS[label]},p{i // 20},{'test' if seen[label] > 10 else 'train'}")
        elif label < len(FLOWERS) and seen[label] <= N_TRAIN + N_TEST:
            save(picture, folder / "flowers-test" / FLOWERS[label] / f"{i:04}.png")
            save(picture, folder / "new" / f"{i:04}.png")
        if label == len(FLOWERS):
            save(picture, folder / "more_flowers" / "lily" / f"{i:04}.png")
        if label < len(FLOWERS):
            save(picture, folder / "photos" / f"{i:04}.png")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    scenes = [f"{row.split(',')[0]},{'|'.join(FLOWERS[i % 3 :])}" for i, row in enumerate(rows[1:])]
    (folder / "scenes.csv").write_text("\n".join(["image,labels", *scenes]) + "\n")
    tree = (
        "daisy,Asteraceae",
        "rose,Rosaceae",
        "tulip,Liliaceae",
        "Asteraceae,eudicots",
        "Rosaceae,eudicots",
    )
    (folder / "families.csv").write_text("\n".join(["child,parent", *tree]) + "\n")
    for photo in ("china.jpg", "flower.jpg"):
        Image.fromarray(load_sample_image(photo)).save(folder / photo)
    (folder / "network.onnx").write_bytes(small_network())
    for data, path in (("digits", "digits.onnx"), ("flowers", "flowers.onnx"), ("flowers", "best.onnx")):
        model = ImageClassifier(features="hog@32", heads=["lda"], random_state=0).fit(folder / data)
        model.save(folder / path)
    return folder


def save(picture: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def small_network() -> bytes:
    """A network of somebody else's: channels first, and it calls its input and output as it likes."""
    b = GraphBuilder()
    pooled = b.op("GlobalAveragePool", b.op("Relu", "pixels"))
    b.output(b.op("Flatten", pooled, axis=1), "embedding", np.float32, ["N", 3])
    return bytes(b.model([("pixels", np.float32, ["N", 3, 64, 64])]).SerializeToString())


@pytest.fixture
def here(examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the examples, as the current folder."""
    shutil.copytree(examples, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", RUNNABLE, ids=name)
def test_what_a_page_shows_runs_from_top_to_bottom(
    page: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page.stem in STARTS_WITHOUT_MODEL:
        (here / "digits.onnx").unlink()
        (here / "flowers.onnx").unlink()
    if "genus cache" in page.read_text("utf-8"):  # it bounds and clears the cache, which the others share
        monkeypatch.setenv("GENUS_CACHE", str(here / "cache"))
    namespace: dict[str, Any] = {}
    for block in blocks(page):
        if block.runs and block.language == "python":
            code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
            exec(code, namespace)
        elif block.runs and block.language == "console" and page.stem in RUN:
            for line in block.lines():
                run(line)


def run(line: str) -> None:
    """Run a line of a console block; what other programs take part in is parsed only (see below)."""
    words = shlex.split(line, comments=True)
    if words[:1] != ["genus"] or "|" in words:
        return
    result = CliRunner().invoke(app, words[1:], prog_name="genus")
    assert result.exit_code == 0, f"{line}\n{result.output}"


@pytest.mark.parametrize("words", SHOWN)
def test_commands_exist_with_their_options(words: list[str]) -> None:
    if words[0].startswith("-"):
        assert words[0] in ("--help", "--version", "--install-completion")
    elif not {"--help", "-h"} & set(words):
        command, rest = found(words)
        command.make_context(words[0], rest)  # raises for what it does not know


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_options_named_in_passing_exist(page: Path) -> None:
    every = frozenset.union(*map(options, VERBS), FOREIGN_OPTIONS, {"--version", "--install-completion"})
    for code in re.findall(r"`([^`]+)`", prose(page)):
        words = code.replace("\\|", "|").split()
        verb = words[1] if words[:1] == ["genus"] and words[1:] else ""
        assert not re.fullmatch(r"[a-z]+", verb) or verb in VERBS, f"{code}: no such command"
        named = [re.split("[=,]", word)[0] for word in words if re.match(r"--[a-z]", word)]
        known = options(verb) if verb in VERBS else every
        assert words[:1] in (["python"], ["pytest"]) or set(named) <= known, f"{code}: no such option"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"`[^`]*`", "", prose(page))
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"^\[[^\]]+\]: (\S+)", text, re.MULTILINE)
    for target in targets:
        if re.match(r"https?://", target):
            continue
        file, _, anchor = target.partition("#")
        place = (page.parent / file).resolve() if file else page
        assert place.is_relative_to(ROOT) and place.exists(), f"{target}: no such file"
        assert not anchor or anchor in anchors(place), f"{target}: no such heading"


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub links to them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_can_be_reached_from_the_index() -> None:
    reached: set[Path] = set()
    waiting = [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            links = re.findall(r"\]\(([^)#\s]+\.md)", prose(page))
            waiting += [(page.parent / link).resolve() for link in links if "://" not in link]
    assert not {name(page) for page in DOCS.rglob("*.md")} - {name(page) for page in reached}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_page_names_the_place_where_it_was_written(page: Path) -> None:
    assert not re.search(r"(?<![\w.])/(home|work|root|tmp)/", page.read_text("utf-8"))


def page_text(page: str) -> str:
    return (DOCS / f"{page}.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("clustering", [*(name.lower().replace(" ", "-") for name in ALGORITHMS), *GROUPING_METRICS]),
        ("training", [*HEADS, *PRESETS, *METRICS]),
        ("features", [*BACKBONES]),
        ("python-api", genus.__all__),
        (
            "model-file",
            ["genus.format", "genus.classes", "genus.preprocess", "genus.features", "genus.details"],
        ),
    ],
)
def test_nothing_that_can_be_chosen_is_left_out(page: str, names: list[str]) -> None:
    text = page_text(page)
    assert not [each for each in names if not re.search(rf"`(genus\.)?{re.escape(each)}\b", text)]


def test_the_sizes_of_feature_vectors() -> None:
    rows = re.findall(r"^\| `([\w-]+)`[^|]*\| (\d+) \| ([\d,]+) \|(.*)$", page_text("features"), re.MULTILINE)
    assert {row[0] for row in rows} == set(BACKBONES)
    for backbone, size, n_features, rest in rows:
        found = parse_feature_set(backbone)
        assert (found.size, found.n_features) == (int(size), int(n_features.replace(",", "")))
        if with_middle := re.match(r" ([\d,]+) \|$", rest):
            middle = parse_feature_set(f"{backbone}/middle").n_features
            assert middle == int(with_middle[1].replace(",", ""))


def test_what_is_inside_a_model_file(examples: Path) -> None:
    several = ImageClassifier(features="hog@32", heads=["knn"], random_state=0).fit(examples / "scenes.csv")
    priced = ImageClassifier(features="hog@32", heads=["knn"], costs={"daisy": {"rose": 2}}, random_state=0)
    priced.fit(examples / "flowers")
    in_tree = ImageClassifier(features="hog@32", heads=["knn"], taxonomy={"daisy": "aster"}, random_state=0)
    in_tree.fit(examples / "flowers")
    models = read_model_file(examples / "digits.onnx"), several.model_, priced.model_, in_tree.model_
    keys = {key for model in models for key in model.details}
    table = page_text("model-file").partition("Under `genus.details`")[2].partition("To read them")[0]
    by_pytorch = {"network"}  # held by tests/estimators/test_network.py
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == keys | by_pytorch


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(need for needs in extras.values() for need in needs)]
    names = {re.match(r"[\w-]+", need)[0] for need in wanted} - {"genus"}  # type: ignore[index]
    text = page_text("design/dependencies")
    assert not [each for each in sorted(names) if f"`{each}`" not in text]
    assert not [extra for extra in extras if f"`{extra}`" not in text]


def test_environment_variables_are_explained() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    assert not [
        v for v in set(re.findall(r"GENUS_[A-Z]+", sources)) if f"`{v}`" not in page_text("troubleshooting")
    ]


def test_messages_in_troubleshooting_are_those_that_genus_says() -> None:
    said = "\n".join(strings_of_the_source())
    quoted = re.findall(r"^\| \*([^*]+)\*", page_text("troubleshooting"), re.MULTILINE)
    assert quoted
    for message in quoted:
        for piece in message.split(" ... "):
            assert piece.strip(". ") in said, f"{piece!r}: Genus says no such thing"


@cache
def strings_of_the_source() -> tuple[str, ...]:
    """Every text in the source; what an f-string fills in is a line break."""
    found = []
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                pieces = [str(v.value) if isinstance(v, ast.Constant) else "\n" for v in node.values]
                found.append("".join(pieces))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return tuple(found)
