"""The one description of data that is handed around: which images there are and what is known of them."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

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


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sorting key that puts "class 2" before "class 10".

    Examples
    --------
    >>> sorted(["10", "2", "b", "a10", "a9"], key=natural_key)
    ['2', '10', 'a9', 'a10', 'b']
    """
    parts = re.findall(r"\d+|\D+", text)
    # isdecimal, not isdigit: int() does not read superscripts
    return tuple((0, int(p), p) if p.isdecimal() else (1, 0, p) for p in parts)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """An immutable table of images.

    Parameters
    ----------
    sources : tuple of n ImageSource
    labels : tuple of n (str or None), or None
        Class names; None for an image without one. Never indices: classes are bound by name.
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
    splits: tuple[str | None, ...] | None = None
    groups: tuple[str | None, ...] | None = None
    origin: str = ""
    notes: tuple[str, ...] = ()
    skipped: tuple[SkippedImage, ...] = ()

    def __post_init__(self) -> None:
        for name in ("labels", "splits", "groups"):
            column = getattr(self, name)
            if column is not None and len(column) != len(self.sources):
                raise DataError(f"{len(self.sources)} images, but {len(column)} {name}: one each is needed.")

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def names(self) -> tuple[str, ...]:
        """The images' names."""
        return tuple(source.name for source in self.sources)

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, naturally sorted."""
        return tuple(sorted({label for label in self.labels or () if label is not None}, key=natural_key))

    def counts(self) -> dict[str, int]:
        """Return the number of images of each class."""
        counted = Counter(label for label in self.labels or () if label is not None)
        return {name: counted[name] for name in self.classes}

    def take(self, indices: Iterable[int]) -> "Dataset":
        """Return the data set of these images, in this order."""
        rows = [int(i) for i in indices]
        return replace(
            self,
            sources=tuple(self.sources[i] for i in rows),
            labels=None if self.labels is None else tuple(self.labels[i] for i in rows),
            splits=None if self.splits is None else tuple(self.splits[i] for i in rows),
            groups=None if self.groups is None else tuple(self.groups[i] for i in rows),
        )

    def labelled(self) -> "Dataset":
        """Return the images that have a label."""
        labels = self.labels or (None,) * len(self)
        return self.take(i for i, label in enumerate(labels) if label is not None)
