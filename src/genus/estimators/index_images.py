"""What an index knows of its images beside their vectors: names, labels, stamps of their files, further columns."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import Dataset
from genus.errors import DataError, ParameterError
from genus.images.decode import ImageInfo
from genus.images.source import ImageSource
from genus.search.conditions import Column, TextCodes

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Many texts in two arrays, which can be mapped from files.

    Attributes
    ----------
    letters : (b,) uint8
        All of them in UTF-8, one after the other; bytes of file names that are no text stay what they are.
    ends : (n,) int64
        Where each ends.

    Examples
    --------
    >>> texts = Texts.of(["a.jpg", "", "é.jpg"])
    >>> len(texts), texts[2], texts.take(np.array([2, 0])).to_list()
    (3, 'é.jpg', ['é.jpg', 'a.jpg'])
    """

    letters: NDArray[np.uint8]
    ends: Numbers

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Texts":
        """Pack texts."""
        encoded = [text.encode("utf-8", "surrogateescape") for text in texts]
        ends = np.cumsum([len(one) for one in encoded], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), np.uint8), ends)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, place: int) -> str:
        start = int(self.ends[place - 1]) if place else 0
        return bytes(self.letters[start : int(self.ends[place])]).decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        return (self[place] for place in range(len(self)))

    def to_list(self) -> list[str]:
        """Return all of them."""
        return list(self)

    def take(self, places: Numbers) -> "Texts":
        """Return some of them."""
        return Texts.of(self[place] for place in places.tolist())

    def joined(self, other: "Texts") -> "Texts":
        """Return these and then the others."""
        last = int(self.ends[-1]) if len(self) else 0
        return Texts(
            np.concatenate([self.letters[:last], other.letters]),
            np.concatenate([self.ends, other.ends + last]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A column of few different texts: a number for each row, -1 for none."""

    codes: NDArray[np.int32]
    texts: tuple[str, ...]

    @classmethod
    def of(cls, values: Sequence[str | None]) -> "Coded":
        """Number texts in the order of their first occurrence."""
        numbers: dict[str, int] = {}
        codes = [-1 if value is None else numbers.setdefault(value, len(numbers)) for value in values]
        return cls(np.array(codes, np.int32), tuple(numbers))

    def __getitem__(self, place: int) -> str | None:
        code = int(self.codes[place])
        return None if code < 0 else self.texts[code]

    def take(self, places: Numbers) -> "Coded":
        """Return some rows."""
        return Coded(self.codes[places], self.texts)

    def joined(self, other: "Coded") -> "Coded":
        """Return these rows and then the others."""
        numbers = {text: i for i, text in enumerate(self.texts)}
        moved = [numbers.setdefault(text, len(numbers)) for text in other.texts]
        codes = np.array([*moved, -1], np.int32)[other.codes]
        return Coded(np.concatenate([self.codes, codes]), tuple(numbers))


@dataclass(frozen=True, slots=True, eq=False)
class IndexedImages:
    """The images of an index, a row each.

    Attributes
    ----------
    names, paths : Texts
        What each is called; its file, "" where it is none.
    contents : (n, 16) uint8
        Content hashes.
    hashes : (n,) uint64
        Perceptual hashes.
    stamps : (n, 2) int64
        Size in bytes and time of the last change in nanoseconds, of files.
    sizes : (n, 2) int32
        Width and height in pixels.
    labels, splits, groups, formats : Coded
    more : mapping of str to Coded or (n,) float64
        Further columns.
    several_labels : bool
        Whether a label is a set, "a|b".
    sources : dict of int to ImageSource
        Images that are no files, while they are in memory.
    """

    names: Texts
    paths: Texts
    contents: NDArray[np.uint8]
    hashes: NDArray[np.uint64]
    stamps: Numbers
    sizes: NDArray[np.int32]
    labels: Coded
    splits: Coded
    groups: Coded
    formats: Coded
    more: Mapping[str, Coded | NDArray[np.float64]] = field(default_factory=dict)
    several_labels: bool = False
    sources: Mapping[int, ImageSource] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def source(self, place: int) -> ImageSource | None:
        """Return where an image is; None for what was in memory only, in another process."""
        if path := self.paths[place]:
            return ImageSource(self.names[place], Path(path))
        return self.sources.get(place)

    def content(self, place: int) -> str:
        """Return the content hash of an image, as 32 hex digits."""
        return bytes(self.contents[place]).hex()

    def columns(self, wanted: Iterable[str]) -> dict[str, Column]:
        """Return the columns that conditions may name; of those that take long to make only the wanted ones."""
        columns: dict[str, Column] = {
            "label": TextCodes(self.labels.codes, self.labels.texts, self.several_labels),
            "split": TextCodes(self.splits.codes, self.splits.texts),
            "group": TextCodes(self.groups.codes, self.groups.texts),
            "format": TextCodes(self.formats.codes, self.formats.texts),
            "width": self.sizes[:, 0].astype(np.float64),
            "height": self.sizes[:, 1].astype(np.float64),
            "bytes": self.stamps[:, 0].astype(np.float64),
        }
        for name, column in self.more.items():
            columns[name] = TextCodes(column.codes, column.texts) if isinstance(column, Coded) else column
        every = np.arange(len(self), dtype=np.int32)
        columns["image"] = TextCodes(every, self.names.to_list() if "image" in wanted else ())
        return columns

    def take(self, places: Numbers) -> "IndexedImages":
        """Return some of the images."""
        moved = {old: new for new, old in enumerate(places.tolist())}
        return replace(
            self,
            **{name: _taken(getattr(self, name), places) for name in _COLUMNS},
            more={name: _taken(column, places) for name, column in self.more.items()},
            sources={moved[i]: source for i, source in self.sources.items() if i in moved},
        )

    def joined(self, other: "IndexedImages") -> "IndexedImages":
        """Return these images and then the others; further columns of one alone are empty for the other's images."""
        more = {}
        for name in [*self.more, *(name for name in other.more if name not in self.more)]:
            pair = [each.more.get(name) for each in (self, other)]
            is_text = any(isinstance(column, Coded) for column in pair)
            one, two = (
                _as_column(column, len(each), is_text)
                for column, each in zip(pair, (self, other), strict=True)
            )
            more[name] = _joined(one, two)
        return replace(
            self,
            **{name: _joined(getattr(self, name), getattr(other, name)) for name in _COLUMNS},
            more=more,
            several_labels=self.several_labels or other.several_labels,
            sources={**self.sources, **{i + len(self): s for i, s in other.sources.items()}},
        )


OWN_COLUMNS = ("image", "label", "split", "group", "format", "width", "height", "bytes")
_COLUMNS = tuple(
    each.name for each in fields(IndexedImages) if each.name not in ("more", "several_labels", "sources")
)


def check_columns(metadata: Mapping[str, Sequence[Any]], n: int) -> None:
    """Raise ParameterError for a column that an index has anyway, DataError for one that has not `n` values."""
    for name, values in metadata.items():
        if name in OWN_COLUMNS:
            raise ParameterError(
                f"metadata: an index has a column {name!r} of its own ({', '.join(OWN_COLUMNS)}); rename yours, or "
                "leave it out."
            )
        if len(values) != n:
            raise DataError(f"{n} images, but {len(values)} values of {name!r}: one each is needed.")


def columns_of(metadata: Any) -> Mapping[str, Sequence[Any]]:
    """Return further columns as a mapping, whatever table they come in."""
    return {} if metadata is None else {str(name): list(metadata[name]) for name in metadata}


def no_images() -> IndexedImages:
    """Return the table of no images."""
    return indexed_images(Dataset(()), [], np.empty(0, np.uint64), file_stamps(()), {})


def indexed_images(
    data: Dataset,
    infos: Sequence[ImageInfo],
    hashes: NDArray[np.uint64],
    stamps: Numbers,
    metadata: Mapping[str, Sequence[Any]],
) -> IndexedImages:
    """Make the table of images that have been read.

    Parameters
    ----------
    data : Dataset of n images
    infos : sequence of n ImageInfo
    hashes : (n,) uint64
        Perceptual hashes.
    stamps : (n, 2) int64
        See `file_stamps`.
    metadata : mapping of str to sequence of n values
        Further columns: numbers, or anything else as text.
    """
    n, none = len(data), (None,) * len(data)
    paths = [source.path for source in data.sources]
    contents = np.frombuffer(b"".join(bytes.fromhex(info.content_hash) for info in infos), np.uint8)
    return IndexedImages(
        names=Texts.of(data.names),
        paths=Texts.of("" if path is None else os.path.abspath(path) for path in paths),
        contents=contents.reshape(n, 16),
        hashes=hashes,
        stamps=stamps,
        sizes=np.array([(info.width, info.height) for info in infos], np.int32).reshape(n, 2),
        labels=Coded.of(data.label_texts() or none),
        splits=Coded.of(data.splits or none),
        groups=Coded.of(data.groups or none),
        formats=Coded.of([info.format for info in infos]),
        more={name: _column(values) for name, values in metadata.items()},
        several_labels=data.is_multilabel,
        sources={i: source for i, source in enumerate(data.sources) if source.path is None},
    )


def file_stamp(path: Path | None) -> tuple[int, int]:
    """Return a file's size and time of the last change; zeros for none."""
    if path is None:
        return 0, 0
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def file_stamps(sources: Sequence[ImageSource]) -> Numbers:
    """Return `file_stamp` of each image, (n, 2) int64."""
    return np.array([file_stamp(source.path) for source in sources], np.int64).reshape(len(sources), 2)


def _column(values: Sequence[Any]) -> Coded | NDArray[np.float64]:
    """Take a column for numbers if all its values are, those that are missing aside."""
    texts = [None if _is_missing(value) else str(value) for value in values]
    try:
        numbers = np.array([np.nan if text is None else float(text) for text in texts], np.float64)
    except ValueError:
        return Coded.of(texts)
    return Coded.of(texts) if np.isnan(numbers).all() else numbers


def _is_missing(value: Any) -> bool:
    if value is None or (isinstance(value, str) and not value):
        return True
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA, which is neither equal to itself nor unequal
        return True
    except ValueError:  # a list of values in an array
        return False


def _as_column(
    column: Coded | NDArray[np.float64] | None, n: int, is_text: bool
) -> Coded | NDArray[np.float64]:
    if column is None:
        return Coded.of([None] * n) if is_text else np.full(n, np.nan)
    if is_text and not isinstance(column, Coded):
        return Coded.of([None if value != value else f"{value:.15g}" for value in column.tolist()])
    return column


def _taken(column: Any, places: Numbers) -> Any:
    return column.take(places) if isinstance(column, Texts | Coded) else column[places]


def _joined(one: Any, other: Any) -> Any:
    return one.joined(other) if isinstance(one, Texts | Coded) else np.concatenate([one, other])
