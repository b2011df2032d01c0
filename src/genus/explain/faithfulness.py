"""Is an evidence map true to the model? Blur what it points at, and see whether the model loses the class."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from genus.explain.hiding import blurred

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """How the probability of a class goes as an image is blurred, or made sharp, in the order of a map.

    Attributes
    ----------
    deletion : float in [0, 1]
        Mean probability while the places of most evidence are blurred first. Less is better.
    insertion : float in [0, 1]
        Mean probability while they are made sharp first, in a blurred image. More is better.
    """

    deletion: float
    insertion: float


def faithfulness(
    predict: Predict, pixels: NDArray[np.uint8], evidence: NDArray[np.float32], code: int, *, steps: int = 10
) -> Faithfulness:
    """Measure one map.

    Parameters
    ----------
    predict : callable
        From pictures, uint8 (n, side, side, 3), to probabilities (n, c).
    pixels : (side, side, 3) uint8
    evidence : (h, w) float32
        Of any size; brought to the picture's.
    code : int
        The class.
    steps : int, default 10
        In how many parts the picture is changed.

    Notes
    -----
    Petsiuk, Das and Saenko (2018), "RISE: Randomized input sampling for explanation of black-box models", BMVC.
    """
    height, width = pixels.shape[:2]
    ranked = cv2.resize(evidence, (width, height), interpolation=cv2.INTER_LINEAR).ravel().argsort()[::-1]
    place = np.empty(height * width, np.int64)
    place[ranked] = np.arange(height * width)
    place = place.reshape(height, width)
    unseen = blurred(pixels)
    first = [(place < share * place.size)[:, :, None] for share in np.linspace(0, 1, steps + 1)]
    deleted = predict(np.stack([np.where(mask, unseen, pixels) for mask in first]))[:, code]
    inserted = predict(np.stack([np.where(mask, pixels, unseen) for mask in first]))[:, code]
    return Faithfulness(float(deleted.mean()), float(inserted.mean()))
