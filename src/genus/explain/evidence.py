"""Class evidence maps: how much each place of an image speaks for a class.

Three ways, from the quickest and coarsest: to leave a place out of the pooling of the feature map, to linearise the
classifier at the image, and to hide a piece of the picture. None needs a gradient.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
Maps = NDArray[np.float32]
Score = Callable[[Rows], Rows]
PictureScore = Callable[[NDArray[np.uint8]], Rows]

_STEP = 0.02  # of a finite difference, in parts of the largest feature
_ROWS = 512  # at once
_LEAST = 1e-300
_PIECES = 9  # along a side
_PIECE = 0.22  # of the side


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


def by_hiding(
    predict: PictureScore, pixels: NDArray[np.uint8], codes: NDArray[np.int64], *, batch_size: int = 16
) -> Maps:
    """Return what pieces of the picture add to the score of some classes: what is lost when they are hidden.

    Parameters
    ----------
    predict : callable
        From pictures, uint8 (n, side, side, 3), to scores (n, c).
    pixels : (side, side, 3) uint8
    codes : (k,) int64
    batch_size : int, default 16

    Returns
    -------
    (k, side, side) float32
        In the score's unit; each pixel has the mean of the pieces that it is in.

    Notes
    -----
    Works for any model, at the cost of 82 predictions. Pieces become the picture's mean colour: Zeiler and Fergus
    (2014), "Visualizing and understanding convolutional networks", ECCV.
    """
    height, width = pixels.shape[:2]
    plain = pixels.mean(axis=(0, 1)).astype(np.uint8)
    spans = [
        (_span(row, height), _span(column, width)) for row in range(_PIECES) for column in range(_PIECES)
    ]
    whole = predict(pixels[None])[0, codes]
    total = np.zeros((len(codes), height, width), np.float32)
    times = np.zeros((height, width), np.float32)
    for start in range(0, len(spans), batch_size):
        some = spans[start : start + batch_size]
        hidden = np.repeat(pixels[None], len(some), axis=0)
        for picture, (rows, columns) in zip(hidden, some, strict=True):
            picture[rows, columns] = plain
        lost = whole - predict(hidden)[:, codes]
        for loss, (rows, columns) in zip(lost, some, strict=True):
            total[:, rows, columns] += loss[:, None, None]
            times[rows, columns] += 1
    return np.asarray(total / np.maximum(times, 1), np.float32)


def _span(place: int, length: int) -> slice:
    """Return the piece around one of the places along a side."""
    middle, half = (place + 0.5) / _PIECES * length, max(0.5, _PIECE * length / 2)
    return slice(max(0, round(middle - half)), max(1, round(middle + half)))
