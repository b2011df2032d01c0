"""Boxes round the evidence: where a class is, as far as a classifier knows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genus.explain.outline import SIDE, parts, positive

_LEAST_PEAK = 0.35  # of the largest evidence, for a box of its own
_LEAST_SHARE = 0.02  # of all evidence, where it is not the largest


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


def boxes_of(evidence: NDArray[np.float32], threshold: float = 0.5) -> tuple[Box, ...]:
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
    large = positive(evidence)
    return boxes_round((large >= np.float32(threshold) * large.max()) & (large > 0), evidence)


def boxes_round(mask: NDArray[np.bool_], evidence: NDArray[np.float32]) -> tuple[Box, ...]:
    """Draw a box round each part of a mask that holds evidence; the one with most evidence first.

    Parameters
    ----------
    mask : (130, 130) bool
        From `genus.explain.outline.outlined`.
    evidence : (h, w) float32
        Of the same picture.

    Returns
    -------
    tuple of Box
        In parts of the map's sides, 0 to 1. Parts with little evidence, or nowhere much, have none.
    """
    large = positive(evidence)
    peak, total = float(large.max()), float(large.sum())
    if peak <= 0:
        return ()
    found = []
    for part in parts(mask):
        rows, columns = (np.flatnonzero(part.any(axis=axis)) for axis in (1, 0))
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        left, right = int(columns[0]), int(columns[-1]) + 1
        share = float(large[top:bottom, left:right].sum()) / total
        own = float(large[part].max())
        if own >= _LEAST_PEAK * peak and (share >= _LEAST_SHARE or own == peak):
            found.append(Box(left / SIDE, top / SIDE, right / SIDE, bottom / SIDE, min(1.0, share)))
    return tuple(sorted(found, key=lambda box: -box.score))
