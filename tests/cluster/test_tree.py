"""The tree of merges is scipy's, and weights are repeated rows."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster import hierarchy
from sklearn.metrics import adjusted_rand_score

from genus.cluster.tree import LINKAGES, build_tree


@pytest.mark.parametrize("linkage", LINKAGES)
@given(n=st.integers(2, 60), seed=st.integers(0, 2**16))
def test_it_is_the_tree_of_scipy(linkage: Any, n: int, seed: int) -> None:
    X = np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32)
    tree = build_tree(X, np.ones(n), linkage)
    wanted = hierarchy.linkage(X.astype(np.float64), linkage)
    np.testing.assert_allclose(tree.heights, wanted[:, 2], atol=2e-3)
    for k in {1, 2, n // 2, n} - {0}:
        cut = hierarchy.fcluster(wanted, k, "maxclust")
        assert len(np.unique(tree.cut(k))) == k
        assert adjusted_rand_score(tree.cut(k), cut) == pytest.approx(1)


def test_scipy_understands_it() -> None:
    X = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    linkage = build_tree(X, np.ones(30), "ward").to_linkage()
    assert hierarchy.is_valid_linkage(linkage)
    assert linkage[-1, 3] == 30


@pytest.mark.parametrize("linkage", LINKAGES)
def test_a_weight_counts_like_repeated_rows(linkage: Any) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(25, 3)).astype(np.float32)
    weights = rng.integers(1, 5, 25)
    weighted = build_tree(X, weights.astype(np.float64), linkage)
    repeated = build_tree(np.repeat(X, weights, axis=0), np.ones(weights.sum()), linkage)
    np.testing.assert_allclose(weighted.heights, repeated.heights[-24:], rtol=1e-3, atol=2e-3)
    assert adjusted_rand_score(np.repeat(weighted.cut(5), weights), repeated.cut(5)) == pytest.approx(1)


def test_groups_are_numbered_by_first_row() -> None:
    tree = build_tree(np.float32([[9], [0], [1], [10]]), np.ones(4), "average")
    assert tree.cut(2).tolist() == [0, 1, 1, 0]
    assert tree.cut(4).tolist() == [0, 1, 2, 3]
    assert tree.cut(99).tolist() == [0, 1, 2, 3]


def test_one_point_is_a_tree() -> None:
    assert build_tree(np.float32([[1, 2]]), np.ones(1), "ward").cut(1).tolist() == [0]
