"""Resizing inside a graph, by constant matrices.

A model with several picture sizes still has one input: the smaller sizes are derived inside the graph. ONNX's own
Resize is no use here (engines differ on `antialias`), so each axis is multiplied with a constant matrix of
triangle-filter weights, which every engine computes alike.
"""

import numpy as np
from numpy.typing import NDArray

from genus.graph import GraphBuilder

_BAND = 16  # output samples computed at once: the whole matrix would be nearly all zeros


def resample_matrix(n_in: int, n_out: int) -> NDArray[np.float32]:
    """Weights that shrink `n_in` samples to `n_out` with an antialiasing triangle filter.

    Parameters
    ----------
    n_in, n_out : int
        Numbers of samples before and after; `n_out <= n_in`.

    Returns
    -------
    (n_out, n_in) float32
        Rows sum to one.

    Examples
    --------
    >>> resample_matrix(4, 2).round(3)
    array([[0.429, 0.429, 0.143, 0.   ],
           [0.   , 0.143, 0.429, 0.429]], dtype=float32)
    """
    scale = n_in / n_out
    centres = (np.arange(n_out) + 0.5) * scale - 0.5
    distance = np.abs(np.arange(n_in)[None, :] - centres[:, None]) / max(scale, 1.0)
    weights = np.maximum(1.0 - distance, 0.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def shrink(b: GraphBuilder, images: str, size_in: int, size_out: int) -> str:
    """Add the resizing of float32 [N, size_in, size_in, 3] to [N, size_out, size_out, 3]."""
    if size_in == size_out:
        return images
    x = b.op("Transpose", images, perm=[0, 3, 1, 2])
    x = _shrink_axis(b, x, size_in, size_out, axis=3)  # (N, 3, h, w) -> (N, 3, h, w')
    x = _shrink_axis(b, x, size_in, size_out, axis=2)  # -> (N, 3, h', w')
    return b.op("Transpose", x, perm=[0, 2, 3, 1])


def _shrink_axis(b: GraphBuilder, x: str, size_in: int, size_out: int, axis: int) -> str:
    """Multiply one axis with the matrix, band by band: an output sample depends on its neighbourhood only."""
    matrix = resample_matrix(size_in, size_out)
    bands = []
    for first in range(0, size_out, _BAND):
        rows = matrix[first : first + _BAND]
        used = np.flatnonzero(rows.any(axis=0))
        start, stop = used[0], used[-1] + 1
        bounds = (b.constant(np.array([place], np.int64)) for place in (start, stop, axis))
        piece = b.op("Slice", x, *bounds)
        weights = np.ascontiguousarray(rows[:, start:stop])
        bands.append(
            b.op("MatMul", b.constant(weights), piece)
            if axis == 2
            else b.op("MatMul", piece, b.constant(np.ascontiguousarray(weights.T)))
        )
    return b.op("Concat", *bands, axis=axis)


def mirror(b: GraphBuilder, images: str, size: int) -> str:
    """Add the left-right mirror image of float32 [N, size, size, 3]."""
    return b.op("Gather", images, b.constant(np.arange(size - 1, -1, -1, dtype=np.int64)), axis=2)
