"""The images that a command line names: files, folders, patterns, tables, a list on stdin."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from genus.cli.options import SplitName
from genus.errors import DataError

if TYPE_CHECKING:
    from genus.data.dataset import Dataset
    from genus.images.source import ImageSource

_TABLES = {".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".pq"}


def find_images(arguments: Sequence[str], *, null_separated: bool = False) -> "list[ImageSource]":
    """Find the images that the arguments of `genus predict` and `genus features` name.

    Parameters
    ----------
    arguments : sequence of str
        Image files, folders (all images below), patterns such as "photos/*.jpg", tables, or "-" for a list of
        these on stdin.
    null_separated : bool, default False
        Whether names on stdin end with a NUL byte instead of a line break.

    Returns
    -------
    list of ImageSource
        Files that do not exist are among them: they are reported with the unreadable ones.

    Raises
    ------
    DataError
        A folder or table has no images, no file matches a pattern, or nothing was named.
    """
    found: list[ImageSource] = []
    for argument in arguments:
        names = _names_on_stdin(null_separated) if argument == "-" else [argument]
        for name in names:
            found += _named(name)
    if not found:
        raise DataError("no images: the list on stdin is empty.")
    return found


def chosen_part(data: "Dataset", split: SplitName | None) -> "Dataset":
    """Take the part of a data set that a model is judged on: its test images, where it marks them.

    Raises
    ------
    DataError
        The part that was asked for has no images.
    """
    if split is SplitName.all or (split is None and "test" not in (data.splits or ())):
        return data
    name = split.value if split else "test"
    rows = [i for i, part in enumerate(data.splits or ()) if part == name]
    if not rows:
        raise DataError(f"{data.origin}: no images are marked as {name}.")
    if len(rows) == len(data):
        return data
    note = f"only the {len(rows)} images marked as {name} are used"
    return replace(data.take(rows), notes=(*data.notes, note))


def _named(name: str) -> "Sequence[ImageSource]":
    from genus.images.source import as_source

    path = Path(name)
    if path.suffix.lower() not in _TABLES and (path.is_file() or not (path.is_dir() or _is_pattern(name))):
        return [as_source(name)]
    from genus.data.read import read_dataset

    return read_dataset(name, reader="flat" if path.is_dir() else None).sources


def _is_pattern(name: str) -> bool:
    return any(c in name for c in "*?[")


def _names_on_stdin(null_separated: bool) -> Iterator[str]:
    data = sys.stdin.buffer.read()
    if not null_separated:
        data = data.replace(b"\r\n", b"\n")
    for name in data.split(b"\0" if null_separated else b"\n"):
        if name:
            yield os.fsdecode(name)
