"""Exact search: every stored row is compared, block by block."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genus.search.storage import Rows, StoredRows

_QUERIES = 256  # compared at once

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The stored rows most like each of some queries.

    Attributes
    ----------
    rows : (m, k) int64
        Which, the most alike first; of equally alike ones the first stored. -1 where nothing more was found.
    scores : (m, k) float32
        Inner products: of unit rows, cosines. -inf where nothing more was found.
    """

    rows: Numbers
    scores: Rows


def search_exactly(stored: StoredRows, queries: Rows, k: int, among: Numbers | None = None) -> Found:
    """Find the `k` rows with the largest inner product with each query; fewer if there are no more.

    Parameters
    ----------
    stored : StoredRows, n of them
    queries : (m, d) float32
    k : int
        At least 0.
    among : (a,) int64 or None
        The rows that are looked at, ascending; None for all.

    Notes
    -----
    O(n m d); holds 16 MB of rows at a time, so that an index larger than memory can be mapped from its file.

    Examples
    --------
    >>> stored = StoredRows(np.float32([[1, 0], [0, 1], [0.6, 0.8]]))
    >>> found = search_exactly(stored, np.float32([[0.8, 0.6]]), 2)
    >>> found.rows.tolist(), found.scores.round(2)
    ([[2, 0]], array([[0.96, 0.8 ]], dtype=float32))
    """
    parts = [_search(stored, queries[i : i + _QUERIES], k, among) for i in range(0, len(queries), _QUERIES)]
    if not parts:
        return Found(np.empty((0, 0), np.int64), np.empty((0, 0), np.float32))
    return Found(np.concatenate([p.rows for p in parts]), np.concatenate([p.scores for p in parts]))


def _search(stored: StoredRows, queries: Rows, k: int, among: Numbers | None) -> Found:
    best = Found(np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32))
    for numbers, rows in stored.blocks(among):
        scores = queries @ rows.T
        best = merge(best, Found(np.broadcast_to(numbers, scores.shape), scores), k)
    return best


def merge(one: Found, other: Found, k: int) -> Found:
    """Return the best `k` of both; what is equally alike in the order of the rows' numbers."""
    rows, scores = np.hstack([one.rows, other.rows]), np.hstack([one.scores, other.scores])
    if scores.shape[1] > 4 * k > 0:  # sorting all would cost more than the comparison did
        worst = np.partition(scores, scores.shape[1] - k, axis=1)[:, scores.shape[1] - k]
        width = int((scores >= worst[:, None]).sum(axis=1).max())  # ties with the last one stay in
        some = np.argpartition(-scores, width - 1, axis=1)[:, :width]
        rows, scores = np.take_along_axis(rows, some, axis=1), np.take_along_axis(scores, some, axis=1)
    order = np.lexsort((rows, -scores))[:, :k]
    return Found(np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1))
