"""Splitting a data set: stratified, seeded, groups kept together, independent of the order of the files.

Everything works on units, the groups of images that must stay together (most have one member). Units are put in an
order that depends on the seed and on the images' content only, so that renaming, moving or reordering files changes
nothing.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.data.iterative_splits import deal_labels, split_off_labels
from genus.data.split_units import Codes, ordered_units
from genus.errors import ParameterError


def split_off(
    y: ArrayLike,
    keys: Sequence[str],
    groups: ArrayLike,
    *,
    size: float = 0.2,
    random_state: int | None = 0,
) -> NDArray[np.bool_]:
    """Choose the images to set aside, class by class in proportion.

    Parameters
    ----------
    y : (n,) int, or (n, c) int8
        Class codes; or, where an image may have several labels, 1 for each that it has. 0 and -1 (unknown) count as
        not having it.
    keys : sequence of n str
        Something that names each image's content, such as its hash; ties the result to the content.
    groups : (n,) int
        Images with the same number stay together.
    size : float, default 0.2
        The share to set aside, in (0, 1).
    random_state : int or None
        The seed; None draws one.

    Returns
    -------
    (n,) bool
        True for the images set aside. Every class with at least two groups has images on both sides; a class
        with one group stays behind whole. With several labels an image, see `genus.data.iterative_splits`.

    Raises
    ------
    ParameterError
        `size` is not between 0 and 1.

    Notes
    -----
    Takes n log n steps.

    Examples
    --------
    >>> aside = split_off([0, 0, 0, 0, 1, 1, 1, 1], list("abcdefgh"), np.arange(8), size=0.25)
    >>> int(aside[:4].sum()), int(aside[4:].sum())
    (1, 1)
    """
    if not 0 < size < 1:
        raise ParameterError(f"the share to set aside must be between 0 and 1, not {size}.")
    if np.ndim(y) == 2:
        return split_off_labels(y, keys, groups, size=size, random_state=random_state)
    codes, units, table = _units(y, keys, groups, random_state)
    totals = np.bincount(codes)
    n_units = (table > 0).sum(axis=0)
    wanted = np.where(n_units >= 2, np.maximum(np.rint(totals * size), 1), 0)
    taken = np.zeros_like(wanted)
    left = n_units.copy()  # units of each class that are not set aside yet
    aside = np.zeros(len(table), bool)
    for unit, row in enumerate(table):
        classes = np.flatnonzero(row)
        room = wanted[classes] - taken[classes]
        needed = (room > 0).all() and (left[classes] >= 2).all()
        # a group larger than the room is taken only where nothing else was, or less than half is too much
        if needed and ((row[classes] - room <= room).all() or (taken[classes] == 0).any()):
            aside[unit] = True
            taken += row
            left[classes] -= 1
    return np.asarray(aside[units], np.bool_)


def stratified_folds(
    y: ArrayLike,
    keys: Sequence[str],
    groups: ArrayLike,
    *,
    n_folds: int = 5,
    random_state: int | None = 0,
) -> Codes:
    """Deal the images into folds for cross-validation, each class spread evenly.

    Parameters
    ----------
    y, keys, groups, random_state
        See `split_off`.
    n_folds : int, default 5
        At least 2.

    Returns
    -------
    (n,) int64
        The fold of each image, 0 to `n_folds - 1`.

    Examples
    --------
    >>> folds = stratified_folds([0] * 6 + [1] * 3, list("abcdefghi"), np.arange(9), n_folds=3)
    >>> [int(n) for n in np.bincount(folds[:6])], [int(n) for n in np.bincount(folds[6:])]
    ([2, 2, 2], [1, 1, 1])
    """
    if n_folds < 2:
        raise ParameterError(f"cross-validation needs at least 2 folds, not {n_folds}.")
    if np.ndim(y) == 2:
        return deal_labels(y, keys, groups, n_folds=n_folds, random_state=random_state)
    _, units, table = _units(y, keys, groups, random_state)
    counts = np.zeros((n_folds, table.shape[1]))
    share = 1 / np.maximum(table.sum(axis=0), 1)
    fold_of = np.zeros(len(table), np.int64)
    # large groups first: the small ones then even out what is left
    for unit in np.argsort(-table.sum(axis=1), kind="stable"):
        row = table[unit]
        classes = np.flatnonzero(row)
        crowding = (counts[:, classes] * share[classes]).sum(axis=1)
        fold = int(np.lexsort((counts.sum(axis=1), crowding.round(9)))[0])
        counts[fold] += row
        fold_of[unit] = fold
    return fold_of[units]


def join_groups(*partitions: ArrayLike) -> Codes:
    """Join several partitions: images together in any of them are together in the result.

    Parameters
    ----------
    *partitions : (n,) int each

    Returns
    -------
    (n,) int64
        Numbered from 0 by first occurrence.

    Examples
    --------
    >>> join_groups([0, 0, 1, 2], [5, 6, 6, 7]).tolist()
    [0, 0, 0, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(np.asarray(partitions[0]))
    rows, columns, offset = [], [], n
    for partition in partitions:
        _, codes = np.unique(np.asarray(partition), return_inverse=True)
        rows.append(np.arange(n))
        columns.append(codes + offset)
        offset += n
    edges = np.concatenate(rows), np.concatenate(columns)
    graph = coo_array((np.ones(len(edges[0]), np.int8), edges), shape=(offset, offset))
    labels = connected_components(graph, directed=False)[1][:n]
    _, first, codes = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[codes], np.int64)


def _units(
    y: ArrayLike, keys: Sequence[str], groups: ArrayLike, random_state: int | None
) -> tuple[Codes, Codes, Codes]:
    """Return the class codes, each image's unit, and the units' class counts (n_units, n_classes), in seeded order."""
    codes = np.asarray(y, np.int64)
    units = ordered_units([f"{code:08d}" for code in codes], keys, groups, random_state)
    n_units = int(units.max()) + 1 if len(units) else 0
    table = np.zeros((n_units, int(codes.max()) + 1 if len(codes) else 0), np.int64)
    np.add.at(table, (units, codes), 1)
    return codes, units, table
