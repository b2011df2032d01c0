"""What is the same in all images, or in all of one class: a watermark, a logo, a time stamp."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genus.audit.facts import Facts
from genus.audit.finding import Found, Remark

_LEAST = 20  # images
_CONSTANT = (
    0.2  # spread of a place over the images, beside the usual spread, below which it counts as constant
)
_STRUCTURE = 10.0  # grey levels between neighbouring places: an even background is no watermark
_EDGE = 0.25  # of a side, from its ends: where marks are put; the object itself is in the middle
_TOGETHER = 0.2  # of a side: places that are scattered are no mark
_LEAST_PLACES, _MOST_PLACES = (
    2,
    0.35,
)  # of 256: a whole picture that is constant is a camera that does not move

Floats = NDArray[np.float64]


def check_constants(facts: Facts) -> Found:
    """Report places that look the same in all images, or in all images of a class, and are not merely empty."""
    if facts.thumbnails is None or len(facts) < _LEAST:
        return Found(left_out=f"fewer than {_LEAST} images that were looked at")
    if (places := _constant_places(facts.thumbnails)) is not None:
        return Found(remarks=(_remark("all images", places, None),))
    return Found(remarks=tuple(_by_class(facts, facts.thumbnails)))


def _by_class(facts: Facts, thumbnails: NDArray[np.uint8]) -> Iterator[Remark]:
    if facts.codes is None:
        return
    for code, name in enumerate(facts.classes):
        members = facts.codes == code
        if members.sum() >= _LEAST and (places := _constant_places(thumbnails[members])) is not None:
            yield _remark(f"all images of {name!r}", places, name)


def _constant_places(thumbnails: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """Return which places of thumbnails (n, s, s) are constant but not even, (s, s); None where too few are."""
    grey = thumbnails.astype(np.float32)
    spread = np.median(np.abs(grey - np.median(grey, axis=0)), axis=0)  # of most images: some may lack it
    mean = np.median(grey, axis=0)
    down, across = np.gradient(mean)
    usual = float(np.median(spread))
    places = (spread < _CONSTANT * usual) & (np.hypot(down, across) > _STRUCTURE)
    edge = max(1, round(_EDGE * len(places)))
    places[edge:-edge, edge:-edge] = False
    if usual <= 1 or not _LEAST_PLACES <= places.sum() <= _MOST_PLACES * places.size:
        return None
    rows, columns = np.nonzero(places)
    together = max(rows.std(), columns.std()) <= _TOGETHER * len(places)
    return np.asarray(places, np.bool_) if together else None


def _remark(where: str, places: NDArray[np.bool_], label: str | None) -> Remark:
    rows, columns = np.nonzero(places)
    side = len(places)
    vertical = "top" if rows.mean() < side / 3 else "bottom" if rows.mean() > 2 * side / 3 else "middle"
    level = "left" if columns.mean() < side / 3 else "right" if columns.mean() > 2 * side / 3 else "centre"
    text = f"something at the {vertical} {level} is the same in {where}: a watermark, a logo or a time stamp?"
    return Remark(
        "constant",
        0.8 if label else 0.5,
        text,
        {"label": label, "where": f"{vertical} {level}", "n_places": len(rows)},
    )
