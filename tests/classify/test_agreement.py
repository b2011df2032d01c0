"""Heads against scikit-learn's slower versions of the same mathematics."""

import numpy as np
import pytest
from feature_making import make_features, make_folds
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from genus.classify.bench import Bench
from genus.classify.knn import KNNHead
from genus.classify.lda import LDAHead
from genus.classify.linear_svm import LinearSVMHead
from genus.classify.logistic import LogisticHead
from genus.classify.rbf import RBFHead
from genus.normalize import normalize_blocks

_SHAPES = pytest.mark.parametrize(("n", "d"), [(200, 60), (80, 400)])


def _features(n: int, d: int):
    X, y = make_features(n, d, separation=0.5)
    return X, normalize_blocks(X, [(0, d)], 0.5).astype(np.float64), y


@_SHAPES
@pytest.mark.parametrize("C", [1.0, 30.0])
def test_logistic(n, d, C) -> None:
    X, Z, y = _features(n, d)
    peer = LogisticRegression(C=C, tol=1e-8, max_iter=5000).fit(Z, y)
    np.testing.assert_allclose(LogisticHead(C).fit(X, y).predict_proba(X), peer.predict_proba(Z), atol=1e-3)


@_SHAPES
def test_logistic_in_single_precision(n, d, monkeypatch) -> None:
    monkeypatch.setattr("genus.classify.bench._EXACT_BELOW", 0)
    X, Z, y = _features(n, d)
    peer = LogisticRegression(C=30.0, tol=1e-8, max_iter=5000).fit(Z, y)
    np.testing.assert_allclose(
        LogisticHead(30.0).fit(X, y).predict_proba(X), peer.predict_proba(Z), atol=0.01
    )


def test_linear_svm() -> None:
    X, Z, y = _features(200, 60)
    peer = LinearSVC(C=1.0, tol=1e-8, max_iter=100_000, intercept_scaling=100.0).fit(Z, y)
    np.testing.assert_allclose(LinearSVMHead(1.0).fit(X, y).logits(X), peer.decision_function(Z), atol=0.01)


@_SHAPES
@pytest.mark.parametrize("shrinkage", [0.1, 0.5])
def test_lda(n, d, shrinkage) -> None:
    X, Z, y = _features(n, d)
    ours = LDAHead(shrinkage).fit(X, y)
    within = _within(Z, y)
    shrunk = (1 - shrinkage) * within + shrinkage * np.trace(within) / d * np.eye(d)
    means = np.stack([Z[y == c].mean(axis=0) for c in range(4)])
    scores = Z @ np.linalg.solve(shrunk, means.T)
    scores += -0.5 * np.diag(means @ np.linalg.solve(shrunk, means.T)) + np.log(np.bincount(y) / n)
    exp = np.exp(scores - scores.max(axis=1, keepdims=True))
    np.testing.assert_allclose(ours.predict_proba(X), exp / exp.sum(axis=1, keepdims=True), atol=1e-3)


def _within(Z, y):
    residuals = Z - np.stack([Z[y == c].mean(axis=0) for c in range(4)])[y]
    return residuals.T @ residuals / len(Z)


def test_rbf() -> None:
    X, Z, y = _features(200, 60)
    peer = KernelRidge(alpha=0.1, kernel="rbf", gamma=1.5).fit(Z, np.eye(4)[y] - 0.25)
    ours = RBFHead(1.5, 0.1).fit(X, y).logits(X)
    np.testing.assert_allclose(ours - 0.25, peer.predict(Z), atol=0.03)


def test_rbf_with_fewer_centres_comes_close_to_the_exact_fit() -> None:
    X, _, y = _features(250, 60)
    exact = RBFHead().fit(X[:200], y[:200]).logits(X[200:])
    fewer = RBFHead(max_centers=190).fit(X[:200], y[:200]).logits(X[200:])
    assert np.abs(exact - fewer).max() < 0.2
    assert (exact.argmax(axis=1) == fewer.argmax(axis=1)).mean() > 0.95


def test_rbf_folds_with_fewer_centres_come_close_to_the_exact_ones() -> None:
    _, Z, y = _features(200, 60)
    bench = Bench(Z, y, np.ones(200), 4, make_folds(y), 4)
    (exact,) = RBFHead().cv_logits(bench, [{}])
    (fewer,) = RBFHead(max_centers=149).cv_logits(bench, [{}])
    assert (exact.argmax(axis=1) == y).mean() == pytest.approx((fewer.argmax(axis=1) == y).mean(), abs=0.03)
    assert np.corrcoef(exact.ravel(), fewer.ravel())[0, 1] > 0.9


def test_knn() -> None:
    X, Z, y = _features(200, 60)
    peer = KNeighborsClassifier(9, metric="cosine").fit(Z[:150], y[:150])
    ours = KNNHead(9, temperature=1e6).fit(X[:150], y[:150])
    off = np.abs(ours.predict_proba(X[150:]) - peer.predict_proba(Z[150:])).max(axis=1)
    assert (
        off < 0.01
    ).mean() > 0.9  # rows are kept in half precision, so two nearly equal neighbours may swap
    assert off.max() < 1.5 / 9
