"""Whether two pictures are one: laid over each other, cropped, mirrored and turned a little, as well as they go.

Perceptual hashes and network features find pairs that may be the same picture; this compares the pixels. It looks at
detail only, so that brightness, contrast and colour do not matter, and two pictures of one kind of thing, which have
their large shapes in common, do not pass: first in small, which is quick, and of those that pass at twice that, where
two round flowers no longer agree.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE, _SMALL = 64, 32  # of the squares that are compared, and that are searched
_SCALES = (1.0, 0.92, 0.84, 0.76, 0.68, 0.6, 0.52)  # a crop's side, as a share of the whole picture's
_REFINED = 2  # ways to lay one over the other that are fitted exactly
_HOPELESS = (
    0.3  # agreement in small from which nothing is gained: of pictures turned by 5 degrees the least was 0.33
)
_SURE = 0.97  # agreement from which nothing better is looked for
_FINE_SIDE = 128  # of the squares that are compared a second time
_COARSE, _FINE_COARSE = 4.0, 2.5  # pixels of blur: what is coarser than this is left out
_SHARP = 0.8  # pixels of blur: what is finer is noise
_STEPS, _FINE_STEPS = 30, 20  # of the exact fit
_LEAST_OVERLAP = 0.2
_EMPTY = 1e-3  # spread of a picture with nothing in it

Floats = NDArray[np.float32]


def detail(pixels: NDArray[np.uint8]) -> Floats:
    """Return the fine detail of a picture in grey, squashed to a square: what `agreement` compares.

    Parameters
    ----------
    pixels : (h, w, 3) uint8

    Returns
    -------
    (64, 64) float32
    """
    return detail_of(square(pixels))


def square(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture in grey, squashed to a small square: all that `detail_of` needs, (64, 64) uint8."""
    return _grey(pixels, SIDE)


def detail_of(grey: NDArray[np.uint8]) -> Floats:
    """Return the fine detail of what `square` has made, (64, 64) float32."""
    return _band(grey, _COARSE)


def fine_detail(pixels: NDArray[np.uint8]) -> Floats:
    """Return the finest detail of a picture in grey, squashed to a square: what `fine_agreement` compares.

    Parameters
    ----------
    pixels : (h, w, 3) uint8

    Returns
    -------
    (128, 128) float32
    """
    return _band(_grey(pixels, _FINE_SIDE), _FINE_COARSE)


def _grey(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    import cv2

    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _band(grey: NDArray[np.uint8], coarsest: float) -> Floats:
    import cv2

    small = grey.astype(np.float32)
    smooth = cv2.GaussianBlur(small, (0, 0), _SHARP)
    return np.asarray(smooth - cv2.GaussianBlur(small, (0, 0), coarsest), np.float32)


def agreement(one: Floats, other: Floats) -> float:
    """Tell how well one picture lies over another, from 0 to 1.

    Parameters
    ----------
    one, other : (64, 64) float32
        From `detail`.

    Returns
    -------
    float
        The correlation of the detail where they overlap best, each as a crop of the other, mirrored or not: above 0.6
        for the same picture, below 0.4 for two pictures of the same thing.

    Notes
    -----
    Crops are looked for in seven sizes; the best is then fitted exactly (Evangelidis and Psarakis, 2008, "Parametric
    image alignment using enhanced correlation coefficient maximization", IEEE TPAMI). About 5 ms.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> picture = np.repeat(rng.integers(0, 255, (32, 32, 1), np.uint8), 3, axis=2)
    >>> one, mirrored = detail(picture), detail(picture[:, ::-1].copy())
    >>> agreement(one, one) > 0.99, agreement(one, mirrored) > 0.95
    (True, True)
    >>> agreement(one, detail(np.repeat(rng.integers(0, 255, (32, 32, 1), np.uint8), 3, axis=2))) < 0.4
    True
    """
    best = 0.0
    for way in _likeliest(one, other):
        if way.score < _HOPELESS:
            return max(best, way.score)
        best = max(best, _plain(way), _exact(way).score)
        if best >= _SURE:
            break
    return best


def fine_agreement(one: Floats, other: Floats, fine_one: Floats, fine_other: Floats) -> float:
    """Tell how well the finest detail of two pictures agrees, once they are laid over each other, from 0 to 1.

    Parameters
    ----------
    one, other : (64, 64) float32
        From `detail`.
    fine_one, fine_other : (128, 128) float32
        From `fine_detail`, of the same pictures.

    Notes
    -----
    Above 0.75 for the same picture, even a corner of it that was cut out or saved at a low quality; mostly below 0.6
    for two dandelions that lie over each other perfectly. About 10 ms.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> picture = np.repeat(rng.integers(0, 255, (64, 64, 1), np.uint8), 3, axis=2)
    >>> fine_agreement(detail(picture), detail(picture), fine_detail(picture), fine_detail(picture)) > 0.99
    True
    """
    best = 0.0
    for way in _likeliest(one, other):
        inner, outer = (fine_one, fine_other) if way.is_forward else (fine_other, fine_one)
        if way.is_mirrored and way.is_forward:
            outer = np.ascontiguousarray(outer[:, ::-1])
        elif way.is_mirrored:
            inner = np.ascontiguousarray(inner[:, ::-1])
        warp = _exact(way).warp.copy()
        warp[:, 2] *= _FINE_SIDE / SIDE
        best = max(best, _fitted(inner, outer, warp, _FINE_STEPS, 3).score)
    return best


def structure(fine: Floats) -> float:
    """Return over how much of a picture its detail is spread, from 0 to 1.

    Parameters
    ----------
    fine : (s, s) float32
        From `fine_detail` or `detail`.

    Notes
    -----
    The participation ratio of its energy: 0.15 to 0.3 for a photograph that is full of things, 0.02 for a bottle cap on
    an empty table. Of that the outline is all there is, and it fits every other bottle cap.

    Examples
    --------
    >>> structure(np.ones((128, 128), np.float32)), structure(np.zeros((128, 128), np.float32))
    (1.0, 0.0)
    """
    energy = fine.astype(np.float64) ** 2
    return float(energy.sum() ** 2 / max((energy**2).sum() * energy.size, 1e-12))


def _likeliest(one: Floats, other: Floats) -> "list[_Way]":
    return sorted(_ways(one, other), key=lambda way: -way.score)[:_REFINED]


@dataclass(frozen=True, slots=True, eq=False)
class _Way:
    """A way to lay a picture into another: as a piece of a size, at a place (x, y in pixels of the outer one)."""

    score: float
    inner: Floats
    outer: Floats
    scale: float
    place: tuple[float, float]
    is_forward: bool = (
        True  # whether it is the first picture that is laid into the second, which may be mirrored
    )
    is_mirrored: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """How well a picture lies over another, and how: from its pixels to those of the other."""

    score: float
    warp: Floats


def _ways(one: Floats, other: Floats) -> Iterator[_Way]:
    """Yield the best way for each picture as a piece of the other, mirrored and not; found on small copies."""
    for is_mirrored, turned in enumerate((other, np.ascontiguousarray(other[:, ::-1]))):
        yield replace(_best_way(one, turned), is_mirrored=bool(is_mirrored))
        yield replace(_best_way(turned, one), is_mirrored=bool(is_mirrored), is_forward=False)


def _best_way(inner: Floats, outer: Floats) -> _Way:
    small, large = _resized(inner, _SMALL), _resized(outer, _SMALL)
    found = _Way(-1.0, inner, outer, 1.0, (0.0, 0.0))
    for scale in _SCALES:
        side = round(_SMALL * scale)
        score, (x, y) = _match(large, _resized(small, side))
        if score > found.score:
            grown = SIDE / _SMALL
            found = _Way(score, inner, outer, side / _SMALL, (x * grown, y * grown))
    return found


def _plain(way: _Way) -> float:
    """Return the correlation without any turning or stretching."""
    return max(0.0, _match(way.outer, _resized(way.inner, max(8, round(SIDE * way.scale))))[0])


def _resized(picture: Floats, side: int) -> Floats:
    import cv2

    if len(picture) == side:
        return picture
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.float32)


def _match(outer: Floats, piece: Floats) -> tuple[float, tuple[int, int]]:
    """Return the correlation of a piece where it fits best, and that place (x, y)."""
    import cv2

    if float(piece.std()) < _EMPTY or float(outer.std()) < _EMPTY:
        return 0.0, (0, 0)
    scores = cv2.matchTemplate(outer, piece, cv2.TM_CCOEFF_NORMED)
    _, best, _, place = cv2.minMaxLoc(scores)
    return (float(best) if np.isfinite(best) else 0.0), (int(place[0]), int(place[1]))


def _exact(way: _Way) -> _Fit:
    """Let the fit turn, stretch and shift the picture a little."""
    (x, y), scale = way.place, way.scale  # from a pixel of the inner picture to one of the outer
    return _fitted(way.inner, way.outer, np.array([[scale, 0, x], [0, scale, y]], np.float32), _STEPS, 5)


def _fitted(inner: Floats, outer: Floats, warp: Floats, steps: int, smoothed: int) -> _Fit:
    """Fit a picture over another, from a first guess; a score of 0 where that does not succeed."""
    import cv2

    if float(inner.std()) < _EMPTY or float(outer.std()) < _EMPTY:
        return _Fit(0.0, warp)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, steps, 1e-3)
    found: Any = warp.copy()
    try:
        score, found = cv2.findTransformECC(inner, outer, found, cv2.MOTION_AFFINE, stop, None, smoothed)  # type: ignore[call-overload]
    except cv2.error:  # it does not converge: the pictures have nothing in common
        return _Fit(0.0, warp)
    area = abs(float(found[0, 0] * found[1, 1] - found[0, 1] * found[1, 0]))
    plausible = _LEAST_OVERLAP <= area <= 1 / _LEAST_OVERLAP
    return _Fit(float(score), found) if plausible and np.isfinite(score) else _Fit(0.0, warp)
