import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genus.classify.calibration import Calibration, fit_temperature
from genus.classify.scores import expected_calibration_error, log_loss
from genus.graph import GraphBuilder


def _logits(n: int, temperature: float, seed: int = 0):
    """Logits whose right temperature is known: labels are drawn from their softmax."""
    rng = np.random.default_rng(seed)
    honest = rng.standard_normal((n, 3)) * 2
    proba = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    codes = (rng.random((n, 1)) > proba.cumsum(axis=1)).sum(axis=1)
    return (honest * temperature).astype(np.float32), codes


@pytest.mark.parametrize("temperature", [0.05, 0.5, 2.0, 8.0])
def test_the_temperature_is_found(temperature) -> None:
    logits, codes = _logits(4000, temperature)
    found = fit_temperature(logits, codes)
    assert found.temperature == pytest.approx(temperature, rel=0.1)
    assert found.log_loss_after < found.log_loss_before
    assert found.ece_after < min(found.ece_before, 0.03)


@given(st.integers(20, 60), st.floats(0.01, 20), st.integers(0, 100))
def test_it_never_makes_the_log_loss_worse_nor_changes_an_answer(n, temperature, seed) -> None:
    logits, codes = _logits(n, temperature, seed)
    found = fit_temperature(logits, codes)
    assert found.log_loss_after <= found.log_loss_before
    calibrated = found.apply(logits)
    assert (calibrated.argmax(axis=1) == logits.argmax(axis=1)).all()
    assert log_loss(calibrated, codes) == pytest.approx(found.log_loss_after, rel=1e-3, abs=1e-6)


def test_few_rows_change_nothing() -> None:
    logits, codes = _logits(19, 5.0)
    found = fit_temperature(logits, codes)
    assert found.temperature == 1.0
    assert "fewer than 20" in found.note
    np.testing.assert_array_equal(found.apply(logits), logits)


def test_it_is_written_as_json_and_as_a_graph() -> None:
    assert Calibration().to_dict()["ece_after"] is None
    graph = GraphBuilder()
    assert Calibration().export(graph, "logits") == "logits"
    assert Calibration(2.0).export(graph, "logits") != "logits"


def test_calibration_error_of_a_known_case() -> None:
    logits = np.log(np.array([[0.9, 0.1]] * 10))
    assert expected_calibration_error(logits, np.array([0] * 9 + [1])) == pytest.approx(0.0, abs=1e-6)
    assert expected_calibration_error(logits, np.array([0] * 4 + [1] * 6)) == pytest.approx(0.5)
