"""Many clusterings, one answer: better than most of them, and the same whatever the numbering."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from genus.cluster.consensus import agreement_matrix, consensus, mean_agreement


def noisy(truth: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """The truth, with the labels of some rows drawn anew and all groups renumbered."""
    wrong = rng.random(len(truth)) < share
    labels = np.where(wrong, rng.integers(0, truth.max() + 1, len(truth)), truth)
    return rng.permutation(truth.max() + 1)[labels]


def test_it_is_better_than_those_it_is_made_of() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 5, 400)
    votes = [noisy(truth, 0.35, rng) for _ in range(9)]
    found = consensus(votes, 5, rng)
    assert adjusted_rand_score(truth, found) > max(adjusted_rand_score(truth, vote) for vote in votes) + 0.1


def test_clusterings_that_agree_with_none_do_not_count() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 300)
    votes = [noisy(truth, 0.1, rng) for _ in range(5)] + [rng.integers(0, 4, 300) for _ in range(4)]
    assert adjusted_rand_score(truth, consensus(votes, 4, rng)) > 0.95


def test_noise_is_nobodys_companion() -> None:
    truth = np.repeat([0, 1], 20)
    holes = truth.copy()
    holes[::3] = -1
    found = consensus([truth, truth, holes], 2, np.random.default_rng(0))
    assert adjusted_rand_score(truth, found) == 1


def test_unanimity_is_kept() -> None:
    truth = np.repeat([0, 1, 2], [5, 9, 3])
    assert adjusted_rand_score(truth, consensus([truth, (truth + 1) % 3], 3, np.random.default_rng(0))) == 1


@given(st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=2, max_size=5))
def test_agreement_is_symmetric_and_ignores_names(votes: list[list[int]]) -> None:
    clusterings = [np.array(vote) for vote in votes]
    matrix = agreement_matrix(clusterings)
    assert np.array_equal(matrix, matrix.T) and (np.diag(matrix) == 0).all()
    renamed = [3 - clustering for clustering in clusterings]
    np.testing.assert_allclose(mean_agreement(clusterings), mean_agreement(renamed))
