"""Data sets of annotated images, whatever format the annotations are in: the labels are what was annotated."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from genus.data.dataset import Dataset, SkippedImage
from genus.data.label_cells import Cell, join_cells
from genus.errors import DataError
from genus.images.source import ImageSource
from genus.wording import count


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """An image and what was annotated in it.

    Attributes
    ----------
    name : str
        How the annotations call it.
    path : Path or None
        Where it lies; None if it was not found.
    cell : Cell
        Its labels.
    split : str or None
    """

    name: str
    path: Path | None
    cell: Cell
    split: str | None = None


def annotated_dataset(
    images: Iterable[AnnotatedImage],
    origin: str,
    *,
    names: Sequence[str] = (),
    skipped: Iterable[SkippedImage] = (),
    notes: Iterable[str] = (),
) -> Dataset:
    """Make a data set of annotated images; those that were not found are reported.

    Parameters
    ----------
    images : iterable of AnnotatedImage
        An image that occurs twice has the labels of both.
    origin : str
    names : sequence of str
        The labels there are, in their order; empty for those that occur.
    skipped : iterable of SkippedImage
        What else cannot be used.
    notes : iterable of str

    Raises
    ------
    DataError
        None of the images was found.
    """
    found: dict[str, list[AnnotatedImage]] = {}
    missing = []
    for image in images:
        if image.path is None:
            missing.append(SkippedImage(image.name, "no such file"))
        else:
            found.setdefault(os.path.abspath(image.path), []).append(image)
    unused = (*skipped, *missing)
    if not found:
        example = f", for example {unused[0].source}: {unused[0].reason}" if unused else ""
        raise DataError(f"{origin}: none of the annotated images can be used{example}.")
    every = list(found.values())
    sets = join_cells([[image.cell for image in same] for same in every], names)
    splits = tuple(next((image.split for image in same if image.split), None) for same in every)
    n_none = int((sets.values == 0).all(axis=1).sum())
    said = [*notes, f"{count(len(sets.names), 'label')}, several an image, from the annotations"]
    if n_none:
        said.append(f"{count(n_none, 'image')} without any annotation: taken to have none of the labels")
    if missing:
        said.append(f"{count(len(missing), 'annotated image')} not found")
    return Dataset(
        sources=tuple(ImageSource(str(same[0].path), same[0].path) for same in every if same[0].path),
        label_sets=sets,
        splits=splits if any(splits) else None,
        origin=origin,
        notes=tuple(said),
        skipped=unused,
    )
