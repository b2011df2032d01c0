"""Two models on the same images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest

from genus.errors import DataError
from genus.metrics.intervals import normal_quantile
from genus.metrics.paired import compare_models, mcnemar_exact, tango_interval


def test_counts_of_a_worked_example() -> None:
    y = np.array(["a", "a", "b", "b", "b"])
    found = compare_models(y, np.array(["a", "a", "b", "a", "a"]), np.array(["a", "b", "a", "b", "a"]))
    assert (found.n, found.both_right, found.only_first, found.only_second, found.both_wrong) == (
        5,
        1,
        2,
        1,
        1,
    )
    assert found.difference == pytest.approx(0.2)
    assert found.low < 0.2 < found.high
    assert found.to_dict()["p_value"] == found.p_value == 1.0


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_the_binomial_test(b: int, c: int) -> None:
    expected = binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar_exact(b, c) == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 60))
def test_tango_mirrors_and_holds_the_difference(b: int, c: int, same: int) -> None:
    n = max(b + c + same, 1)
    low, high = tango_interval(b, c, n)
    assert -1 <= low <= (b - c) / n <= high <= 1
    assert tango_interval(c, b, n) == pytest.approx((-high, -low), abs=1e-9)


@pytest.mark.parametrize(("b", "c", "n"), [(12, 2, 50), (3, 1, 20), (40, 25, 300)])
def test_tango_limits_are_where_the_score_test_turns(b: int, c: int, n: int) -> None:
    """Find the nuisance share by maximising the likelihood numerically, independently of the closed form."""
    for limit, sign in zip(tango_interval(b, c, n), (1, -1), strict=True):

        def minus_log_likelihood(q: float, limit: float = limit) -> float:
            parts = ((b, q + limit), (c, q), (n - b - c, 1 - 2 * q - limit))
            return -sum(k * np.log(max(p, 1e-300)) for k, p in parts)

        bounds = (max(0, -limit), (1 - limit) / 2)
        q = minimize_scalar(minus_log_likelihood, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
        z = (b - c - n * limit) / np.sqrt(n * (2 * q + limit - limit**2))
        assert z == pytest.approx(sign * normal_quantile(0.95), abs=1e-4)


def test_no_disagreement_is_no_proof_of_equality() -> None:
    found = compare_models(np.zeros(50), np.zeros(50), np.zeros(50))
    z2 = normal_quantile(0.95) ** 2
    assert (found.low, found.high) == pytest.approx((-z2 / (50 + z2), z2 / (50 + z2)), abs=1e-9)
    assert found.p_value == 1


def test_tango_covers() -> None:
    cells, n = (0.10, 0.04), 80
    draws = np.random.default_rng(0).multinomial(n, [*cells, 1 - sum(cells)], size=800)
    held = [low <= 0.06 <= high for low, high in (tango_interval(int(b), int(c), n) for b, c, _ in draws)]
    assert 0.93 <= np.mean(held) <= 0.98


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ((np.zeros(0), np.zeros(0), np.zeros(0)), "at least one test image"),
        ((np.zeros(3), np.zeros(3), np.zeros(2)), "shapes"),
        ((np.zeros((3, 1)), np.zeros((3, 1)), np.zeros((3, 1))), "shapes"),
    ],
)
def test_what_cannot_be_compared_says_so(arrays: tuple[np.ndarray, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        compare_models(*arrays)
