"""What checks are made on: arrays that say what is known of n images, and nothing that opens one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genus.neighbors import Neighbors

UNKNOWN = -1
PARTS = ("train", "val", "test")
"""The parts of a divided set, in the order in which copies stay: what is learned from first."""

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What is known of n images that can be read.

    Attributes
    ----------
    X : (n, d) float32
        Features, rows of unit length.
    contents : (n,) str
        Equal for identical files.
    pictures : (n,) int64
        Equal for images that show the same picture: copies and near copies.
    nearest : Neighbors of k
        For each image the most similar others, and how far they are (squared distance, 0 to 4).
    classes : tuple of c str
        Empty where there are no labels.
    codes : (n,) int64, or None
        The class of each image; -1 where it has none. None where there are no labels, or several an image.
    values : (n, c) int8, or None
        Where an image may have several labels: 1 has it, 0 has it not, -1 unknown.
    proba : (n, c) float64, or None
        What models that had not seen an image, nor its copies, say of it; NaN where none could be asked. None where
        there are no labels, or too few images.
    why_no_proba : str
        The reason, where there are labels.
    splits : (n,) str, or None
        "train", "val", "test" or empty.
    leak_scores : mapping of str to (n,) float64
        For each part that judges: whether a model of the training part is right on each of its images (1 or 0), NaN
        elsewhere.
    statistics : mapping of str to (n,) float64
        See `genus.images.statistics.STATISTICS`, and "width", "height", "n_bytes".
    thumbnails : (n, s, s) uint8, or None
        Small grey copies.
    metadata : mapping of str to (n,) array
        What is known beside the pixels, as numbers or as words: "format", "mode", "camera", "number".
    """

    X: NDArray[np.float32]
    contents: NDArray[np.str_]
    pictures: Codes
    nearest: Neighbors
    classes: tuple[str, ...] = ()
    codes: Codes | None = None
    values: NDArray[np.int8] | None = None
    proba: Floats | None = None
    why_no_proba: str = ""
    splits: NDArray[np.str_] | None = None
    leak_scores: Mapping[str, Floats] = field(default_factory=dict)
    statistics: Mapping[str, Floats] = field(default_factory=dict)
    thumbnails: NDArray[np.uint8] | None = None
    metadata: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.X)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which images have a label, (n,)."""
        if self.codes is not None:
            return np.asarray(self.codes >= 0, np.bool_)
        if self.values is not None:
            return np.asarray((self.values != UNKNOWN).any(axis=1), np.bool_)
        return np.zeros(len(self), np.bool_)

    def label_text(self, row: int) -> str:
        """Return an image's label, or its labels as a table writes them: "cat|dog"."""
        if self.codes is not None:
            return self.classes[self.codes[row]] if self.codes[row] >= 0 else ""
        return "" if self.values is None else set_text(self.classes, self.values[row])

    def preference(self, row: int) -> tuple[int, int]:
        """Return by what the image to keep is chosen among copies: the training part first, then the first image."""
        part = "" if self.splits is None else str(self.splits[row])
        return (PARTS.index(part) if part in PARTS else len(PARTS)), row


def set_text(classes: Sequence[str], values: NDArray[np.int8]) -> str:
    """Write the labels of an image that may have several, as a table does.

    Examples
    --------
    >>> set_text(("cat", "dog", "owl"), np.int8([1, 0, -1])), set_text(("cat", "dog"), np.int8([1, -1]))
    ('cat|?owl', 'cat|?')
    """
    has = [name for name, value in zip(classes, values, strict=True) if value == 1]
    unsure = [f"?{name}" for name, value in zip(classes, values, strict=True) if value == UNKNOWN]
    # nothing that it is known not to have: one mark says that all else is unknown
    return "|".join([*has, *(["?"] if unsure and not (values == 0).any() else unsure)])
