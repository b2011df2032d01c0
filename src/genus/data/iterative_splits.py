"""Splitting images that have any number of labels: the rarest label is dealt first.

The method is iterative stratification (Sechidis, Tsoumakas and Vlahavas: On the Stratification of Multi-Label Data,
ECML PKDD 2011). With several labels an image there is no class by class: whoever places an image for the sake of one
label places its other labels too. A rare label leaves the least choice, so its images go first, each to the part that
lacks most of this label; images without a label go last and even out the sizes.

Units (see `genus.data.split_units`) take the place of single images, the large ones first: the small ones then even
out what is left.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.data.split_units import Codes, ordered_units
from genus.errors import DataError

_STEPS_A_LABEL = 30
_MAX_CANDIDATES = 200
_RANDOM_MOVES = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class _Units:
    """Which units have which labels, kept sparse: most images have few of many labels.

    Attributes
    ----------
    of_image : (n,) int64
    sizes : (n_units,) int64
        Images in each.
    labels, counts : list of n_units arrays
        The labels of each unit, and how many of its images have each.
    members : list of c arrays
        The units with each label, the large ones first.
    """

    of_image: Codes
    sizes: Codes
    labels: list[Codes]
    counts: list[Codes]
    members: list[Codes]

    @property
    def n_units(self) -> Codes:
        """How many units have each label, (c,)."""
        return np.array([len(units) for units in self.members], np.int64)

    def totals(self) -> Codes:
        """Return how many images have each label, (c,)."""
        totals = np.zeros(len(self.members), np.int64)
        for labels, counts in zip(self.labels, self.counts, strict=True):
            totals[labels] += counts
        return totals


def split_off_labels(
    y: ArrayLike, keys: Sequence[str], groups: ArrayLike, *, size: float, random_state: int | None
) -> NDArray[np.bool_]:
    """Choose the images to set aside: `genus.data.splits.split_off` for an indicator matrix (n, c).

    Notes
    -----
    A label of one unit stays behind whole. One of several units has some on both sides; where labels share so few
    units that this cannot be had for all, some are missing among those set aside, never among those left.
    """
    units = _units(y, keys, groups, random_state)
    totals, n_units = units.totals(), units.n_units
    wanted = np.where(n_units >= 2, np.clip(np.rint(totals * size), 1, np.maximum(totals - 1, 1)), 0)
    alone = {int(members[0]) for members in units.members if len(members) == 1}
    room = np.stack([totals - wanted, wanted])
    part = _deal(units, room, np.array([1 - size, size]), dict.fromkeys(alone, 0))
    aside = part == 1
    _Repair(units, aside, np.isin(np.arange(len(aside)), list(alone))).run()
    return np.asarray(aside[units.of_image], np.bool_)


def deal_labels(
    y: ArrayLike, keys: Sequence[str], groups: ArrayLike, *, n_folds: int, random_state: int | None
) -> Codes:
    """Deal the images into folds: `genus.data.splits.stratified_folds` for an indicator matrix (n, c)."""
    units = _units(y, keys, groups, random_state)
    room = np.repeat(units.totals()[None] / n_folds, n_folds, axis=0)
    return _deal(units, room, np.full(n_folds, 1 / n_folds), {})[units.of_image]


def _units(y: ArrayLike, keys: Sequence[str], groups: ArrayLike, random_state: int | None) -> _Units:
    matrix = np.asarray(y)
    if matrix.ndim != 2 or not np.isin(matrix, (-1, 0, 1)).all():
        raise DataError("labels to be split must be a matrix (n, c) of 1, 0 and -1.")
    has = matrix == 1
    written = [hashlib.blake2b(row.tobytes(), digest_size=8).hexdigest() for row in np.packbits(has, axis=1)]
    of_image = ordered_units(written, keys, groups, random_state)
    sizes = np.bincount(of_image)
    image, label = np.nonzero(has)
    pairs, counts = np.unique(of_image[image] * has.shape[1] + label, return_counts=True)
    unit, label = np.divmod(pairs, max(has.shape[1], 1))
    ends = np.searchsorted(unit, np.arange(len(sizes) + 1))
    bounds = list(zip(ends[:-1], ends[1:], strict=True))
    large_first = np.lexsort((unit, -sizes[unit], label))
    cuts = np.searchsorted(label[large_first], np.arange(1, has.shape[1]))
    members = np.split(unit[large_first], cuts) if has.shape[1] else []
    return _Units(of_image, sizes, [label[a:b] for a, b in bounds], [counts[a:b] for a, b in bounds], members)


def _deal(
    units: _Units, room: NDArray[np.float64], shares: NDArray[np.float64], given: dict[int, int]
) -> Codes:
    """Put every unit into a part; `room` (k, c) says how many images of each label a part still lacks."""
    room = room.astype(np.float64)
    space = shares * units.sizes.sum()  # images of any kind that a part still lacks
    part = np.full(len(units.sizes), -1, np.int64)
    left = units.totals()  # images of each label that are not dealt yet

    def put(unit: int, k: int) -> None:
        part[unit] = k
        room[k, units.labels[unit]] -= units.counts[unit]
        left[units.labels[unit]] -= units.counts[unit]
        space[k] -= units.sizes[unit]

    for unit, k in given.items():
        put(unit, k)
    while (left > 0).any():
        rarest = int(np.argmin(np.where(left > 0, left, np.iinfo(np.int64).max)))
        for unit in units.members[rarest]:
            if part[unit] < 0:
                put(unit, int(np.lexsort((-space.round(9), -room[:, rarest].round(9)))[0]))
    rest = np.flatnonzero(part < 0)
    for unit in rest[np.argsort(-units.sizes[rest], kind="stable")]:
        put(unit, int(np.argmax(space.round(9))))
    return part


class _Repair:
    """Moves units until every label that can be is on both sides, in place.

    This is a search by smallest damage with a few random steps, as WalkSAT does it (Selman, Kautz and Cohen 1994);
    nothing simpler can do: two sides for every label is the colouring of a hypergraph. It hardly ever has to do
    anything, since the dealing already gives every label its place on both sides.
    """

    def __init__(self, units: _Units, aside: NDArray[np.bool_], pinned: NDArray[np.bool_]) -> None:
        self.units = units
        self.aside = aside
        self.pinned = pinned
        self.n_units = units.n_units
        self.n_aside = np.array([int(aside[members].sum()) for members in units.members], np.int64)
        can_move = [bool((~pinned[members]).any()) for members in units.members]
        self.wanted = (self.n_units >= 2) & np.array(can_move, bool)
        self.rng = np.random.default_rng(0)

    def run(self) -> None:
        """Search, keep the best, and see to it that no label is missing among those left behind."""
        best, n_best = self.aside.copy(), self._broken().sum()
        for _ in range(_STEPS_A_LABEL * int(n_best)):
            broken = np.flatnonzero(self._broken())
            if len(broken) < n_best:
                best, n_best = self.aside.copy(), len(broken)
            if not len(broken):
                break
            self._flip(self._choose(int(broken[self.rng.integers(len(broken))])))
        for unit in np.flatnonzero(self.aside != best):
            self._flip(int(unit))
        for label in np.flatnonzero((self.n_aside == self.n_units) & (self.n_units > 0)):
            if self.n_aside[label] == self.n_units[label]:  # the one before may have helped this one
                self._flip(int(self.units.members[label][-1]))

    def _broken(self) -> NDArray[np.bool_]:
        return np.asarray(self.wanted & ((self.n_aside == 0) | (self.n_aside == self.n_units)), np.bool_)

    def _choose(self, label: int) -> int:
        """Return the unit of a label, all of them on one side, that goes to the other with the least damage."""
        members = self.units.members[label]
        free = members[~self.pinned[members]][::-1][:_MAX_CANDIDATES]  # small ones first
        if self.rng.random() < _RANDOM_MOVES:
            return int(free[self.rng.integers(len(free))])
        return int(free[int(np.argmin([self._damage(int(unit)) for unit in free]))])

    def _damage(self, unit: int) -> int:
        labels = self.units.labels[unit]
        before = int(self._broken()[labels].sum())
        self._flip(unit)
        after = int(self._broken()[labels].sum())
        self._flip(unit)
        return after - before

    def _flip(self, unit: int) -> None:
        self.aside[unit] = not self.aside[unit]
        self.n_aside[self.units.labels[unit]] += 1 if self.aside[unit] else -1
