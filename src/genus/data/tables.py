"""Read tables that name images: CSV, TSV and JSON lines; Parquet and DataFrames are in `genus.data.parquet`."""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from genus.data.dataset import Dataset, SkippedImage
from genus.data.folders import SPLIT_NAMES
from genus.data.memory import label_name
from genus.errors import DataError
from genus.images.source import ImageSource, as_source

_IMAGE_COLUMNS = ("path", "image", "filename", "file_name", "file", "filepath", "file_path", "image_path")
_LABEL_COLUMNS = ("label", "class", "category", "target", "labels")
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
        Column names; None looks for the usual ones.
    root : str or None
        The folder that relative paths start from; None for the table's own.
    on_conflict : {"error", "drop"}, default "error"
        What to do with an image that has two different labels.
    """

    image_column: str | None = None
    label_column: str | None = None
    split_column: str | None = None
    group_column: str | None = None
    root: str | None = None
    on_conflict: Literal["error", "drop"] = "error"


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
    label = _column(columns, options.label_column, _LABEL_COLUMNS, origin, "label")
    split = _column(columns, options.split_column, _SPLIT_COLUMNS, origin, "split")
    group = _column(columns, options.group_column, _GROUP_COLUMNS, origin, "group")
    table = _Table(origin, options.on_conflict)
    for number, row in enumerate(rows, start=1):
        source = _source(row[image], f"{origin}[{number}]", root)
        table.add(
            number, source, *(label_name(row.get(name)) if name else None for name in (label, split, group))
        )
    found = table.dataset(has_label=bool(label), has_split=bool(split), has_group=bool(group))
    return replace(found, notes=(*found.notes, _NOT_CHECKED)) if label and _CONFIDENCE in columns else found


def image_column(columns: Sequence[str], options: TableOptions, origin: str) -> str:
    """Return the name of the column with the images.

    Raises
    ------
    DataError
        There is none.
    """
    found = _column(columns, options.image_column, _IMAGE_COLUMNS, origin, "image")
    if found is None:
        raise DataError(
            f"{origin}: no column with images; found {', '.join(columns)}. Name it with --image-column."
        )
    return found


class _Table:
    """Collects rows: merges repeated ones, finds contradictions and missing files."""

    def __init__(self, origin: str, on_conflict: str) -> None:
        self.origin = origin
        self.on_conflict = on_conflict
        self.rows: dict[object, tuple[int, ImageSource, str | None, str | None, str | None]] = {}
        self.missing: list[SkippedImage] = []
        self.n_repeated = 0
        self.conflicts: dict[object, str] = {}

    def add(
        self, number: int, source: ImageSource, label: str | None, split: str | None, group: str | None
    ) -> None:
        """Take in one row."""
        if source.path is not None and not source.path.is_file():
            self.missing.append(SkippedImage(source.name, "no such file"))
            return
        key = os.path.abspath(source.path) if source.path is not None else id(source.data)
        if key not in self.rows:
            self.rows[key] = number, source, label, self._split(number, split), group
            return
        first, _, known, *_ = self.rows[key]
        if known != label:
            self.conflicts[key] = f"{source.name} is {known!r} in row {first} and {label!r} in row {number}"
        self.n_repeated += 1

    def dataset(self, *, has_label: bool, has_split: bool, has_group: bool) -> Dataset:
        """Return what was collected."""
        notes = []
        if self.conflicts and self.on_conflict == "error":
            shown = "; ".join(list(self.conflicts.values())[:_SHOWN])
            raise DataError(
                f"{self.origin}: {len(self.conflicts)} images have two different labels: {shown}. "
                'Correct the table, or leave such images out (on_conflict="drop").'
            )
        if self.conflicts:
            notes.append(f"{len(self.conflicts)} images with two different labels were left out")
        if self.n_repeated:
            notes.append(f"{self.n_repeated} repeated rows were merged")
        if self.missing:
            notes.append(f"{len(self.missing)} images of the table do not exist")
        rows = [row for key, row in self.rows.items() if key not in self.conflicts]
        if not rows:
            example = f", for example {self.missing[0].source}" if self.missing else ""
            raise DataError(
                f"{self.origin}: none of the table's images can be found{example}. "
                "Relative paths start from the table's folder."
            )
        return Dataset(
            sources=tuple(source for _, source, *_ in rows),
            labels=tuple(label for _, _, label, _, _ in rows) if has_label else None,
            splits=tuple(split for *_, split, _ in rows) if has_split else None,
            groups=tuple(group for *_, group in rows) if has_group else None,
            origin=f"{self.origin} (table)",
            notes=tuple(notes),
            skipped=tuple(self.missing),
        )

    def _split(self, number: int, split: str | None) -> str | None:
        if split is None:
            return None
        if split.lower() not in SPLIT_NAMES:
            raise DataError(
                f"{self.origin}, row {number}: unknown split {split!r}; expected one of {', '.join(SPLIT_NAMES)}."
            )
        return SPLIT_NAMES[split.lower()]


def _column(
    columns: Sequence[str], wanted: str | None, usual: Sequence[str], origin: str, role: str
) -> str | None:
    if wanted is not None:
        if wanted not in columns:
            raise DataError(
                f"{origin}: column {wanted!r} is missing; found {', '.join(columns)}. "
                f"Name the right one with --{role}-column."
            )
        return wanted
    by_name = {column.strip().lower(): column for column in reversed(columns)}
    return next((by_name[name] for name in usual if name in by_name), None)


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
