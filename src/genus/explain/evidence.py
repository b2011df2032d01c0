"""Class evidence maps from one run of the network: how much each place of its last layer speaks for a class.

Two ways: to leave a place out of the pooling of the feature map, and to linearise the classifier at the image. Neither
needs a gradient.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
Maps = NDArray[np.float32]
Score = Callable[[Rows], Rows]

_STEP = 0.02  # of a finite difference, in parts of the largest feature
_ROWS = 512  # at once
_LEAST = 1e-300
_SOME = 4  # rows of chance
_ALIKE = 0.5  # of the means' length, that mirroring may change
_NOTHING = 1e-4  # of a score's size, that rounding alone may change


def log_odds(logits: Rows, *, several: bool) -> Rows:
    """Return the log-odds of each class against all others, (n, c); with several labels an image the logits."""
    if several:
        return logits
    rows, exact = np.arange(len(logits)), logits.astype(np.float64)
    first = exact.argmax(axis=1)
    highest = exact[rows, first][:, None]
    exp = np.exp(exact - highest)
    others = highest + np.log(np.maximum(exp.sum(axis=1, keepdims=True) - exp, _LEAST))
    # of the most probable class the difference would be nothing but rounding
    exact_others = exact.copy()
    exact_others[rows, first] = -np.inf
    second = exact_others.max(axis=1, keepdims=True)
    others[rows, first] = (second + np.log(np.exp(exact_others - second).sum(axis=1, keepdims=True)))[:, 0]
    return np.asarray(exact - others, np.float32)


def begins_with_means(embedding: Rows, feature_map: Maps) -> bool:
    """Say whether the first features are the means of the last feature map; networks that flatten it have others.

    Parameters
    ----------
    embedding : (n, d) float32
    feature_map : (n, d0, h, w) float32
        Of the same n pictures, at least one.

    Notes
    -----
    Not to the last digit: features may be averaged with those of the mirrored picture, the map is of one.

    Examples
    --------
    >>> maps = np.random.default_rng(0).random((2, 5, 4, 4), np.float32)
    >>> begins_with_means(maps.mean((2, 3)), maps), begins_with_means(maps.max((2, 3)), maps)
    (True, False)
    """
    n_channels = feature_map.shape[1]
    if embedding.shape[1] < n_channels:
        return False
    means = feature_map.mean(axis=(2, 3))
    return bool(np.linalg.norm(embedding[:, :n_channels] - means) <= _ALIKE * np.linalg.norm(means))


def goes_by_map(score: Score, embedding: Rows, feature_map: Maps) -> bool:
    """Say whether a classifier goes by the means of the last feature map.

    A network may have other features (see `begins_with_means`), and training may have left these out.

    Parameters
    ----------
    score : callable
        From features (n, d) to scores (n, c).
    embedding : (n, d) float32
    feature_map : (n, d0, h, w) float32
        Of the same n pictures, at least one.

    Examples
    --------
    >>> maps = np.random.default_rng(0).random((1, 2, 4, 4), np.float32)
    >>> features = np.hstack([maps.mean((2, 3)), np.float32([[0.3, 0.4]])])
    >>> [goes_by_map(lambda rows: rows[:, :2], one, maps) for one in (features, 3 * features)]
    [True, False]
    >>> goes_by_map(lambda rows: rows[:, 2:], features, maps)
    False
    """
    if not begins_with_means(embedding, feature_map):
        return False
    n_features, n_channels = embedding.shape[1], feature_map.shape[1]
    rng = np.random.default_rng(0)
    rows = rng.random((2 * _SOME, n_features), np.float32)
    rows[_SOME:, n_channels:] = rows[:_SOME, n_channels:]
    scores = score(rows)
    apart = np.abs(scores[:_SOME] - scores[_SOME:]).max()
    return bool(apart > _NOTHING * max(1.0, float(np.abs(scores).max())))


def by_leaving_out(score: Score, embedding: Rows, feature_map: Maps, codes: NDArray[np.int64]) -> Maps:
    """Return what each place adds to the score of some classes: what is lost if the pooling leaves it out.

    Parameters
    ----------
    score : callable
        From features (n, d) to scores (n, c).
    embedding : (d,) float32
        Its first d0 features are the mean of the feature map.
    feature_map : (d0, h, w) float32
    codes : (k,) int64
        The classes.

    Returns
    -------
    (k, h, w) float32
        In the score's unit; the places of no effect are 0.

    Notes
    -----
    Exact for any classifier on pooled features, and as many classifications as there are places. For a linear one it
    is the class activation map of Zhou et al. (2016), "Learning deep features for discriminative localization", CVPR,
    up to a constant.
    """
    d0, h, w = feature_map.shape
    n = h * w
    places = feature_map.reshape(d0, n).T
    rows = np.repeat(embedding[None], n, axis=0)
    rows[:, :d0] = (n * embedding[:d0] - places) / max(1, n - 1)
    whole = score(embedding[None])[0, codes]
    without = np.concatenate([score(rows[i : i + _ROWS]) for i in range(0, n, _ROWS)])[:, codes]
    return np.asarray((whole - without).T.reshape(len(codes), h, w), np.float32)


def by_linearising(score: Score, embedding: Rows, feature_map: Maps, codes: NDArray[np.int64]) -> Maps:
    """Return class activation maps of the score's linear part at this image, found by finite differences.

    As `by_leaving_out`; two classifications a feature.
    """
    d0, h, w = feature_map.shape
    step = np.float32(_STEP * max(1e-6, float(np.abs(embedding[:d0]).max())))
    slopes = np.empty((d0, len(codes)), np.float32)
    for start in range(0, d0, _ROWS):
        k = min(_ROWS, d0 - start)
        ahead, behind = (np.repeat(embedding[None], k, axis=0) for _ in range(2))
        index = np.arange(k), np.arange(start, start + k)
        ahead[index] += step
        behind[index] -= step
        slopes[start : start + k] = (score(ahead) - score(behind))[:, codes] / (2 * step)
    maps = np.einsum("dk,dhw->khw", slopes, feature_map) / (h * w)
    return np.asarray(maps, np.float32)
