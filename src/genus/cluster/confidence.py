"""How sure a grouping is of each row: distances turned into shares, as sharp as the other groupings agree."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

_SHARPEST, _FLATTEST = 1e-4, 1e2  # of temperatures: squared distances of unit rows are at most 4

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


def vote_shares(labels: Labels, n_groups: int, votes: Sequence[Labels], weights: Sequence[float]) -> Floats:
    """Return for each row how the other groupings would share it among the groups of this one.

    Parameters
    ----------
    labels : (n,) int64
        The grouping, 0 to `n_groups` - 1.
    n_groups : int
    votes : sequence of (n,) int64
        Other groupings, with any labels.
    weights : sequence of float
        How much each counts.

    Returns
    -------
    (n, n_groups) float32
        Rows add up to 1. A vote for a group of another grouping is shared as that group's rows are here.

    Examples
    --------
    >>> vote_shares(np.array([0, 0, 1, 1]), 2, [np.array([5, 5, 5, 7])], [1.0])[[0, 3]].round(2).tolist()
    [[0.67..., 0.33...], [0.0, 1.0]]
    """
    found = np.zeros((len(labels), n_groups))
    for vote, weight in zip(votes, weights, strict=True):
        codes = np.unique(vote, return_inverse=True)[1]
        shared = np.zeros((codes.max() + 1, n_groups))
        np.add.at(shared, (codes, labels), 1.0)
        shared /= shared.sum(axis=1, keepdims=True)
        found += weight * shared[codes]
    shares: Floats = (found / found.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def fit_temperature(squared: Floats, shares: Floats) -> float:
    """Return the temperature at which `soften` comes nearest to the shares, by cross-entropy.

    Parameters
    ----------
    squared : (n, k) float32
        Squared distances of rows to groups.
    shares : (n, k) float32
    """

    def loss(log_temperature: float) -> float:
        scaled = -squared / np.exp(log_temperature)
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        return float((np.log(np.exp(scaled).sum(axis=1)) - (shares * scaled).sum(axis=1)).mean())

    bounds = (np.log(_SHARPEST), np.log(_FLATTEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def soften(squared: Floats, temperature: float) -> Floats:
    """Return `softmax(-squared / temperature)`, float32 (n, k).

    Examples
    --------
    >>> soften(np.float32([[0, 1], [1, 1]]), 1.0).round(2).tolist()
    [[0.73..., 0.27...], [0.5, 0.5]]
    """
    scaled = -squared / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    shares: Floats = np.exp(scaled)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares
