"""Images unlike all others: damaged, mislaid, or the first of a kind."""

import numpy as np
from numpy.typing import NDArray

from genus.audit.facts import Facts
from genus.audit.finding import Finding, Found

_NEIGHBOURS = 5
_LEAST = 30  # images, below which nobody can say what is usual
_FAR = 3.5  # robust standard deviations beyond the usual distance
_MAD = 1.4826  # the median absolute deviation of a normal distribution, times this, is its standard deviation


def check_outliers(facts: Facts) -> Found:
    """Report images that are unusually far from their nearest neighbours.

    Notes
    -----
    The mean distance to the five nearest images that are no copies, on features of unit length, held against that of
    all images by its median and median absolute deviation (of its upper half: distances are skewed).

    Examples
    --------
    >>> from genus.neighbors import nearest_others
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(size=(60, 8)) * 0.1 + np.eye(8)[0], -np.eye(8)[:1]]).astype(np.float32)
    >>> X /= np.linalg.norm(X, axis=1, keepdims=True)
    >>> every = np.arange(61)
    >>> [f.row for f in check_outliers(Facts(X, every.astype(str), every, nearest_others(X, 10))).findings]
    [60]
    """
    if len(facts) < _LEAST:
        return Found(left_out=f"fewer than {_LEAST} images: nobody can say which are unusual")
    away = neighbour_distance(facts)
    spread, middle = _spread(away)
    if not spread > 0:
        return Found()
    z = (away - middle) / spread
    found = [
        Finding(
            int(row),
            "outlier",
            _severity(float(z[row])),
            f"unlike all other images: {away[row] / middle:.1f} times as far from its nearest as is usual",
            other=int(facts.nearest.indices[row, 0]),
        )
        for row in np.flatnonzero(z > _FAR)
    ]
    return Found(tuple(found))


def neighbour_distance(facts: Facts) -> NDArray[np.float64]:
    """Return the mean distance of each image to the five nearest that show another picture, (n,)."""
    distances = np.sqrt(facts.nearest.distances.astype(np.float64))
    others = facts.pictures[facts.nearest.indices] != facts.pictures[:, None]
    kept = others & (np.cumsum(others, axis=1) <= _NEIGHBOURS)
    n = kept.sum(axis=1)
    mean = (distances * kept).sum(axis=1) / np.maximum(n, 1)
    return np.where(n > 0, mean, 0.0)


def _spread(away: NDArray[np.float64]) -> tuple[float, float]:
    middle = float(np.median(away))
    above = away[away >= middle] - middle
    return _MAD * float(np.median(above)), middle


def _severity(z: float) -> float:
    return round(float(1 - 0.5 * np.exp((_FAR - z) / _FAR)), 4)
