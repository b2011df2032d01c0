"""Intervals keep their promise: worked values, laws, and coverage in simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genus.metrics.intervals import mean_interval, normal_quantile, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        # Nothing tried, nothing known; all of one.
        (0, 0, 0.0, 1.0),
        (1, 1, 0.2065, 1.0),
    ],
)
def test_wilson_gives_the_published_values(successes: int, n: int, low: float, high: float) -> None:
    found = wilson(successes, n)
    assert (round(float(found[0]), 4), round(float(found[1]), 4)) == (low, high)


@given(n=st.integers(1, 10_000), share=st.floats(0, 1), confidence=st.floats(0.5, 0.999))
def test_wilson_holds_the_observed_share_and_stays_in_bounds(n: int, share: float, confidence: float) -> None:
    successes = round(share * n)
    low, high = (float(x) for x in wilson(successes, n, confidence))
    assert 0 <= low <= successes / n <= high <= 1
    assert high - low > 0


@given(n=st.integers(1, 500), share=st.floats(0, 1))
def test_wilson_mirrors_failures(n: int, share: float) -> None:
    k = round(share * n)
    low, high = wilson(k, n)
    other_low, other_high = wilson(n - k, n)
    assert low == pytest.approx(1 - other_high, abs=1e-9)
    assert high == pytest.approx(1 - other_low, abs=1e-9)


def test_wilson_takes_arrays() -> None:
    low, high = wilson(np.array([[0, 5], [10, 9]]), 10)
    assert low.shape == high.shape == (2, 2)
    assert low[0, 1] == wilson(5, 10)[0]


@pytest.mark.parametrize(("n", "p"), [(20, 0.9), (50, 0.98), (200, 0.7)])
def test_wilson_covers(n: int, p: float) -> None:
    low, high = wilson(np.random.default_rng(0).binomial(n, p, 20_000), n)
    assert 0.92 <= np.mean((low <= p) & (p <= high)) <= 0.985


@pytest.mark.parametrize(("n", "at_least"), [(30, 0.90), (200, 0.925), (1000, 0.935)])
def test_mean_interval_covers_the_mean_of_very_skewed_values(n: int, at_least: float) -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(1500):
        low, high = mean_interval(rng.exponential(size=n) ** 1.5) or (np.nan, np.nan)
        held += low <= 1.3293 <= high  # gamma(2.5)
    assert at_least <= held / 1500 <= 0.98


def test_mean_interval_is_students_for_symmetric_values() -> None:
    values = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    half = 2.7764451 * np.sqrt(2.5 / 5)  # t quantile of 4 degrees of freedom
    assert mean_interval(values) == pytest.approx((-half, half))


@pytest.mark.parametrize(("values", "expected"), [([], None), ([1.0], None), ([2.0, 2.0, 2.0], (2.0, 2.0))])
def test_mean_interval_of_too_few_or_equal_values(values: list[float], expected: object) -> None:
    assert mean_interval(np.array(values)) == expected


def test_normal_quantile() -> None:
    assert normal_quantile(0.95) == pytest.approx(1.959964, abs=1e-6)
