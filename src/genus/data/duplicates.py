"""Which images are the same picture: exact copies, and near ones (recompressed, resized, slightly changed).

Perceptual hashes propose, features confirm. Candidates come from banded lookup instead of all pairs: two 64-bit
hashes that differ in at most `d` bits agree in at least one of `d + 1` bands (pigeonhole). Groups are stars, not
chains: every member is close to the group's representative, so that a series of slowly changing pictures does not
grow into one giant group.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from genus.errors import DataError

MAX_DISTANCE = 6  # bits of 64
MIN_COSINE = 0.85  # of pooled network features; unrelated pictures with near hashes are below 0.7
_MAX_NEIGHBOURS = 500  # compared with each image, in a bucket
_CHUNK = 1 << 16  # pairs verified at once


def duplicate_groups(
    content_hashes: Sequence[str],
    perceptual_hashes: NDArray[np.uint64],
    features: NDArray[np.float32] | None = None,
    *,
    max_distance: int = MAX_DISTANCE,
    min_cosine: float = MIN_COSINE,
) -> NDArray[np.int64]:
    """Give images that are the same picture the same number.

    Parameters
    ----------
    content_hashes : sequence of n str
        Equal for identical files.
    perceptual_hashes : (n,) uint64
        From `genus.images.phash.perceptual_hash`.
    features : (n, d) float32 or None
        Pooled features; near duplicates must agree in them. None trusts the hashes alone.
    max_distance : int, default 6
        How many bits of two perceptual hashes may differ.
    min_cosine : float, default 0.85
        How alike two feature vectors must be.

    Returns
    -------
    (n,) int64
        Group numbers from 0 by first occurrence.

    Notes
    -----
    Takes about n^1.5 steps for ordinary images and memory in proportion to the candidate pairs.

    Examples
    --------
    >>> hashes = np.array([0b1011 << 40, 0b1010 << 40, 0xFFFF << 30], np.uint64)
    >>> duplicate_groups(["a", "b", "c"], hashes).tolist()
    [0, 0, 1]
    """
    n = len(content_hashes)
    if len(perceptual_hashes) != n or (features is not None and len(features) != n):
        raise DataError(f"{n} content hashes need as many perceptual hashes and feature rows.")
    _, first, exact = np.unique(
        np.asarray(content_hashes, dtype=np.str_), return_index=True, return_inverse=True
    )
    # in the order of content, so that the order of the files does not decide who represents a group
    pairs = near_pairs(perceptual_hashes[first], max_distance)
    if features is not None:
        pairs = pairs[_agree(features, first, pairs, min_cosine)]
    stars = _stars(len(first), pairs)
    return _renumber(stars[exact])


def near_pairs(hashes: NDArray[np.uint64], max_distance: int) -> NDArray[np.int64]:
    """Return all pairs (m, 2), i < j, whose hashes differ in at most `max_distance` bits."""
    found = [np.empty(0, np.int64)]
    edges = np.linspace(0, 64, max_distance + 2).round().astype(int)
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        band = (hashes >> np.uint64(low)) & np.uint64((1 << int(high - low)) - 1)
        for one, other in _bucket_pairs(band, hashes):
            near = np.bitwise_count(hashes[one] ^ hashes[other]) <= max_distance
            one, other = one[near], other[near]
            found.append(np.minimum(one, other) * len(hashes) + np.maximum(one, other))
    return np.stack(np.divmod(np.unique(np.concatenate(found)), len(hashes)), axis=1)


def _bucket_pairs(
    band: NDArray[np.uint64], hashes: NDArray[np.uint64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the pairs of images that share a band: all next neighbours, all next but one, and so on."""
    order = np.lexsort((hashes, band))
    places = np.arange(len(order))
    starts = np.flatnonzero(np.r_[True, np.diff(band[order]) != 0])
    ends = np.repeat(np.r_[starts[1:], len(order)], np.diff(np.r_[starts, len(order)]))
    # nearly empty pictures crowd a few buckets; neighbours in hash order are the likeliest there
    after = np.minimum(ends - places - 1, _MAX_NEIGHBOURS)
    for step in range(1, int(after.max(initial=0)) + 1):
        places = places[after[places] >= step]
        yield order[places], order[places + step]


def _agree(
    features: NDArray[np.float32], rows: NDArray[np.int64], pairs: NDArray[np.int64], min_cosine: float
) -> NDArray[np.bool_]:
    """Tell for each pair whether the features agree."""
    agree = np.zeros(len(pairs), bool)
    for start in range(0, len(pairs), _CHUNK):
        part = pairs[start : start + _CHUNK]
        one, other = features[rows[part[:, 0]]], features[rows[part[:, 1]]]
        scale = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        cosine = np.einsum("ij,ij->i", one, other) / np.maximum(scale, np.finfo(np.float32).tiny)
        agree[start : start + _CHUNK] = cosine >= min_cosine
    return agree


def _stars(n: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Group by representatives: the image with most neighbours takes them all, then the next of those left."""
    neighbours: dict[int, list[int]] = {}
    for i, j in pairs.tolist():
        neighbours.setdefault(i, []).append(j)
        neighbours.setdefault(j, []).append(i)
    group = np.full(n, -1, np.int64)
    for image in sorted(neighbours, key=lambda i: (-len(neighbours[i]), i)):
        if group[image] < 0:
            group[image] = image
            for other in neighbours[image]:
                if group[other] < 0:
                    group[other] = image
    return np.where(group < 0, np.arange(n), group)


def _renumber(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    _, first, codes = np.unique(groups, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[codes], np.int64)
