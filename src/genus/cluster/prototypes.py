"""Points that stand for groups, so that rows never seen before can be assigned, whatever the algorithm was."""

import numpy as np
from numpy.typing import NDArray

_MAX_PROTOTYPES = 512  # of all groups together
_PASSES = 4
_CHUNK = 8192

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


def nearest_rows(X: Floats, points: Floats, squares: Floats | None = None) -> tuple[Labels, Floats]:
    """Return for each row the index of the nearest point, int64 (n,), and the squared distance, float32 (n,).

    Parameters
    ----------
    X : (n, d) float32
    points : (m, d) float32
    squares : (n,) float32 or None
        The rows' squared lengths, if they are known.

    Examples
    --------
    >>> place, squared = nearest_rows(np.float32([[0, 0], [3, 4]]), np.float32([[0, 1], [3, 0]]))
    >>> place.tolist(), squared.tolist()
    ([0, 1], [1.0, 16.0])
    """
    place = np.empty(len(X), np.int64)
    distances = np.empty(len(X), np.float32)
    minus_twice = np.ascontiguousarray(-2.0 * points.T)
    offsets = np.einsum("ij,ij->i", points, points)
    for start in range(0, len(X), _CHUNK):
        part = X[start : start + _CHUNK] @ minus_twice
        part += offsets
        best = part.argmin(axis=1)
        place[start : start + _CHUNK] = best
        distances[start : start + _CHUNK] = part[np.arange(len(best)), best]
    distances += np.einsum("ij,ij->i", X, X) if squares is None else squares
    return place, np.maximum(distances, 0.0, out=distances)


def group_distances(X: Floats, prototypes: Floats, prototype_labels: Labels, n_groups: int) -> Floats:
    """Return each row's distance to the nearest prototype of each group, float32 (n, n_groups)."""
    found = np.empty((len(X), n_groups), np.float32)
    for group in range(n_groups):
        found[:, group] = nearest_rows(X, prototypes[prototype_labels == group])[1]
    return np.sqrt(found, out=found)


def prototypes_of(X: Floats, labels: Labels, rng: np.random.Generator) -> tuple[Floats, Labels]:
    """Choose local means of the rows of each group, more for larger groups.

    Returns
    -------
    (m, d) float32
    (m,) int64
        The group of each.
    """
    points, groups = [], []
    for group in np.unique(labels):
        members = X[labels == group]
        n = max(1, round(_MAX_PROTOTYPES * len(members) / len(X)))
        points.append(_local_means(members, min(n, len(members)), rng))
        groups.append(np.full(len(points[-1]), group))
    return np.concatenate(points), np.concatenate(groups)


def _local_means(X: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Return `n` means of rows that lie close together: a few passes of Lloyd's algorithm from random rows."""
    points = X[rng.choice(len(X), n, replace=False)]
    for _ in range(_PASSES if n < len(X) else 0):
        place = nearest_rows(X, points)[0]
        counts = np.bincount(place, minlength=n)
        order = np.argsort(place, kind="stable")
        filled = np.flatnonzero(counts)
        starts = np.searchsorted(place[order], filled)
        points = points.copy()
        points[filled] = np.add.reduceat(X[order], starts, axis=0) / counts[filled, None]
    return points
