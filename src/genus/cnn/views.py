"""Stored pictures as a model sees them when it is used."""

import numpy as np
import torch
from torch import Tensor

from genus.cnn.augment import apply_plan
from genus.cnn.augment_torch import scale_on_device
from genus.cnn.pictures import as_images, as_pictures, check_side
from genus.cnn.plan import Frame, still_plan
from genus.images.preprocess import Fit, resize


def evaluation_view(images: Tensor, side: int, *, fit: Fit = "squash") -> Tensor:
    """Return stored pictures as the model sees them: nothing is random.

    Parameters
    ----------
    images : (n, 3, h, w) uint8 or floating tensor
        0 to 255.
    side : int
        Of the square results, in pixels.
    fit : {"squash", "crop", "pad"}, default "squash"
        The model's `Preprocess.fit`: with "crop" the middle at its own scale, otherwise the whole picture, areas
        averaged where it shrinks.

    Returns
    -------
    (n, 3, side, side) tensor
        Type, device and memory format are those of `images`.

    Raises
    ------
    ParameterError
        Shapes, types or the side cannot work.

    Examples
    --------
    >>> evaluation_view(torch.zeros(2, 3, 40, 40), 32, fit="crop").shape
    torch.Size([2, 3, 32, 32])
    """
    pictures = as_pictures(images)
    return as_images(_seen(pictures, _frame(pictures, side, fit)), like=images)


def _frame(pictures: Tensor, side: int, fit: Fit) -> Frame:
    return Frame(pictures.shape[1], pictures.shape[2], check_side(side), fit)


def _seen(pictures: Tensor, frame: Frame) -> Tensor:
    """Return the evaluation views (n, side, side, 3)."""
    side = frame.side
    if frame.is_whole or frame.fit == "crop":
        return apply_plan(pictures, still_plan(frame, len(pictures)), side)
    if pictures.device.type == "cpu":
        pixels = [resize(picture, side, side) for picture in pictures.numpy()]
        return torch.from_numpy(np.stack(pixels)) if pixels else pictures.new_empty((0, side, side, 3))
    return scale_on_device(pictures, side)
