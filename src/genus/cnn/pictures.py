"""Batches as networks take them, (n, 3, h, w) of any type, and as augmentation does: (n, h, w, 3) of 8 bits."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genus.cnn.devices import sent
from genus.errors import ParameterError

FILL = (124, 116, 104)
"""What hides erased parts: the mean colour of ImageNet, as where `Preprocess` pads."""

SMALL = 64
"""Pixels: a card has done a step with pictures of this side before the processor has told it what to do next."""

_MAX_SIDE = 16384


def as_pictures(images: Tensor) -> Tensor:
    """Return a batch (n, 3, h, w) of uint8 or floats as (n, h, w, 3) uint8, contiguous; copied only where it must be.

    Raises
    ------
    ParameterError
        It is no batch of RGB images.
    """
    is_known = images.dtype == torch.uint8 or images.dtype.is_floating_point
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape[2:] or not is_known:
        raise ParameterError(
            "images must be uint8 or floating, of shape (n, 3, height, width), not "
            f"{str(images.dtype).removeprefix('torch.')} {tuple(images.shape)}."
        )
    pictures = images.detach().permute(0, 2, 3, 1)
    if images.dtype != torch.uint8:
        pictures = pictures.round().clamp(0, 255).to(torch.uint8)
    return pictures.contiguous()


def as_images(pictures: Tensor, like: Tensor) -> Tensor:
    """Return pictures (n, h, w, 3) as a batch (n, 3, h, w) of the type and memory format of another."""
    images = pictures.permute(0, 3, 1, 2).to(like.dtype)
    if like.is_contiguous(memory_format=torch.channels_last):
        return images
    return images.contiguous()


def check_side(side: int) -> int:
    """Return `side`, or raise `ParameterError` unless it is a number of pixels."""
    if not isinstance(side, int) or isinstance(side, bool) or not 1 <= side <= _MAX_SIDE:
        raise ParameterError(f"side must be a number of pixels from 1 to {_MAX_SIDE}, not {side!r}.")
    return side


def inside_boxes(boxes: NDArray[np.int64], side: int, device: torch.device) -> Tensor:
    """Return which pixels (n, side, side) lie in each image's box: top, left, bottom, right."""
    top, left, bottom, right = sent(boxes, device)[:, :, None].unbind(1)  # (n, 1) each
    step = torch.arange(side, device=device)
    rows, columns = (step >= top) & (step < bottom), (step >= left) & (step < right)
    return rows[:, :, None] & columns[:, None, :]
