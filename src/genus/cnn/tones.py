"""What becomes of a picture's values one by one, as a table of 256 for each channel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.cnn.plan import Tones

_VALUES = np.arange(256)


def tone_table(tones: Tones, i: int, histogram: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """Return what becomes of each value of picture `i`.

    Parameters
    ----------
    tones : Tones
        Of the whole batch.
    i : int
    histogram : (3, 256) int
        How many pixels of the picture have each value, by channel.

    Returns
    -------
    (256, 3) uint8
    """
    columns = []
    for counts in histogram:
        values = _VALUES
        if tones.autocontrast[i]:
            values = _stretched(counts)
        if tones.equalize[i]:
            values = _equalized(np.bincount(values, counts, 256).astype(np.int64))[values]
        values = np.where(values >= tones.solarize[i], 255 - values, values)
        columns.append(values & ~((1 << (8 - tones.posterize[i])) - 1))
    return np.ascontiguousarray(np.stack(columns, 1), np.uint8)


def _stretched(counts: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Stretch what occurs to the whole range."""
    there = np.flatnonzero(counts)
    low, high = (int(there[0]), int(there[-1])) if there.size else (0, 0)
    if low == high:
        return _VALUES
    stretched: NDArray[np.int64] = np.clip(np.rint((_VALUES - low) * (255 / (high - low))), 0, 255).astype(
        np.int64
    )
    return stretched


def _equalized(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Spread the values so that equal ranges hold about equally many pixels."""
    there = np.flatnonzero(counts)
    step = (int(counts.sum()) - int(counts[there[-1]] if there.size else 0)) // 255
    if step == 0:  # one value, or hardly any pixels
        return _VALUES
    before = np.cumsum(counts) - counts
    spread: NDArray[np.int64] = np.clip((before + step // 2) // step, 0, 255)
    return spread
