"""Batches of real images for the tests of networks."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from photographs import photographs


def as_batch(pictures: np.ndarray) -> Tensor:
    """(n, h, w, 3) as (n, 3, h, w), channels last."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)


def photos(n: int = 8, side: int = 48) -> Tensor:
    """Pieces of two photographs, (n, 3, side, side) uint8."""
    return as_batch(photographs(side)[:n])


def digits(n: int = 8, side: int = 8) -> Tensor:
    """Handwritten digits, (n, 3, side, side) uint8, grey; `side` is a multiple of 8."""
    grey = (load_digits().images[:n] * 15.9).astype(np.uint8)
    grey = grey.repeat(side // 8, axis=1).repeat(side // 8, axis=2)
    return as_batch(np.stack([grey] * 3, axis=3))


def difference(a: Tensor, b: Tensor) -> float:
    """Mean absolute difference, in grey levels."""
    assert a.shape == b.shape
    return float((a.double() - b.double()).abs().mean())


def same(a: Tensor, b: Tensor) -> Tensor:
    """Which images of two batches are equal to the bit."""
    return (a == b).flatten(1).all(1)
