"""Resizing inside a graph, by constant matrices.

A model with several picture sizes still has one input: the smaller sizes are derived inside the graph. ONNX's own
Resize is no use here (engines differ on `antialias`), so each axis is multiplied with a constant matrix of
triangle-filter weights, which every engine computes alike.
"""

import numpy as np
from numpy.typing import NDArray

from genus.graph import GraphBuilder


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
    matrix = resample_matrix(size_in, size_out)
    x = b.op("Transpose", images, perm=[0, 3, 1, 2])
    x = b.op("MatMul", x, b.constant(np.ascontiguousarray(matrix.T)))  # (N, 3, h, w) -> (N, 3, h, w')
    x = b.op("MatMul", b.constant(matrix), x)  # -> (N, 3, h', w')
    return b.op("Transpose", x, perm=[0, 2, 3, 1])


def mirror(b: GraphBuilder, images: str, size: int) -> str:
    """Add the left-right mirror image of float32 [N, size, size, 3]."""
    return b.op("Gather", images, b.constant(np.arange(size - 1, -1, -1, dtype=np.int64)), axis=2)
