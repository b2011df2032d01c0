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
from genus.images.alignment import agreement, detail, detail_of, fine_agreement, fine_detail, structure
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
_FINE_CHANCE = 0.9  # of what pictures of the same kind agree in, of which one or the other may be a copy
_ABOVE_CHANCE = 2  # power of the distance from there to full agreement: simple drawings agree by chance
_UNRELATED = 60  # pairs that are compared to find that out
_FAR_DOWN = 16  # among its neighbours, where one is alike but no copy
_ALIKE = 0.7  # cosine from which two pictures may have a part in common
# What the finest detail must agree in. Of 12 ways to change 12 flower photographs all but a large watermark leave 0.74
# or more; two different flowers that lie over each other in small mostly have less than 0.6, a few blurred round ones
# 0.7. Where hashes agree in all but so many bits, a mark across the picture may have spoilt the detail.
_FINE, _SAME_BITS, _EQUAL_BITS = 0.7, 8, 3
# Pictures with little in them must agree nearly perfectly: outlines of bottle caps and lids on a table fit each other.
_EMPTY, _FULL, _EMPTY_COSTS = 0.06, 0.13, 0.27
_NEAREST = 3  # neighbours of each picture that are compared with it
_FINE_AT = (192, 192)
_KEPT = 4096  # pictures whose detail is kept, at 16 KB each
_AT_ONCE = 256

Pairs = NDArray[np.int64]
Compare = Callable[[NDArray[np.int64]], float]


def proposed_pairs(
    hashes: NDArray[np.uint64],
    mirrored: NDArray[np.uint64],
    nearest: Neighbors,
    contents: NDArray[np.int64],
) -> Pairs:
    """Propose pairs (m, 2) that may be the same picture, the likeliest first.

    Of identical files (equal `contents`) the first stands for all; pictures without any structure, of which all have
    the hash 0, are proposed by their features only.
    """
    firsts = np.sort(np.unique(contents, return_index=True)[1])
    by_hash, bits = _near_by_hash(hashes, mirrored, firsts)
    by_features, cosines = _near_by_features(nearest, contents)
    # on one scale: as many bits as are allowed count as little as the least cosine
    likely = np.concatenate([cosines, 1 - (1 - MIN_COSINE) * bits / MAX_BITS])
    order = np.argsort(-likely, kind="stable")
    every = np.sort(np.concatenate([by_features, by_hash])[order], axis=1)
    every = every[every[:, 0] < every[:, 1]]
    chosen = np.sort(np.unique(every, axis=0, return_index=True)[1])
    return np.asarray(every[chosen], np.int64)


def _near_by_hash(
    hashes: NDArray[np.uint64], mirrored: NDArray[np.uint64], rows: NDArray[np.int64]
) -> tuple[Pairs, NDArray[np.float64]]:
    """Return pairs with near hashes, one of them mirrored or not, and in how many bits they differ."""
    rows = rows[(hashes[rows] != 0) & (mirrored[rows] != 0)]
    both = np.concatenate([hashes[rows], mirrored[rows]])
    pairs = near_pairs(both, MAX_BITS)
    pairs = pairs[pairs[:, 0] < len(rows)]  # two mirror images are as near as the pictures themselves
    bits = hamming(both[pairs[:, 0]], both[pairs[:, 1]])
    return rows[pairs % max(1, len(rows))], bits.astype(np.float64)


def _near_by_features(nearest: Neighbors, contents: NDArray[np.int64]) -> tuple[Pairs, NDArray[np.float64]]:
    """Return each image with the nearest that are other files, and their cosines."""
    cosines = 1 - nearest.distances.astype(np.float64) / 2
    others = contents[nearest.indices] != contents[:, None]
    rows, places = np.nonzero(others & (np.cumsum(others, axis=1) <= _NEAREST) & (cosines >= MIN_COSINE))
    firsts = np.unique(contents, return_index=True)[1]  # contents are numbered from 0
    pairs = np.stack([firsts[contents[rows]], firsts[contents[nearest.indices[rows, places]]]], axis=1)
    return pairs, cosines[rows, places]


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
    squares: NDArray[np.uint8],
    nearest: Neighbors,
    *,
    workers: int,
    limits: Limits,
    progress: Progress,
) -> Pairs:
    """Return those of the pairs (m, 2) whose pixels agree, the better the less alike their features `Z (n, d)` are.

    `bits` (m,) is in how many bits their hashes differ, `squares` (n, 64, 64) what all images look like in small, and
    `nearest` which are alike.
    """
    # neighbours in the list share pictures, whose detail is computed once then
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    pairs, bits = pairs[order], bits[order]
    in_small = _comparison(squares)
    agreed = np.fromiter(_in_threads(in_small, pairs, workers, progress), np.float64, len(pairs))
    cosines = np.einsum("ij,ij->i", Z[pairs[:, 0]], Z[pairs[:, 1]])
    needed = np.maximum(_AGREEMENT - (cosines - _AT_COSINE), _LEAST_AGREEMENT)
    needed = np.where(bits <= _SAME_BITS, np.minimum(needed, _AGREEMENT), needed)
    needed = np.where(bits <= _EQUAL_BITS, _LEAST_AGREEMENT, needed)
    if not (agreed >= needed).any():
        return pairs[:0]
    unrelated = _unrelated_pairs(joined(len(sources), pairs[agreed >= needed]), Z)
    kept = agreed >= np.maximum(needed, _beyond_chance(in_small, unrelated, _CHANCE))
    pairs, bits = pairs[kept], bits[kept]
    in_detail = _fine_comparison(sources, limits)
    agreed = np.fromiter(_in_threads(in_detail, pairs, workers, progress), np.float64, len(pairs))
    least = max(_FINE, _beyond_chance(in_detail, _alike_pairs(nearest), _FINE_CHANCE))
    return np.asarray(pairs[(agreed >= least) | _have_a_telling_hash(pairs, bits, squares)], np.int64)


def _have_a_telling_hash(
    pairs: Pairs, bits: NDArray[np.uint8], squares: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Tell which pairs have the same hash, or nearly the same and enough in them for that to mean something."""
    found = bits <= _SAME_BITS
    for i in np.flatnonzero(found & (bits > _EQUAL_BITS)).tolist():
        found[i] = min(structure(detail_of(squares[row])) for row in pairs[i]) >= _FULL
    return np.asarray(found, np.bool_)


def _comparison(squares: NDArray[np.uint8]) -> Compare:
    @lru_cache(maxsize=_KEPT)
    def look(row: int) -> NDArray[np.float32]:
        return detail_of(squares[row])

    return lambda pair: agreement(look(int(pair[0])), look(int(pair[1])))


def _fine_comparison(sources: Sequence[ImageSource], limits: Limits) -> Compare:
    @lru_cache(maxsize=_KEPT // 4)
    def look(row: int) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        try:
            pixels = decode(sources[row], _FINE_AT, limits).pixels
        except ImageError:
            return None
        return detail(pixels), fine_detail(pixels)

    def enough(fine: NDArray[np.float32]) -> float:
        return float(np.clip((structure(fine) - _EMPTY) / (_FULL - _EMPTY), 0, 1))

    def compare(pair: NDArray[np.int64]) -> float:
        one, other = look(int(pair[0])), look(int(pair[1]))
        if one is None or other is None:  # it vanished since its features were computed
            return 0.0
        found = fine_agreement(one[0], other[0], one[1], other[1])
        return found - _EMPTY_COSTS * (1 - min(enough(one[1]), enough(other[1])))

    return compare


def _unrelated_pairs(groups: NDArray[np.int64], Z: NDArray[np.float32]) -> Pairs:
    """Draw pairs of images that are not likely to have a part in common; any, where nearly all are alike."""
    drawn = np.random.default_rng(0).integers(0, len(groups), (_UNRELATED, 2))
    drawn = drawn[groups[drawn[:, 0]] != groups[drawn[:, 1]]]
    apart = np.einsum("ij,ij->i", Z[drawn[:, 0]], Z[drawn[:, 1]]) < _ALIKE
    return np.asarray(drawn[apart] if apart.sum() >= len(drawn) / 2 else drawn, np.int64)


def _alike_pairs(nearest: Neighbors) -> Pairs:
    """Draw images with one that is among their nearest, but far down: of the same kind, and seldom a copy."""
    n, k = nearest.indices.shape
    if k < _FAR_DOWN:
        return np.empty((0, 2), np.int64)
    rows = np.random.default_rng(0).permutation(n)[:_UNRELATED]
    return np.stack([rows, nearest.indices[rows, -1]], axis=1)


def _beyond_chance(compare: Compare, pairs: Pairs, quantile: float) -> float:
    """Return an agreement that pictures of this set do not reach by chance, as some pairs do that are no copies."""
    chance = float(np.quantile([compare(pair) for pair in pairs] or [0.0], quantile))
    return 1.0 - float(1 - chance) ** _ABOVE_CHANCE


def same_pictures(contents: NDArray[np.int64], pairs: Pairs) -> NDArray[np.int64]:
    """Number the pictures: equal for identical files and for whatever confirmed pairs join, (n,) int64."""
    _, first, same = np.unique(contents, return_index=True, return_inverse=True)
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
