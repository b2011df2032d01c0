"""Boxes round the evidence: where a class is, as far as a classifier knows."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

THRESHOLD = 0.5
"""Evidence at least so large, in parts of the largest, is inside a box."""
_LEAST_PEAK = 0.6  # of the largest evidence, for a box of its own
_FINE = 8  # cells that a cell of a coarse map is divided into


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle round evidence.

    Attributes
    ----------
    left, top, right, bottom : float
        In pixels of the image, or in parts of the map: see where it comes from.
    score : float in (0, 1]
        The share of the evidence for the class that lies inside.
    """

    left: float
    top: float
    right: float
    bottom: float
    score: float


def boxes_of(evidence: NDArray[np.float32], threshold: float = THRESHOLD) -> tuple[Box, ...]:
    """Draw boxes round the connected places of large evidence; the one with most evidence first.

    Parameters
    ----------
    evidence : (h, w) float32
        What speaks against the class, below 0, does not count.
    threshold : float in (0, 1), default 0.5
        In parts of the largest evidence.

    Returns
    -------
    tuple of Box
        In parts of the map's sides, 0 to 1; none where nothing speaks for the class.

    Examples
    --------
    >>> evidence = np.zeros((10, 10), np.float32)
    >>> evidence[2:4, 6:9] = 1
    >>> box = boxes_of(evidence)[0]
    >>> [round(float(value), 1) for value in (box.left, box.top, box.right, box.bottom, box.score)]
    [0.6, 0.2, 0.9, 0.4, 0.8]
    """
    large = fine(np.maximum(evidence, 0))
    peak = float(large.max(initial=0.0))
    if peak <= 0:
        return ()
    mask = np.asarray(large >= threshold * peak, np.uint8)
    n, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    total, (height, width) = float(large.sum()), large.shape
    found = []
    for i in range(1, n):
        inside = labels == i
        if large[inside].max() < _LEAST_PEAK * peak:
            continue
        x, y, w, h = (int(value) for value in stats[i][:4])
        score = float(large[y : y + h, x : x + w].sum()) / total
        found.append(Box(x / width, y / height, (x + w) / width, (y + h) / height, min(1.0, score)))
    return tuple(sorted(found, key=lambda box: -box.score))


def fine(evidence: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a coarse map on a finer grid, smoothly; maps of 64 places a side or more as they are."""
    if min(evidence.shape) >= 64:
        return evidence
    size = evidence.shape[1] * _FINE, evidence.shape[0] * _FINE
    return np.maximum(np.asarray(cv2.resize(evidence, size, interpolation=cv2.INTER_LINEAR), np.float32), 0)
