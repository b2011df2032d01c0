"""Rows as points in the plane, so that what is alike lies together: the map of all images."""

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE

_MAX_ROWS = 1500  # laid out; the others go where the most similar of these are
_PERPLEXITY = 30.0
_ITERATIONS = 500
_ANCHORS = 3
_JITTER = 0.006  # of the map's side, so that no two points hide each other

Floats = NDArray[np.float32]


def lay_out(X: Floats, random_state: int | None = 0) -> Floats:
    """Return a place in the unit square for each row, float32 (n, 2).

    Parameters
    ----------
    X : (n, d) float32
        Prepared rows.
    random_state : int or None

    Notes
    -----
    t-SNE (van der Maaten and Hinton, 2008) of at most 1,500 rows; every other row lies among the three of these that
    are most like it. Neighbourhoods are true on such a map; distances between far groups and their sizes are not.

    Examples
    --------
    >>> lay_out(np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)).shape
    (20, 2)
    """
    n = len(X)
    rng = np.random.default_rng(random_state)
    chosen = np.arange(n) if n <= _MAX_ROWS else np.sort(rng.choice(n, _MAX_ROWS, replace=False))
    points = _into_square(_embedded(X[chosen], random_state))
    if len(chosen) == n:
        return points
    places = np.empty((n, 2), np.float32)
    places[chosen] = points
    others = np.setdiff1d(np.arange(n), chosen)
    places[others] = _among(X[others], X[chosen], points) + rng.normal(0, _JITTER, (len(others), 2))
    return places.clip(0, 1)


def _embedded(X: Floats, random_state: int | None) -> Floats:
    n = len(X)
    if n < 4 or np.ptp(X, axis=0).max() < 1e-6:  # a few points, or one: on a circle
        angle = 2 * np.pi * np.arange(n) / max(n, 1)
        return np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    engine = TSNE(
        perplexity=min(_PERPLEXITY, (n - 1) / 3),
        init="pca" if min(X.shape) >= 2 else "random",
        max_iter=_ITERATIONS,
        random_state=random_state,
    )
    embedded: Floats = engine.fit_transform(X).astype(np.float32)
    return embedded


def _into_square(points: Floats) -> Floats:
    low, span = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-9)
    square: Floats = ((points - low) / span).astype(np.float32)
    return square


def _among(X: Floats, known: Floats, places: Floats) -> Floats:
    """Return the mean place of the nearest known rows, near ones counting more."""
    found = np.empty((len(X), 2), np.float32)
    for start in range(0, len(X), 4096):
        part = X[start : start + 4096]
        squared = (part**2).sum(axis=1)[:, None] + (known**2).sum(axis=1) - 2 * part @ known.T
        nearest = np.argpartition(squared, _ANCHORS - 1, axis=1)[:, :_ANCHORS]
        weights = 1 / (np.take_along_axis(squared, nearest, axis=1).clip(min=0) + 1e-6)
        weights /= weights.sum(axis=1, keepdims=True)
        found[start : start + 4096] = (weights[:, :, None] * places[nearest]).sum(axis=1)
    return found
