"""Stored pictures as a model sees them when it is measured: once, or in several views whose answers are averaged."""

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from genus.cnn.augment import apply_plan
from genus.cnn.augment_torch import scale_on_device
from genus.cnn.pictures import as_images, as_pictures, check_side
from genus.cnn.plan import Frame, still_plan
from genus.errors import ParameterError
from genus.images.preprocess import Fit, resize

Views = Literal["plain", "mirror", "shifts", "turns"]

_SHIFT = 16  # the side over this many pixels: the step of "shifts"


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


def views_to_average(
    images: Tensor, side: int, views: Views = "mirror", *, fit: Fit = "squash"
) -> Iterator[Tensor]:
    """Return several views of each picture, one after the other; average what the model says of them.

    Parameters
    ----------
    images : (n, 3, h, w) uint8 or floating tensor
        0 to 255.
    side : int
        Of the square results, in pixels.
    views : {"plain", "mirror", "shifts", "turns"}, default "mirror"
        "plain": the evaluation view alone. "mirror": and its mirror image (2 views). "shifts": it and four views moved
        by a sixteenth of the side along both diagonals, and their mirror images (10; Krizhevsky, Sutskever and
        Hinton, "ImageNet classification with deep convolutional neural networks", 2012). "turns": in four quarter
        turns, and their mirror images (8), for images without an up.
    fit : {"squash", "crop", "pad"}, default "squash"
        See `evaluation_view`.

    Yields
    ------
    (n, 3, side, side) tensor
        The first is the evaluation view.

    Examples
    --------
    >>> views = views_to_average(torch.rand(1, 3, 8, 8) * 255, 8, "turns")
    >>> len(list(views))
    8
    """
    if views not in get_args(Views):
        raise ParameterError(f"views must be one of {', '.join(get_args(Views))}, not {views!r}.")
    pictures = as_pictures(images)
    frame = _frame(pictures, side, fit)
    if not frame.is_whole:
        pictures = _seen(pictures, frame)
        frame = Frame(side, side, side)
    step = max(1, side // _SHIFT)
    moves = [(0, 0)]
    if views == "shifts":
        moves += [(x, y) for x in (-step, step) for y in (-step, step)]
    for move in moves:
        view = apply_plan(pictures, still_plan(frame, len(pictures), move), side)
        for turns in range(4 if views == "turns" else 1):
            turned = torch.rot90(view, turns, (1, 2)).contiguous()
            yield as_images(turned, like=images)
            if views != "plain":
                yield as_images(turned.flip(2), like=images)


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
