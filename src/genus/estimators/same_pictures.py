"""Which images show the same picture, however it was cropped, mirrored, recoloured or saved again.

Perceptual hashes (of pictures and of their mirror images) and features propose pairs; the pixels of both decide, in
small and then, of the few that are left, in fine detail. So the proposals can be generous, and there is no chain of
pictures that are merely alike.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from genus.audit.joining import joined
from genus.data.duplicates import near_pairs
from genus.errors import ImageError
from genus.images.alignment import agreement, detail, fine_agreement, fine_detail
from genus.images.decode import Limits, decode
from genus.images.phash import hamming
from genus.images.source import ImageSource
from genus.neighbors import Neighbors
from genus.progress import Progress

MAX_BITS = 10  # of 64 in which two hashes may differ to be compared
MIN_COSINE = 0.6  # of two pictures' features to be compared
# What the pixels must agree in, where the features' cosine is 0.8; a higher cosine makes up for as much of it.
_AGREEMENT, _AT_COSINE, _LEAST_AGREEMENT = 0.8, 0.8, 0.62
_CHANCE = 0.99  # quantile of what unrelated pictures of the set agree in
_ABOVE_CHANCE = 2  # power of the distance from there to full agreement: simple drawings agree by chance
_UNRELATED = 60  # pairs that are compared to find that out
_ALIKE = 0.7  # cosine from which two pictures may have a part in common
# What the finest detail must agree in. Of 12 ways to change 12 flower photographs all but a large watermark leave 0.74
# or more; two different flowers that lie over each other in small mostly have less than 0.6, a few blurred round ones
# 0.7. Where hashes agree in all but so many bits, a mark across the picture may have spoilt the detail.
_FINE, _SAME_BITS = 0.7, 8
_NEAREST = 3  # neighbours of each picture that are compared with it
_DETAIL_AT, _FINE_AT = (96, 96), (192, 192)
_KEPT = 4096  # pictures whose detail is kept, at 16 KB each
_AT_ONCE = 256

Pairs = NDArray[np.int64]
Compare = Callable[[NDArray[np.int64]], float]


def proposed_pairs(
    hashes: NDArray[np.uint64], mirrored: NDArray[np.uint64], nearest: Neighbors, *, most: int
) -> Pairs:
    """Propose pairs (m, 2) that may be the same picture, the likeliest first, at most `most`."""
    n = len(hashes)
    both = np.concatenate([hashes, mirrored])
    by_hash = near_pairs(both, MAX_BITS)
    by_hash = by_hash[by_hash[:, 0] < n]  # two mirror images are as near as the pictures themselves
    bits = hamming(both[by_hash[:, 0]], both[by_hash[:, 1]])
    cosines = 1 - nearest.distances[:, :_NEAREST] / 2
    rows, places = np.nonzero(cosines >= MIN_COSINE)
    by_features = np.stack([rows, nearest.indices[rows, places]], axis=1)
    # on one scale: as many bits as are allowed count as little as the least cosine
    likely = np.concatenate([cosines[rows, places], 1 - (1 - MIN_COSINE) * bits / MAX_BITS])
    order = np.argsort(-likely, kind="stable")
    every = np.sort(np.concatenate([by_features, by_hash % n])[order], axis=1)
    every = every[every[:, 0] < every[:, 1]]
    first = np.sort(np.unique(every, axis=0, return_index=True)[1])
    return np.asarray(every[first][:most], np.int64)


def bits_apart(hashes: NDArray[np.uint64], mirrored: NDArray[np.uint64], pairs: Pairs) -> NDArray[np.uint8]:
    """Return in how many bits the hashes of pairs differ, mirrored or not, (m,)."""
    one, other = pairs[:, 0], pairs[:, 1]
    found = np.minimum(hamming(hashes[one], hashes[other]), hamming(hashes[one], mirrored[other]))
    return np.asarray(found, np.uint8)


def confirmed_pairs(
    sources: Sequence[ImageSource],
    pairs: Pairs,
    Z: NDArray[np.float32],
    bits: NDArray[np.uint8],
    *,
    workers: int,
    limits: Limits,
    progress: Progress,
) -> Pairs:
    """Return those of the pairs (m, 2) whose pixels agree, the better the less alike their features `Z (n, d)` are.

    `bits` (m,) is in how many bits their hashes differ.
    """
    compare = _comparison(sources, limits)
    # neighbours in the list share pictures, which are decoded once then
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    pairs, bits = pairs[order], bits[order]
    agreed = np.fromiter(_in_threads(compare, pairs, workers, progress), np.float64, len(pairs))
    cosines = np.einsum("ij,ij->i", Z[pairs[:, 0]], Z[pairs[:, 1]])
    needed = np.maximum(_AGREEMENT - (cosines - _AT_COSINE), _LEAST_AGREEMENT)
    likely = agreed >= needed
    if not likely.any():
        return pairs[:0]
    unrelated = _unrelated_pairs(joined(len(sources), pairs[likely]), Z)
    kept = agreed >= np.maximum(needed, _beyond_chance(compare, unrelated))
    rows = np.flatnonzero(kept)
    fine = _fine_comparison(sources, limits)
    unsure = rows[bits[rows] > _SAME_BITS]
    agreed_too = np.fromiter(_in_threads(fine, pairs[unsure], workers, progress), np.float64, len(unsure))
    kept[unsure] = agreed_too >= _FINE
    return np.asarray(pairs[kept], np.int64)


def _comparison(sources: Sequence[ImageSource], limits: Limits) -> Compare:
    @lru_cache(maxsize=_KEPT)
    def look(row: int) -> NDArray[np.float32] | None:
        try:
            return detail(decode(sources[row], _DETAIL_AT, limits).pixels)
        except ImageError:  # it vanished since its features were computed
            return None

    def compare(pair: NDArray[np.int64]) -> float:
        one, other = look(int(pair[0])), look(int(pair[1]))
        return 0.0 if one is None or other is None else agreement(one, other)

    return compare


def _fine_comparison(sources: Sequence[ImageSource], limits: Limits) -> Compare:
    @lru_cache(maxsize=_KEPT // 4)
    def look(row: int) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        try:
            pixels = decode(sources[row], _FINE_AT, limits).pixels
        except ImageError:
            return None
        return detail(pixels), fine_detail(pixels)

    def compare(pair: NDArray[np.int64]) -> float:
        one, other = look(int(pair[0])), look(int(pair[1]))
        return 0.0 if one is None or other is None else fine_agreement(one[0], other[0], one[1], other[1])

    return compare


def _unrelated_pairs(groups: NDArray[np.int64], Z: NDArray[np.float32]) -> Pairs:
    """Draw pairs of images that are not likely to have a part in common; any, where nearly all are alike."""
    drawn = np.random.default_rng(0).integers(0, len(groups), (_UNRELATED, 2))
    drawn = drawn[groups[drawn[:, 0]] != groups[drawn[:, 1]]]
    apart = np.einsum("ij,ij->i", Z[drawn[:, 0]], Z[drawn[:, 1]]) < _ALIKE
    return np.asarray(drawn[apart] if apart.sum() >= len(drawn) / 2 else drawn, np.int64)


def _beyond_chance(compare: Compare, unrelated: Pairs) -> float:
    """Return an agreement that pictures of this set do not reach by chance."""
    chance = float(np.quantile([compare(pair) for pair in unrelated] or [0.0], _CHANCE))
    return 1.0 - float(1 - chance) ** _ABOVE_CHANCE


def same_pictures(contents: Sequence[str], pairs: Pairs) -> NDArray[np.int64]:
    """Number the pictures: equal for identical files and for whatever confirmed pairs join, (n,) int64."""
    _, first, same = np.unique(np.asarray(contents, np.str_), return_index=True, return_inverse=True)
    copies = np.stack([np.arange(len(same)), first[same]], axis=1)
    return joined(len(same), np.concatenate([copies, pairs]))


def _in_threads(compare: Compare, pairs: Pairs, workers: int, progress: Progress) -> Iterator[float]:
    with (
        ThreadPoolExecutor(workers, thread_name_prefix="genus-pairs") as pool,
        progress.task("comparing pictures", len(pairs), "pairs") as task,
    ):
        for start in range(0, len(pairs), _AT_ONCE):
            for found in pool.map(compare, pairs[start : start + _AT_ONCE]):
                task.advance()
                yield found
