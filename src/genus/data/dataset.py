"""The one description of data that is handed around: which images there are and what is known of them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from genus.data.label_cells import label_texts
from genus.data.label_sets import LabelSets
from genus.data.order import natural_key
from genus.errors import DataError
from genus.images.source import ImageSource


@dataclass(frozen=True, slots=True)
class SkippedImage:
    """An image that could not be used, and why.

    Attributes
    ----------
    source : str
        Its name, as in `ImageSource.name`.
    reason : str
        What is wrong with it.
    """

    source: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """An immutable table of images.

    Parameters
    ----------
    sources : tuple of n ImageSource
    labels : tuple of n (str or None), or None
        Class names; None for an image without one. Never indices: classes are bound by name.
    label_sets : LabelSets of n, or None
        Where an image may have several labels, or none: then `labels` is None.
    splits : tuple of n ("train", "val", "test" or None), or None
        Where the data itself says which part an image belongs to.
    groups : tuple of n (str or None), or None
        Images of one group (a patient, a video) stay on one side of every split.
    origin : str
        What was read, in words: "flowers/ (class folders)".
    notes : tuple of str
        Decisions the reader took that the user should know.
    skipped : tuple of SkippedImage
        What was named but cannot be used: files of a table that are missing.

    Examples
    --------
    >>> images = tuple(ImageSource(f"{i}.jpg", b"") for i in range(3))
    >>> data = Dataset(images, labels=("cat", "dog", None))
    >>> len(data), data.classes, data.counts()
    (3, ('cat', 'dog'), {'cat': 1, 'dog': 1})
    """

    sources: tuple[ImageSource, ...]
    labels: tuple[str | None, ...] | None = None
    label_sets: LabelSets | None = None
    splits: tuple[str | None, ...] | None = None
    groups: tuple[str | None, ...] | None = None
    origin: str = ""
    notes: tuple[str, ...] = ()
    skipped: tuple[SkippedImage, ...] = ()

    def __post_init__(self) -> None:
        for name in ("labels", "label_sets", "splits", "groups"):
            column = getattr(self, name)
            if column is not None and len(column) != len(self.sources):
                raise DataError(f"{len(self.sources)} images, but {len(column)} {name}: one each is needed.")
        if self.labels is not None and self.label_sets is not None:
            raise DataError("an image has either one label or a set of labels, not both.")

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def names(self) -> tuple[str, ...]:
        """The images' names."""
        return tuple(source.name for source in self.sources)

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, naturally sorted."""
        if self.label_sets is not None:
            return self.label_sets.names
        return tuple(sorted({label for label in self.labels or () if label is not None}, key=natural_key))

    @property
    def is_multilabel(self) -> bool:
        """Whether an image may have several labels."""
        return self.label_sets is not None

    def counts(self) -> dict[str, int]:
        """Return the number of images of each class."""
        if self.label_sets is not None:
            return self.label_sets.counts()
        counted = Counter(label for label in self.labels or () if label is not None)
        return {name: counted[name] for name in self.classes}

    def label_texts(self) -> tuple[str | None, ...] | None:
        """Return the labels as a table writes them: several as "cat|dog", "?" where nobody knows."""
        return self.labels if self.label_sets is None else tuple(label_texts(self.label_sets))

    def take(self, indices: Iterable[int]) -> "Dataset":
        """Return the data set of these images, in this order."""
        rows = [int(i) for i in indices]
        return replace(
            self,
            sources=tuple(self.sources[i] for i in rows),
            labels=None if self.labels is None else tuple(self.labels[i] for i in rows),
            label_sets=None if self.label_sets is None else self.label_sets.take(rows),
            splits=None if self.splits is None else tuple(self.splits[i] for i in rows),
            groups=None if self.groups is None else tuple(self.groups[i] for i in rows),
        )

    def labelled(self) -> "Dataset":
        """Return the images of which a label is known (with several an image: known to have it, or not to)."""
        if self.label_sets is not None:
            return self.take(i for i, known in enumerate(self.label_sets.known) if known)
        labels = self.labels or (None,) * len(self)
        return self.take(i for i, label in enumerate(labels) if label is not None)
