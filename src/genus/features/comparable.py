"""Features as images are compared by them: what networks see last, signed square roots, unit length."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from genus.features.feature_set import Block
from genus.normalize import normalize_blocks

POWER = 0.5  # as for novelty: the nearest training image is as far as the image is novel

Rows = NDArray[np.float32]


def last_layers(blocks: Iterable[Block]) -> list[tuple[int, int]]:
    """Return the bounds of what networks see last: what a picture is of, not its textures.

    Examples
    --------
    >>> last_layers([Block("a", 0, 4), Block("a, middle", 4, 6, middle=True)])
    [(0, 4)]
    """
    return [(block.start, block.stop) for block in blocks if not block.middle]


def comparable(X: Rows, blocks: Iterable[Block]) -> Rows:
    """Return features (n, d) as they are compared, (n, `comparable_width`)."""
    return normalize_blocks(X, last_layers(blocks), POWER)


def comparable_width(blocks: Iterable[Block]) -> int:
    """Return how many numbers `comparable` leaves."""
    return sum(stop - start for start, stop in last_layers(blocks))
