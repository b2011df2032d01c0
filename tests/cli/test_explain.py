"""`genus explain`: pictures with the evidence in colour, and a table of boxes."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from .command import done, genus


def test_it_writes_pictures_and_boxes(here: Path, model: Path, digits: Path) -> None:
    found = done("explain", "-m", model, digits / "0", "-o", "ev", "--top", "2", "--arrays", "--json").json
    assert len(found["explained"]) == 24 and found["explained"][0]["method"] == "combined"
    with open("ev/boxes.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["image"] for row in rows} == {row["image"] for row in found["explained"]}
    for row in found["explained"][:2]:
        assert cv2.imread(row["picture"]).shape == (320, 320, 3), "boxes have no room in 64 pixels"
        assert np.load(Path(row["picture"]).with_suffix(".npy"), allow_pickle=False).ndim == 2
        for box in row["boxes"]:
            assert 0 <= box["left"] < box["right"] <= 64 and 0 <= box["top"] < box["bottom"] <= 64


def test_the_page_shows_all_of_it_and_says_what_boxes_are(here: Path, model: Path, digits: Path) -> None:
    found = done("explain", "-m", model, digits / "1", "-o", "ev", "--examples", digits, "--json").json
    page = Path(found["page"]).read_text("utf-8")
    assert page.count('id="image-') == 2 * 12 and "This is no detector." in page
    assert "http" not in page.replace("http-equiv", "") and "pixels at" in page
    for row in found["explained"]:
        assert len(row["examples"]) == 3 and row["ranking"][0]["label"] == row["label"]
        apart = [example["distance"] for example in row["examples"]]
        assert apart == sorted(apart) and row["image"] not in [one["image"] for one in row["examples"]]
    assert {one["label"] for row in found["explained"] for one in row["examples"]} == {"1"}


def test_examples_are_named_on_the_screen(here: Path, model: Path, digits: Path) -> None:
    one = next((digits / "1").iterdir())
    said = done("explain", "-m", model, one, "--examples", digits).out
    assert said.count("  like ") == 3 and "distance 0." in said
    assert "no labelled images" in genus("explain", "-m", model, one, "-o", "x", "--examples", one).complaint
    assert not Path("x").exists()


def test_it_says_what_it_found(here: Path, model: Path, digits: Path) -> None:
    one = next((digits / "1").iterdir())
    said = done("explain", "-m", model, one, "--classes", "1, 3").out
    assert (
        f"{one}: 1 " in said and f"{one}: 3 " in said and "Written to" in said and Path("evidence").is_dir()
    )


def test_what_cannot_be_read_is_listed(here: Path, model: Path, digits: Path) -> None:
    Path("bad.png").write_bytes(b"no picture")
    one = next((digits / "1").iterdir())
    outcome = genus("explain", "-m", model, "bad.png", one, "-o", "ev")
    assert outcome.code == 0 and "Skipped bad.png" in outcome.err
    assert "bad.png" in genus("explain", "-m", model, "bad.png", "-o", "ev2").err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--classes", "7"), "no class '7'"),
        (("--method", "guess"), "method must be one of"),
        (("--method", "places"), "no feature map"),
        (("--layers", "3"), "layers are for"),
        (("--method", "layer-cam", "--layers", "x"), "give numbers"),
    ],
)
def test_wishes_that_cannot_be_leave_nothing_behind(
    here: Path, model: Path, digits: Path, options: tuple[str, ...], words: str
) -> None:
    assert words in genus("explain", "-m", model, digits / "1", "-o", "ev", *options).complaint
    assert not Path("ev").exists()


def test_a_folder_with_something_in_it_is_left_alone(here: Path, model: Path, digits: Path) -> None:
    Path("ev").mkdir()
    Path("ev/mine.txt").write_text("mine")
    assert "not empty" in genus("explain", "-m", model, digits / "1", "-o", "ev").complaint
    done("explain", "-m", model, digits / "1", "-o", "ev", "--force")
    assert Path("ev/mine.txt").read_text() == "mine"
