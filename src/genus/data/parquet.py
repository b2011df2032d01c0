"""Read Parquet files, Arrow tables and DataFrames, among them the Hugging Face layout with the images inside.

The images of a Parquet file stay in the file: each is read when it is decoded, one row group at a time.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genus.data.dataset import Dataset
from genus.data.tables import TableOptions, dataset_of_rows, image_column
from genus.errors import DataError, MissingExtraError
from genus.images.source import ImageSource

_GROUPS_KEPT = 4  # row groups in memory at once: one for each of a few workers


class _Column:
    """The image column of a Parquet file, read on demand; safe for several threads."""

    def __init__(self, path: Path, column: str, starts: list[int]) -> None:
        self.path = path
        self.column = column
        self.starts = starts
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, list[Any]] = OrderedDict()

    def cell(self, group: int, row: int) -> Any:
        """Return the value in a row of a row group."""
        with self._lock:
            if group not in self._kept:
                from pyarrow import parquet

                with parquet.ParquetFile(self.path) as file:
                    table = file.read_row_group(group, columns=[self.column])
                self._kept[group] = table.column(0)
                if len(self._kept) > _GROUPS_KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(group)
            return self._kept[group][row].as_py()


@dataclass(frozen=True, slots=True)
class ParquetImage:
    """One image inside a Parquet file."""

    column: _Column = field(repr=False)
    group: int
    row: int

    def read(self) -> bytes:
        """Return the encoded image; empty where the cell is."""
        value = self.column.cell(self.group, self.row)
        if isinstance(value, Mapping):
            value = value.get("bytes")
        return bytes(value) if value is not None else b""


def read_parquet(path: Path, options: TableOptions) -> Dataset:
    """Read a Parquet file; the images may be inside it or be named by it.

    Raises
    ------
    MissingExtraError
        pyarrow is not installed.
    DataError
        It is no Parquet file, or as `genus.data.tables.read_table` says.
    """
    parquet = _pyarrow("parquet")
    try:
        with parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            name = image_column(schema.names, options, str(path))
            inside = not _is_text(schema.field(name).type)
            columns = [column for column in schema.names if not (inside and column == name)]
            table = file.read(columns=columns)
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: not a readable Parquet file: {error}.") from error
    rows = _rows(table, schema)
    if not inside:
        return dataset_of_rows(rows, str(path), Path(options.root) if options.root else path.parent, options)
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    column = _Column(path, name, starts)
    places = [(group, row) for group, size in enumerate(sizes) for row in range(size)]
    rows = rows or [{} for _ in places]
    for number, (row_values, (group, row)) in enumerate(zip(rows, places, strict=True)):
        row_values[name] = ImageSource(f"{path}[{number}]", ParquetImage(column, group, row))
    return dataset_of_rows(rows, str(path), path.parent, options)


def read_arrow(table: Any, options: TableOptions) -> Dataset:
    """Read a `pyarrow.Table`."""
    root = Path(options.root) if options.root else Path()
    return dataset_of_rows(_rows(table, table.schema), "Arrow table", root, options)


def read_frame(frame: Any, options: TableOptions) -> Dataset:
    """Read a pandas DataFrame."""
    names = [str(name) for name in frame.columns]
    rows = [dict(zip(names, values, strict=True)) for values in frame.itertuples(index=False, name=None)]
    return dataset_of_rows(rows, "DataFrame", Path(options.root) if options.root else Path(), options)


def _rows(table: Any, schema: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist()
    for column, names in _class_names(schema).items():
        for row in rows:
            row[column] = _named(row.get(column), names)
    return rows


def _named(code: Any, names: list[str]) -> Any:
    """Return the names of class numbers, one or a list of them; anything else as it is."""
    if isinstance(code, list):
        return [_named(one, names) for one in code]
    return names[code] if isinstance(code, int) and 0 <= code < len(names) else code


def _class_names(schema: Any) -> dict[str, list[str]]:
    """Return the class names that the Hugging Face metadata gives for columns of integers, or of lists of them."""
    metadata = schema.metadata or {}
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    found = {}
    for column, feature in features.items():
        while isinstance(feature, list) and feature:  # a sequence, as older files write it
            feature = feature[0]
        if isinstance(feature, dict) and isinstance(feature.get("feature"), dict):
            feature = feature["feature"]
        if isinstance(feature, dict) and isinstance(feature.get("names"), list):
            found[column] = [str(name) for name in feature["names"]]
    return found


def _is_text(kind: Any) -> bool:
    return "string" in str(kind)


def _pyarrow(module: str) -> Any:
    try:
        from importlib import import_module

        return import_module(f"pyarrow.{module}")
    except ImportError as error:
        raise MissingExtraError("Reading Parquet files", "tables") from error
