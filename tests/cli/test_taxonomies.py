"""Classes that form a tree, on the command line and in Python: trained, stopped where sure, judged by level."""

import csv
from pathlib import Path

import pytest

from estimators.conftest import quick
from genus import load
from genus.errors import DataError, ParameterError

from .command import CHEAP, done, genus

PARENTS = "child,parent\n0,round\n3,round\n1,straight\n2,bent\nround,\nstraight,\nbent,\n"


@pytest.fixture(scope="module")
def nested(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """The digits again, in folders within folders."""
    folder = tmp_path_factory.mktemp("tree")
    for name, above in (("0", "round"), ("3", "round"), ("1", "straight"), ("2", "straight")):
        (folder / above).mkdir(exist_ok=True)
        (folder / above / name).symlink_to(digits / name, target_is_directory=True)
    return folder


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """A model with a table of parents."""
    folder = tmp_path_factory.mktemp("tree")
    (folder / "tree.csv").write_text(PARENTS, "utf-8")
    command = ("train", digits, "-o", folder / "m.onnx", *CHEAP, "--heads", "logistic")
    said = done(*command, "--taxonomy", folder / "tree.csv", "--report", folder / "m.html").out
    assert "Right by level: level 1" in said
    assert 'id="taxonomy"' in (folder / "m.html").read_text("utf-8")
    return folder / "m.onnx"


def test_a_prediction_stops_where_it_is_sure(here: Path, tree: Path, fresh: Path) -> None:
    done("predict", "-m", tree, fresh, "--sure", "0.8", "--csv", "found.csv")
    with open("found.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    allowed = {"", "round", "straight", "bent", "round/0", "round/3", "straight/1", "bent/2"}
    assert {row["taxon"] for row in rows} <= allowed
    assert all(int(row["depth"]) == row["taxon"].count("/") + bool(row["taxon"]) for row in rows)
    in_json = done("predict", "-m", tree, fresh, "--sure", "0.8", "--json").json["images"]
    assert [image["taxon"] for image in in_json] == [row["taxon"] for row in rows]
    assert load(tree).predict_taxa(fresh, coverage=0.8).tolist() == [row["taxon"] for row in rows]


def test_sorting_makes_folders_in_folders(here: Path, tree: Path, fresh: Path) -> None:
    done("predict", "-m", tree, fresh, "--sure", "0.8", "--sort-into", "sorted")
    taxa = load(tree).predict_taxa(fresh, coverage=0.8)
    found = {path.parent.relative_to("sorted").as_posix() for path in Path("sorted").rglob("*.png")}
    assert {taxon for taxon in taxa.tolist() if taxon} <= found


def test_evaluation_goes_by_level(tree: Path, fresh: Path) -> None:
    found = done("evaluate", tree, fresh, "--json").json["taxonomy"]
    first, second = found["levels"]
    assert first["accuracy"] >= second["accuracy"] > 0.5
    assert {"hierarchical_f1", "hierarchical_precision", "hierarchical_recall"} <= {
        figure["name"] for figure in found["figures"]
    }


def test_labels_above_the_classes_are_judged_down_to_there(here: Path, tree: Path, fresh: Path) -> None:
    files = sorted(path.as_posix() for path in (fresh / "0").iterdir())
    Path("t.csv").write_text("image,label\n" + "".join(f"{name},round\n" for name in files), "utf-8")
    found = done("evaluate", tree, "t.csv", "--json").json["taxonomy"]
    assert found["n_coarse"] == len(files)


def test_folders_within_folders(here: Path, nested: Path) -> None:
    done(
        "train", nested, "-o", "n.onnx", *CHEAP, "--heads", "logistic", "--no-report", "--taxonomy", "folders"
    )
    assert load("n.onnx").classes_.tolist() == ["round/0", "round/3", "straight/1", "straight/2"]
    levels = done("evaluate", "n.onnx", nested, "--json").json["taxonomy"][
        "levels"
    ]  # labels are read as in training
    assert [row["n_taxa"] for row in levels] == [2, 4]


def test_python(digits: Path, fresh: Path) -> None:
    parents = {"0": "round", "3": "round", "1": "straight", "2": "straight"}
    found = quick(taxonomy=parents).fit(digits).predict_taxa(fresh, coverage=0.8)
    assert set(found.tolist()) <= {"", "round", "straight", "round/0", "round/3", "straight/1", "straight/2"}
    with pytest.raises(DataError, match="none of the classes"):
        quick(taxonomy={"oak": "tree"}).fit(digits)


def test_what_cannot_be(here: Path, tree: Path, model: Path, fresh: Path, digits: Path) -> None:
    assert "form no tree" in genus("predict", "-m", model, fresh, "--sure", "0.9").complaint
    assert (
        "exclude each other"
        in genus("predict", "-m", tree, fresh, "--sure", "0.9", "--coverage", "0.9").complaint
    )
    assert "coverage" in genus("predict", "-m", tree, fresh, "--sure", "95").complaint
    Path("circle.csv").write_text("child,parent\n0,1\n1,0\n", "utf-8")
    assert "circle" in genus("train", digits, *CHEAP, "--taxonomy", "circle.csv").complaint
    Path("two.csv").write_text("child,parent\n0,a\n0,b\n", "utf-8")
    assert "belongs to both" in genus("train", digits, *CHEAP, "--taxonomy", "two.csv").complaint
    with pytest.raises(ParameterError, match="form no tree"):
        load(model).predict_taxa(fresh)
