"""Approximate search in a graph of neighbours (HNSW), through usearch: for more rows than can all be compared.

The graph holds the rows in one byte a number; what it proposes is compared again with the rows as they are stored.
Malkov and Yashunin (2018), "Efficient and robust approximate nearest neighbor search using hierarchical navigable
small world graphs", IEEE TPAMI.
"""

from importlib import util
from os import PathLike, fspath
from os.path import getsize
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from genus.errors import DataError, MissingExtraError, OutputError
from genus.progress import SILENT, Progress
from genus.search.storage import Rows, StoredRows, to_int8

_CONNECTIVITY = 16  # neighbours kept of each row; twice as many on the lowest level
_EXPANSION = 128  # rows looked at when one is added
_AT_ONCE = 8192  # rows added between two reports

Keys = NDArray[np.int64]


def is_installed() -> bool:
    """Whether the extra `search` is there."""
    return util.find_spec("usearch") is not None


class Graph:
    """A graph of neighbours over rows that are known by keys.

    Parameters
    ----------
    index : usearch.index.Index
        See `empty` and `open`.
    is_mapped : bool
        Whether it lies in a file and cannot be changed before it is read as a whole.
    """

    def __init__(self, index: Any, path: str | None = None) -> None:
        self._index = index
        self._path = path

    @classmethod
    def empty(cls, width: int) -> Self:
        """Return a graph without rows, of so many numbers each.

        Raises
        ------
        MissingExtraError
            usearch is not installed.
        """
        return cls(_new_index(width))

    @classmethod
    def open(cls, path: str | PathLike[str], width: int, n_rows: int) -> Self:
        """Map a graph from its file: nothing is read before it is needed.

        Raises
        ------
        DataError
            It is damaged, or belongs to other rows.
        """
        index = _new_index(width)
        try:
            index.view(fspath(path))
        except (RuntimeError, ValueError) as error:
            raise DataError(
                f"{fspath(path)}: the graph is damaged: {error}. Build the index again."
            ) from error
        if index.ndim != width or len(index) != n_rows:
            raise DataError(f"{fspath(path)}: the graph belongs to other rows. Build the index again.")
        return cls(index, fspath(path))

    def __len__(self) -> int:
        return len(self._index)

    def add(self, keys: Keys, stored: StoredRows, rows: Keys, *, progress: Progress = SILENT) -> None:
        """Add rows: `rows` of `stored`, known by `keys` from now on."""
        self._load()
        with progress.task("graph", total=len(rows), unit="images") as task:
            for start in range(0, len(rows), _AT_ONCE):
                part = slice(start, start + _AT_ONCE)
                self._index.add(keys[part].astype(np.uint64), to_int8(stored.read(rows[part]))[0])
                task.advance(len(rows[part]))

    def remove(self, keys: Keys) -> None:
        """Take rows out."""
        self._load()
        if len(keys):
            self._index.remove(keys.astype(np.uint64))

    def save(self, path: str | PathLike[str]) -> None:
        """Write it.

        Raises
        ------
        OutputError
            It cannot be written: the disk is full.
        """
        try:
            self._index.save(fspath(path))
            n_bytes = getsize(path)
        except (RuntimeError, OSError) as error:
            why = str(error).rstrip(".")
            raise OutputError(f"{fspath(path)}: cannot write the graph: {why}. Is the disk full?") from error
        if n_bytes != self._index.serialized_length:  # usearch does not look at its last write
            raise OutputError(f"{fspath(path)}: cannot write the graph as a whole. Is the disk full?")

    def propose(self, queries: Rows, k: int, expansion: int) -> Keys:
        """Return the keys of about the `k` nearest rows to each query, int64 (m, k); -1 where there are no more.

        Parameters
        ----------
        queries : (m, d) float32
        k : int
        expansion : int
            How many rows are looked at: more find more of the truly nearest, and take longer.
        """
        k = min(k, len(self._index))
        if not k or not len(queries):
            return np.empty((len(queries), 0), np.int64)
        self._index.expansion_search = max(expansion, k)
        found = self._index.search(to_int8(queries)[0], k)
        keys = np.asarray(found.keys).reshape(len(queries), -1).astype(np.int64)
        counts = np.atleast_1d(getattr(found, "counts", keys.shape[1]))
        keys[np.arange(keys.shape[1]) >= counts[:, None]] = -1  # what lies behind is not written to
        return keys

    def _load(self) -> None:
        """Read a mapped graph as a whole, so that it can be changed."""
        if self._path is None:
            return
        try:
            self._index.load(self._path)
        except (RuntimeError, OSError) as error:
            raise DataError(
                f"{self._path}: the graph can no longer be read: {error}. Another process may have replaced the index: "
                "open it again."
            ) from error
        self._path = None


def _new_index(width: int) -> Any:
    try:
        from usearch.index import Index
    except ImportError as error:
        raise MissingExtraError("Searching a large index quickly", "search") from error
    return Index(ndim=width, metric="cos", dtype="i8", connectivity=_CONNECTIVITY, expansion_add=_EXPANSION)
