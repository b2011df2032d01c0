"""Real photographs for tests: pieces of the two that scikit-learn ships."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_sample_image


def resized(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


@lru_cache(maxsize=8)
def photographs(size: int) -> NDArray[np.uint8]:
    """Both photographs whole and in four quarters each, as they are and darker: (20, size, size, 3) RGB."""
    pictures = []
    for name in ("china.jpg", "flower.jpg"):
        whole = load_sample_image(name)
        h, w = whole.shape[0] // 2, whole.shape[1] // 2
        pieces = [whole, whole[:h, :w], whole[:h, w:], whole[h:, :w], whole[h:, w:]]
        pictures += [resized(piece, size) for piece in pieces]
    bright = np.stack(pictures)
    return np.concatenate([bright, (bright * 0.6).astype(np.uint8)])


def cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosine of the angle between rows: (n, d), (n, d) -> (n,)."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
