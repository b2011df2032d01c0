"""What bad input gets: one line that says what is wrong, exit code 2, and nothing written."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from .command import QUICK, below, done, genus

TRAIN = f"-o new.onnx {' '.join(QUICK)}"


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory, digits: Path, fresh: Path, model: Path) -> Path:
    """A folder full of bad input, beside good digits and a good model."""
    yard = tmp_path_factory.mktemp("yard")
    (yard / "digits").symlink_to(digits)
    (yard / "good.onnx").write_bytes(model.read_bytes())
    (yard / "empty").mkdir()
    ones = [path.read_bytes() for path in sorted((fresh / "1").iterdir())]
    for name, data in zip(("one class/a/1.png", "one class/a/2.png", "pile/1.png"), ones, strict=False):
        (yard / name).parent.mkdir(parents=True, exist_ok=True)
        (yard / name).write_bytes(data)
    for name in ("broken/a/1.png", "broken/a/2.png", "broken/b/3.png", "half broken/b/1.png"):
        (yard / name).parent.mkdir(parents=True, exist_ok=True)
        (yard / name).write_bytes(b"text")
    (yard / "half broken/a").mkdir()
    (yard / "half broken/a/1.png").write_bytes(ones[0])
    for name, text in TABLES.items():
        (yard / name).write_text(text)
    (yard / "taken.onnx").write_text("precious")
    (yard / "taken").write_text("precious")
    write_models(yard)
    return yard


TABLES = {
    "no images.csv": "photo,label\npile/1.png,a\n",
    "no labels.csv": "image\npile/1.png\n",
    "no such files.csv": "image,label\nx.png,a\ny.png,b\n",
    "two labels.csv": "image,label\npile/1.png,cat\npile/1.png,dog\n",
    "odd split.csv": "image,label,split\npile/1.png,a,often\n",
    "test only.csv": "image,label,split\npile/1.png,a,test\none class/a/1.png,b,test\n",
    "no rows.csv": "image,label\n",
    "empty.csv": "",
    "broken.jsonl": '{"image": "a.png"\n',
    "broken.parquet": "this is no Parquet",
}


def write_models(yard: Path) -> None:
    """Model files of every kind of damage, and networks that cannot be used."""
    good = (yard / "good.onnx").read_bytes()
    (yard / "cut.onnx").write_bytes(good[: len(good) // 2])
    (yard / "noise.onnx").write_bytes(np.random.default_rng(0).bytes(5000))
    (yard / "zero.onnx").touch()
    model = onnx.load_model_from_string(good)
    for entry in model.metadata_props:
        if entry.key == "genus.format":
            entry.value = "99"
    (yard / "newer.onnx").write_bytes(model.SerializeToString())
    # the logarithm of pixels darker than the mean is not a number
    nodes = [helper.make_node("ReduceMean", ["x"], ["m"], axes=[2, 3], keepdims=0)]
    nodes.append(helper.make_node("Log", ["m"], ["y"]))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", ["n", 3, 32, 32]), ("y", ["n", 3]))
    ]
    graph = helper.make_graph(nodes, "nan", ends[:1], ends[1:])
    foreign = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (yard / "foreign.onnx").write_bytes(foreign.SerializeToString())


ERRORS: list[tuple[str, tuple[str, ...]]] = [
    # nothing there
    (f"train nowhere {TRAIN}", ("nowhere: no such file or folder",)),
    ("data nowhere", ("nowhere: no such file or folder",)),
    ("evaluate good.onnx nowhere --report new.html", ("nowhere: no such file or folder",)),
    ("compare good.onnx good.onnx nowhere", ("nowhere: no such file or folder",)),
    ("features nowhere -o new.npz", ("nowhere: no such file or folder",)),
    ("predict -m good.onnx nowhere.jpg", ("nowhere.jpg: no such file",)),
    (
        "predict -q -m good.onnx nowhere a.jpg",
        ("none of the 2 images could be read", "nowhere: no such file"),
    ),
    ("predict -m good.onnx '*.gif'", ("*.gif: no image matches this pattern",)),
    (f"train empty {TRAIN}", ("empty: no images in this folder", "one folder a class")),
    ("data empty", ("empty: no images in this folder",)),
    ("evaluate good.onnx empty", ("empty: no images in this folder",)),
    ("compare good.onnx good.onnx empty", ("empty: no images in this folder",)),
    ("features empty -o new.npz", ("empty: no images in this folder",)),
    ("predict -m good.onnx empty --csv new.csv", ("empty: no images in this folder",)),
    # classes
    (f"train 'one class' {TRAIN}", ("one class", "only one class, 'a' (2 images)", "at least two")),
    (f"train pile {TRAIN}", ("pile", "no labels found", "one folder a class")),
    ("evaluate good.onnx pile", ("pile", "no labelled images to evaluate on")),
    ("compare good.onnx good.onnx pile", ("pile", "no labelled images to evaluate on")),
    ("evaluate good.onnx 'one class'", ("one class", "none of its classes", "0, 1, 2, 3", "found a")),
    (f"train 'test only.csv' {TRAIN}", ("test only.csv", "marked 'test'", "none is left to learn from")),
    # unreadable images
    (f"train broken {TRAIN}", ("broken", "none of the 3 labelled images can be read", "it is text")),
    (f"train 'half broken' {TRAIN}", ("half broken", "only one class, 'a'", "1 image that cannot be read")),
    ("evaluate good.onnx broken --report new.html", ("broken", "none of the 3 images can be read")),
    ("features broken -o new.npz", ("none of the 3 images could be read", "1.png: it is text")),
    ("predict -q -m good.onnx broken", ("none of the 3 images could be read", "1.png: it is text")),
    (f"train digits/1/12.png {TRAIN}", ("12.png", "no labels found")),
    # tables
    ("data 'no images.csv'", ("no images.csv: no column with images", "photo, label", "--image-column")),
    (f"train 'no images.csv' {TRAIN}", ("no images.csv: no column with images",)),
    ("predict -m good.onnx 'no images.csv'", ("no images.csv: no column with images",)),
    (f"train 'no labels.csv' {TRAIN}", ("no labels.csv", "no labels found", "label column")),
    (f"train 'no labels.csv' --label-column kind {TRAIN}", ("column 'kind' is missing", "found image")),
    (f"train 'no such files.csv' {TRAIN}", ("no such files.csv", "none of the table's images", "x.png")),
    ("evaluate good.onnx 'no such files.csv'", ("no such files.csv", "none of the table's images")),
    (
        f"train 'two labels.csv' {TRAIN}",
        ("two labels.csv", "pile/1.png is 'cat' in row 1 and 'dog' in row 2"),
    ),
    ("data 'two labels.csv'", ("two labels.csv", "pile/1.png is 'cat' in row 1 and 'dog' in row 2")),
    ("data 'odd split.csv'", ("odd split.csv, row 1: unknown split 'often'", "train")),
    ("data 'no rows.csv'", ("no rows.csv: the table has no rows",)),
    ("data empty.csv", ("empty.csv: the table has no rows",)),
    ("data broken.jsonl", ("broken.jsonl: not JSON lines",)),
    ("data broken.parquet", ("broken.parquet",)),
    ("data taken.onnx", ("taken.onnx: neither a folder, nor a table", "nor an image")),
    # results
    (f"train digits -o taken.onnx {' '.join(QUICK)}", ("taken.onnx: exists already", "--force")),
    (f"train digits -o nowhere/new.onnx {' '.join(QUICK)}", ("nowhere/new.onnx: cannot write: its folder",)),
    (f"train digits -o taken/new.onnx {' '.join(QUICK)}", ("taken/new.onnx", "a file, not a folder")),
    (f"train digits -o . {' '.join(QUICK)}", (".: cannot write: it is a folder",)),
    (f"train digits {TRAIN} --report new.onnx", ("new.onnx: named for two results",)),
    (f"train digits {TRAIN} --report taken", ("taken: exists already",)),
    (f"train digits {TRAIN} --report nowhere/new.html", ("nowhere/new.html: cannot write",)),
    ("evaluate good.onnx digits --report taken", ("taken: exists already",)),
    ("evaluate good.onnx digits --report taken/new.html", ("taken/new.html", "a file, not a folder")),
    ("features digits -o taken/new.npz", ("taken/new.npz", "a file, not a folder")),
    ("features digits -o empty", ("empty: the name must end in",)),
    ("predict -m good.onnx digits --csv taken", ("taken: exists already",)),
    ("predict -m good.onnx digits --parquet taken/new.parquet", ("taken/new.parquet", "not a folder")),
    ("predict -m good.onnx digits --csv new --jsonl ./new", ("new: named for two results",)),
    ("data digits --preview taken/new.html", ("taken/new.html", "a file, not a folder")),
    # models
    ("predict -m nowhere.onnx digits --csv new.csv", ("nowhere.onnx: cannot read the model file",)),
    ("info empty", ("empty: cannot read the model file",)),
    ("predict -m cut.onnx digits", ("cut.onnx: not a readable ONNX model file",)),
    ("evaluate noise.onnx digits --report new.html", ("noise.onnx: not a readable ONNX model file",)),
    ("info zero.onnx", ("zero.onnx: not a readable ONNX model file",)),
    ("compare good.onnx cut.onnx digits", ("cut.onnx: not a readable ONNX model file",)),
    ("info foreign.onnx", ("foreign.onnx: an ONNX file, but not a Genus model", "--features")),
    ("predict -m foreign.onnx digits", ("foreign.onnx: an ONNX file, but not a Genus model",)),
    ("predict -m newer.onnx digits", ("newer.onnx: written by a newer Genus (format 99", "Upgrade")),
    ("info newer.onnx", ("newer.onnx: written by a newer Genus",)),
    # what is computed and tried
    ("train digits --features resnet -o new.onnx", ("no backbone named 'resnet'", "efficientnet-lite0")),
    ("features digits --features thumbnail@7 -o new.npz", ("'thumbnail@7'", "from 32 to 1024")),
    ("features digits --features '' -o new.npz", ("no backbone named ''",)),
    ("features digits --features hog@64+ -o new.npz", ("no backbone named ''",)),
    ("features digits --features nowhere.onnx -o new.npz", ("nowhere.onnx: cannot read the backbone",)),
    ("features digits --features noise.onnx -o new.npz", ("noise.onnx: not a valid ONNX file",)),
    ("features digits --features foreign.onnx -o new.npz --no-cache", ("finite",)),
    ("train digits --features foreign.onnx -o new.onnx --no-cache", ("finite",)),
    ("train digits --heads forest -o new.onnx", ("no head named 'forest'", "logistic")),
    ("train digits --heads knn,,lda -o new.onnx", ("no head named ''",)),
    ("train digits --heads logistik -o new.onnx", ("no head named 'logistik'", "'logistic'")),
    ("train digits --test-size 2 -o new.onnx", ("test_size must be between 0 and 1",)),
    ("train digits --time-budget 0 -o new.onnx", ("time_budget must be a number of seconds above 0",)),
    ("train digits --time-budget nan -o new.onnx", ("time_budget must be a number of seconds above 0",)),
    ("data digits --reader magic", ("no reader named 'magic'", "folders, flat, table, parquet")),
]


@pytest.mark.parametrize(("line", "words"), ERRORS, ids=[line for line, _ in ERRORS])
def test_one_line_says_what_is_wrong(
    yard: Path, monkeypatch: pytest.MonkeyPatch, line: str, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(yard)
    before = below(yard)
    outcome = genus(*shlex.split(line))
    for word in words:
        assert word in outcome.complaint
    assert outcome.out == ""
    assert below(yard) == before
    assert Path("taken").read_text() == Path("taken.onnx").read_text() == "precious"


USAGE: list[tuple[str, str]] = [
    ("frain digits", "No such command 'frain'. Did you mean 'train'"),
    ("train digits more", "unexpected extra argument"),
    ("train digits --bogus", "No such option: --bogus"),
    ("train digits --heds knn", "--heads"),
    ("train digits --preset slow", "'slow' is not one of 'fast', 'balanced', 'best'"),
    ("train digits --metric beauty", "'beauty' is not one of 'auto', 'accuracy'"),
    ("train digits --seed -1", "'--seed'"),
    ("train digits --seed x", "'--seed'"),
    ("train digits --workers 0", "'--workers'"),
    ("train digits --max-pixels 0", "'--max-pixels'"),
    ("features digits", "Missing option '--output'"),
    ("features digits -o new.npz --engine tpu", "'tpu' is not one of 'auto'"),
    ("features digits -o new.npz --precision int4", "'int4' is not one of 'int8'"),
    ("predict", "Missing argument 'IMAGES...'"),
    ("predict digits --top 0", "'--top'"),
    ("predict digits --above 2", "'--above'"),
    ("predict digits --above nan", "'--above'"),
    ("evaluate good.onnx", "Missing argument 'DATA'"),
    ("evaluate good.onnx digits --split best", "'best' is not one of 'train'"),
    ("compare good.onnx digits", "Missing argument 'DATA'"),
    ("info", "Missing argument 'MODEL'"),
]


@pytest.mark.parametrize(("line", "words"), USAGE, ids=[line for line, _ in USAGE])
def test_wrong_usage_is_explained_with_the_way_to_the_help(
    yard: Path, monkeypatch: pytest.MonkeyPatch, line: str, words: str
) -> None:
    monkeypatch.chdir(yard)
    before = below(yard)
    outcome = genus(*shlex.split(line))
    assert outcome.code == 2 and outcome.out == ""
    usage, *_, complaint = outcome.err.splitlines()
    assert usage.startswith("Usage: genus ") and "Try 'genus" in outcome.err
    assert complaint.startswith("Error: ") and words in complaint
    assert below(yard) == before


class TestReported:
    """What is no error, but is said."""

    def notes(self, data: Path | str, *options: str) -> list[str]:
        """The notes of a training, which must be those that people see."""
        found = done("train", data, "-o", "x.onnx", "--force", "--no-report", "--json", *QUICK, *options).json
        out = done("train", data, "-o", "x.onnx", "--force", "--no-report", *QUICK, *options).out
        for note in found["notes"] + found["evaluation"]["notes"]:
            assert f"Note: {note}" in out
        return [*found["notes"], *found["evaluation"]["notes"]]

    @pytest.fixture
    def table(self, here: Path, digits: Path) -> Callable[..., str]:
        """Write a table of the digits, with an extra column and extra rows."""

        def write(rows: tuple[str, ...] = (), split: Callable[[int, str], str] = lambda i, label: "") -> str:
            lines = ["image,label,split"]
            for label in "0123":
                for i, path in enumerate(sorted((digits / label).iterdir())):
                    lines.append(f"{path},{label},{split(i, label)}")
            Path("t.csv").write_text("\n".join([*lines, *rows]))
            return "t.csv"

        return write

    def test_a_class_with_one_image_is_learned_but_not_compared_on(
        self, table: Callable[..., str], fresh: Path
    ) -> None:
        lonely = min((fresh / "3").iterdir())
        notes = self.notes(table((f"{lonely},lonely,",)))
        assert any("too few images" in note and "lonely" in note for note in notes)
        assert "lonely" in done("info", "x.onnx", "--json").json["classes"]

    def test_a_class_missing_from_the_test_images(self, table: Callable[..., str]) -> None:
        notes = self.notes(table(split=lambda i, label: "test" if i < 4 and label != "2" else "train"))
        assert any("1 of 4 classes have no test images (2)" in note for note in notes)

    def test_a_class_of_test_images_never_seen_in_training(self, table: Callable[..., str]) -> None:
        notes = self.notes(table(split=lambda i, label: "test" if i < 4 or label == "2" else "train"))
        assert "classes with test images only are unknown to the model: 2" in notes
        assert done("info", "x.onnx", "--json").json["classes"] == ["0", "1", "3"]

    def test_missing_files_of_a_table_are_listed(self, table: Callable[..., str]) -> None:
        data = table(("gone.png,1,", "also/gone.png,2,"))
        assert "2 images of the table not found" in self.notes(data)
        found = done("data", data, "--json").json
        assert [skip["source"] for skip in found["skipped"]] == ["gone.png", "also/gone.png"]
        assert "gone.png: no such file" in done("train", data, "-o", "y.onnx", *QUICK).out

    def test_repeated_rows_are_merged(self, table: Callable[..., str], digits: Path) -> None:
        path = min((digits / "1").iterdir())
        assert "2 repeated rows merged" in self.notes(table((f"{path},1,",) * 2))
        assert done("data", "t.csv", "--json").json["n_images"] == 48

    def test_copies_under_two_names(self, table: Callable[..., str], digits: Path, here: Path) -> None:
        (here / "copy.png").write_bytes(min((digits / "1").iterdir()).read_bytes())
        notes = self.notes(table(("copy.png,2,",)))
        assert "1 picture occurs under more than one label" in notes
        assert any("1 image is an exact or near duplicate of another" in note for note in notes)

    def test_images_without_a_label(self, table: Callable[..., str], fresh: Path) -> None:
        notes = self.notes(table((f"{min((fresh / '1').iterdir())},,",)))
        assert "1 image left out: without a label" in notes


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(here: Path, digits: Path) -> None:
    (here / "closed").mkdir(mode=0o500)
    assert "no permission to write there" in genus("train", digits, "-o", "closed/x.onnx").complaint


def test_with_genus_debug_the_traceback_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENUS_DEBUG", "1")
    outcome = genus("data", "nowhere")
    assert outcome.code == 2
    assert outcome.err.startswith("Traceback") and outcome.err.splitlines()[-1].startswith("Error: nowhere:")


def test_a_fault_of_our_own_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, digits: Path, here: Path
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("genus.data.describe.describe", fail)
    outcome = genus("data", digits)
    assert outcome.code == 2 and outcome.out == ""
    assert outcome.err == (
        r"Error: something in Genus went wrong (RuntimeError: two\nlines). Set GENUS_DEBUG=1 to see where."
        "\n"
    )
