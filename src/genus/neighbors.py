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
    >>> found.indices.tolist(), found.distances.round(2).tolist()
    ([[2, 0]], [[0.01..., 0.81...]])
    """
    k = min(k, len(stored))
    indices = np.empty((len(rows), k), np.int64)
    distances = np.empty((len(rows), k), np.float32)
    lengths = np.einsum("ij,ij->i", stored, stored)
    step = max(1, _AT_ONCE // max(1, len(stored)))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        apart = np.einsum("ij,ij->i", part, part)[:, None] - 2 * (part @ stored.T) + lengths
        nearest = np.argsort(apart, axis=1, kind="stable")[:, :k]
        indices[start : start + step] = nearest
        distances[start : start + step] = np.maximum(np.take_along_axis(apart, nearest, axis=1), 0)
    return Neighbors(indices, distances)
