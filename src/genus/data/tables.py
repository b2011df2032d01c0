"""Read tables that name images: CSV, TSV and JSON lines; Parquet and DataFrames are in `genus.data.parquet`."""

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from genus.data.columns import find_column
from genus.data.dataset import Dataset, SkippedImage
from genus.data.folders import SPLIT_NAMES
from genus.data.label_cells import label_name
from genus.data.label_columns import ImageLabels, LabelReading, LabelWishes, find_labels
from genus.data.ranks import rank_labels
from genus.errors import DataError
from genus.images.source import ImageSource, as_source
from genus.wording import count

_IMAGE_COLUMNS = ("path", "image", "filename", "file_name", "file", "filepath", "file_path", "image_path")
_SPLIT_COLUMNS = ("split", "subset", "partition")
_GROUP_COLUMNS = ("group", "patient", "patient_id", "group_id")
_CONFIDENCE = "confidence"  # a column of the tables that genus predict and genus name write
_NOT_CHECKED = (
    "the labels have a confidence, so a machine gave them: the figures say how well they can be learned, not how right "
    "they are; for that, evaluate on images that a person has labelled"
)
_MAX_FIELD = 1 << 24
_SHOWN = 3

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TableOptions:
    """How a table is read.

    Parameters
    ----------
    image_column, label_column, split_column, group_column : str or None
        Column names; None looks for the usual ones. "cat,dog,bird" as the label column names three columns of 0
        and 1, unless one column is called so.
    root : str or None
        The folder that relative paths start from; None for the table's own.
    on_conflict : {"error", "drop"}, default "error"
        What to do with an image that has two different labels, or that has a label and has it not.
    multilabel : bool or None, default None
        Whether an image may have several labels, or none. None looks: lists, names with separators and columns of
        0 and 1 are several. True makes sets of single names too, and joins the rows of an image; False separates
        nothing.
    label_separator : str or None
        What stands between several labels in one cell; None looks.
    ranks : tuple of str
        Columns of a taxonomy, the highest level first: labels are paths through them, and `label_column` is not read.
    nested : bool, default False
        Of folders: whether those within a class folder are classes below it; labels are paths then.
    """

    image_column: str | None = None
    label_column: str | None = None
    split_column: str | None = None
    group_column: str | None = None
    root: str | None = None
    on_conflict: Literal["error", "drop"] = "error"
    multilabel: bool | None = None
    label_separator: str | None = None
    ranks: tuple[str, ...] = ()
    nested: bool = False


def read_table(path: Path, options: TableOptions) -> Dataset:
    """Read a CSV, TSV or JSON-lines table.

    Raises
    ------
    DataError
        A column is missing, no image exists, an image has two labels, a split has an unknown name.
    """
    rows = read_rows(path)
    root = Path(options.root) if options.root else path.parent
    return dataset_of_rows(rows, str(path), root, options)


def read_rows(path: Path) -> list[Row]:
    """Read the rows of a CSV, TSV or JSON-lines table as they are.

    Raises
    ------
    DataError
        It cannot be read, or is no such table.
    """
    return _json_rows(path) if path.suffix.lower() in (".jsonl", ".ndjson", ".json") else _csv_rows(path)


def dataset_of_rows(rows: Sequence[Row], origin: str, root: Path, options: TableOptions) -> Dataset:
    """Make a data set of rows, whatever table they came from (see `read_table`)."""
    if not rows:
        raise DataError(f"{origin}: the table has no rows.")
    columns = list(rows[0])
    image = image_column(columns, options, origin)
    split = find_column(columns, options.split_column, _SPLIT_COLUMNS, origin, "split")
    group = find_column(columns, options.group_column, _GROUP_COLUMNS, origin, "group")
    wishes = LabelWishes(options.label_column, options.label_separator, options.multilabel)
    labels: LabelReading | None
    if options.ranks:
        labels = rank_labels(rows, options.ranks, origin)
    else:
        labels = find_labels(rows, wishes, (image, split, group), origin)
    table = _Table(origin, options.on_conflict)
    for number, row in enumerate(rows, start=1):
        source = _source(row[image], f"{origin}[{number}]", root)
        table.add(number, source, *(label_name(row.get(name)) if name else None for name in (split, group)))
    table.check_found()
    said = ImageLabels() if labels is None else labels.of_images(table.members, table.names)
    found = table.dataset(said, has_split=bool(split), has_group=bool(group))
    return replace(found, notes=(*found.notes, _NOT_CHECKED)) if labels and _CONFIDENCE in columns else found


def image_column(columns: Sequence[str], options: TableOptions, origin: str) -> str:
    """Return the name of the column with the images.

    Raises
    ------
    DataError
        There is none.
    """
    found = find_column(columns, options.image_column, _IMAGE_COLUMNS, origin, "image")
    if found is None:
        raise DataError(
            f"{origin}: no column with images; found {', '.join(columns)}. Name it with --image-column."
        )
    return found


class _Table:
    """Collects rows: puts those of one image together, finds contradictions and missing files."""

    def __init__(self, origin: str, on_conflict: str) -> None:
        self.origin = origin
        self.on_conflict = on_conflict
        self.images: dict[object, int] = {}
        self.sources: list[ImageSource] = []
        self.splits: list[str | None] = []
        self.groups: list[str | None] = []
        self.members: list[list[int]] = []
        self.missing: list[SkippedImage] = []

    @property
    def names(self) -> list[str]:
        """The images' names."""
        return [source.name for source in self.sources]

    def add(self, number: int, source: ImageSource, split: str | None, group: str | None) -> None:
        """Take in one row."""
        if source.path is not None and not os.path.isfile(source.path):
            self.missing.append(SkippedImage(source.name, "no such file"))
            return
        key = os.path.abspath(source.path) if source.path is not None else id(source.data)
        if key in self.images:
            self.members[self.images[key]].append(number - 1)
            return
        self.images[key] = len(self.sources)
        self.sources.append(source)
        self.splits.append(self._split(number, split))
        self.groups.append(group)
        self.members.append([number - 1])

    def check_found(self) -> None:
        """Raise DataError if no image is there."""
        if not self.sources:
            raise DataError(
                f"{self.origin}: none of the table's images can be found, for example {self.missing[0].source}. "
                "Relative paths start from the table's folder."
            )

    def dataset(self, said: ImageLabels, *, has_split: bool, has_group: bool) -> Dataset:
        """Return what was collected."""
        self._check_conflicts(said)
        every = Dataset(
            sources=tuple(self.sources),
            labels=said.labels,
            label_sets=said.label_sets,
            splits=tuple(self.splits) if has_split else None,
            groups=tuple(self.groups) if has_group else None,
            origin=f"{self.origin} (table)",
            notes=(*said.notes, *self._notes(said)),
            skipped=tuple(self.missing),
        )
        return (
            every.take(i for i in range(len(every)) if i not in said.conflicts) if said.conflicts else every
        )

    def _notes(self, said: ImageLabels) -> Iterator[str]:
        if said.conflicts:
            yield f"{count(len(said.conflicts), 'image')} left out: contradictory labels"
        n_repeated = sum(map(len, self.members)) - len(self.members)
        if n_repeated and said.label_sets is None:
            yield f"{count(n_repeated, 'repeated row')} merged"
        if self.missing:
            yield f"{count(len(self.missing), 'image')} of the table not found"

    def _check_conflicts(self, said: ImageLabels) -> None:
        if not said.conflicts or (self.on_conflict == "drop" and len(said.conflicts) < len(self.sources)):
            return
        what, also = ("have a label and have it not", "")
        if said.label_sets is None:
            what, also = "have two different labels", ", or read several labels an image (--multi-label)"
        shown = "; ".join(list(said.conflicts.values())[:_SHOWN])
        raise DataError(
            f"{self.origin}: {len(said.conflicts)} images {what}: {shown}. "
            f'Correct the table, leave such images out (on_conflict="drop"){also}.'
        )

    def _split(self, number: int, split: str | None) -> str | None:
        if split is None:
            return None
        if split.lower() not in SPLIT_NAMES:
            raise DataError(
                f"{self.origin}, row {number}: unknown split {split!r}; expected one of {', '.join(SPLIT_NAMES)}."
            )
        return SPLIT_NAMES[split.lower()]


def _source(value: Any, place: str, root: Path) -> ImageSource:
    if isinstance(value, Mapping):  # the Hugging Face layout: {"bytes": ..., "path": ...}
        name = f"{place} {value.get('path') or ''}".strip()
        if value.get("bytes") is not None:
            return as_source(value["bytes"], name)
        value = value.get("path")
    if isinstance(value, str | Path):
        text = str(value)
        path = Path(text)
        return ImageSource(text, path if path.is_absolute() else root / path)
    if value is None or isinstance(value, ImageSource):
        return value or ImageSource(place, b"")
    return as_source(value, place)


def _csv_rows(path: Path) -> list[Row]:
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        text = path.read_text("latin-1")
    except OSError as error:
        raise DataError(f"{path}: cannot read the table: {error.strerror}.") from error
    head = text[: text.find("\n") if "\n" in text else len(text)]
    delimiter = max("\t,;|", key=head.count) if path.suffix.lower() != ".tsv" else "\t"
    csv.field_size_limit(_MAX_FIELD)
    try:
        reader = csv.DictReader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
        return [{str(k): v for k, v in row.items() if k is not None} for row in reader]
    except csv.Error as error:
        raise DataError(f"{path}: not a readable table: {error} (line {reader.line_num}).") from error


def _json_rows(path: Path) -> list[Row]:
    try:
        text = path.read_text("utf-8-sig")
        if text.lstrip().startswith("["):
            rows = json.loads(text)
        else:
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    except OSError as error:
        raise DataError(f"{path}: cannot read the table: {error.strerror}.") from error
    except ValueError as error:
        raise DataError(f"{path}: not JSON lines: {error}.") from error
    if not all(isinstance(row, dict) for row in rows):
        raise DataError(
            f'{path}: expected one JSON object a line, such as {{"image": "a.jpg", "label": "cat"}}.'
        )
    return list(rows)
