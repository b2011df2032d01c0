"""Augmentation on the processor: picture by picture with OpenCV, in 8 bits, on several threads.

OpenCV takes a tenth of the time of the same operations in PyTorch there (`benchmarks/augmentation.py`).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genus.cnn.moves import halved_size, halvings, in_smaller
from genus.cnn.pictures import FILL
from genus.cnn.plan import Plan
from genus.cnn.tones import tone_table

_LUMA = (0.299, 0.587, 0.114)
_LEAST_PIXELS = 1 << 18  # of a thread's share: handing less over costs more than it saves
_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
_CENTER = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.float32)

Pixels = NDArray[np.uint8]


def augment_on_processor(pictures: Tensor, plan: Plan, side: int) -> Tensor:
    """Do what a plan says to pictures in the processor's memory.

    Parameters
    ----------
    pictures : (n, h, w, 3) uint8 tensor, contiguous
    plan : Plan
        Of n images; boxes are left to others.
    side : int
        Of the result.

    Returns
    -------
    (n, side, side, 3) uint8 tensor
    """
    result = torch.empty((len(pictures), side, side, 3), dtype=torch.uint8)
    before, after, times = pictures.numpy(), result.numpy(), halvings(plan.matrix).tolist()
    paint = Painter(plan)

    def work(rows: range) -> None:
        for i in rows:
            after[i] = paint(_moved(before[i], plan.matrix[i], times[i], side), i)

    in_threads(work, len(pictures), side * side)
    return result


def recolor_on_processor(pictures: Tensor, plan: Plan) -> Tensor:
    """Do all of a plan but its moves, to pictures that have been moved (n, side, side, 3); they are overwritten."""
    pixels, paint = pictures.numpy(), Painter(plan)

    def work(rows: range) -> None:
        for i in rows:
            pixels[i] = paint(pixels[i], i)

    in_threads(work, len(pictures), pictures.shape[1] * pictures.shape[2])
    return pictures


def hide_on_processor(pictures: Tensor, boxes: NDArray[np.int64]) -> Tensor:
    """Fill a box (top, left, bottom, right) of each picture (n, side, side, 3); they are overwritten."""
    pixels = pictures.numpy()
    for i, (top, left, bottom, right) in enumerate(boxes.tolist()):
        pixels[i, top:bottom, left:right] = FILL
    return pictures


def in_threads(work: Callable[[range], None], n: int, n_pixels: int) -> None:
    """Run `work(range)` on parts of n pictures of `n_pixels` each, in as many threads as PyTorch may use."""
    n_threads = min(torch.get_num_threads(), n, max(1, n * n_pixels // _LEAST_PIXELS))
    if n_threads <= 1:
        work(range(n))
        return
    edges = [
        n * k // (2 * n_threads) for k in range(2 * n_threads + 1)
    ]  # two parts each: whoever is done takes one
    with ThreadPoolExecutor(n_threads, thread_name_prefix="genus-augment") as pool:
        list(pool.map(work, map(range, edges, edges[1:])))


def _moved(pixels: Pixels, matrix: NDArray[np.float64], times: int, side: int) -> Pixels:
    if times:
        height, width = pixels.shape[:2]
        smaller = halved_size(height, width, times)
        pixels = cast("Pixels", cv2.resize(pixels, smaller[::-1], interpolation=cv2.INTER_AREA))
        matrix = in_smaller(matrix, (height, width), smaller)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(pixels, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT)
    return cast("Pixels", moved)


class Painter:
    """Blurs, sharpens and recolours pictures as a plan says.

    Parameters
    ----------
    plan : Plan
        What concerns all images is worked out here, once: for small pictures a call of NumPy costs as much as the work.
    """

    def __init__(self, plan: Plan) -> None:
        self.tones = plan.tones
        self.sigmas = None if plan.sigma is None else plan.sigma.tolist()
        self.sharpness = None if plan.sharpness is None else plan.sharpness.tolist()
        self.is_toned = None if plan.tones is None else plan.tones.any.tolist()
        if plan.colors is None:
            self.matrices, self.lifts = None, []
        else:
            zeros = np.zeros((len(plan.colors.matrix), 3, 1))
            self.matrices = np.concatenate([plan.colors.matrix, zeros], 2).astype(np.float32)
            self.lifts = plan.colors.lift.tolist()

    def __call__(self, pixels: Pixels, i: int) -> Pixels:
        """Paint one picture (side, side, 3), which is that of image `i`."""
        found: Any = pixels
        if self.sigmas is not None and self.sigmas[i] > 0:
            found = cv2.GaussianBlur(found, (0, 0), self.sigmas[i], borderType=cv2.BORDER_REFLECT)
        if self.sharpness is not None and self.sharpness[i] != 1:
            kernel = self.sharpness[i] * _CENTER + (1 - self.sharpness[i]) * _SMOOTH
            found = cv2.filter2D(found, -1, kernel, borderType=cv2.BORDER_REFLECT)
        if self.tones is not None and self.is_toned is not None and self.is_toned[i]:
            counts = [cv2.calcHist([found], [c], None, [256], [0, 256]).reshape(-1) for c in range(3)]
            found = cv2.LUT(found, tone_table(self.tones, i, np.stack(counts).astype(np.int64))[None])
        if self.matrices is not None:
            if self.lifts[i]:
                red, green, blue, _ = cv2.mean(found)
                self.matrices[i, :, 3] = self.lifts[i] * (_LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue)
            found = cv2.transform(found, self.matrices[i])
        return cast("Pixels", found)
