"""Calibration: each method finds what it is made for, is chosen where it helps, and is written as it was fitted."""

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from genus.classify.calibration import Calibration, Identity, LogitMap, Temperature
from genus.classify.calibration_choice import METHODS, check_calibration, choose_calibration
from genus.classify.fitted import fit_final
from genus.classify.head import probabilities
from genus.classify.isotonic import MAX_KNOTS, Isotonic, curve
from genus.classify.label_scores import label_log_loss
from genus.classify.platt import Platt
from genus.classify.scores import log_loss
from genus.classify.selection import select
from genus.classify.truth import LabelSetsTruth, OneClass
from genus.errors import ParameterError
from genus.graph import GraphBuilder

ONE_CLASS = [Temperature.fit, Platt.fit, Isotonic.fit]
LABELS = [Platt.fit_labels, Isotonic.fit_labels]


def drawn(n: int, seed: int = 0, n_classes: int = 3):
    """Return logits, and classes drawn from their softmax: nothing is to be calibrated."""
    rng = np.random.default_rng(seed)
    honest = (rng.standard_normal((n, n_classes)) * 2).astype(np.float32)
    proba = probabilities(honest.astype(float), several=False)
    codes = (rng.random((n, 1)) > proba.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return honest, codes


def labelled(n: int, seed: int = 0, n_labels: int = 3):
    """Return log-odds, and labels drawn from their sigmoid, some unknown."""
    rng = np.random.default_rng(seed)
    honest = (rng.standard_normal((n, n_labels)) * 2).astype(np.float32)
    values = (rng.random(honest.shape) < probabilities(honest, several=True)).astype(np.int8)
    values[rng.random(values.shape) < 0.1] = -1
    return honest, values


def run(mapping: LogitMap, logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run a mapping as ONNX."""
    graph = GraphBuilder()
    graph.output(mapping.export(graph, "logits"), "calibrated", np.float32, ["N", logits.shape[1]])
    model = graph.model([("logits", np.float32, ["N", logits.shape[1]])])
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["calibrated"], {"logits": logits})[0]


def test_rows_that_are_all_right_do_not_make_the_next_one_certain() -> None:
    codes = np.arange(60) % 3
    logits = np.eye(3, dtype=np.float32)[codes]
    sure = probabilities(Temperature.fit(logits, codes).apply(logits), several=False).max(axis=1)
    assert 0.95 < sure.min() < 0.99, "60 of 60 right speaks for some 98%"


@pytest.mark.parametrize("temperature", [0.05, 0.5, 2.0, 8.0])
def test_the_temperature_is_found(temperature) -> None:
    honest, codes = drawn(4000)
    assert Temperature.fit(honest * np.float32(temperature), codes).temperature == pytest.approx(
        temperature, rel=0.1
    )


def test_platt_finds_the_scale_and_bias_of_each_class() -> None:
    honest, codes = drawn(20_000)
    scale, bias = np.float32([0.5, 2, 1]), np.float32([1, -1, 0])
    found = Platt.fit((honest - bias) / scale, codes)
    np.testing.assert_allclose(found.scale, scale, rtol=0.1)
    np.testing.assert_allclose(found.bias - found.bias.mean(), bias, atol=0.15)


def test_isotonic_undoes_any_rising_distortion() -> None:
    honest, codes = drawn(20_000, n_classes=2)
    margin = honest[:, 1] - honest[:, 0]
    distorted = np.stack([np.zeros_like(margin), 1.5 * np.tanh(margin) + 1], axis=1)
    losses = [log_loss(fit(distorted, codes).apply(distorted), codes) for fit in (Platt.fit, Isotonic.fit)]
    assert losses[1] < losses[0] - 0.003
    assert losses[1] == pytest.approx(log_loss(honest, codes), abs=0.01)


@given(st.integers(20, 400), st.floats(0, 1), st.integers(0, 1000))
def test_a_curve_rises_from_0_with_few_knots(n, ties, seed) -> None:
    rng = np.random.default_rng(seed)
    proba = rng.random(n) ** rng.integers(1, 9)
    proba[rng.random(n) < ties] = rng.random()
    x, y = curve(proba, rng.random(n) < proba)
    assert x[0] == y[0] == 0
    assert x[-1] == 1
    assert y[-1] <= 1
    assert 2 <= len(x) <= MAX_KNOTS
    assert (np.diff(x) > 0).all()
    assert (np.diff(y) > 0).all()


@pytest.mark.parametrize("has", [True, False])
def test_what_is_always_or_never_so_teaches_no_curve(has) -> None:
    x, y = curve(np.linspace(0, 1, 30), np.full(30, has))
    np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("fit", [*ONE_CLASS, *LABELS])
@settings(max_examples=20, deadline=None)
@given(st.integers(20, 120), st.floats(0.02, 20), st.integers(0, 1000))
def test_every_mapping_is_written_as_it_was_fitted(fit, n, stretch, seed) -> None:
    several = fit in LABELS
    logits, truth = (labelled if several else drawn)(n, seed, 4)
    logits *= np.float32(stretch)
    mapping = fit(logits, truth)
    fresh = (np.random.default_rng(seed).standard_normal((50, 4)) * 3 * stretch).astype(np.float32)
    expected = probabilities(mapping.apply(fresh), several=several)
    found = probabilities(run(mapping, fresh), several=several)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.isfinite(mapping.apply(fresh)).all()
    if not several:
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("fit", LABELS)
def test_the_order_of_rows_within_a_label_stays(fit) -> None:
    logits, values = labelled(500)
    calibrated = fit(logits * 4, values).apply(logits * 4)
    for label in range(3):
        ranked = calibrated[np.argsort(logits[:, label]), label]
        assert (np.diff(ranked) >= 0).all()


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=15, deadline=None)
@given(st.integers(30, 200), st.sampled_from([0.2, 1.0, 6.0]), st.integers(0, 1000))
def test_no_method_makes_unseen_rows_much_worse(method, n, stretch, seed) -> None:
    logits, codes = drawn(n + 2000, seed)
    logits *= np.float32(stretch)
    found, _ = choose_calibration(logits[:n], OneClass(codes[:n]), np.arange(n) % 5, method)
    assert log_loss(found.apply(logits[n:]), codes[n:]) < log_loss(logits[n:], codes[n:]) + 0.15


def test_honest_logits_are_left_alone() -> None:
    logits, codes = drawn(2000)
    found, _ = choose_calibration(logits, OneClass(codes), np.arange(2000) % 5)
    assert found.method == "none"
    assert found.apply(logits) is logits or np.array_equal(found.apply(logits), logits)
    assert list(found.tried) == ["none", "temperature", "platt", "isotonic"]


def test_the_simplest_that_does_is_chosen() -> None:
    honest, codes = drawn(3000)
    fold = np.arange(3000) % 5
    assert choose_calibration(honest * 5, OneClass(codes), fold)[0].method == "temperature"
    shifted = honest * 5 + np.float32([4, 0, 0])
    assert choose_calibration(shifted, OneClass(codes), fold)[0].method == "platt"
    bent = np.sign(honest) * np.abs(honest) ** 4
    assert choose_calibration(bent, OneClass(codes), fold)[0].method == "isotonic"


def test_the_figures_are_of_rows_that_the_mapping_had_not_seen() -> None:
    honest, codes = drawn(1000)
    found, calibrated = choose_calibration(honest * 5, OneClass(codes), np.arange(1000) % 5)
    assert found.log_loss_after == pytest.approx(log_loss(calibrated, codes), rel=1e-5)
    assert found.log_loss_after < found.log_loss_before / 2
    assert found.ece_after < found.ece_before / 2
    assert found.log_loss_after == found.tried[found.method] > log_loss(found.apply(honest * 5), codes)
    assert sum(b.n for b in found.before) == sum(b.n for b in found.after) == 1000


def test_several_labels_are_calibrated_label_by_label() -> None:
    logits, values = labelled(3000)
    fold = np.arange(3000) % 5
    found, _ = choose_calibration(logits * 5 + 2, LabelSetsTruth(values), fold)
    assert found.method == "platt"
    assert list(found.tried) == ["none", "platt", "isotonic"]
    assert label_log_loss(found.apply(logits * 5 + 2), values) == pytest.approx(
        label_log_loss(logits, values), abs=0.01
    )
    assert sum(b.n for b in found.after) == (values >= 0).sum()
    bent = np.tanh(logits) + 0.02 * logits
    assert choose_calibration(bent, LabelSetsTruth(values), fold)[0].method == "isotonic"


@pytest.mark.parametrize("method", ["auto", "platt", "isotonic"])
@pytest.mark.parametrize("several", [False, True])
def test_few_rows_change_nothing_and_it_is_said(method, several) -> None:
    logits, truth = (labelled if several else drawn)(19)
    of = LabelSetsTruth if several else OneClass
    found, _ = choose_calibration(logits * 5, of(truth), np.arange(19) % 5, method)
    assert found.method == "none"
    assert "fewer than 20 images" in found.note
    np.testing.assert_array_equal(found.apply(logits), logits)


@pytest.mark.parametrize("method", METHODS)
def test_a_class_may_be_missing_in_all_folds_but_one(method) -> None:
    logits, codes = drawn(200)
    fold = np.where(codes == 2, 0, 1 + np.arange(200) % 3)
    logits[codes == 2, 2] = -30  # as of a head that has never seen it
    found, _ = choose_calibration(logits, OneClass(codes), fold, method)
    assert np.isfinite(list(found.tried.values())).all()
    assert np.isfinite(found.apply(logits)).all()


def test_a_label_may_be_on_all_rows_or_on_none() -> None:
    logits, values = labelled(100)
    values[:, 0], values[:, 1] = 1, 0
    found, _ = choose_calibration(logits, LabelSetsTruth(values), np.arange(100) % 5, "isotonic")
    assert np.isfinite(found.apply(logits)).all()


def test_many_cells_are_calibrated_by_temperature_and_it_is_said(monkeypatch) -> None:
    monkeypatch.setattr("genus.classify.calibration_choice._MOST_CELLS", 100)
    logits, codes = drawn(200)
    found, _ = choose_calibration(logits * 5, OneClass(codes), np.arange(200) % 5)
    assert found.method == "temperature"
    assert "platt, isotonic" in found.note


def test_what_is_not_a_method_is_refused() -> None:
    with pytest.raises(ParameterError, match="expected one of auto, none"):
        check_calibration("beta", several=False)
    with pytest.raises(ParameterError, match="several labels take 'platt'"):
        check_calibration("temperature", several=True)


def test_the_search_calibrates_as_it_is_told() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    X = np.maximum(rng.normal(size=(90, 16)) + 2 * np.eye(3, 16)[y], 0)
    for method in ("none", "temperature", "platt", "isotonic"):
        found = select(X, y, np.arange(90) // 3 % 5, heads=["lda"], calibration=method)
        assert found.calibration.method == method
    with pytest.raises(ParameterError, match="calibration"):
        select(X, y, np.arange(90) % 5, heads=["lda"], calibration="better")


@pytest.mark.parametrize("method", METHODS[1:])
def test_a_class_too_rare_to_calibrate_on_is_known_all_the_same(method) -> None:
    rng = np.random.default_rng(0)
    y = np.append(np.arange(90) % 3 * 2, 3)  # 3 has one row, and comes between the others and the last
    y[y == 4] = 5
    X = np.maximum(rng.normal(size=(91, 16)) + 2 * np.eye(6, 16)[y], 0)
    selection = select(X[:90], y[:90], np.arange(90) // 3 % 5, heads=["lda"], calibration=method)
    fitted = fit_final(selection, X, y)
    assert fitted.classes_.tolist() == [0, 2, 3, 5]
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1, atol=1e-5)
    assert (fitted.predict(X) == y).mean() > 0.8
    calibrated, plain = fitted.logits(X), fitted.uncalibrated_logits(X)
    np.testing.assert_allclose(run(fitted.calibration, plain), calibrated, atol=1e-3)


def test_it_is_written_as_json() -> None:
    assert Calibration().to_dict()["ece_after"] is None
    assert Calibration().to_dict()["method"] == "none"
    assert Calibration("temperature", Temperature(2.0)).to_dict()["temperature"] == 2.0
    assert Identity().export(GraphBuilder(), "logits") == "logits"
    logits, codes = drawn(100)
    found = choose_calibration(logits, OneClass(codes), np.arange(100) % 5, "isotonic")[0].to_dict()
    assert len(found["scale"]) == len(found["bias"]) == len(found["pieces"]) == 3
    assert {"start", "stop", "n", "confidence", "accuracy"} <= set(found["before"][0])
