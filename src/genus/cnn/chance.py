"""Random numbers that are looked up, not drawn: a function of seed, epoch, image and purpose.

A generator hands out its numbers in the order in which it is asked, so that what happens to an image depends on which
images came before it. Here each image of each epoch has a generator of its own, SplitMix64 (Steele, Lea and Flood,
"Fast splittable pseudorandom number generators", 2014), and each purpose a fixed place in its sequence. So an epoch is
the same whatever the order and size of the batches, the number of processes, or the batch at which training resumes.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.errors import ParameterError

_STEP = 0x9E3779B97F4A7C15  # 2^64 / the golden ratio: SplitMix64's increment
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_WORD = (1 << 64) - 1

Floats = NDArray[np.float64]


class Stream(IntEnum):
    """What random numbers are for.

    Two purposes never share a number: what depends on both would not be by chance. A number is never given to another
    purpose either: old seeds would mean something else.
    """

    MIRROR = 0
    UPSIDE_DOWN = 1
    QUARTER_TURNS = 2
    CROP_AREA = 3
    CROP_ASPECT = 4
    CROP_X = 5
    CROP_Y = 6
    SHIFT_X = 7
    SHIFT_Y = 8
    ROTATE = 9
    SHEAR_X = 10
    SHEAR_Y = 11
    ZOOM = 12
    BRIGHTNESS = 13
    CONTRAST = 14
    SATURATION = 15
    HUE = 16
    GREY = 17
    BLUR = 18
    BLUR_SIGMA = 19
    ERASE = 20
    ERASE_AREA = 21
    ERASE_ASPECT = 22
    ERASE_X = 23
    ERASE_Y = 24
    MIX = 25
    MIX_KIND = 26
    MIX_SHARE = 27
    MIX_ORDER = 28
    MIX_X = 29
    MIX_Y = 30
    OPERATIONS = 32  # and those after it
    ORDER = 64
    STEP = 65
    VIEW = 66
    VIEW_MIRROR = 67


@dataclass(frozen=True, slots=True, eq=False)
class Chance:
    """The random numbers of some images in one epoch.

    Parameters
    ----------
    state : (n,) uint64
        Where each image's generator begins; see `Chance.of`.

    Examples
    --------
    >>> whole = Chance.of(0, 3, [5, 6, 7, 8]).uniform(1)
    >>> part = Chance.of(0, 3, [8, 6]).uniform(1)
    >>> (whole[[3, 1]] == part).all()
    np.True_
    """

    state: NDArray[np.uint64]

    @classmethod
    def of(cls, seed: int, epoch: int, indices: ArrayLike) -> "Chance":
        """Return the random numbers of the images with these indices.

        Parameters
        ----------
        seed, epoch : int
            Any whole numbers.
        indices : (n,) int
            The images' places in the training set: what an image is called, not where in a batch it stands.

        Raises
        ------
        ParameterError
            The indices are not whole numbers in one dimension.
        """
        start = np.array([seed & _WORD, epoch & _WORD], np.uint64)
        words = scrambled(start + np.array([_STEP, 2 * _STEP & _WORD], np.uint64))
        key = scrambled(scrambled(words[:1]) ^ words[1:])
        return cls(scrambled(key ^ scrambled(as_indices(indices).view(np.uint64) + np.uint64(_STEP))))

    def __len__(self) -> int:
        return len(self.state)

    def uniform(self, stream: int, low: float = 0.0, high: float = 1.0) -> Floats:
        """Return a number for each image, evenly distributed over [low, high).

        Parameters
        ----------
        stream : int
            The purpose, one of `Stream`: numbers of different purposes know nothing of each other.
        low, high : float
        """
        return low + (high - low) * (self.words(stream) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def happens(self, stream: int, probability: float) -> NDArray[np.bool_]:
        """Return for each image whether something of this probability happens."""
        return self.uniform(stream) < probability

    def words(self, stream: int) -> NDArray[np.uint64]:
        """Return 64 random bits for each image."""
        return scrambled(self.state + np.uint64((stream + 1) * _STEP & _WORD))


def scrambled(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return SplitMix64's output function: one to one, and every bit of the result depends on all bits of a word."""
    words = (words ^ (words >> np.uint64(30))) * _FIRST
    words = (words ^ (words >> np.uint64(27))) * _SECOND
    return words ^ (words >> np.uint64(31))


def as_indices(indices: Any) -> NDArray[np.int64]:
    """Return indices as a contiguous array of int64.

    Raises
    ------
    ParameterError
        They are not whole numbers in one dimension.
    """
    found = np.asarray(indices)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        raise ParameterError(
            f"indices must be whole numbers in one dimension, not {found.dtype} {found.shape}."
        )
    return np.ascontiguousarray(found, np.int64)
