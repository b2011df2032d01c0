"""Trying all algorithms: the number of groups is found, the best is kept, and the rule is what it says."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score

from genus.cluster.comparison import Comparison, compare
from genus.cluster.confidence import soften
from genus.cluster.constraints import Constraints
from genus.cluster.given import Given
from genus.cluster.number_search import candidate_numbers, search_number
from genus.cluster.trials import ALGORITHMS, METRICS
from genus.cluster.views import PREPARATIONS, Views
from genus.errors import DataError, ParameterError

FEW = ("K-Means", "Ward", "average linkage")


@pytest.fixture(scope="module")
def digits() -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    X, y = load_digits(return_X_y=True)
    return X[:700].astype(np.float32), y[:700].astype(str)


@pytest.fixture(scope="module")
def compared(digits: Any) -> Comparison:
    X, y = digits
    return compare(X, n_clusters=10, y=list(y))


def groups(n_groups: int, n: int = 240, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_groups, n)
    return (4 * np.eye(n_groups, 16)[truth] + rng.normal(0, 0.35, (n, 16))).astype(np.float32), truth


@pytest.mark.parametrize("n_groups", [2, 3, 5, 9])
def test_the_number_of_clear_groups_is_found(n_groups: int) -> None:
    X, truth = groups(n_groups, 120)
    found = compare(X, algorithms=FEW)
    assert found.n_clusters == n_groups
    assert adjusted_rand_score(truth, found.clusterer.labels_) > 0.95


def test_every_algorithm_is_tried_on_every_preparation(compared: Comparison) -> None:
    tried = {(row.name, row.preparation) for row in compared.rows}
    assert tried == {(a, p) for a in ALGORITHMS for p in PREPARATIONS} | {("consensus", "plain")}


def test_the_first_row_is_the_one_the_others_agree_with_most(compared: Comparison) -> None:
    agreement = [row.agreement for row in compared.rows]
    assert agreement == sorted(agreement, reverse=True)
    winner = compared.winner
    others = [adjusted_rand_score(winner.labels, row.labels) for row in compared.rows[1:]]
    assert winner.agreement == pytest.approx(np.mean(others))


def test_the_choice_is_near_the_best_of_all_that_were_tried(compared: Comparison) -> None:
    truths = [row.truth.adjusted_rand for row in compared.rows if row.truth]
    assert len(truths) == len(compared.rows)
    assert truths[0] > 0.85 * max(truths)
    assert truths[0] > np.median(truths)


@pytest.mark.parametrize("metric", METRICS)
def test_another_metric_gives_another_order(metric: str, digits: Any) -> None:
    X, y = digits
    found = compare(X[:200], n_clusters=10, algorithms=FEW, metric=metric, y=list(y[:200]))
    values = [row.value(metric) for row in found.rows]
    assert values == sorted(values, reverse=True)


def test_labels_do_not_influence_the_choice(digits: Any) -> None:
    X, y = digits
    plain = compare(X[:200], n_clusters=5, algorithms=FEW)
    told = compare(X[:200], n_clusters=5, algorithms=FEW, y=list(y[:200]))
    assert np.array_equal(plain.clusterer.labels_, told.clusterer.labels_)
    assert plain.winner.truth is None and told.winner.truth is not None


def test_labels_may_be_known_of_some_rows_only(digits: Any) -> None:
    X, y = digits
    some = [label if i < 50 else None for i, label in enumerate(y[:200])]
    found = compare(X[:200], n_clusters=5, algorithms=FEW, y=some)
    assert found.winner.truth is not None and found.winner.truth.n == 50


def test_the_winner_assigns_new_rows(digits: Any) -> None:
    X, y = digits
    found = compare(X[:500], n_clusters=10, algorithms=FEW)
    predicted = found.clusterer.predict(found.preparation.transform(X[500:]))
    assert adjusted_rand_score(y[500:], predicted) > 0.5


@pytest.mark.parametrize("metric", ["agreement", "silhouette"])
def test_of_many_rows_a_sample_is_compared_and_all_are_grouped(
    metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genus.cluster.comparison._MAX_ROWS", 1000)
    X, truth = groups(4, 1200)
    found = compare(X, n_clusters=4, algorithms=FEW, metric=metric)
    assert len(found.winner.labels) == 1000 and len(found.clusterer.labels_) == 1200
    assert adjusted_rand_score(truth, found.clusterer.labels_) > 0.95
    assert "compared on 1,000 of the 1,200 images" in found.notes[0]


def test_the_same_seed_gives_the_same_answer(digits: Any) -> None:
    X, _ = digits
    one, other = (compare(X[:80], algorithms=FEW, random_state=3) for _ in range(2))
    assert one.n_clusters == other.n_clusters
    assert np.array_equal(one.clusterer.labels_, other.clusterer.labels_)


def test_a_range_is_searched_and_no_more() -> None:
    X, _ = groups(3)
    found = compare(X, n_clusters=(4, 7), algorithms=FEW)
    assert [row.n_clusters for row in found.numbers] == [4, 5, 6, 7]
    assert 4 <= found.n_clusters <= 7


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_few_rows_are_one_group(n: int) -> None:
    found = compare(np.eye(3, 8)[:n], algorithms=FEW)
    assert found.clusterer.labels_.tolist() == [0] * n


def test_rows_that_are_all_the_same_are_no_error() -> None:
    assert len(compare(np.ones((40, 8)), algorithms=FEW).clusterer.labels_) == 40


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_clusters": 300}, DataError, "300 groups need as many rows at least; there are 240"),
        ({"n_clusters": (1, 5)}, ParameterError, "expected a range within 2 and 239"),
        ({"n_clusters": (5, 500)}, ParameterError, "expected a range"),
        ({"algorithms": ["DBSCAN"]}, ParameterError, "no algorithm named 'DBSCAN'"),
        ({"algorithms": []}, ParameterError, "no algorithm to try"),
        ({"metric": "luck"}, ParameterError, "no metric named 'luck'"),
        ({"metric": "adjusted_rand"}, ParameterError, "needs labels"),
    ],
)
def test_what_cannot_be(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        compare(groups(3)[0], **options)


def test_not_a_number_is_refused() -> None:
    X, _ = groups(3)
    X[7, 1] = np.nan
    with pytest.raises(DataError, match="the first is row 7"):
        compare(X, n_clusters=3)


def test_plain_values_for_json(compared: Comparison) -> None:
    values = compared.winner.to_dict()
    assert values["name"] == compared.winner.name and "labels" not in values
    assert values["truth"]["n"] == 700


def test_a_given_grouping_learns_to_predict() -> None:
    X, truth = groups(3)
    fitted = Given(truth).fit(X)
    assert adjusted_rand_score(truth, fitted.predict(X)) == 1


@pytest.mark.parametrize("n", [20, 100, 1000, 10**6])
def test_numbers_to_try_rise_and_stay_within_bounds(n: int) -> None:
    numbers = candidate_numbers(n)
    assert numbers[0] == 2 and numbers[-1] == max(2, min(40, n // 10))
    assert list(numbers) == sorted(set(numbers))


def test_each_number_says_why() -> None:
    X, _ = groups(4)
    found = search_number(Views({}, {"one": X, "other": X}), (2, 4, 6), np.random.default_rng(0))
    best = max(found, key=lambda row: row.points)
    assert best.n_clusters == 4
    assert best.silhouettes[0] == max(row.silhouettes[0] for row in found)
    assert best.to_dict()["n_clusters"] == 4
    assert all(0 <= row.points <= 1 for row in found)


def half_labelled(digits: Any, n_each: int = 5) -> tuple[Any, Any, list[str | None]]:
    X, y = digits
    seeds: list[str | None] = [None] * len(y)
    for label in np.unique(y):
        for i in np.flatnonzero(y == label)[:n_each]:
            seeds[i] = str(label)
    return X, y, seeds


def test_what_is_known_is_met_and_helps(digits: Any, compared: Comparison) -> None:
    X, y, seeds = half_labelled(digits)
    known = Constraints.of(len(y), seeds=seeds)
    found = compare(X, n_clusters=10, constraints=known)
    assert known.share_met(found.clusterer.labels_) == 1
    plain = adjusted_rand_score(y, compared.clusterer.labels_)
    assert adjusted_rand_score(y, found.clusterer.labels_) > plain
    assert "seeded K-Means" in {row.name for row in found.rows}


def test_there_are_no_fewer_groups_than_seed_labels(digits: Any) -> None:
    X, y, seeds = half_labelled(digits, 1)
    found = compare(X[:150], algorithms=FEW, constraints=Constraints.of(150, seeds=seeds[:150]))
    assert found.n_clusters >= 10
    assert [row.n_clusters for row in found.numbers][0] == 10
    assert found.numbers[0].constraints is not None


def test_too_few_groups_for_what_was_asked_is_said(digits: Any) -> None:
    X, y, seeds = half_labelled(digits)
    found = compare(X, n_clusters=4, algorithms=FEW, constraints=Constraints.of(len(y), seeds=seeds))
    assert any("can be met" in note for note in found.notes)


def test_confidence_is_high_where_algorithms_agree() -> None:
    X, _ = groups(3)
    noise = np.random.default_rng(0).normal(size=X.shape)
    sure = []
    for rows in (X, noise):
        found = compare(rows, algorithms=FEW, n_clusters=3)
        squared = found.clusterer.squared_distances(found.preparation.transform(rows))
        sure.append(soften(squared, found.temperature).max(axis=1).mean())
    assert sure[0] > 0.95 > 0.9 > sure[1]
