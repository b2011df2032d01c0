"""Several views of one picture through the same model: the whole, and closer ones side by side.

The network sees a picture as 7 to 10 places a side, whatever its size. A closer view shows it a part in more places,
and small objects at the size at which the network knows them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from genus.explain.evidence import Score, by_leaving_out

Maps = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Run = Callable[[Pixels], dict[str, NDArray[np.float32]]]

ZOOMS = ((1.0, 1), (1.5, 2), (2.0, 3))
"""How much closer, and how many views a side."""
N_VIEWS = sum(n * n for _, n in ZOOMS)
_SIDE = 72  # of the map; every view covers whole cells of it
_RIM = 0.02  # what a view's edge counts, where its middle counts 1


@dataclass(frozen=True, slots=True)
class View:
    """A square part of a picture: its place, and how much closer it is."""

    top: float
    left: float
    zoom: float


def all_views() -> tuple[View, ...]:
    """Name the views, of each zoom in turn; top and left in parts of the picture."""
    found = []
    for zoom, n in ZOOMS:
        places = [0.0] if n == 1 else [i / (n - 1) * (1 - 1 / zoom) for i in range(n)]
        found += [View(top, left, zoom) for top in places for left in places]
    return tuple(found)


def by_views(
    run: Run,
    score: Score,
    picture: Callable[[float], Pixels],
    codes: NDArray[np.int64],
) -> Maps:
    """Return where several views of a picture show the evidence for some classes.

    Parameters
    ----------
    run : callable
        From pictures, uint8 (n, side, side, 3), to "embedding" and "feature_map".
    score : callable
        From features (n, d) to scores (n, c).
    picture : callable
        From a zoom to the picture at so many times the side.
    codes : (k,) int64

    Returns
    -------
    (k, 72, 72) float32
        The sum over the zooms of what is above or below each one's median, in units of its mean size.

    Notes
    -----
    One prediction a view: 14. In each view a place has the score of the whole view and what the place differs by
    (`genus.explain.evidence.by_leaving_out`); views of one zoom overlap and count less toward their edges.
    """
    total = np.zeros((len(codes), _SIDE, _SIDE), np.float32)
    for zoom, _ in ZOOMS:
        views = [view for view in all_views() if view.zoom == zoom]
        maps = _maps(run(_cut(picture(zoom), views)), score, codes)
        for i, one in enumerate(_joined(views, maps)):
            total[i] += centred(one)
    return total


def centred(evidence: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a map less its median, in units of what it then is on average: maps of any unit can be added."""
    apart = evidence - np.median(evidence)
    return np.asarray(apart / max(float(np.abs(apart).mean()), 1e-12), np.float32)


def resized(evidence: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Bring a map (h, w) to another size, smoothly."""
    way = cv2.INTER_AREA if evidence.shape[0] >= height else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(evidence, (width, height), interpolation=way), np.float32)


def _cut(canvas: Pixels, views: list[View]) -> Pixels:
    side = round(canvas.shape[0] / views[0].zoom)
    last = canvas.shape[0] - side
    found = []
    for view in views:
        top, left = (min(last, round(place * canvas.shape[0])) for place in (view.top, view.left))
        found.append(canvas[top : top + side, left : left + side])
    return np.stack(found)


def _maps(found: dict[str, NDArray[np.float32]], score: Score, codes: NDArray[np.int64]) -> list[Maps]:
    scores = score(found["embedding"])[:, codes]
    maps = []
    for embedding, feature_map, own in zip(found["embedding"], found["feature_map"], scores, strict=True):
        n = feature_map.shape[1] * feature_map.shape[2]
        # of a linear classifier this is its score of the place by itself
        maps.append(own[:, None, None] + (n - 1) * by_leaving_out(score, embedding, feature_map, codes))
    return maps


def _joined(views: list[View], maps: list[Maps]) -> Maps:
    side = round(_SIDE / views[0].zoom)
    ramp = np.hanning(side + 2)[1:-1]
    weight = np.asarray(np.outer(ramp, ramp) + _RIM, np.float32)
    total = np.zeros((len(maps[0]), _SIDE, _SIDE), np.float32)
    weights = np.zeros((_SIDE, _SIDE), np.float32)
    for view, found in zip(views, maps, strict=True):
        place = tuple(
            slice(start, start + side) for start in (round(view.top * _SIDE), round(view.left * _SIDE))
        )
        weights[place] += weight
        for i, one in enumerate(found):
            total[i][place] += weight * cv2.resize(one, (side, side), interpolation=cv2.INTER_LINEAR)
    return total / weights
