"""Labels that may be there: as often among those given as was asked."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genus.errors import DataError, ParameterError
from genus.metrics.label_conformal import LabelScores, measure_label_coverage


def drawn(seed: int, n: int = 1200) -> tuple[np.ndarray, np.ndarray]:
    """Scores that tell something, and are no probabilities."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, 3)) < [0.1, 0.4, 0.8]).astype(np.int8)
    return 1 / (1 + np.exp(-(rng.standard_normal((n, 3)) + truth))), truth


@given(st.integers(0, 30), st.sampled_from([0.8, 0.9, 0.95]))
def test_each_label_that_is_there_is_among_them_as_often_as_asked(seed: int, asked: float) -> None:
    scores = LabelScores.of(*drawn(seed))
    fresh, truth = drawn(seed + 1000, 4000)
    sets = scores.sets(fresh, asked)
    for label, n in enumerate(scores.n_has):
        there = truth[:, label] == 1
        error = np.sqrt(asked * (1 - asked) * (1 / n + 1 / there.sum()))
        assert sets[there, label].mean() > asked - 4 * error


@given(st.integers(0, 30), st.sampled_from([0.8, 0.9, 0.95]))
def test_what_surely_is_there_is_seldom_missing(seed: int, asked: float) -> None:
    scores = LabelScores.of(*drawn(seed))
    fresh, truth = drawn(seed + 1000, 4000)
    sure = fresh >= scores.certain(asked)
    for label, n in enumerate(scores.n_lacks):
        absent = truth[:, label] == 0
        error = np.sqrt(asked * (1 - asked) * (1 / n + 1 / absent.sum()))
        assert sure[absent, label].mean() < 1 - asked + 4 * error


def test_more_coverage_takes_no_fewer_labels() -> None:
    scores = LabelScores.of(*drawn(0))
    fresh, _ = drawn(1)
    few, many = scores.sets(fresh, 0.8), scores.sets(fresh, 0.99)
    assert (many >= few).all()


def test_too_few_images_with_a_label_let_it_always_be_possible() -> None:
    proba, truth = drawn(0, 200)
    truth[:, 0] = 0
    truth[:5, 0] = 1
    scores = LabelScores.of(proba, truth)
    assert scores.sets(proba, 0.95)[:, 0].all()
    assert not scores.sets(proba, 0.8)[:, 0].all()
    assert scores.n_unpromised(0.95) >= 1 and scores.n_unpromised(0.5) == 0


def test_unknown_cells_are_left_out() -> None:
    proba, truth = drawn(0)
    masked = truth.copy()
    masked[::2] = -1
    assert LabelScores.of(proba, masked).to_dict() == LabelScores.of(proba[1::2], truth[1::2]).to_dict()


def test_the_file_stays_small_and_is_read_back() -> None:
    scores = LabelScores.of(*drawn(0, 20_000))
    written = json.dumps(scores.to_dict())
    assert len(written) < 20_000
    again = LabelScores.from_dict(json.loads(written))
    fresh, _ = drawn(1)
    assert (again.sets(fresh, 0.9) == scores.sets(fresh, 0.9)).mean() > 0.999
    with pytest.raises(DataError):
        LabelScores.from_dict({"has": 3})


def test_coverage_is_counted_over_labels_that_are_there() -> None:
    chosen = [[True, True], [False, True], [False, False]]
    found = measure_label_coverage(chosen, [[1, 0], [1, 1], [0, -1]], 0.9)
    assert (found.n, found.covered, found.names, found.alone) == (
        3,
        pytest.approx(2 / 3),
        1.0,
        pytest.approx(1 / 3),
    )
    assert found.worst == 0.5
    with pytest.raises(DataError):
        measure_label_coverage(chosen, np.zeros((3, 2)), 0.9)


@pytest.mark.parametrize("coverage", [0, 1, 95, float("nan"), "0.9"])
def test_coverage_is_between_0_and_1(coverage: float) -> None:
    with pytest.raises(ParameterError, match="between 0 and 1"):
        LabelScores.of(*drawn(0)).sets([[0.5] * 3], coverage)
