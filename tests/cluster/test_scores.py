"""Scores of groupings from the rows alone."""

import math

import numpy as np
import pytest
from sklearn.datasets import make_blobs

from genus.cluster.scores import balance, calinski_harabasz, davies_bouldin, silhouette


@pytest.fixture
def blobs() -> tuple[np.ndarray, np.ndarray]:
    X, y = make_blobs(300, 4, centers=3, random_state=0)
    return X.astype(np.float32), y.astype(np.int64)


def test_the_truth_scores_better_than_chance(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = blobs
    chance = np.random.default_rng(0).permutation(y)
    assert silhouette(X, y) > 0.4 > silhouette(X, chance)
    assert calinski_harabasz(X, y) > 10 * calinski_harabasz(X, chance)
    assert davies_bouldin(X, y) < davies_bouldin(X, chance)


def test_a_sample_says_the_same_as_all_rows() -> None:
    X, y = make_blobs(6000, 4, centers=3, random_state=0)
    whole = silhouette(X[:2000].astype(np.float32), y[:2000])
    assert silhouette(X.astype(np.float32), y) == pytest.approx(whole, abs=0.03)


def test_noise_is_left_out(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = blobs
    far = np.concatenate([X, np.full((5, 4), 1e4, np.float32)])
    labels = np.concatenate([y, np.full(5, -1)])
    for score in (silhouette, calinski_harabasz, davies_bouldin):
        assert score(far, labels) == pytest.approx(score(X, y))


@pytest.mark.parametrize("labels", [np.zeros(300, np.int64), np.full(300, -1), np.arange(300)])
def test_what_cannot_be_scored_is_not_a_number(
    labels: np.ndarray, blobs: tuple[np.ndarray, np.ndarray]
) -> None:
    for score in (silhouette, calinski_harabasz, davies_bouldin):
        assert math.isnan(score(blobs[0], labels))


def test_balance() -> None:
    assert balance(np.repeat([0, 1, 2, -1], [5, 5, 5, 80])) == pytest.approx(1)
    assert balance(np.repeat([0, 1], [99, 1])) < 0.1
    assert balance(np.zeros(9, np.int64)) == 0
    assert balance(np.full(9, -1)) == 0
