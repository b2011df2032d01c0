"""Training with several labels an image: what differs from one class an image."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import Dataset
from genus.data.label_sets import LabelSets
from genus.errors import DataError
from genus.wording import count

FOLDS = 5
_FEW_IMAGES = 25  # below, fewer folds leave something to measure in each
_MANY_FOR = 3  # labels named in a note

Values = NDArray[np.int8]


def check_labels(data: Dataset, *, n_unreadable: int = 0) -> None:
    """Raise `DataError` unless some label is on some images and not on others."""
    found = data.label_sets
    if found is None or not len(found.names):
        raise DataError(f"{data.origin}: no labels found.")
    if not learnable(found.values).any():
        unread = f" ({count(n_unreadable, 'image')} cannot be read)" if n_unreadable else ""
        raise DataError(
            f"{data.origin}: there is no label that some images have and others have not{unread}. "
            "Add images with, and images without."
        )


def learnable(values: Values) -> NDArray[np.bool_]:
    """Tell which labels some images have and others have not, (c,)."""
    return np.asarray((values == 1).any(axis=0) & (values == 0).any(axis=0), np.bool_)


def metric_of(metric: str, *, multilabel: bool) -> str:
    """Return what candidates are compared by; "auto" is the usual one."""
    if metric != "auto":
        return metric
    return "mean_average_precision" if multilabel else "accuracy"


def known_labels(data: Dataset, train: Values) -> tuple[Dataset, Values, list[str]]:
    """Leave out the labels that the training images say nothing about; returns the data, its values, and notes."""
    found = data.label_sets
    if found is None:
        raise DataError(f"{data.origin}: one label an image.")
    kept = np.flatnonzero(learnable(train))
    notes = left_out_notes(found.names, train)
    names = tuple(found.names[label] for label in kept)
    known = LabelSets(names, np.ascontiguousarray(found.values[:, kept]))
    return replace(data, label_sets=known), known.values, notes


def left_out_notes(names: Sequence[str], train: Values) -> list[str]:
    """Say which labels the model cannot know, and why."""
    absent = [name for name, has in zip(names, (train == 1).any(axis=0), strict=True) if not has]
    everywhere = [
        name
        for name, has, lacks in zip(names, (train == 1).any(axis=0), (train == 0).any(axis=0), strict=True)
        if has and not lacks
    ]
    notes = []
    if absent:
        notes.append(f"no training image has {_listed(absent)}: unknown to the model")
    if everywhere:
        notes.append(f"no training image is without {_listed(everywhere)}: nothing to learn, left out")
    return notes


def check_enough(data: Dataset, train: Values, groups: NDArray[np.int64]) -> list[str]:
    """Raise `DataError` unless a label can be compared on; return what to say about those that cannot."""
    enough = np.array(
        [
            min(len(np.unique(groups[train[:, label] == side])) for side in (0, 1)) >= 2
            for label in range(train.shape[1])
        ]
    )
    if train.shape[1] < 2:
        name = data.classes[0] if data.classes else "it"
        raise DataError(
            f"{data.origin}: only one label can be learned ({name}). Make two classes of it: one folder of images "
            "with it and one of images without."
        )
    if not enough.any():
        raise DataError(
            f"{data.origin}: no label is on two different training images and missing on two others. "
            "About 20 images a label is a good start."
        )
    few = np.flatnonzero(~enough)
    if not len(few):
        return []
    names = [data.classes[label] for label in few] if len(data.classes) == train.shape[1] else []
    said = f": {_listed(names)}" if names else ""
    return [f"{len(few)} labels are on too few images to be measured; learned all the same{said}"]


def n_label_folds(n_images: int) -> int:
    """Return how many folds to compare on."""
    return FOLDS if n_images >= _FEW_IMAGES else max(2, n_images // 5)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MANY_FOR])
    return shown if len(names) <= _MANY_FOR else f"{shown} and {len(names) - _MANY_FOR} more"
