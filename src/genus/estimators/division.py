"""Which images a classifier learns from and which only judge it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.classify.few import is_few
from genus.data.dataset import Dataset
from genus.data.duplicates import duplicate_groups
from genus.data.splits import join_groups, split_off
from genus.errors import DataError
from genus.estimators.result import IN_TURN
from genus.features.table import FeatureTable
from genus.wording import count


@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """The parts of a labelled data set.

    Attributes
    ----------
    test : (n,) bool
        The images that judge.
    marked_test : (n,) bool
        Those of them that the user marked as test: they stay out of the final refit too.
    groups : (n,) int64
        Images that must stay together: duplicates, near duplicates and the data's own groups.
    kind : str
        "given", "held out" or, with a handful of images, "each in turn".
    notes : tuple of str
    """

    test: NDArray[np.bool_]
    marked_test: NDArray[np.bool_]
    groups: NDArray[np.int64]
    kind: str
    notes: tuple[str, ...] = field(default=())

    @property
    def leaked(self) -> NDArray[np.bool_]:
        """Test images with a duplicate, or a member of their group, among the training images."""
        return np.asarray(self.test & np.isin(self.groups, self.groups[~self.test]), np.bool_)


def find_groups(data: Dataset, table: FeatureTable) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the images that must stay together, as group numbers, and what to say about them."""
    # the first block is the main network's last layer, which knows best what a picture shows
    main = table.X[:, table.blocks[0].start : table.blocks[0].stop]
    same_picture = duplicate_groups(table.content_hashes, table.hashes, main)
    notes = []
    n_copies = len(same_picture) - len(np.unique(same_picture))
    if n_copies:
        one, more = "is an exact or near duplicate of another", "are exact or near duplicates of others"
        notes.append(
            f"{count(n_copies, 'image')} {one if n_copies == 1 else more}; no split tears them apart"
        )
    if n_conflicts := _n_conflicts(same_picture, data):
        how = "with a label and without it" if data.is_multilabel else "under more than one label"
        notes.append(f"{count(n_conflicts, 'picture')} {'occurs' if n_conflicts == 1 else 'occur'} {how}")
    if data.groups is None:
        return same_picture, tuple(notes)
    own = [f"group {group}" if group is not None else f"image {i}" for i, group in enumerate(data.groups)]
    return join_groups(same_picture, np.asarray(own)), tuple(notes)


def divide(
    data: Dataset,
    y: NDArray[Any],
    table: FeatureTable,
    *,
    test_size: float,
    random_state: int | None,
    in_turn: bool = False,
) -> Division:
    """Decide on the test images: those the data marks, else a share cut off before anything else.

    With `in_turn`, a handful of images are not divided: that needs a classifier chosen before it sees any of them.

    Raises
    ------
    DataError
        The data marks every labelled image as test, or leaves too few to learn from.
    """
    groups, notes = find_groups(data, table)
    splits = np.asarray([split or "train" for split in data.splits or ("train",) * len(data)])
    nothing = np.zeros(len(data), bool)
    for name in ("test", "val"):
        if (splits == name).any():
            test = splits == name
            if test.all():
                raise DataError(
                    f"{data.origin}: all labelled images are marked {name!r}; none is left to learn from."
                )
            if name == "val":
                notes = (*notes, "no test images are marked; the validation images judge the model instead")
            return Division(test, test if name == "test" else nothing, groups, "given", notes)
    if in_turn and y.ndim == 1 and len(np.unique(groups)) > 1 and is_few(y, groups):
        return Division(nothing, nothing, groups, IN_TURN, notes)
    aside = split_off(y, table.content_hashes, groups, size=test_size, random_state=random_state)
    if not aside.any():
        raise DataError(
            f"{data.origin}: no class has two different images, so none can be set aside to test with. "
            "Add images: about 20 a class is a good start."
        )
    return Division(aside, nothing, groups, "held out", notes)


def _n_conflicts(groups: NDArray[np.int64], data: Dataset) -> int:
    if data.label_sets is not None:
        return len(data.label_sets.contradictions(groups))
    labels: dict[int, set[str | None]] = {}
    for group, label in zip(groups.tolist(), data.labels or (), strict=True):
        labels.setdefault(group, set()).add(label)
    return sum(len(found) > 1 for found in labels.values())
