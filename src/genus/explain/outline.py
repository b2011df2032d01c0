"""From places of evidence to the outline of what shows it: colours tell where the thing ends.

A map is coarse. Where the picture's colours change is fine. GrabCut parts a picture into two by its colours, beginning
with what is surely inside and surely outside; here the map says what is. Which part of the map that is differs from
picture to picture, so several are tried, and that outline is taken which parts the colours best while it holds much of
the evidence.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Evidence = NDArray[np.float32]
Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]

SIDE = 130
"""Of an outline, in cells."""
# in parts of the largest evidence: what is below the first is surely outside, from the second on probably inside, from
# the third on surely
_TRIED = ((0.05, 0.25, 0.5), (0.1, 0.3, 0.5), (0.1, 0.3, 0.8), (0.1, 0.45, 0.8), (0.2, 0.5, 0.8))
_TRIED_OF_OTSU = (0.2, 0.6, 1.4)  # the same in parts of the threshold that parts the map's own values best
_ROUNDS = 2
_HELD = 0.7  # power of the evidence that an outline holds, against its contrast
_RING = 4  # cells around an outline that are compared with what is inside
_BINS = (6, 10, 10)  # lightness and the two colours
_RANGES = (0, 256, 64, 192, 64, 192)
_SURELY = 0.9
_NO_BOX = (0, 0, 1, 1)  # GrabCut can also begin with a rectangle
_LEAST_HELD = 0.15  # of the evidence


def outlined(evidence: Evidence, extent: Evidence, picture: Pixels) -> Mask:
    """Return the outline of what shows the evidence.

    Parameters
    ----------
    evidence : (h, w) float32
        What counts: the outline must hold it.
    extent : (h, w) float32, of any size
        Where the thing is, as far as is known; the evidence itself if no more is.
    picture : (h, w, 3) uint8, of any size
        What they are maps of.

    Returns
    -------
    (130, 130) bool
        Empty where nothing speaks for the class.

    Notes
    -----
    Rother, Kolmogorov and Blake (2004), "GrabCut: interactive foreground extraction using iterated graph cuts",
    SIGGRAPH. Six of them, 130 cells a side: a tenth of a second.
    """
    weight, place = _scaled(evidence), _scaled(extent)
    if weight.max() <= 0:
        return np.zeros((SIDE, SIDE), np.bool_)
    small = np.asarray(cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    found = _best(weight, place, small)
    # what is known of the place may be of something else
    return found if weight[found].sum() >= _LEAST_HELD * weight.sum() else _best(weight, weight, small)


def _best(weight: Evidence, place: Evidence, picture: Pixels) -> Mask:
    colours = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB), np.uint8)
    otsu = cv2.threshold(np.asarray(255 * place, np.uint8), 0, 255, cv2.THRESH_OTSU)[0] / 255
    outside, likely, inside = (share * otsu for share in _TRIED_OF_OTSU)
    tried = (*_TRIED, (outside, likely, min(inside, _SURELY)))
    masks = [_grab_cut(place, picture, *shares) for shares in tried]
    worth = [_worth(mask, weight, colours) for mask in masks]
    return masks[int(np.argmax(worth))]


def parts(mask: Mask) -> list[Mask]:
    """Return the connected parts of a mask."""
    n, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return [np.asarray(labels == i, np.bool_) for i in range(1, n)]


def positive(evidence: Evidence) -> Evidence:
    """Return what of a map speaks for the class, on the outline's grid."""
    large = np.maximum(evidence, 0)
    way = cv2.INTER_AREA if min(large.shape) >= SIDE else cv2.INTER_LINEAR
    return np.asarray(np.maximum(cv2.resize(large, (SIDE, SIDE), interpolation=way), 0), np.float32)


def _scaled(evidence: Evidence) -> Evidence:
    large = positive(evidence)
    return np.asarray(large / max(float(large.max()), 1e-12), np.float32)


def _grab_cut(place: Evidence, picture: Pixels, outside: float, likely: float, inside: float) -> Mask:
    mask = np.full(place.shape, cv2.GC_PR_BGD, np.uint8)
    mask[place >= likely] = cv2.GC_PR_FGD
    mask[place >= inside] = cv2.GC_FGD
    mask[place < outside] = cv2.GC_BGD
    if not (mask == cv2.GC_BGD).any():  # both kinds of colours must be known
        mask[place <= np.quantile(place, 0.05)] = cv2.GC_BGD
    cv2.setRNGSeed(0)  # GrabCut draws its first clusters of colours
    try:
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(picture[:, :, ::-1].copy(), mask, _NO_BOX, *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # a picture of one colour cannot be parted
        return np.asarray(place >= likely, np.bool_)
    return np.asarray((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD), np.bool_)


def _worth(mask: Mask, weight: Evidence, colours: Pixels) -> float:
    """Judge an outline by its part with most evidence: how its colours differ from others', and what it holds."""
    found = parts(mask)
    if not found:
        return -1.0
    part = max(found, key=lambda one: float(weight[one].sum()))
    wide = cv2.dilate(part.astype(np.uint8), np.ones((2 * _RING + 1,) * 2, np.uint8)) > 0
    own = _histogram(colours, part)
    contrast = (1 - np.minimum(own, _histogram(colours, wide & ~part)).sum()) * (
        1 - np.minimum(own, _histogram(colours, ~part)).sum()
    )
    return float(contrast * (weight[part].sum() / weight.sum()) ** _HELD)


def _histogram(colours: Pixels, mask: Mask) -> NDArray[np.float32]:
    counts = cv2.calcHist([colours], [0, 1, 2], mask.astype(np.uint8), list(_BINS), list(_RANGES)).ravel()
    return np.asarray(counts / max(float(counts.sum()), 1.0), np.float32)
