"""Rows to search in: unit rows around a few centres."""

import numpy as np
from numpy.typing import NDArray


def unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def clouds(n: int, width: int = 16, n_classes: int = 4, spread: float = 1.0, seed: int = 0):
    """Rows (n, width) and their classes: each class around a centre of its own, in a few of the directions."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % n_classes
    centres = np.zeros((n_classes, width))
    if n_classes <= width // 4:
        np.fill_diagonal(centres, 2)
    else:
        centres[:, : width // 4] = rng.standard_normal((n_classes, width // 4))
    return unit(centres[codes] + spread * rng.standard_normal((n, width))), codes.astype(np.int64)
