"""Made-up features that look like pooled CNN features."""

import numpy as np
from numpy.typing import NDArray


def make_features(
    n: int = 200,
    d: int = 60,
    n_classes: int = 4,
    *,
    separation: float = 0.9,
    seed: int = 0,
    shares: tuple[float, ...] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Rectified mixture of Gaussians: `X (n, d)` non-negative, `y (n,)` with every class present."""
    rng = np.random.default_rng(seed)
    y = np.r_[np.repeat(np.arange(n_classes), 6), rng.choice(n_classes, n - 6 * n_classes, p=shares)]
    centers = rng.standard_normal((n_classes, d)) * separation
    X = np.maximum(centers[y] + rng.standard_normal((n, d)), 0)
    return X.astype(np.float32), y


def make_folds(y: NDArray[np.intp], n_folds: int = 4, seed: int = 0) -> NDArray[np.intp]:
    """Stratified folds."""
    rng = np.random.default_rng(seed)
    fold = np.empty(len(y), np.intp)
    for code in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == code))
        fold[rows] = np.arange(len(rows)) % n_folds
    return fold
