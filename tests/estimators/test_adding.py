"""`partial_fit`: images and classes are added without those that were learned from before."""

import json

import numpy as np
import pytest

from genus.data.read import read_dataset
from genus.errors import DataError, ModelFileError, ParameterError
from genus.estimators.adding import add_images
from genus.estimators.classifier import ImageClassifier
from genus.model_file import ModelFile, read_model_file

from .conftest import digit_pictures, quick

PICTURES, LABELS = digit_pictures(24)


def some(*digits: int, of: slice = slice(0, 12)) -> tuple[list[np.ndarray], np.ndarray]:
    """Pictures of these digits; `of` says which of each."""
    rows = np.concatenate([np.flatnonzero(LABELS == digit)[of] for digit in digits])
    return list(PICTURES[rows]), LABELS[rows]


LATER = slice(12, 24)


@pytest.fixture(scope="module")
def old() -> ModelFile:
    return quick(heads=["logistic"]).fit(*some(0, 1, 2)).model_


def grown(old: ModelFile, *digits: int, of: slice = slice(0, 12)) -> ImageClassifier:
    return quick().resume(old).partial_fit(*some(*digits, of=of))


class TestAdding:
    def test_new_classes_are_known_and_old_ones_not_forgotten(self, old: ModelFile) -> None:
        model = grown(old, 3, 4)
        assert [str(name) for name in model.classes_] == ["0", "1", "2", "3", "4"]
        pictures, labels = some(0, 1, 2, 3, 4, of=LATER)
        assert (model.predict(pictures).astype(str) == labels.astype(str)).mean() > 0.75

    def test_classes_stand_in_the_order_of_people(self, old: ModelFile) -> None:
        pictures, _ = some(3)
        model = quick().resume(old).partial_fit(pictures, ["1b"] * len(pictures))
        assert model.classes_.tolist() == ["0", "1", "1b", "2"]
        assert (model.predict(some(2, of=LATER)[0]) == "2").mean() > 0.6

    def test_more_images_of_known_classes_help(self, old: ModelFile) -> None:
        model = grown(old, 0, 1, 2, of=LATER)
        assert model.model_.details["counts"] == {"0": 24, "1": 24, "2": 24}
        assert model.result_.evaluation.accuracy.value > 0.8

    def test_one_image_of_one_class(self, old: ModelFile) -> None:
        model = grown(old, 7, of=slice(0, 1))
        assert model.evaluation_.accuracy.text() == "not measured"
        assert model.predict_proba(some(0)[0]).shape == (12, 4)

    def test_adding_twice(self, old: ModelFile) -> None:
        model = grown(old, 3).partial_fit(*some(4))
        again = grown(old, 3, 4)
        pictures, labels = some(0, 1, 2, 3, 4, of=LATER)
        assert (model.predict(pictures).astype(str) == again.predict(pictures).astype(str)).mean() > 0.95
        assert (model.predict(pictures).astype(str) == labels.astype(str)).mean() > 0.75
        assert len(model.model_.details["provenance"]["added_to"]) == 2

    def test_what_was_learned_already_is_left_out(self, old: ModelFile) -> None:
        model = grown(old, 2, 3)
        assert any(note.startswith("12 images left out: the model") for note in model.result_.notes)
        with pytest.raises(DataError, match="nothing to add"):
            quick().resume(old).partial_fit(*some(0, 1, 2))

    def test_what_no_longer_holds_is_dropped_and_said(self, old: ModelFile) -> None:
        assert "conformal" in old.details
        model = grown(old, 3)
        assert "conformal" not in model.model_.details
        assert any("sets of names" in note for note in model.result_.notes)
        assert any("new images only" in note for note in model.result_.notes)
        with pytest.raises(ParameterError, match="how many names"):
            model.predict(some(3)[0], coverage=0.9)

    def test_the_file_predicts_what_the_model_does(self, old: ModelFile, tmp_path) -> None:
        model = grown(old, 3)
        model.save(tmp_path / "grown.onnx")
        read = quick().resume(read_model_file(tmp_path / "grown.onnx"))
        pictures = some(0, 3, of=LATER)[0]
        assert np.array_equal(read.predict_proba(pictures), model.predict_proba(pictures))
        assert model.result_.parity["onnxruntime"] < 0.02
        json.dumps(model.result_.to_dict(), allow_nan=False)
        json.dumps(dict(model.model_.details), allow_nan=False)

    def test_the_first_call_trains(self) -> None:
        pictures, labels = some(0, 1)
        model = quick(heads=["prototype"]).partial_fit(pictures, labels)
        assert model.result_.winner.name == "prototype"
        assert model.partial_fit(*some(2)).classes_.tolist() == [0, 1, 2]


class TestWhatCannotBeAddedTo:
    def test_a_model_without_a_memory(self) -> None:
        model = quick(heads=["prototype"], memory=False).fit(*some(0, 1))
        assert "memory" not in model.model_.details
        with pytest.raises(ParameterError, match="Train on all images together"):
            model.partial_fit(*some(2))

    def test_a_model_of_several_labels(self) -> None:
        pictures, labels = some(0, 1, 2)
        model = quick(heads=["logistic"]).fit(pictures, [[str(x)] if x < 2 else [] for x in labels])
        with pytest.raises(ParameterError, match="several labels"):
            model.partial_fit(*some(3))

    def test_images_without_labels(self, old: ModelFile) -> None:
        with pytest.raises(DataError, match="no labels"):
            add_images(old, read_dataset(some(3)[0]))

    def test_a_damaged_memory(self, old: ModelFile) -> None:
        with pytest.raises((DataError, ModelFileError), match="cannot be read"):
            add_images(old.with_details(memory={"counts": [1]}), read_dataset(*some(3)))
