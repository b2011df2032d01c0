"""Images of no known class, on the command line and in Python: rejected, filed, counted, measured."""

import csv
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from estimators.conftest import quick
from genus import ImageClassifier, load
from genus.errors import ParameterError

from .command import CHEAP, done, genus


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that are no digits: stripes and noise. Nobody writes here."""
    folder = tmp_path_factory.mktemp("unknown") / "strange"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(6):
        picture = (
            rng.integers(0, 255, (64, 64), np.uint8) if i % 2 else np.indices((64, 64)).sum(0) % (9 + i) * 20
        )
        cv2.imwrite(str(folder / f"strange{i}.png"), picture.astype(np.uint8))
    return folder


def answers(*command: object) -> list[str]:
    return [image["label"] for image in done("predict", *command, "--json").json["images"]]


def test_what_is_unlike_the_training_images_is_unknown(model: Path, fresh: Path, strange: Path) -> None:
    assert set(answers("-m", model, strange, "--reject", "auto")) == {"unknown"}
    known = answers("-m", model, fresh, "--reject", "auto")
    plain = answers("-m", model, fresh)
    assert known.count("unknown") <= 6  # of 20; one is what was asked for
    assert all(a in (b, "unknown") for a, b in zip(known, plain, strict=True))


def test_nobody_is_unknown_who_does_not_ask(model: Path, strange: Path) -> None:
    assert "unknown" not in answers("-m", model, strange)


def test_tables_and_folders(here: Path, model: Path, fresh: Path, strange: Path) -> None:
    done("predict", "-m", model, fresh, strange, "--reject", "0.1", "--csv", "t.csv", "--sort-into", "s")
    with open("t.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    unknown = [row for row in rows if row["label"] == "unknown"]
    assert len(unknown) >= 6 and all(row["confidence"] == "" and row["label_2"] for row in unknown)
    least = min(float(row["novelty"]) for row in unknown)
    assert all(float(row["novelty"]) <= least for row in rows if row["label"] != "unknown")
    assert len(list(Path("s/unknown").iterdir())) == len(unknown)


def test_lines_name_the_nearest_class(here: Path, model: Path, strange: Path) -> None:
    one = sorted(strange.iterdir())[0]
    said = done("predict", "-m", model, one, "--reject", "auto").out
    assert "unknown (of the classes most like" in said
    said = done("predict", "-m", model, strange, "--reject", "auto", "--csv", "t.csv").out
    assert "unknown  6" in said


def test_sets_and_trees_give_way(here: Path, model: Path, digits: Path, strange: Path) -> None:
    sets = done("predict", "-m", model, strange, "--reject", "auto", "--coverage", "0.9", "--json").json[
        "images"
    ]
    assert all(image["set"] == ["unknown"] for image in sets)
    parents = {"0": "round", "3": "round", "1": "straight", "2": "straight"}
    tree = quick(taxonomy=parents).fit(digits)
    assert tree.predict_taxa(strange, reject="auto").tolist() == ["unknown"] * 6
    tree.save("tree.onnx")
    found = done("predict", "-m", "tree.onnx", strange, "--sure", "0.8", "--reject", "auto", "--json").json
    assert all(image["taxon"] == "unknown" for image in found["images"])


def test_python(digits: Path, fresh: Path, strange: Path) -> None:
    classifier = quick().fit(digits)
    assert classifier.predict(strange, reject="auto").tolist() == ["unknown"] * 6
    assert [*classifier.predict(strange, reject="auto", coverage=0.9)] == [("unknown",)] * 6
    predictor = classifier._predictor
    assert predictor.novelty(strange).min() > np.median(predictor.novelty(fresh))
    assert predictor.novelty(digits).max() < np.median(predictor.novelty(fresh))  # it learned from these


def test_numbers_stay_numbers_until_there_is_an_unknown() -> None:
    from estimators.conftest import digit_pictures

    pictures, labels = digit_pictures(12)
    classifier = quick().fit(list(pictures), labels)
    assert classifier.predict(list(pictures[:2])).dtype.kind == "i"
    assert set(classifier.predict(list(pictures), reject="auto").tolist()) <= {
        *map(str, range(10)),
        "unknown",
    }


def test_a_class_of_that_name_is_told_apart(tmp_path: Path, digits: Path, strange: Path) -> None:
    for name, called in (("0", "unknown"), ("1", "1")):
        (tmp_path / called).symlink_to(digits / name, target_is_directory=True)
    classifier = quick().fit(tmp_path)
    assert classifier.predict(strange, reject="auto").tolist() == ["(unknown)"] * 6


def test_training_measures_it(tmp_path: Path, digits: Path) -> None:
    model = tmp_path / "m.onnx"
    said = done("train", digits, "-o", model, *CHEAP, "--heads", "logistic").out
    assert 'Saying "unknown" gives up' in said and "A class it has not seen would stand out" in said
    page = (tmp_path / "m.report.html").read_text("utf-8")
    assert 'id="unknown"' in page and "Class by class" in page
    found = load(model).model.details["unknown"]
    assert {row["name"] for row in found["left_out"]} == set("0123")
    assert found["n_stored_images"] == 48 and len(found["scores"]) == 40


def test_evaluation_counts_what_was_caught(tmp_path: Path, model: Path, fresh: Path, strange: Path) -> None:
    for name in "0123":
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / name).symlink_to(fresh / name, target_is_directory=True)
    (tmp_path / "data" / "stripes").symlink_to(strange, target_is_directory=True)
    found = done("evaluate", model, tmp_path / "data", "--json").json["rejection"]
    assert (found["n_known"], found["n_unknown"]) == (20, 6)
    assert found["caught"] == 1.0 and found["auroc"] > 0.95
    page = tmp_path / "e.html"
    said = done("evaluate", model, tmp_path / "data", "--report", page).out
    assert 'Saying "unknown" catches 100' in said and 'id="unknown"' in page.read_text("utf-8")


def test_several_labels_an_image(tmp_path: Path, strange: Path) -> None:
    from estimators.test_label_classifier import pairs_of_digits, write_table

    table = write_table(tmp_path, *pairs_of_digits(120))
    classifier = quick().fit(table)
    assert [*classifier.predict(strange, reject="auto")] == [("unknown",)] * 6
    assert classifier.result_.test.rejection is not None and classifier.result_.left_out


class TestWhatCannotBe:
    def test_shares_that_are_none(self, model: Path, strange: Path) -> None:
        assert "between 0 and 1" in genus("predict", "-m", model, strange, "--reject", "5").complaint
        assert "--reject often" in genus("predict", "-m", model, strange, "--reject", "often").complaint
        assert "is the least" in genus("predict", "-m", model, strange, "--reject", "0.0001").complaint

    def test_models_that_cannot_tell(self, here: Path, digits: Path, fresh: Path, strange: Path) -> None:
        done("train", digits, "-o", "n.onnx", *CHEAP, "--heads", "prototype", "--no-report", "--no-memory")
        complaint = genus("predict", "-m", "n.onnx", strange, "--reject", "auto").complaint
        assert "cannot tell images of no known class" in complaint
        assert "novelty" not in {output.name for output in onnx.load("n.onnx").graph.output}
        assert "rejection" not in done("evaluate", "n.onnx", fresh, "--json").json
        with pytest.raises(ParameterError, match="cannot tell"):
            load("n.onnx").novelty(strange)

    def test_a_model_that_was_added_to_cannot_either(self, digits: Path, fresh: Path, strange: Path) -> None:
        classifier: ImageClassifier = quick(heads=["prototype"]).fit(digits).partial_fit(fresh)
        assert any("telling unknown images" in note for note in classifier.result_.notes)
        with pytest.raises(ParameterError, match="was added to"):
            classifier.predict(strange, reject="auto")


@pytest.mark.parametrize("n_each", [2, 3])
def test_a_handful_of_images(tmp_path: Path, digits: Path, strange: Path, n_each: int) -> None:
    for name in "01":
        (tmp_path / name).mkdir()
        for path in sorted((digits / name).iterdir())[:n_each]:
            (tmp_path / name / path.name).symlink_to(path)
    found = quick().fit(tmp_path).predict(strange, reject="auto")
    assert set(found.tolist()) <= {"0", "1", "unknown"} and "unknown" in found
