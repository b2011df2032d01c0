"""Several labels an image from the command line: train, predict, evaluate, and the page."""

import csv
import json
import re
from pathlib import Path

import pytest

from estimators.test_label_classifier import pairs_of_digits, write_table

from .command import CHEAP, csv_rows, done, genus

NAMES = {"0", "1", "2", "3"}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("several"), *pairs_of_digits(120))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, table: Path) -> Path:
    path = tmp_path_factory.mktemp("several") / "pairs.onnx"
    done("train", table, "-o", path, *CHEAP)
    return path


def test_training_tells_how_each_label_fares(here: Path, table: Path) -> None:
    said = done("train", table, "-o", "m.onnx", *CHEAP, "--no-report").out
    assert "120 images with any of 4 labels" in said
    assert re.search(r"Finds \d+% of the labels on \d+ test images", said)
    assert "Mean average precision" in said and "named from" in said
    assert "several labels an image" in said


def test_json_holds_figures_and_thresholds(here: Path, table: Path) -> None:
    found = done("train", table, "-o", "m.onnx", *CHEAP, "--no-report", "--aim", "recall>=0.8", "--json").json
    assert found["metric"] == "mean_average_precision" and found["thresholds"]["aim"] == "recall>=0.8"
    assert set(found["thresholds"]["values"]) == NAMES
    assert found["evaluation"]["metrics"][0]["name"] == "mean_average_precision"


def test_tables_hold_sets_and_a_column_a_label(here: Path, model: Path, table: Path) -> None:
    said = done("predict", "-m", model, table.parent, "--csv", "found.csv").out
    rows = csv_rows("found.csv")
    assert len(rows) == 120 and set(rows[0]) == {"path", "labels", "error", *NAMES}
    assert re.search(r"in all +120", said)
    for row in rows:
        assert set(filter(None, row["labels"].split("|"))) <= NAMES
        assert all(0 <= float(row[name]) <= 1 for name in NAMES)


def test_a_table_of_predictions_trains_again(here: Path, model: Path, table: Path) -> None:
    done("predict", "-m", model, table.parent, "--csv", "found.csv")
    found = done("train", "found.csv", "-o", "again.onnx", *CHEAP, "--no-report", "--json").json
    assert found["metric"] == "mean_average_precision" and set(found["counts"]) == NAMES


def test_json_and_lines_hold_what_is_named(here: Path, model: Path, table: Path) -> None:
    images = sorted(table.parent.glob("*.png"))[:3]
    found = done("predict", "-m", model, *images, "--json").json["images"]
    assert all(set(image) == {"path", "labels", "probabilities"} for image in found)
    lines = done("predict", "-m", model, *images).out.splitlines()
    for line, image in zip(lines, found, strict=True):
        said = line.rpartition(": ")[2]
        assert said == "(nothing)" if not image["labels"] else said.startswith(image["labels"][0])
    alone = done("predict", "-m", model, images[0]).out
    assert "* named" in alone or "(nothing)" in alone


def test_thresholds_are_changed_for_all_or_for_some(here: Path, model: Path, table: Path) -> None:
    command = ("predict", "-m", model, table.parent, "--json")
    every = done(*command, "--threshold", "0").json["images"]
    assert all(set(image["labels"]) == NAMES for image in every)
    some = done(*command, "--threshold", "0=1,1=1").json["images"]
    assert not any({"0", "1"} & set(image["labels"]) for image in some)
    assert "no such label" in genus(*command, "--threshold", "9=0.5").complaint
    assert "expected a number" in genus(*command, "--threshold", "high").complaint


def test_coverage_gives_what_may_be_there(here: Path, model: Path, table: Path) -> None:
    command = ("predict", "-m", model, table.parent, "--json", "--coverage")
    few, many = (done(*command, coverage).json["images"] for coverage in (0.6, 0.9))
    assert all(set(a["labels"]) <= set(b["labels"]) for a, b in zip(few, many, strict=True))


def test_what_needs_one_class_an_image_says_so(here: Path, model: Path, digits: Path, table: Path) -> None:
    assert "one class an image" in genus("predict", "-m", model, table.parent, "--sort-into", "x").complaint
    done("train", digits, "-o", "one.onnx", *CHEAP, "--no-report")
    assert "names one class" in genus("predict", "-m", "one.onnx", digits, "--threshold", 0.5).complaint
    assert "names one class an image" in genus("evaluate", "one.onnx", table).complaint
    assert "aim" in genus("train", table, "-o", "y.onnx", *CHEAP, "--aim", "speed").complaint


def test_evaluation_and_info_and_compare_know_label_sets(here: Path, model: Path, table: Path) -> None:
    said = done("evaluate", model, table, "--report", "e.html").out
    assert "it learned from" in said and "Sets entirely right" in said
    assert "Evaluation report" in (here / "e.html").read_text("utf-8")
    assert done("info", model, "--json").json["multilabel"] is True
    assert done("info", model).out
    assert "right" in done("compare", model, model, table).out


def test_the_page_has_sliders_and_nothing_from_elsewhere(model: Path) -> None:
    page = model.with_suffix(".report.html").read_text("utf-8")
    for part in ("Thresholds", "Together", "Enough names", "Examples", 'type="range"'):
        assert part in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    data = json.loads(re.search(r'id="page-data">(.*?)</script>', page, re.S)[1])  # type: ignore[index]
    assert {curve["name"] for curve in data["curves"]} == NAMES


def test_label_names_are_text_on_the_page_and_columns_in_tables(here: Path, table: Path) -> None:
    rows = list(csv.reader(table.read_text("utf-8").splitlines()))
    nasty = {"0": "<b>x</b>", "1": "path", "2": "a, b", "3": "ü"}
    with (here / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(rows[0])
        for name, found in rows[1:]:
            labels = "|".join(nasty[one] for one in filter(None, found.split("|")))
            writer.writerow([table.parent / name, labels])
    done("train", "labels.csv", "-o", "m.onnx", *CHEAP)
    assert "<b>x</b>" not in (here / "m.report.html").read_text("utf-8")
    done("predict", "-m", "m.onnx", table.parent, "--csv", "out.csv")
    assert {"label path", "<b>x</b>", "a, b", "ü"} <= set(csv_rows("out.csv")[0])
