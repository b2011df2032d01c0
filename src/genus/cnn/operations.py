"""RandAugment: a few operations, drawn from a list of 14, all of one magnitude.

Cubuk et al., "RandAugment: practical automated data augmentation with a reduced search space", 2020. The list and the
strengths are the paper's. One thing differs: the operations of an image are done in a fixed order, so that all that
move it are one resampling and all that are linear in colour one matrix.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genus.cnn.chance import Chance, Floats

OPERATIONS = (
    "identity",
    "rotate",
    "shear_x",
    "shear_y",
    "move_x",
    "move_y",
    "brightness",
    "contrast",
    "saturation",
    "sharpness",
    "autocontrast",
    "equalize",
    "solarize",
    "posterize",
)
_DEGREES, _TANGENT, _SHARE, _FACTOR = 30.0, 0.3, 100 / 331, 0.9
_UNSOLARIZED, _BITS = 256, 8
_LOST_BITS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Operations:
    """What RandAugment does to each of n images.

    Attributes
    ----------
    rotate, shear_x, shear_y, move_x, move_y : (n,) float
        Degrees; tangents; shares of the side. 0: nothing.
    brightness, contrast, saturation, sharpness : (n,) float
        Factors. 1: nothing.
    autocontrast, equalize : (n,) bool
    solarize : (n,) int
        Values from here are inverted. 256: none.
    posterize : (n,) int
        Bits that are kept. 8: all.
    """

    rotate: Floats
    shear_x: Floats
    shear_y: Floats
    move_x: Floats
    move_y: Floats
    brightness: Floats
    contrast: Floats
    saturation: Floats
    sharpness: Floats
    autocontrast: NDArray[np.bool_]
    equalize: NDArray[np.bool_]
    solarize: NDArray[np.int64]
    posterize: NDArray[np.int64]


def draw_operations(chance: Chance, n_operations: int, magnitude: float, stream: int) -> Operations:
    """Draw the operations of each image.

    Parameters
    ----------
    chance : Chance
        Of n images.
    n_operations : int
        How many for each; an operation may come twice.
    magnitude : float
        0 to 10.
    stream : int
        The first of `2 * n_operations` purposes.
    """
    strength = magnitude / 10
    times = np.zeros((len(OPERATIONS), len(chance)))
    signed = np.zeros((len(OPERATIONS), len(chance)))
    rows = np.arange(len(chance))
    for k in range(n_operations):
        chosen = (chance.uniform(stream + 2 * k) * len(OPERATIONS)).astype(np.int64)
        times[chosen, rows] += 1
        signed[chosen, rows] += np.where(chance.happens(stream + 2 * k + 1, 0.5), strength, -strength)
    found, sums = dict(zip(OPERATIONS, times, strict=True)), dict(zip(OPERATIONS, signed, strict=True))

    def factor(name: str) -> Floats:
        return np.maximum(1 + _FACTOR * sums[name], 1 - _FACTOR)

    solarized, posterized = found["solarize"] > 0, found["posterize"] > 0
    return Operations(
        rotate=_DEGREES * sums["rotate"],
        shear_x=_TANGENT * sums["shear_x"],
        shear_y=_TANGENT * sums["shear_y"],
        move_x=_SHARE * sums["move_x"],
        move_y=_SHARE * sums["move_y"],
        brightness=factor("brightness"),
        contrast=factor("contrast"),
        saturation=factor("saturation"),
        sharpness=factor("sharpness"),
        autocontrast=found["autocontrast"] > 0,
        equalize=found["equalize"] > 0,
        solarize=np.where(solarized, round(_UNSOLARIZED * (1 - strength)), _UNSOLARIZED),
        posterize=np.where(posterized, _BITS - round(_LOST_BITS * strength), _BITS),
    )
