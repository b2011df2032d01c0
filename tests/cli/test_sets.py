"""`genus predict --coverage`: as many names as it takes."""

from pathlib import Path

import pytest

from genus import load
from genus.cli.prediction import SEPARATOR
from genus.errors import ParameterError
from genus.judgement import COVERAGES

from .command import CHEAP, QUICK, csv_rows, done, genus


def test_lines_hold_all_names(model: Path, fresh: Path) -> None:
    lines = done("predict", "-m", model, fresh, "--coverage", 0.97).out.splitlines()
    assert len(lines) == 20
    assert all(set(line.rpartition(": ")[2].split(" or ")) <= {"0", "1", "2", "3"} for line in lines)


def test_tables_and_json_hold_them_too(here: Path, model: Path, fresh: Path) -> None:
    command = ("predict", "-m", model, fresh, "--coverage", 0.9, "--csv", "sets.csv", "--json")
    found = done(*command).json["images"]
    rows = csv_rows("sets.csv")
    assert [row["set"].split(SEPARATOR) for row in rows] == [image["set"] for image in found]
    assert all(image["set"][0] == image["label"] for image in found)


def test_without_coverage_nothing_changes(model: Path, fresh: Path) -> None:
    found = done("predict", "-m", model, fresh, "--json").json["images"]
    assert all("set" not in image for image in found)


def test_more_coverage_takes_no_fewer_names(model: Path, fresh: Path) -> None:
    predictor = load(model)
    few, many = (predictor.predict(fresh, coverage=coverage) for coverage in (0.6, 0.95))
    assert all(set(a) <= set(b) for a, b in zip(few, many, strict=True))
    by_class = predictor.predict(fresh, coverage=0.95, by_class=True)
    assert all(isinstance(names, tuple) and names for names in by_class)


def test_training_and_evaluation_say_how_many_names_it_takes(here: Path, digits: Path, fresh: Path) -> None:
    found = done("train", digits, "-o", "m.onnx", *QUICK, "--json").json
    assert [row["asked"] for row in found["coverages"]] == list(COVERAGES)
    assert all(row["low"] <= row["covered"] <= row["high"] for row in found["coverages"])
    said = done("evaluate", "m.onnx", fresh, "--report", "e.html").out
    assert "95 times in 100" in said and "The surest 80% of the images" in said
    assert "Only when sure" in (here / "e.html").read_text("utf-8")
    surest = done("evaluate", "m.onnx", fresh, "--json").json["risk_coverage"]["surest"]
    assert [row["share"] for row in surest] == [0.5, 0.8, 0.9, 0.95, 1.0]
    assert "Enough names" in (here / "m.report.html").read_text("utf-8")
    assert len(done("evaluate", "m.onnx", fresh, "--json").json["coverages"]) == len(COVERAGES)


@pytest.mark.parametrize("coverage", ["0", "1", "95", "nan"])
def test_coverage_is_between_0_and_1(model: Path, fresh: Path, coverage: str) -> None:
    assert "between 0 and 1" in genus("predict", "-m", model, fresh, "--coverage", coverage).complaint


def test_a_model_that_cannot_says_so(here: Path, digits: Path) -> None:
    image = next(digits.rglob("*.png"))
    assert "cannot say how many names are enough" in genus("predict", image, "--coverage", 0.9).complaint
    done("cluster", digits, "-o", "out", "--clusters", 3, *CHEAP, "--algorithms", "k-means")
    with pytest.raises(ParameterError, match="Train it anew"):
        load("out/clusters.onnx").predict([image], coverage=0.9)
