"""Explanation by example: the labelled images that look most like another one to the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import Dataset
from genus.errors import DataError
from genus.features.comparable import comparable
from genus.features.feature_set import FeatureSet
from genus.features.runtime import Runtime
from genus.features.stream import extract
from genus.images.source import ImageSource
from genus.model_file import ModelFile
from genus.neighbors import nearest_rows
from genus.progress import SILENT, Progress

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled image that is like another one.

    Attributes
    ----------
    image : str
        What it is called.
    label : str
        Its label; of several, all with commas between.
    distance : float, 0 or more
        The squared distance of the normalised features: 0 for the same picture, seldom above 1.
    source : ImageSource
        Where it is.
    """

    image: str
    label: str
    distance: float
    source: ImageSource

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"image": self.image, "label": self.label, "distance": round(self.distance, 4)}


def nearest_examples(
    model: ModelFile,
    data: Dataset,
    images: Sequence[ImageSource],
    *,
    n: int = 3,
    runtime: Runtime | None = None,
    progress: Progress = SILENT,
) -> tuple[tuple[Example, ...], ...]:
    """Find the labelled images that look most like each of some images to the model.

    Parameters
    ----------
    model : ModelFile
        Its features say what is alike.
    data : Dataset
        With labels; images without one are left out.
    images : sequence of ImageSource
    n : int, default 3
        How many for each image.

    Returns
    -------
    tuple of tuple of Example
        For each image, the nearest first; copies of the image itself are left out. An image that cannot be read has
        no examples.

    Raises
    ------
    DataError
        No image has a label, or none can be read.

    Notes
    -----
    Features come from the cache where they are known, and all from one engine: the numbers of two are not the same.
    """
    labelled = data.labelled()
    if not len(labelled):
        raise DataError(f"{data.origin}: no labelled images to take examples from.")
    feature_set = FeatureSet.from_dict(dict(model.features))
    table = extract([*labelled.sources, *images], feature_set, runtime=runtime, progress=progress)
    is_stored = table.kept < len(labelled)
    if not is_stored.any():
        raise DataError(f"{data.origin}: none of the {len(labelled)} images can be read.")
    stored, asked = np.flatnonzero(is_stored), np.flatnonzero(~is_stored)
    rows, hashes = comparable(table.X, table.blocks), np.array(table.content_hashes)
    n_copies = max((int((hashes[stored] == one).sum()) for one in hashes[asked]), default=0)
    near = nearest_rows(rows[stored], rows[asked], n + n_copies)
    texts = labelled.label_texts() or ()
    found: list[tuple[Example, ...]] = [()] * len(images)
    for place, indices, distances in zip(asked.tolist(), stored[near.indices], near.distances, strict=True):
        others = hashes[indices] != hashes[place]
        found[int(table.kept[place]) - len(labelled)] = tuple(
            Example(labelled.sources[i].name, texts[i] or "", distance, labelled.sources[i])
            for i, distance in zip(
                table.kept[indices[others][:n]].tolist(), distances[others][:n].tolist(), strict=True
            )
        )
    return tuple(found)
