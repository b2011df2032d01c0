"""Where pixels come from: shared by both ways of fetching them, and whole pixels by their places alone.

What lies beyond the edge is the picture reflected, its outermost pixels first, everywhere alike.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genus.cnn.chance import Floats
from genus.cnn.devices import sent

_HALVE_FROM = 1.5  # stored pixels to a resulting one: from here bilinear sampling alone would skip pixels


def halvings(matrix: Floats) -> NDArray[np.int64]:
    """Return how often each picture is halved, averaging areas, before it is sampled, so that nothing aliases.

    Parameters
    ----------
    matrix : (n, 2, 3) float
        `Plan.matrix`.

    Examples
    --------
    >>> halvings(np.array([[[s, 0, 0], [0, s, 0]] for s in (0.5, 1.4, 1.5, 2.9, 3.0)]))
    array([0, 0, 1, 1, 2])
    """
    determinant = matrix[:, 0, 0] * matrix[:, 1, 1] - matrix[:, 0, 1] * matrix[:, 1, 0]
    scale = np.sqrt(np.abs(determinant))
    return np.maximum(0, np.floor(np.log2(np.maximum(scale, 1e-9) * 2 / _HALVE_FROM))).astype(np.int64)


def halved_size(height: int, width: int, times: int) -> tuple[int, int]:
    """Return the height and width of a picture halved so many times: 1 at least."""
    return max(1, height >> times), max(1, width >> times)


def in_smaller(matrix: Floats, before: tuple[int, int], after: tuple[int, int]) -> Floats:
    """Return matrices (..., 2, 3) that lead to places in a picture of another (height, width)."""
    ratios = np.array([after[1] / before[1], after[0] / before[0]])
    smaller: Floats = matrix * ratios[:, None]
    smaller[..., 2] += 0.5 * ratios - 0.5
    return smaller


def fetch_whole_pixels(pictures: Tensor, matrix: Floats, side: int) -> Tensor:
    """Mirror, turn and move pictures by whole pixels; nothing is interpolated.

    Parameters
    ----------
    pictures : (n, h, w, c) tensor, contiguous
    matrix : (n, 2, 3) float
        Whole numbers; one of the first two in each row is 1 or -1, the other 0.
    side : int
        Of the result.

    Returns
    -------
    (n, side, side, c) tensor

    Notes
    -----
    A place in memory is a number from the column plus one from the row of the result, also in a picture that is turned:
    so the places of n pictures take 2 n side numbers.
    """
    n, height, width, n_channels = pictures.shape
    steps = torch.arange(side, device=pictures.device)
    whole = sent(np.rint(matrix).astype(np.int64), pictures.device)
    x, y = whole[:, 0, :, None], whole[:, 1, :, None]  # (n, 3, 1): by column, by row, start
    straight = x[:, 0] != 0
    rows = torch.where(
        straight,
        reflected(x[:, 0] * steps + x[:, 2], width),
        width * reflected(y[:, 0] * steps + y[:, 2], height),
    )
    columns = torch.where(
        straight,
        width * reflected(y[:, 1] * steps + y[:, 2], height),
        reflected(x[:, 1] * steps + x[:, 2], width),
    )
    columns += torch.arange(n, device=pictures.device)[:, None] * (height * width)
    places = (columns[:, :, None] + rows[:, None, :]).reshape(-1)  # (n * side * side,)
    flat = pictures.reshape(n * height * width, n_channels)
    return flat.index_select(0, places).reshape(n, side, side, n_channels)


def reflected(places: Tensor, size: int) -> Tensor:
    """Return places from 0 to `size` - 1: beyond an end the picture goes back.

    Examples
    --------
    >>> reflected(torch.arange(-3, 6), 3)
    tensor([2, 1, 0, 0, 1, 2, 2, 1, 0])
    """
    places = places % (2 * size)
    return torch.where(places < size, places, 2 * size - 1 - places)
