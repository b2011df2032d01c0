"""Splitting and merging groups by hand, without starting over."""

from collections.abc import Sequence

import numpy as np

from genus.cluster.comparison import compare_views
from genus.cluster.views import Views
from genus.errors import DataError
from genus.estimators.grouped import GroupedImages
from genus.progress import SILENT, Progress

_MOST_PARTS = 10
_ROWS_PER_PART = 5


def split_group(
    grouped: GroupedImages,
    number: int,
    n_parts: int | None = None,
    *,
    random_state: int | None = 0,
    progress: Progress = SILENT,
) -> GroupedImages:
    """Split one group in two or more, found as all groups were.

    Parameters
    ----------
    grouped : GroupedImages
    number : int
        The group. Its largest part keeps the number; the others get new ones.
    n_parts : int or None
        None searches from 2 to 10.

    Raises
    ------
    DataError
        There is no such group, or it has fewer different images than parts.
    """
    members = grouped.members(number)
    least = n_parts or 2
    if least < 2 or len(members) < max(least, 4):
        raise DataError(
            f"group {number} has {len(members)} different images: too few to split into {least} parts."
            if least >= 2
            else f"a group is split into 2 parts or more, not {least}."
        )
    views = Views({name: grouped.preparation for name in grouped.views}, grouped.views).take(members)
    most = max(2, min(_MOST_PARTS, len(members) // _ROWS_PER_PART))
    found = compare_views(
        views, n_clusters=n_parts or (2, most), random_state=random_state, progress=progress
    )
    parts = found.clusterer.labels_
    if (parts < 0).any():  # noise within a group: to its nearest part, or the group would lose images
        nearest = found.clusterer.distances(views.rows[found.winner.preparation]).argmin(axis=1)
        parts = np.where(parts < 0, nearest, parts)
    if len(np.unique(parts)) < 2:
        raise DataError(f"group {number} does not fall apart: its images are too much alike.")
    labels = grouped.row_labels.copy()
    fresh = max(grouped.numbers) + 1
    labels[members] = np.where(parts == 0, number, fresh + parts - 1)
    made = ", ".join(str(n) for n in np.unique(labels[members]))
    return grouped.regrouped(labels, f"group {number} was split by hand into {made}")


def merge_groups(grouped: GroupedImages, numbers: Sequence[int]) -> GroupedImages:
    """Make one group of several; it keeps the lowest of their numbers, and that one's name.

    Raises
    ------
    DataError
        There is no such group, or fewer than two are named.
    """
    if len(set(numbers)) < 2:
        raise DataError("to merge groups, name two at least.")
    labels = grouped.row_labels.copy()
    for number in numbers:
        labels[grouped.members(number)] = min(numbers)
    merged = ", ".join(map(str, sorted(set(numbers))))
    return grouped.regrouped(labels, f"groups {merged} were merged by hand into {min(numbers)}")
