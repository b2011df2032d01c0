"""Confidence against accuracy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genus.metrics.calibration import calibration_error, overconfidence, reliability_bins


def test_bins_of_a_worked_example() -> None:
    confidence = np.array([0.55, 0.95, 0.6, 0.9, 0.7, 0.8])
    correct = np.array([False, True, True, True, False, True])
    low, middle, high = reliability_bins(confidence, correct, n_bins=3)
    assert (low.n, low.start, low.stop, low.accuracy) == (2, 0.55, 0.6, 0.5)
    assert (middle.confidence, middle.accuracy) == (pytest.approx(0.75), 0.5)
    assert (high.confidence, high.accuracy) == (pytest.approx(0.925), 1.0)
    value, _, _ = calibration_error((low, middle, high))
    assert value == pytest.approx((0.075 + 0.25 + 0.075) / 3)


@given(
    st.lists(st.tuples(st.sampled_from([0.3, 0.5, 0.51, 0.9, 1.0]), st.booleans()), min_size=1, max_size=80)
)
def test_bins_part_the_images_and_keep_equals_together(rows: list[tuple[float, bool]]) -> None:
    confidence, correct = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    bins = reliability_bins(confidence, correct)
    assert sum(b.n for b in bins) == len(rows)
    assert all(a.stop < b.start for a, b in zip(bins, bins[1:], strict=False))
    order = np.random.default_rng(0).permutation(len(rows))
    again = reliability_bins(confidence[order], correct[order])
    assert [(b.n, b.accuracy) for b in again] == [(b.n, b.accuracy) for b in bins]
    value, low, high = calibration_error(bins)
    assert 0 <= low <= value <= high <= 1


def test_no_images_no_bins() -> None:
    assert reliability_bins(np.zeros(0), np.zeros(0, bool)) == ()


def test_bins_are_of_equal_number() -> None:
    confidence = np.random.default_rng(0).random(1500)
    assert {b.n for b in reliability_bins(confidence, confidence > 0.5)} == {100}


def test_the_same_seed_gives_the_same_interval() -> None:
    rng = np.random.default_rng(0)
    bins = reliability_bins(rng.random(200), rng.random(200) < 0.5)
    assert calibration_error(bins, random_state=3) == calibration_error(bins, random_state=3)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("n", [60, 400])
def test_calibration_intervals_cover(n: int, shift: float) -> None:
    rng = np.random.default_rng(0)

    def draw(size: int) -> tuple[np.ndarray, np.ndarray]:
        confidence = 0.4 + 0.6 * rng.beta(6, 1.5, size)
        return confidence, confidence - shift * (confidence - 0.4)

    confidence, accuracy = draw(200_000)
    truth = float(np.mean(confidence - accuracy))  # the gap never changes sign
    held_error = held_excess = 0
    for _ in range(200):
        confidence, accuracy = draw(n)
        bins = reliability_bins(confidence, rng.random(n) < accuracy)
        _, low, high = calibration_error(bins)
        held_error += low <= truth <= high
        _, low, high = overconfidence(bins)
        held_excess += low <= truth <= high
    assert held_error / 200 >= 0.91
    assert held_excess / 200 >= 0.90
