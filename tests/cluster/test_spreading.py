"""A few labels carried on to all rows."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from genus.cluster.comparison import compare
from genus.cluster.constraints import Constraints
from genus.cluster.preparation import Preparation
from genus.cluster.spreading import spread_labels
from genus.cluster.trials import SPREAD

FEW = ("K-Means", "Ward", "average linkage")

Digits = tuple[NDArray[np.float32], NDArray[np.int64]]


@pytest.fixture(scope="module")
def digits() -> Digits:
    X, y = load_digits(return_X_y=True)
    return Preparation(32).fit_transform(X[:800].astype(np.float32)), y[:800]


def some_of_each(y: NDArray[np.int64], n: int) -> list[NDArray[np.int64]]:
    return [np.flatnonzero(y == label)[:n] for label in range(10)]


def seeds_of(y: NDArray[np.int64], n: int) -> list[str | None]:
    seeds: list[str | None] = [None] * len(y)
    for rows in some_of_each(y, n):
        for row in rows:
            seeds[row] = str(y[row])
    return seeds


def test_few_labels_go_a_long_way(digits: Digits) -> None:
    X, y = digits
    labels, _ = spread_labels(X, some_of_each(y, 5))
    assert (labels == y).mean() > 0.85


def test_known_rows_keep_their_labels(digits: Digits) -> None:
    X, y = digits
    parts = some_of_each(y, 3)
    parts[0], parts[1] = parts[1], parts[0]  # wrong on purpose
    labels, _ = spread_labels(X, parts)
    assert all((labels[part] == group).all() for group, part in enumerate(parts))


def test_what_is_held_out_is_what_would_be_said_without_it(digits: Digits) -> None:
    X, y = digits
    parts = some_of_each(y, 4)
    _, held_out = spread_labels(X, parts)
    assert held_out.shape == (40,)
    for place in (0, 13, 39):  # alone left out, the rest as before: the same but for the groups' masses
        group, i = divmod(place, 4)
        without = [np.delete(part, i) if g == group else part for g, part in enumerate(parts)]
        assert spread_labels(X, without)[0][parts[group][i]] == held_out[place]


def test_rows_that_no_chain_of_neighbours_leads_to_go_to_the_nearest_known_one() -> None:
    rng = np.random.default_rng(0)
    X = np.repeat(np.eye(3), 20, axis=0) + rng.normal(0, 0.01, (60, 3))
    X = (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)
    X[40:] = X[40:] + np.float32([0.5, 0, 0])
    labels, _ = spread_labels(X, [np.array([0, 1]), np.array([20, 21])])
    assert set(labels[40:]) == {0} and set(labels[20:40]) == {1}


@pytest.mark.parametrize(("n", "wins"), [(1, False), (5, True)])
def test_it_wins_where_it_has_enough_to_go_by(digits: Digits, n: int, wins: bool) -> None:
    X, y = digits
    known = Constraints.of(len(y), seeds=seeds_of(y, n))
    found = compare(X, n_clusters=10, algorithms=FEW, constraints=known)
    assert SPREAD in {row.name for row in found.rows}
    assert (found.winner.name == SPREAD) is wins
    assert known.share_met(found.clusterer.labels_) == 1


def test_it_is_tried_only_where_all_groups_are_known(digits: Digits) -> None:
    X, y = digits
    known = Constraints.of(len(y), seeds=seeds_of(y, 5))
    found = compare(X, n_clusters=12, algorithms=FEW, constraints=known)
    assert SPREAD not in {row.name for row in found.rows}


def test_more_rows_than_are_compared_on_get_labels_too(
    digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = digits
    monkeypatch.setattr("genus.cluster.comparison._MAX_ROWS", 300)
    known = Constraints.of(len(y), seeds=seeds_of(y, 6))
    found = compare(X, n_clusters=10, algorithms=FEW, constraints=known)
    groups = found.clusterer.labels_
    right = sum(int(np.bincount(y[groups == group]).max()) for group in range(10))
    assert found.winner.name == SPREAD and right > 0.8 * len(y)
