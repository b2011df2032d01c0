"""Calibration from training to file: as chosen or as told, in the result, in the details, in the graph."""

import numpy as np
import pytest

from genus.errors import ParameterError

from .conftest import quick
from .test_label_classifier import pairs_of_digits

METHODS = ["auto", "none", "temperature", "platt", "isotonic"]


@pytest.mark.parametrize("method", METHODS)
def test_the_file_is_calibrated_as_told(digits, method) -> None:
    model = quick(heads=["lda"], calibration=method).fit(*digits)
    details = model.model_.details["calibration"]
    assert details == model.result_.calibration.to_dict() == model.result_.to_dict()["calibration"]
    assert details["method"] == method if method != "auto" else details["method"] in METHODS[1:]
    assert sum(b["n"] for b in details["before"]) == sum(b["n"] for b in details["after"]) == details["n"]
    assert max(model.result_.parity.values()) < 1e-3
    tested = sum(b.n for b in model.result_.uncalibrated)
    assert tested == model.result_.n_test


@pytest.mark.parametrize("method", ["auto", "none", "platt", "isotonic"])
def test_several_labels_are_calibrated_as_told(method) -> None:
    model = quick(heads=["rbf"], calibration=method).fit(*pairs_of_digits())
    details = model.model_.details["calibration"]
    assert details["method"] == method if method != "auto" else details["method"] in METHODS[1:]
    assert max(model.result_.parity.values()) < 1e-3
    assert sum(b.n for b in model.result_.uncalibrated) == model.result_.n_test * len(model.classes_)
    if method == "auto":
        assert details["ece_after"] < details["ece_before"] / 2


def test_too_few_images_are_left_as_they_are_and_it_is_said(digits) -> None:
    pictures, labels = digits
    rows = np.concatenate([np.flatnonzero(labels == d)[:10] for d in (0, 1)])
    model = quick(heads=["lda"], calibration="isotonic").fit(pictures[rows], labels[rows])
    assert model.model_.details["calibration"]["method"] == "none"
    assert any("fewer than 20 images to calibrate on" in note for note in model.result_.notes)


def test_a_class_too_rare_to_be_compared_on_is_calibrated_along(digits) -> None:
    pictures, labels = digits
    rows = np.concatenate([np.flatnonzero(labels == d)[:20] for d in (0, 1, 2)])
    rows = np.append(rows, np.flatnonzero(labels == 7)[:1])
    for method in METHODS[1:]:
        model = quick(heads=["lda"], calibration=method).fit(pictures[rows], labels[rows])
        assert 7 in model.classes_
        np.testing.assert_allclose(model.predict_proba(pictures[:5]).sum(axis=1), 1, atol=1e-5)


def test_what_is_not_a_method_is_refused_before_the_work(digits) -> None:
    with pytest.raises(ParameterError, match="calibration='sigmoid': expected one of auto, none"):
        quick(calibration="sigmoid").fit(*digits)
    pictures, labels = pairs_of_digits(40)
    with pytest.raises(ParameterError, match="several labels take 'platt'"):
        quick(calibration="temperature").fit(pictures, labels)
