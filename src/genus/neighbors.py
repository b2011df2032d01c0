"""Which rows of numbers are nearest to others: the piece that whatever compares features shares."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 1 << 24  # distances in memory: 64 MB

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Neighbors:
    """The nearest of some stored rows to each of some others.

    Attributes
    ----------
    indices : (n, k) int64
        Which stored rows, the nearest first; of equally near ones the first stored.
    distances : (n, k) float32
        Squared Euclidean distances.
    """

    indices: NDArray[np.int64]
    distances: Rows


def nearest_rows(stored: Rows, rows: Rows, k: int) -> Neighbors:
    """Find the `k` stored rows nearest to each row; fewer if there are no more.

    Parameters
    ----------
    stored : (m, d) float32
    rows : (n, d) float32
    k : int
        At least 0.

    Notes
    -----
    Every pair is compared: O(n m d), and 64 MB of memory beside the arrays themselves.

    Examples
    --------
    >>> found = nearest_rows(np.float32([[0, 0], [3, 0], [1, 0]]), np.float32([[0.9, 0]]), 2)
    >>> found.indices.tolist(), found.distances.round(2)
    ([[2, 0]], array([[0.01, 0.81]], dtype=float32))
    """
    k = min(k, len(stored))
    indices = np.empty((len(rows), k), np.int64)
    distances = np.empty((len(rows), k), np.float32)
    lengths = np.einsum("ij,ij->i", stored, stored)
    step = max(1, _AT_ONCE // max(1, len(stored)))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        apart = np.einsum("ij,ij->i", part, part)[:, None] - 2 * (part @ stored.T) + lengths
        nearest = _smallest(apart, k)
        indices[start : start + step] = nearest
        distances[start : start + step] = np.maximum(np.take_along_axis(apart, nearest, axis=1), 0)
    return Neighbors(indices, distances)


def nearest_others(rows: Rows, k: int) -> Neighbors:
    """Find for each row the `k` other rows nearest to it; fewer if there are no more.

    Parameters
    ----------
    rows : (n, d) float32
    k : int
        At least 0.

    Notes
    -----
    See `nearest_rows`.

    Examples
    --------
    >>> nearest_others(np.float32([[0, 0], [3, 0], [1, 0]]), 1).indices.tolist()
    [[2], [2], [0]]
    """
    found = nearest_rows(rows, rows, k + 1)
    if not found.indices.shape[1]:
        return found
    own = found.indices == np.arange(len(rows))[:, None]
    own[~own.any(axis=1), -1] = True  # among many copies a row may not be its own neighbour
    shape = len(rows), found.indices.shape[1] - 1
    return Neighbors(found.indices[~own].reshape(shape), found.distances[~own].reshape(shape))


def _smallest(values: Rows, k: int) -> NDArray[np.int64]:
    """Return the columns of the `k` smallest values of each row, rising; of equal ones the first."""
    if 4 * k >= values.shape[1]:
        return np.argsort(values, axis=1, kind="stable")[:, :k]
    columns = np.sort(np.argpartition(values, k, axis=1)[:, :k], axis=1)
    chosen = np.take_along_axis(values, columns, axis=1)
    tied = (values <= chosen.max(axis=1, initial=-np.inf, keepdims=True)).sum(axis=1) > k
    if tied.any():
        columns[tied] = np.argsort(values[tied], axis=1, kind="stable")[:, :k]
        chosen = np.take_along_axis(values, columns, axis=1)
    order = np.argsort(chosen, axis=1, kind="stable")
    return np.asarray(np.take_along_axis(columns, order, axis=1), np.int64)
