"""Augmentation on an accelerator: whole batches with PyTorch.

It does what OpenCV does on the processor, to within a few grey levels. Sums are written out rather than left to matrix
products, whose rounding depends on the size of the batch.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from genus.cnn.chance import Floats
from genus.cnn.devices import sent
from genus.cnn.moves import halved_size, halvings, in_smaller, reflected
from genus.cnn.pictures import FILL, inside_boxes
from genus.cnn.plan import Colors, Plan, Tones
from genus.cnn.tones import tone_table

_LUMA = (0.299, 0.587, 0.114)


def augment_on_device(pictures: Tensor, plan: Plan, side: int) -> Tensor:
    """Do what a plan says to pictures on any device.

    Parameters
    ----------
    pictures : (n, h, w, 3) uint8 tensor
    plan : Plan
        Of n images; boxes are left to others.
    side : int
        Of the result.

    Returns
    -------
    (n, side, side, 3) uint8 tensor
    """
    result = pictures.new_empty((len(pictures), side, side, 3))
    times = halvings(plan.matrix)
    for count in np.unique(times):  # nearly always one
        rows = np.flatnonzero(times == count)
        where = sent(rows, pictures.device)
        result[where] = _moved(pictures[where], plan.matrix[rows], int(count), side)
    return recolor_on_device(result, plan)


def recolor_on_device(pictures: Tensor, plan: Plan) -> Tensor:
    """Do all of a plan but its moves, to pictures that have been moved (n, side, side, 3); they are overwritten."""
    if plan.sigma is not None and (rows := np.flatnonzero(plan.sigma > 0)).size:
        where = sent(rows, pictures.device)
        pictures[where] = _blurred(pictures[where], plan.sigma[rows])
    if plan.sharpness is not None and (rows := np.flatnonzero(plan.sharpness != 1)).size:
        where = sent(rows, pictures.device)
        pictures[where] = _sharpened(pictures[where], plan.sharpness[rows])
    if plan.tones is not None:
        for i in np.flatnonzero(plan.tones.any):
            pictures[i] = _toned(pictures[i], plan.tones, int(i))
    return pictures if plan.colors is None else _recolored(pictures, plan.colors)


def hide_on_device(pictures: Tensor, boxes: NDArray[np.int64]) -> Tensor:
    """Fill a box (top, left, bottom, right) of each picture (n, side, side, 3)."""
    inside = inside_boxes(boxes, pictures.shape[1], pictures.device)
    fill = sent(np.array(FILL, np.uint8), pictures.device)
    return torch.where(inside[:, :, :, None], fill, pictures)


def scale_on_device(pictures: Tensor, side: int) -> Tensor:
    """Scale whole pictures (n, h, w, 3) to (n, side, side, 3); where they shrink, areas are averaged."""
    planes = pictures.permute(0, 3, 1, 2).float()
    scaled = functional.interpolate(planes, size=(side, side), mode="bilinear", antialias=True)
    return _rounded(scaled).permute(0, 2, 3, 1).contiguous()


def _moved(pictures: Tensor, matrix: Floats, times: int, side: int) -> Tensor:
    planes = pictures.permute(0, 3, 1, 2).float()
    before = planes.shape[2], planes.shape[3]
    after = halved_size(*before, times)
    if times:
        planes = functional.interpolate(planes, size=after, mode="area")
        matrix = in_smaller(matrix, before, after)
    height, width = after
    m = sent(matrix, pictures.device).float()[:, :, :, None, None]  # (n, 2, 3, 1, 1)
    step = torch.arange(side, device=pictures.device, dtype=torch.float32)
    places = m[:, :, 0] * step + (m[:, :, 1] * step[:, None] + m[:, :, 2])  # (n, 2, side, side)
    size = sent(np.array([width, height]), pictures.device)[:, None, None]
    grid = ((2 * places + 1) / size - 1).permute(0, 2, 3, 1)
    moved = functional.grid_sample(planes, grid, padding_mode="reflection", align_corners=False)
    return _rounded(moved).permute(0, 2, 3, 1)


def _blurred(pictures: Tensor, sigma: Floats) -> Tensor:
    radius = np.rint(6 * sigma + 1).astype(np.int64) // 2  # OpenCV's, for 8 bits
    radius = np.maximum(radius, 1)
    most = int(radius.max())
    taps = np.arange(-most, most + 1)
    weights = np.exp(-0.5 * (taps / sigma[:, None]) ** 2) * (np.abs(taps) <= radius[:, None])
    weights /= weights.sum(1, keepdims=True)
    found = pictures.float()
    for dim in (1, 2):
        padded = _padded(found, most, dim)
        parts = (
            sent(weights[:, k], pictures.device).float()[:, None, None, None]
            * padded.narrow(dim, k, found.shape[dim])
            for k in range(len(taps))
        )
        found = sum(parts, torch.zeros_like(found))
    return _rounded(found)


def _sharpened(pictures: Tensor, sharpness: Floats) -> Tensor:
    found = pictures.float()
    rows = _padded(found, 1, 1)
    rows = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    columns = _padded(rows, 1, 2)
    smooth = (columns[:, :, :-2] + columns[:, :, 1:-1] + columns[:, :, 2:] + 4 * found) / 13
    share = sent(sharpness, pictures.device).float()[:, None, None, None]
    return _rounded(smooth + share * (found - smooth))


def _padded(pictures: Tensor, n: int, dim: int) -> Tensor:
    size = pictures.shape[dim]
    return pictures.index_select(dim, reflected(torch.arange(-n, size + n, device=pictures.device), size))


def _toned(picture: Tensor, tones: Tones, i: int) -> Tensor:
    channels = picture.reshape(-1, 3).long()
    counts = [torch.bincount(channels[:, c], minlength=256).cpu().numpy() for c in range(3)]
    table = sent(tone_table(tones, i, np.stack(counts)), picture.device)
    return torch.stack([table[:, c][channels[:, c]] for c in range(3)], 1).reshape(picture.shape)


def _recolored(pictures: Tensor, colors: Colors) -> Tensor:
    red, green, blue = pictures.float().unbind(3)
    matrix = sent(colors.matrix, pictures.device).float()[:, :, :, None, None]
    # whole numbers add up to the same in any order
    sums = pictures.reshape(len(pictures), -1, 3).sum(1, dtype=torch.int64).double()
    n_pixels = pictures.shape[1] * pictures.shape[2]
    mean = (sums * sent(np.array(_LUMA), pictures.device)).sum(1) / n_pixels
    lift = (sent(colors.lift, pictures.device) * mean).float()[:, None, None]
    channels = [
        matrix[:, c, 0] * red + matrix[:, c, 1] * green + matrix[:, c, 2] * blue + lift for c in range(3)
    ]
    return _rounded(torch.stack(channels, 3))


def _rounded(values: Tensor) -> Tensor:
    return values.round().clamp(0, 255).to(torch.uint8)
