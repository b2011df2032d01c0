"""`genus train` on a handful of images, with unlabelled ones, and added to a model."""

import json
import shutil
from pathlib import Path

import pytest

from .command import CHEAP, done, genus


def handful(digits: Path, to: Path, n: int, *names: str) -> Path:
    """Copy the first images of these classes."""
    for name in names:
        (to / name).mkdir(parents=True)
        for image in sorted((digits / name).iterdir())[:n]:
            shutil.copy(image, to / name)
    return to


def strict(text: str) -> dict[str, object]:
    """Read JSON, in which NaN has no place."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} in JSON")

    found: dict[str, object] = json.loads(text, parse_constant=refuse)
    return found


class TestOneImageAClass:
    def test_what_was_not_measured_is_said(self, here: Path, digits: Path) -> None:
        data = handful(digits, here / "few", 1, "0", "1", "2")
        said = done("train", data, *CHEAP).out
        assert "not measured" in said
        assert "nan" not in said.lower()
        assert "not measured" in (here / "few.report.html").read_text("utf-8")
        assert "not measured" in done("info", "few.onnx").out

    def test_in_json_it_is_null(self, here: Path, digits: Path) -> None:
        data = handful(digits, here / "few", 1, "0", "1", "2")
        found = strict(done("train", data, "--json", *CHEAP).out)
        assert found["winner"]["score"] is None  # type: ignore[index]
        strict(done("info", "few.onnx", "--json").out)

    def test_such_a_model_predicts(self, here: Path, digits: Path) -> None:
        data = handful(digits, here / "few", 1, "0", "1", "2")
        done("train", data, "--no-report", *CHEAP)
        assert done("predict", "-m", "few.onnx", digits / "0").out.count("\n") >= 12


class TestAHandful:
    def test_how_it_was_judged_is_said(self, here: Path, digits: Path) -> None:
        said = done("train", handful(digits, here / "few", 4, "0", "1", "2"), *CHEAP).out
        assert "Learned from all 12; 12 judged in turn" in said
        assert "Of 100 new images of the same kind, expect" in said

    def test_unlabelled_images_take_part(self, here: Path, digits: Path) -> None:
        data = handful(digits, here / "few", 2, "0", "1", "2")
        said = done("train", data, "--unlabelled", digits, "--no-report", *CHEAP).out
        assert "labels were spread to" in said

    def test_with_more_images_they_do_not_and_that_is_said(self, here: Path, digits: Path) -> None:
        data = handful(digits, here / "few", 8, "0", "1", "2")
        said = done("train", data, "--unlabelled", digits, "--no-report", *CHEAP).out
        assert "not used: with more than" in said


class TestAdding:
    def test_new_classes(self, here: Path, digits: Path) -> None:
        done("train", handful(digits, here / "old", 8, "0", "1"), "--no-report", *CHEAP)
        more = handful(digits, here / "more", 8, "2", "3")
        said = done("train", "--add", more, "-m", "old.onnx", "-o", "new.onnx").out
        assert "2 new classes: 2, 3" in said
        assert (here / "new.report.html").exists()
        assert strict(done("info", "new.onnx", "--json").out)["classes"] == ["0", "1", "2", "3"]

    def test_the_old_model_stays_unless_forced(self, here: Path, digits: Path) -> None:
        done("train", handful(digits, here / "old", 4, "0", "1"), "--no-report", *CHEAP)
        more = handful(digits, here / "more", 4, "2")
        assert "old.onnx" in genus("train", "--add", more, "-m", "old.onnx", "-o", "old.onnx").complaint

    @pytest.mark.parametrize("option", [("--heads", "lda"), ("--features", "hog@32"), ("--dry-run",)])
    def test_how_to_train_cannot_be_said(self, here: Path, digits: Path, option: tuple[str, ...]) -> None:
        done("train", handful(digits, here / "old", 4, "0", "1"), "--no-report", *CHEAP)
        complaint = genus("train", "--add", digits, "-m", "old.onnx", "-o", "new.onnx", *option).complaint
        assert option[0] in complaint

    @pytest.mark.parametrize(
        ("command", "words"),
        [
            ((), "name the labelled images"),
            (("a", "--add", "b", "-m", "c.onnx"), "not both"),
            (("--add", "b"), "name the model to add to"),
            (("a", "-m", "c.onnx"), "--output"),
        ],
    )
    def test_it_takes_images_and_a_model_and_nothing_else(self, command: tuple[str, ...], words: str) -> None:
        assert words in genus("train", *command).complaint

    def test_a_model_that_remembers_nothing_says_what_to_do(self, here: Path, digits: Path) -> None:
        done("train", handful(digits, here / "old", 4, "0", "1"), "--no-memory", "--no-report", *CHEAP)
        complaint = genus("train", "--add", digits, "-m", "old.onnx", "-o", "new.onnx").complaint
        assert "old.onnx" in complaint
        assert "Train on all images together" in complaint
