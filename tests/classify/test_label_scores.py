"""Scores of label candidates: those of scikit-learn, row by row, unknown cells left out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, log_loss

from genus.classify.label_scores import (
    LABEL_METRICS,
    fit_affine,
    label_gains,
    label_log_loss,
    label_score,
    likely_thresholds,
)
from genus.classify.platt import Platt


def case(seed: int, n: int = 120, c: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds that tell something, and labels; every label on some rows and not on others."""
    rng = np.random.default_rng(seed)
    values = (rng.random((n, c)) < 0.3).astype(np.int8)
    values[:2] = [[1] * c, [0] * c]
    return rng.standard_normal((n, c)) + 1.5 * values - 0.7, values


@given(st.integers(0, 50))
def test_the_scores_are_scikit_learns(seed: int) -> None:
    logits, y = case(seed)
    proba = 1 / (1 + np.exp(-logits))
    named = proba >= likely_thresholds(proba)
    assert label_score("mean_average_precision", logits, y) == pytest.approx(
        average_precision_score(y, logits)
    )
    assert label_score("macro_f1", logits, y) == pytest.approx(f1_score(y, named, average="macro"))
    assert label_score("micro_f1", logits, y) == pytest.approx(f1_score(y, named, average="micro"))
    assert label_score("log_loss", logits, y) == pytest.approx(log_loss(y.ravel(), proba.ravel()))


@given(st.integers(0, 30), st.sampled_from(LABEL_METRICS))
def test_the_mean_of_what_rows_add_is_the_metric(seed: int, metric: str) -> None:
    logits, y = case(seed)
    sign = -1 if metric == "log_loss" else 1
    assert label_gains(metric, logits, y).mean() * sign == pytest.approx(label_score(metric, logits, y))


@pytest.mark.parametrize("metric", LABEL_METRICS)
def test_what_is_unknown_does_not_count(metric: str) -> None:
    logits, y = case(3)
    y[::3, 1] = -1
    moved = logits.copy()
    moved[::3, 1] += 0.001  # the thresholds of an F1 look at all probabilities, so hardly anything
    assert label_score(metric, moved, y) == pytest.approx(label_score(metric, logits, y), abs=0.01)
    y[:, 1] = -1
    assert np.isfinite(label_score(metric, logits, y))


def test_ties_earn_nothing() -> None:
    y = np.array([[1], [0], [0], [0]], np.int8)
    assert label_score("mean_average_precision", np.zeros((4, 1)), y) == pytest.approx(0.25)


@given(st.integers(0, 20), st.floats(0.1, 20), st.floats(-5, 5))
def test_calibration_undoes_any_scale_and_shift(seed: int, scale: float, shift: float) -> None:
    logits, y = case(seed, n=400)
    one = fit_affine(logits, y)
    other = fit_affine((logits + shift) * scale, y)
    np.testing.assert_allclose(
        logits * one[0] + one[1], (logits + shift) * scale * other[0] + other[1], atol=0.02
    )


def test_perfectly_parted_rows_get_finite_log_odds() -> None:
    y = np.repeat([[0], [1]], 30, axis=0).astype(np.int8)
    logits = np.where(y == 1, 5.0, -5.0)
    found = Platt.fit_labels(logits, y)
    assert 1 < found.apply(np.array([[5.0]]))[0, 0] < 12
    assert label_log_loss(found.apply(logits), y) < 0.1


def test_a_label_on_no_row_gets_small_probabilities() -> None:
    logits, y = case(0)
    y[:, 2] = 0
    scale, bias = fit_affine(logits, y)
    assert (1 / (1 + np.exp(-(logits * scale + bias))))[:, 2].max() < 0.2
