"""K-Means: as good as scikit-learn's, weighted like repeated rows, never an empty group."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans as ScikitKMeans
from sklearn.datasets import load_digits

from genus.cluster.kmeans import KMeans, k_means, plus_plus


@pytest.mark.parametrize("n_clusters", [2, 10, 40])
def test_the_inertia_is_that_of_scikit_learn(n_clusters: int) -> None:
    X = load_digits().data.astype(np.float32)
    peers = [ScikitKMeans(n_clusters, n_init=1, random_state=seed).fit(X).inertia_ for seed in range(5)]
    ours = [KMeans(n_clusters, random_state=seed).fit(X).inertia_ for seed in range(5)]
    assert np.mean(ours) < 1.005 * np.mean(peers)


@given(st.integers(1, 60), st.integers(1, 8), st.integers(0, 2**16))
def test_labels_are_the_nearest_centres_and_inertia_their_squared_distances(
    n: int, k: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)).astype(np.float32)
    found = k_means(X, min(k, n), rng)
    squared = ((X[:, None] - found.centers) ** 2).sum(2)
    np.testing.assert_allclose(squared[np.arange(n), found.labels], squared.min(1), atol=1e-4)
    assert found.inertia == pytest.approx(squared.min(1).sum(), abs=1e-3, rel=1e-3)


def test_a_weight_counts_like_repeated_rows() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2)).astype(np.float32)
    weights = rng.integers(1, 5, 60)
    start = X[:4]
    weighted = k_means(X, 4, rng, weights=weights.astype(np.float32), centers=start)
    repeated = k_means(np.repeat(X, weights, axis=0), 4, rng, centers=start)
    np.testing.assert_allclose(weighted.centers, repeated.centers, atol=1e-4)
    assert weighted.inertia == pytest.approx(repeated.inertia, rel=1e-4)


def test_a_centre_that_loses_its_rows_goes_where_it_is_needed() -> None:
    X = np.float32([[0, 0], [0, 1], [9, 0], [9, 1], [0, 99]])
    lost = np.float32([[0, 0.5], [9, 0.5], [1000, 1000]])
    found = k_means(X, 3, np.random.default_rng(0), centers=lost)
    assert len(np.unique(found.labels)) == 3
    assert found.inertia == pytest.approx(1.0)


def test_more_centres_than_different_rows_are_no_error() -> None:
    X = np.repeat(np.float32([[0], [1]]), 5, axis=0)
    found = k_means(X, 4, np.random.default_rng(0))
    assert found.inertia == 0 and len(found.centers) == 4


def test_seeds_are_rows_far_from_one_another() -> None:
    X = np.concatenate([np.full((50, 2), place, np.float32) for place in (0, 10, 20, 30)])
    seeds = plus_plus(X, 4, np.random.default_rng(0))
    assert sorted(seeds[:, 0].tolist()) == [0, 10, 20, 30]


def test_samples_lead_to_the_same_place_as_all_rows() -> None:
    rng = np.random.default_rng(0)
    centers = rng.normal(0, 5, (12, 16))
    X = (centers[rng.integers(0, 12, 30_000)] + rng.normal(size=(30_000, 16))).astype(np.float32)
    ours = k_means(X, 12, np.random.default_rng(1), n_init=3).inertia
    best = ScikitKMeans(12, n_init=3, random_state=0).fit(X).inertia_
    assert ours < 1.01 * best
