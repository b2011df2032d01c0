"""`genus audit`: the folder it leaves, what `--fix` applies, and its exit codes."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from .command import CHEAP, below, csv_rows, done, genus

FILES = {"audit.csv", "audit.json", "audit.html", "review.csv"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """Digits, of which one lies in the wrong folder, and one in two."""
    folder = tmp_path_factory.mktemp("audit") / "digits"
    shutil.copytree(digits, folder)
    first = sorted((folder / "0").iterdir())
    first[0].rename(folder / "1" / "moved.png")
    shutil.copy(first[1], folder / "0" / "again.png")
    return folder


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    folder = tmp_path_factory.mktemp("audited") / "out"
    done("audit", data, "-o", folder, *CHEAP)
    return folder


def accept(review: Path, target: Path, image: str, **changes: str) -> Path:
    """Accept what is suggested for an image."""
    rows = csv_rows(review)
    for row in rows:
        if row["image"].endswith(image):
            row.update({"accept": "yes", **changes})
    with target.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return target


def test_the_folder_holds_the_table_the_page_and_what_can_be_accepted(audited: Path, data: Path) -> None:
    assert below(audited) == FILES
    rows = csv_rows(audited / "audit.csv")
    assert list(rows[0]) == ["image", "issue", "severity", "evidence", "suggestion", "other_image", "group"]
    labels = [row for row in rows if row["issue"] == "label"]
    assert len(labels) == len(list(data.rglob("*.png")))
    assert labels[0]["image"] == str(data / "1" / "moved.png") and labels[0]["suggestion"] == "0"
    assert {row["accept"] for row in csv_rows(audited / "review.csv")} == {""}


def test_the_page_shows_pictures_side_by_side_and_asks_no_network(audited: Path) -> None:
    page = (audited / "audit.html").read_text("utf-8")
    assert page.count("data:image/jpeg") > 3 and "Labels that look wrong" in page
    assert "http://" not in page and "https://" not in page


def test_json_holds_the_same_in_plain_values(data: Path, here: Path) -> None:
    outcome = done("audit", data, "-o", "out", *CHEAP, "--json", "--checks", "labels,duplicates")
    assert outcome.json["counts"]["exact_duplicate"] == 2 and outcome.json["n_images"] == 49
    table = json.loads((here / "out" / "audit.json").read_text("utf-8"))["table"]
    assert len(table) == len(csv_rows(here / "out" / "audit.csv"))


def test_what_was_accepted_becomes_a_new_table_and_nothing_else_changes(
    audited: Path, data: Path, here: Path
) -> None:
    before = below(data)
    review = accept(audited / "review.csv", audited / "mine.csv", "moved.png")
    outcome = done("audit", "--fix", review, "-o", "fixed.csv", "--json")
    assert [(c["old"], c["new"]) for c in outcome.json["changed"]] == [("1", "0")]
    rows = csv_rows(here / "fixed.csv")
    assert len(rows) == 49 and below(data) == before
    assert next(row["label"] for row in rows if row["image"].endswith("moved.png")) == "0"
    assert done("data", "fixed.csv", "--json").json["n_readable"] == 49


def test_an_image_can_be_left_out(audited: Path, here: Path) -> None:
    copies = [row for row in csv_rows(audited / "review.csv") if row["issue"] == "exact_duplicate"]
    review = accept(audited / "review.csv", audited / "copies.csv", Path(copies[0]["image"]).name)
    outcome = done("audit", "--fix", review, "-o", "fixed.csv", "--json")
    assert outcome.json["left_out"] == [copies[0]["image"]] and outcome.json["n_images"] == 48


def test_nothing_accepted_changes_nothing(audited: Path, here: Path) -> None:
    outcome = done("audit", "--fix", audited / "review.csv", "-o", "fixed.csv", "--json")
    assert outcome.json["changed"] == [] and outcome.json["n_images"] == 49


def test_exit_codes_for_those_who_check_data_automatically(data: Path, here: Path) -> None:
    cheap = (*CHEAP, "--checks", "labels,duplicates", "--quiet")
    failed = genus("audit", data, "-o", "a", *cheap, "--fail-on", "exact_duplicates,labels>50%")
    assert failed.code == 1 and "Failed  exact_duplicate: 2" in failed.out
    assert genus("audit", data, "-o", "b", *cheap, "--fail-on", "exact_duplicates>5,labels>50%").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name the images to audit"),
        (("nowhere", "-o", "out"), "nowhere"),
        (("DATA", "--fail-on", "leeks"), "no issue named 'leeks'"),
        (("DATA", "--checks", "lables"), "Did you mean 'labels'"),
        (("--fix", "missing.csv"), "audit.json is missing or damaged"),
    ],
)
def test_bad_usage_is_one_line(arguments: tuple[str, ...], words: str, data: Path, here: Path) -> None:
    given = [data if word == "DATA" else word for word in arguments]
    assert words in genus("audit", *given).complaint


def test_a_folder_that_is_not_empty_is_kept(data: Path, here: Path) -> None:
    (here / "out").mkdir()
    (here / "out" / "precious.txt").write_text("mine")
    assert "not empty" in genus("audit", data, "-o", "out").complaint


def test_a_word_that_is_neither_yes_nor_no_is_asked_back(audited: Path, here: Path) -> None:
    review = accept(audited / "review.csv", audited / "odd.csv", "moved.png", accept="perhaps")
    assert "accept is 'perhaps'" in genus("audit", "--fix", review, "-o", "fixed.csv").complaint


def test_a_review_of_other_data_is_refused(audited: Path, digits: Path, here: Path) -> None:
    review = accept(audited / "review.csv", audited / "mine2.csv", "moved.png")
    complaint = genus("audit", digits, "--fix", review, "-o", "fixed.csv").complaint
    assert "is not among the 48 images" in complaint
