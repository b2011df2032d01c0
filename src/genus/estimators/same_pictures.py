"""Which images show the same picture, however it was cropped, mirrored, recoloured or saved again.

Perceptual hashes (of pictures and of their mirror images) and features propose pairs; the pixels of both decide. So the
proposals can be generous, and there is no chain of pictures that are merely alike.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from genus.audit.joining import joined
from genus.data.duplicates import near_pairs
from genus.errors import ImageError
from genus.images.alignment import agreement, detail
from genus.images.decode import Limits, decode
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
_NEAREST = 3  # neighbours of each picture that are compared with it
_DETAIL_AT = (96, 96)
_KEPT = 4096  # pictures whose detail is kept, at 16 KB each
_AT_ONCE = 256

Pairs = NDArray[np.int64]
Compare = Callable[[NDArray[np.int64]], float]


def proposed_pairs(
    hashes: NDArray[np.uint64], mirrored: NDArray[np.uint64], nearest: Neighbors, *, most: int
) -> Pairs:
    """Propose pairs (m, 2) that may be the same picture, the likeliest first, at most `most`."""
    n = len(hashes)
    pairs = near_pairs(np.concatenate([hashes, mirrored]), MAX_BITS)
    pairs = pairs[pairs[:, 0] < n] % n  # two mirror images are as near as the pictures themselves
    cosines = 1 - nearest.distances[:, :_NEAREST] / 2
    rows, places = np.nonzero(cosines >= MIN_COSINE)
    alike = np.stack([rows, nearest.indices[rows, places]], axis=1)
    # the nearest by features first: where there is no time for all, they are the likeliest
    order = np.argsort(-cosines[rows, places], kind="stable")
    every = np.sort(np.concatenate([alike[order], pairs]), axis=1)
    every = every[every[:, 0] < every[:, 1]]
    first = np.sort(np.unique(every, axis=0, return_index=True)[1])
    return np.asarray(every[first][:most], np.int64)


def confirmed_pairs(
    sources: Sequence[ImageSource],
    pairs: Pairs,
    Z: NDArray[np.float32],
    *,
    workers: int,
    limits: Limits,
    progress: Progress,
) -> Pairs:
    """Return those of the pairs (m, 2) whose pixels agree, the better the less alike their features `Z (n, d)` are."""
    compare = _comparison(sources, limits)
    # neighbours in the list share pictures, which are decoded once then
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    pairs = pairs[order]
    agreed = np.fromiter(_in_threads(compare, pairs, workers, progress), np.float64, len(pairs))
    cosines = np.einsum("ij,ij->i", Z[pairs[:, 0]], Z[pairs[:, 1]])
    needed = np.maximum(_AGREEMENT - (cosines - _AT_COSINE), _LEAST_AGREEMENT)
    if not (agreed >= needed).any():
        return pairs[:0]
    kept = agreed >= np.maximum(needed, _beyond_chance(compare, len(sources)))
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


def _beyond_chance(compare: Compare, n: int) -> float:
    """Return an agreement that pictures of this set do not reach by chance."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, n, (_UNRELATED, 2))
    chance = float(np.quantile([compare(pair) for pair in drawn if pair[0] != pair[1]] or [0.0], _CHANCE))
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
