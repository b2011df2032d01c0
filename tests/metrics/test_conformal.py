"""Sets of names: they hold the true one as often as was asked for, and are no larger than that takes."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom

from genus.errors import DataError, ParameterError
from genus.metrics.conformal import ConformalScores, mass_before, measure_coverage

N_CLASSES = 5


def made_up(n: int, seed: int, skill: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, N_CLASSES, n)
    logits = rng.normal(size=(n, N_CLASSES)) + skill * np.eye(N_CLASSES)[codes]
    proba = np.exp(logits)
    return proba / proba.sum(axis=1, keepdims=True), codes


def least_covered(n_scored: int, n: int, coverage: float) -> float:
    """What chance leaves of the coverage asked for, 1 time in 10,000."""
    rank = math.ceil((n_scored + 1) * coverage)
    return float(betabinom.ppf(1e-4, n, rank, n_scored + 1 - rank)) / n


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("skill", [0.0, 1.0, 3.0])
def test_the_true_class_is_covered_as_often_as_asked_for(coverage: float, skill: float) -> None:
    scores = ConformalScores.of(*made_up(800, 0, skill))
    proba, codes = made_up(4000, 1, skill)
    found = measure_coverage(scores.sets(proba, coverage), codes, coverage)
    assert found.covered >= least_covered(800, 4000, coverage)
    assert found.low <= found.covered <= found.high


def test_each_class_by_itself_where_that_is_asked_for() -> None:
    def uneven(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Class 0 is rare, and hard."""
        proba, codes = made_up(n, seed, 3.0)
        proba[:, 0] *= 0.1
        proba /= proba.sum(axis=1, keepdims=True)
        keep = (codes > 0) | (np.arange(n) % 4 == 0)
        return proba[keep], codes[keep]

    scores = ConformalScores.of(*uneven(3000, 0))
    proba, codes = uneven(6000, 1)
    marginal = measure_coverage(scores.sets(proba, 0.9), codes, 0.9)
    fair = measure_coverage(scores.sets(proba, 0.9, by_class=True), codes, 0.9)
    assert marginal.covered > 0.88 and marginal.worst < 0.8
    assert fair.worst > 0.85 and fair.names > marginal.names


def test_an_accurate_model_needs_one_name() -> None:
    scores = ConformalScores.of(*made_up(500, 0, 9.0))
    proba, codes = made_up(500, 1, 9.0)
    found = measure_coverage(scores.sets(proba, 0.8), codes, 0.8)
    assert found.alone == found.names == 1.0 and found.covered > 0.95


@given(
    seed=st.integers(0, 1000),
    n=st.integers(1, 60),
    low=st.floats(0.01, 0.98),
    by_class=st.booleans(),
)
def test_sets_hold_the_first_guess_and_grow_with_coverage(
    seed: int, n: int, low: float, by_class: bool
) -> None:
    scores = ConformalScores.of(*made_up(n, seed))
    proba, _ = made_up(20, seed + 1)
    few, many = (scores.sets(proba, c, by_class=by_class) for c in (low, (1 + low) / 2))
    assert few[np.arange(20), proba.argmax(axis=1)].all()
    assert (few <= many).all()


def test_too_few_images_to_be_so_sure_means_all_names() -> None:
    scores = ConformalScores.of(*made_up(30, 0, 9.0))
    assert math.isinf(scores.threshold(0.99)) and not math.isinf(scores.threshold(0.9))
    assert scores.sets(made_up(4, 1)[0], 0.99).all()


def test_a_class_that_was_never_scored_is_in_every_set_of_its_own_kind() -> None:
    proba, codes = made_up(200, 0)
    scores = ConformalScores.of(proba[codes != 2], codes[codes != 2])
    assert scores.sets(proba, 0.9, by_class=True)[:, 2].all()


def test_the_mass_before_a_class() -> None:
    assert mass_before([[0.2, 0.5, 0.3]]).tolist() == [[0.8, 0.0, 0.5]]


def test_they_come_back_from_json_as_they_were() -> None:
    scores = ConformalScores.of(*made_up(300, 0))
    back = ConformalScores.from_dict(json.loads(json.dumps(scores.to_dict())))
    assert all(back.threshold(c) == scores.threshold(c) for c in (0.5, 0.9, 0.97))
    assert (back.class_thresholds(0.9) == scores.class_thresholds(0.9)).all()


def test_more_images_than_are_needed_are_sampled() -> None:
    scores = ConformalScores.of(*made_up(50_000, 0))
    assert scores.n.sum() == 20_000


@pytest.mark.parametrize("coverage", [0, 1, -0.5, 95, float("nan"), "0.9"])
def test_coverage_is_between_0_and_1(coverage: float) -> None:
    with pytest.raises(ParameterError, match="between 0 and 1"):
        ConformalScores.of(*made_up(30, 0)).threshold(coverage)


@pytest.mark.parametrize(
    "known", [{}, {"n": [1, 2], "scores": [[0.1]]}, {"n": "x", "scores": []}, {"n": [1], "scores": [[[1]]]}]
)
def test_something_else_is_refused(known: dict[str, object]) -> None:
    with pytest.raises(DataError, match="sets of names"):
        ConformalScores.from_dict(known)


def test_classes_that_are_no_columns_are_refused() -> None:
    with pytest.raises(DataError, match="do not go with"):
        ConformalScores.of(np.ones((2, 3)) / 3, [0, 3])
    with pytest.raises(DataError, match="cannot be held against"):
        measure_coverage(np.ones((0, 3), bool), [], 0.9)
