"""The units of a split: groups of images that must stay together, in an order tied to the seed and to content."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.errors import DataError

Codes = NDArray[np.int64]


def ordered_units(
    labels: Sequence[str], keys: Sequence[str], groups: ArrayLike, random_state: int | None
) -> Codes:
    """Return each image's unit, numbered in an order that depends on the seed and on what is in the images only.

    Parameters
    ----------
    labels : sequence of n str
        What is said of each image; tells apart copies of one picture with different labels.
    keys : sequence of n str
        Names each image's content.
    groups : (n,) int
        Images with the same number are one unit.
    random_state : int or None
        The seed; None draws one.

    Raises
    ------
    DataError
        There are not as many of one as of the others.
    """
    members = np.asarray(groups)
    if not len(labels) == len(keys) == len(members):
        raise DataError(f"{len(labels)} labels, {len(keys)} keys and {len(members)} groups: one each.")
    seed = np.random.default_rng().integers(2**31) if random_state is None else random_state
    _, member = np.unique(members, return_inverse=True)
    n_units = int(member.max()) + 1 if len(member) else 0
    best = [""] * n_units
    for unit, key, label in zip(member.tolist(), keys, labels, strict=True):
        ticket = _ticket(key, int(seed)) + label
        if not best[unit] or ticket < best[unit]:
            best[unit] = ticket
    rank = np.empty(n_units, np.int64)
    rank[sorted(range(n_units), key=best.__getitem__)] = np.arange(n_units)
    return rank[member]


def _ticket(key: str, seed: int) -> str:
    salt = (seed % 2**63).to_bytes(8, "little")
    return hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=8, salt=salt).hexdigest()
