"""Heads with several labels a row: each label learned beside its absence, unknown cells left out."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from genus.classify.checks import exported_logits
from genus.classify.cooccurrence import CooccurrenceHead, fit_cooccurrence, moved
from genus.classify.ensemble import EnsembleHead
from genus.classify.head import balanced_cells
from genus.classify.heads import HEADS
from genus.classify.selection import select
from genus.errors import DataError, ParameterError
from genus.normalize import BlockNormalizer

ABLE = ("logistic", "linear_svm", "knn", "rbf")
UNABLE = ("lda", "prototype", "mlp")


def label_features(n: int = 240, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Rectified features of rows on which any of four things may be, the fourth nearly always with the first."""
    rng = np.random.default_rng(seed)
    values = (rng.random((n, 4)) < [0.5, 0.3, 0.15, 0.05]).astype(np.int8)
    values[:, 3] = np.where(rng.random(n) < 0.9, values[:, 0], values[:, 3])
    things = rng.standard_normal((4, 30)) * [[1.2], [1.2], [1.2], [0.2]]
    X = np.maximum(values @ things + rng.standard_normal((n, 30)), 0)
    return X.astype(np.float32), values


def some_unknown(values: NDArray[np.int8], seed: int = 1) -> NDArray[np.int8]:
    hidden = np.random.default_rng(seed).random(values.shape) < 0.25
    return np.where(hidden, -1, values).astype(np.int8)


@pytest.mark.parametrize("name", ABLE)
def test_a_head_learns_labels_that_do_not_exclude_one_another(name: str) -> None:
    X, y = label_features()
    head = HEADS.get(name)().fit(X[:160], y[:160])
    assert head.multilabel_ and head.logits(X).shape == y.shape
    order = np.argsort(head.logits(X[160:]), axis=0)
    # those ranked last by each label have it less often than those ranked first
    ranked = np.take_along_axis(y[160:], order, axis=0)
    assert (ranked[:20].mean(axis=0) < ranked[-20:].mean(axis=0)).all()


@pytest.mark.parametrize("name", ABLE)
def test_the_exported_graph_gives_the_same_log_odds(name: str) -> None:
    X, y = label_features()
    head = HEADS.get(name)().fit(X, some_unknown(y))
    assert np.abs(exported_logits(head, X) - head.logits(X)).max() < 1e-3


@pytest.mark.parametrize("name", ABLE)
def test_a_clone_fits_alike_and_rows_without_weight_count_nothing(name: str) -> None:
    X, y = label_features()
    kept = np.arange(len(X)) < 150
    one = HEADS.get(name)().fit(X[kept], y[kept])
    other = HEADS.get(name)().fit(X, y, sample_weight=kept.astype(float))
    np.testing.assert_allclose(one.logits(X), other.logits(X), atol=2e-3)


def test_each_label_is_scikit_learns_logistic_regression_on_the_rows_where_it_is_known() -> None:
    X, y = label_features()
    masked = some_unknown(y)
    mine = HEADS.get("logistic")(C=10.0).fit(X, masked).logits(X)
    Z = BlockNormalizer().fit_transform(X)
    for label in range(y.shape[1]):
        known = masked[:, label] >= 0
        theirs = LogisticRegression(C=10.0, tol=1e-8, max_iter=5000).fit(Z[known], masked[known, label])
        np.testing.assert_allclose(mine[:, label], theirs.decision_function(Z), atol=5e-3)


@pytest.mark.parametrize("name", ["logistic", "linear_svm", "knn"])
def test_a_row_of_unknown_labels_changes_nothing(name: str) -> None:
    X, y = label_features(100)
    odd = np.vstack([X, np.full((1, X.shape[1]), 3.0, np.float32)])
    with_odd = HEADS.get(name)().fit(odd, np.vstack([y, np.full((1, 4), -1, np.int8)]))
    without = HEADS.get(name)().fit(X, y)
    assert np.corrcoef(with_odd.logits(X).ravel(), without.logits(X).ravel())[0, 1] > 0.98


def test_balanced_cells_let_presence_and_absence_weigh_the_same() -> None:
    values = some_unknown(label_features()[1])
    cells = balanced_cells(values)
    assert (cells[values < 0] == 0).all()
    for label in range(values.shape[1]):
        has, lacks = (cells[values[:, label] == side, label].sum() for side in (1, 0))
        assert has == pytest.approx(lacks)
        assert has + lacks == pytest.approx((values[:, label] >= 0).sum())


@pytest.mark.parametrize("name", UNABLE)
def test_a_head_for_one_class_says_so(name: str) -> None:
    X, y = label_features(60)
    with pytest.raises(ParameterError, match="one class an image, not several labels"):
        HEADS.get(name)().fit(X, y)


@pytest.mark.parametrize("y", [np.full((60, 4), 2), np.zeros((59, 4), np.int8)])
def test_other_numbers_and_lengths_are_refused(y: Any) -> None:
    with pytest.raises(DataError, match="has it not"):
        HEADS.get("logistic")().fit(label_features(60)[0], y)


def test_a_mixture_of_label_heads_is_exported_alike() -> None:
    X, y = label_features()
    members = [HEADS.get("logistic")(), HEADS.get("rbf")()]
    shifts = [np.zeros(4), np.full(4, -2.0)]
    mixture = EnsembleHead(members, weights=[1, 3], temperatures=[1.0, np.full(4, 0.2)], biases=shifts).fit(
        X, y
    )
    assert np.abs(exported_logits(mixture, X) - mixture.logits(X)).max() < 1e-3
    parts = [1 / (1 + np.exp(-mixture.heads_[0].logits(X)))]
    parts.append(1 / (1 + np.exp(-(mixture.heads_[1].logits(X) / 0.2 - 2))))
    np.testing.assert_allclose(mixture.predict_proba(X), 0.25 * parts[0] + 0.75 * parts[1], atol=1e-5)


@pytest.mark.parametrize("chain", [False, True])
def test_labels_that_go_together_are_learned_and_exported(chain: bool) -> None:
    X, y = label_features(2000)
    rng = np.random.default_rng(3)
    # the first label is seen clearly, the fourth hardly, but it comes with the first
    logits = np.where(y == 1, 2.0, -2.0) * [2, 1, 1, 0.1] + rng.standard_normal(y.shape) * 0.5
    order = [0, 1, 2, 3] if chain else None
    coef, intercept = fit_cooccurrence(logits, y, 1.0, order)
    assert coef[3, 0] > 1 and (np.diag(coef) == 0).all()
    if chain:
        assert (np.triu(coef) == 0).all()
    right = (moved(logits, coef, intercept, order)[:, 3] > 0) == y[:, 3]
    assert right.mean() > ((logits[:, 3] > 0) == y[:, 3]).mean() + 0.1
    head = CooccurrenceHead(HEADS.get("logistic")(), np.ones(4), np.zeros(4), coef, intercept, order)
    head.fit(X[:200], y[:200])
    assert np.abs(exported_logits(head, X[:50]) - head.logits(X[:50])).max() < 1e-3


def test_the_search_compares_ranks_and_calibrates() -> None:
    X, y = label_features()
    found = select(X, some_unknown(y), np.arange(len(X)) % 4, metric="mean_average_precision")
    assert found.multilabel and found.proba.shape == y.shape
    assert {"logistic", "rbf", "knn", "linear_svm", "cooccurrence"} <= {row.name for row in found.leaderboard}
    assert all(row.accuracy is None and row.mean_average_precision > 0.3 for row in found.leaderboard)
    frequent = y.mean(axis=0)
    np.testing.assert_allclose(found.proba.mean(axis=0), frequent, atol=0.1)
    again = select(X, some_unknown(y), np.arange(len(X)) % 4, metric="mean_average_precision", n_jobs=1)
    assert [row.params for row in again.leaderboard] == [row.params for row in found.leaderboard]
    np.testing.assert_array_equal(again.logits, found.logits)


def test_the_best_list_tries_chains() -> None:
    X, y = label_features(120)
    found = select(X, y, np.arange(len(X)) % 3, heads="best", metric="macro_f1")
    assert "chain" in {row.name for row in found.leaderboard}


def test_the_search_refuses_what_it_cannot_compare() -> None:
    X, y = label_features(60)
    folds = np.arange(60) % 3
    with pytest.raises(ParameterError, match="mean_average_precision"):
        select(X, y, folds, metric="accuracy")
    with pytest.raises(DataError, match="nothing to tell apart"):
        select(X, np.ones_like(y), folds, metric="macro_f1")
