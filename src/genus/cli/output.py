"""Results for people and machines: JSON on stdout, aligned text, and tables written row by row."""

import csv
import io
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from genus.cli.console import printable
from genus.errors import MissingExtraError, ParameterError
from genus.files import atomic_write, check_writable

Kind = Literal["csv", "jsonl", "parquet"]
_ROWS_AT_ONCE = 4096  # of a Parquet file, in memory

Row = Mapping[str, Any]


class RowWriter(Protocol):
    """Writes the rows of a table, one after the other."""

    def write(self, row: Row) -> None:
        """Write one row: a value, or None, for each column."""

    def close(self) -> None:
        """Write what is still in memory."""

    def abandon(self) -> None:
        """Leave it at that: the file is given up."""


def print_json(value: Any) -> None:
    """Print one JSON object on stdout.

    Numbers that JSON cannot hold (NaN, infinity) become null.
    """
    unicode_output = (sys.stdout.encoding or "").lower().startswith("utf")
    print(json.dumps(plain(value), ensure_ascii=not unicode_output, indent=2))


def plain(value: Any) -> Any:
    """Return a value in JSON's own types.

    Examples
    --------
    >>> plain({"score": float("nan"), "path": Path("a.jpg"), "pair": (1, 2)})
    {'score': None, 'path': 'a.jpg', 'pair': [1, 2]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)


def print_line(text: str = "") -> None:
    """Print one line of a result, safe for a terminal."""
    print(printable(text))


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = (), indent: str = "  ") -> list[str]:
    r"""Lay out rows of cells in columns.

    Parameters
    ----------
    rows : sequence of sequences of str
        All of one length.
    right : sequence of int
        The columns that are flush right: numbers.
    indent : str
        What each line begins with.

    Examples
    --------
    >>> print(*aligned([("daisy", "9"), ("rose", "10")], right=[1]), sep="\n")
      daisy   9
      rose   10
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        padded = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append((indent + "  ".join(padded)).rstrip())
    return lines


def size_text(n_bytes: float) -> str:
    """Write a number of bytes for people.

    Examples
    --------
    >>> size_text(512), size_text(3 << 30)
    ('512 bytes', '3.0 GiB')
    """
    if n_bytes < 1 << 10:
        return f"{n_bytes:,.0f} bytes"
    for unit in ("KiB", "MiB"):
        n_bytes /= 1 << 10
        if n_bytes < 1 << 10:
            return f"{n_bytes:,.1f} {unit}"
    return f"{n_bytes / (1 << 10):,.1f} GiB"


def check_table(path: str | PathLike[str], kind: Kind, *, force: bool) -> Path:
    """Find out before the work whether a table can be written.

    Raises
    ------
    OutputError
        See `genus.files.check_writable`.
    MissingExtraError
        It is Parquet, and pyarrow is not installed.
    """
    if kind == "parquet":
        load_pyarrow()
    return check_writable(path, force=force)


def check_different(*paths: str | PathLike[str]) -> None:
    """Raise `ParameterError` where two results would be written to one file."""
    seen: set[str] = set()
    for path in paths:
        if (real := os.path.realpath(path)) in seen:
            raise ParameterError(f"{path}: named for two results; give each a file of its own.")
        seen.add(real)


@contextmanager
def open_table(path: Path, kind: Kind, columns: Mapping[str, type]) -> Iterator[RowWriter]:
    """Write a table; it appears whole when the block ends, or not at all.

    Parameters
    ----------
    path : Path
        The file; an older one is replaced.
    kind : {"csv", "jsonl", "parquet"}
        Its format.
    columns : mapping of str to type
        The columns' names and whether they hold `str`, `int` or `float`.

    Yields
    ------
    RowWriter

    Notes
    -----
    File names may hold bytes that are no text: CSV gets those bytes back, JSON lines and Parquet escape them.
    """
    writers: dict[Kind, type[CsvRows] | type[JsonRows] | type[ParquetRows]] = {
        "csv": CsvRows,
        "jsonl": JsonRows,
        "parquet": ParquetRows,
    }
    with atomic_write(path) as file:
        writer = writers[kind](file, columns)
        try:
            yield writer
            writer.close()
        except BaseException:
            writer.abandon()
            raise


class CsvRows:
    """Comma-separated, UTF-8, a header; whatever a name holds is quoted."""

    def __init__(self, file: IO[bytes], columns: Mapping[str, type]) -> None:
        self._text = io.TextIOWrapper(file, "utf-8", errors="surrogateescape", newline="")
        self._csv = csv.DictWriter(self._text, list(columns), lineterminator="\n")
        self._csv.writeheader()

    def write(self, row: Row) -> None:
        """Write one row."""
        self._csv.writerow(row)

    def close(self) -> None:
        """Write what is still in memory, and leave the file open for its owner."""
        self._text.detach()

    def abandon(self) -> None:
        """Leave the file to its owner."""
        with suppress(OSError, ValueError):
            self._text.detach()


class JsonRows:
    """One JSON object a line, without the columns that are None."""

    def __init__(self, file: IO[bytes], columns: Mapping[str, type]) -> None:
        self._file = file

    def write(self, row: Row) -> None:
        """Write one row."""
        known = {key: plain(value) for key, value in row.items() if value is not None}
        line = json.dumps(known, ensure_ascii=False)
        self._file.write(line.encode("utf-8", "backslashreplace") + b"\n")  # \udcff is JSON's escape too

    def close(self) -> None:
        """Do nothing: every line is written."""

    def abandon(self) -> None:
        """Do nothing."""


class ParquetRows:
    """Parquet, compressed, some thousand rows at a time."""

    def __init__(self, file: IO[bytes], columns: Mapping[str, type]) -> None:
        pyarrow, parquet = load_pyarrow()
        kinds = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float32()}
        self._schema = pyarrow.schema([(name, kinds[kind]) for name, kind in columns.items()])
        self._parquet = parquet.ParquetWriter(file, self._schema)
        self._batch: Any = pyarrow.RecordBatch
        self._rows: list[dict[str, Any]] = []

    def write(self, row: Row) -> None:
        """Write one row."""
        self._rows.append({key: as_text(value) for key, value in row.items()})
        if len(self._rows) >= _ROWS_AT_ONCE:
            self._flush()

    def close(self) -> None:
        """Write what is still in memory, and the footer."""
        self._flush()
        self._parquet.close()

    def abandon(self) -> None:
        """Give the file up."""
        abandon_parquet(self._parquet)

    def _flush(self) -> None:
        if self._rows:
            self._parquet.write_batch(self._batch.from_pylist(self._rows, schema=self._schema))
            self._rows = []


@contextmanager
def open_parquet(file: IO[bytes], schema: Any) -> Iterator[Any]:
    """Open a Parquet writer; it is closed at the end of the block, or given up where something fails."""
    _, parquet = load_pyarrow()
    writer = parquet.ParquetWriter(file, schema)
    try:
        yield writer
        writer.close()
    except BaseException:
        abandon_parquet(writer)
        raise


def abandon_parquet(writer: Any) -> None:
    """Give a Parquet file up, or its writer tries to end it when it is deleted, and complains on stderr."""
    with suppress(OSError, ValueError):
        writer.close()
    writer.is_open = False


def as_text(value: Any) -> Any:
    """Escape the bytes of a file name that are no text; anything else stays as it is."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8") if isinstance(value, str) else value


def load_pyarrow() -> tuple[Any, Any]:
    """Import pyarrow and its Parquet part; raise `MissingExtraError` without them."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("Writing Parquet tables", "tables") from error
    return pyarrow, parquet
