"""Evidence by hiding parts of a picture behind a blur, and asking the whole model again. Works for any model.

Two questions are put. What is lost if one piece goes, and all else stays? What changes if a random half goes? The first
finds what nothing else makes up for; the second also what is there twice.
"""

from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
Maps = NDArray[np.float32]
Pixels = NDArray[np.uint8]
PictureScore = Callable[[Pixels], Rows]

_BLUR = 8  # an eighth of the side: nothing is recognised
_BATCH = 16
_PIECE = 2.0  # times the distance of two pieces' centres
_COARSE = (5, 7, 9)  # cells of a random mask, along a side
_SHOWN = (0.25, 0.75)  # of the picture, least and most
_SMOOTH = 0.09  # of the side: evidence nearer than that is much the same
_NOISE = 0.3  # of the variance of the scores: what no map can explain
_SIDE = 26  # of the map that masks give

N_PIECES = 6
"""Pieces along a side."""
N_MASKS = 48
"""Random masks."""


def blurred(pixels: Pixels) -> Pixels:
    """Return a picture in which nothing is recognised."""
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), max(pixels.shape[:2]) / _BLUR), np.uint8)


def by_pieces(score: PictureScore, pixels: Pixels, codes: NDArray[np.int64], *, n: int = N_PIECES) -> Maps:
    """Return what pieces of a picture add to the score of some classes: what is lost when they are hidden.

    Parameters
    ----------
    score : callable
        From pictures, uint8 (n, side, side, 3), to scores (n, c).
    pixels : (side, side, 3) uint8
    codes : (k,) int64
        The classes.
    n : int, default 6
        Pieces along a side; they overlap by half.

    Returns
    -------
    (k, side, side) float32
        In the score's unit; each pixel has the mean of the pieces that it is in.

    Notes
    -----
    One prediction a piece, and one. Zeiler and Fergus (2014), "Visualizing and understanding convolutional networks",
    ECCV; here behind a blur, which looks less like something else than a grey patch does.
    """
    height, width = pixels.shape[:2]
    total = np.zeros((len(codes), height, width), np.float32)
    times = np.zeros((height, width), np.float32)
    whole = score(pixels[None])[0, codes]
    spans = [(_span(row, n, height), _span(column, n, width)) for row in range(n) for column in range(n)]
    shown = (_all_but(span, pixels.shape[:2]) for span in spans)
    for (rows, columns), found in zip(spans, _scores(score, pixels, shown), strict=True):
        total[:, rows, columns] += (whole - found[codes])[:, None, None]
        times[rows, columns] += 1
    return np.asarray(total / np.maximum(times, 1), np.float32)


def by_masks(
    score: PictureScore,
    pixels: Pixels,
    codes: NDArray[np.int64],
    *,
    n: int = N_MASKS,
    guess: Maps | None = None,
) -> Maps:
    """Return what each place adds to the score of some classes, from random halves of the picture.

    Parameters
    ----------
    score, pixels, codes
        As for `by_pieces`.
    n : int, default 48
        How many masks; every second one shows what the one before hides.
    guess : (k, h, w) float32 or None
        What is thought beforehand, in any unit: the masks correct it.

    Returns
    -------
    (k, 26, 26) float32
        In the score's unit, for what shares of the place are shown.

    Notes
    -----
    One prediction a mask. The masks are those of Petsiuk, Das and Saenko (2018), "RISE: Randomized input sampling for
    explanation of black-box models", BMVC. RISE takes thousands and averages them; a few dozen are enough where
    the scores are explained by a smooth map, a Gaussian process whose mean is the guess (Rasmussen and Williams, 2006,
    "Gaussian processes for machine learning", chapter 2).
    """
    masks = random_masks(n)
    side = pixels.shape[:2]
    shown = (cv2.resize(mask, side[::-1], interpolation=cv2.INTER_LINEAR) for mask in masks)
    scores = np.stack(list(_scores(score, pixels, shown)))[:, codes]
    guesses = [None] * len(codes) if guess is None else [_on_grid(one) for one in guess]
    return np.stack([explained(masks, scores[:, i], one) for i, one in enumerate(guesses)])


def random_masks(n: int) -> Maps:
    """Return the masks, always the same: (n, 26, 26) from 0, hidden, to 1, shown."""
    rng = np.random.default_rng(0)
    masks: list[NDArray[np.float32]] = []
    while len(masks) < n:
        cells, share = int(rng.choice(_COARSE)), rng.uniform(*_SHOWN)
        coarse = (rng.random((cells + 1, cells + 1)) < share).astype(np.float32)
        cell = -(-_SIDE // cells)
        fine = cv2.resize(coarse, ((cells + 1) * cell,) * 2, interpolation=cv2.INTER_LINEAR)
        top, left = rng.integers(0, cell, 2)
        mask = np.asarray(fine[top : top + _SIDE, left : left + _SIDE], np.float32)
        masks += [mask, 1 - mask]
    return np.stack(masks[:n])


def explained(
    masks: Maps, scores: NDArray[np.floating], guess: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Return the smooth map (h, w) whose sum over what a mask (n, h, w) shows explains its score (n,)."""
    n, height, width = masks.shape
    shown = masks.reshape(n, -1) - masks.reshape(n, -1).mean(axis=0)
    left = (scores - scores.mean()).astype(np.float64)
    mean = np.zeros(height * width)
    if guess is not None:
        part = shown @ guess.ravel().astype(np.float64)
        # a guess that the masks contradict counts for nothing
        mean = max(0.0, float(part @ left) / max(float(part @ part), 1e-12)) * guess.ravel()
        left = left - shown @ mean
    spread = np.stack([_smooth(one.reshape(height, width)).ravel() for one in shown])
    gram = shown @ spread.T
    gram += (_NOISE * np.trace(gram) / n + 1e-12) * np.eye(n)
    found = mean + spread.T @ np.linalg.solve(gram, left)
    return np.asarray(found.reshape(height, width), np.float32)


def _scores(score: PictureScore, pixels: Pixels, shown: Iterable[NDArray[np.float32]]) -> Iterator[Rows]:
    """Yield the scores (c,) of the picture behind each mask (h, w), in batches."""
    hidden = blurred(pixels)
    batch: list[Pixels] = []
    for mask in shown:
        batch.append(np.asarray(cv2.blendLinear(pixels, hidden, mask, 1 - mask), np.uint8))
        if len(batch) == _BATCH:
            yield from score(np.stack(batch))
            batch = []
    if batch:
        yield from score(np.stack(batch))


def _all_but(span: tuple[slice, slice], size: tuple[int, ...]) -> NDArray[np.float32]:
    mask = np.ones(size, np.float32)
    mask[span] = 0
    return mask


def _span(place: int, n: int, length: int) -> slice:
    """Return the piece around one of the places along a side."""
    middle, half = (place + 0.5) / n * length, max(0.5, _PIECE * length / n / 2)
    return slice(max(0, round(middle - half)), max(1, round(middle + half)))


def _smooth(one: NDArray[np.floating]) -> NDArray[np.float32]:
    sigma = _SMOOTH * one.shape[0]
    found = cv2.GaussianBlur(one.astype(np.float32), (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(found, np.float32)


def _on_grid(one: NDArray[np.float32]) -> NDArray[np.float32]:
    way = cv2.INTER_AREA if min(one.shape) >= _SIDE else cv2.INTER_CUBIC
    found = np.asarray(cv2.resize(one, (_SIDE, _SIDE), interpolation=way), np.float32)
    return np.asarray(found / max(float(np.abs(found).mean()), 1e-12), np.float32)
