"""How rows are kept: four, two or one byte a number, in memory or mapped from a file."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from genus.errors import ParameterError

StorageName = Literal["float32", "float16", "int8"]
STORAGES: tuple[StorageName, ...] = ("float32", "float16", "int8")
_LARGEST = 127  # of int8, both ways
_BLOCK = 1 << 22  # numbers decoded at once: 16 MB
_BLOCK_ROWS = 1 << 14  # of narrow rows

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class StoredRows:
    """Rows as they are kept.

    Attributes
    ----------
    values : (n, d) float32, float16 or int8
        May be mapped from a file.
    scales : (n,) float32 or None
        Of int8: what each row is multiplied with.

    Examples
    --------
    >>> stored = store_rows(np.float32([[0.6, 0.8], [1.0, 0.0]]), "int8")
    >>> stored.values.tolist(), stored.read(np.array([0])).round(2).tolist()
    ([[95, 127], [127, 0]], [[0.6000000238418579, 0.800000011920929]])
    """

    values: NDArray[Any]
    scales: Rows | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def width(self) -> int:
        """Numbers a row."""
        return int(self.values.shape[1])

    @property
    def storage(self) -> str:
        """How they are kept: one of `STORAGES`."""
        return str(self.values.dtype)

    def read(self, rows: NDArray[np.int64] | slice) -> Rows:
        """Return some rows as float32."""
        values = self.values[rows]
        if self.scales is not None:
            return np.asarray(np.multiply(values, self.scales[rows][:, None], dtype=np.float32), np.float32)
        if values.dtype == np.float16:
            # looked up: NumPy's own conversion takes twice as long. All bits are in the table, and "clip" is the mode
            # of `take` that is quick about it.
            bits = np.ascontiguousarray(values).view(np.uint16)
            return np.asarray(np.take(_halves(), bits, mode="clip"), np.float32)
        return np.asarray(values, np.float32)

    def take(self, rows: NDArray[np.int64]) -> "StoredRows":
        """Return some rows as they are kept, in memory."""
        return StoredRows(self.values[rows], None if self.scales is None else self.scales[rows])

    def blocks(self, rows: NDArray[np.int64] | None = None) -> Iterator[tuple[NDArray[np.int64], Rows]]:
        """Go through all rows, or some: yields their numbers and the rows as float32, 16 MB at once."""
        n = len(self) if rows is None else len(rows)
        step = min(_BLOCK_ROWS, max(1, _BLOCK // max(1, self.width)))
        for start in range(0, n, step):
            stop = min(n, start + step)
            if rows is None:
                yield np.arange(start, stop), self.read(slice(start, stop))
            else:
                yield rows[start:stop], self.read(rows[start:stop])


def store_rows(rows: Rows, storage: StorageName = "float32") -> StoredRows:
    """Bring rows to the form in which they are kept.

    Parameters
    ----------
    rows : (n, d) float32
        Finite.
    storage : {"float32", "float16", "int8"}
        With int8 each row is scaled so that its largest number is 127.

    Raises
    ------
    ParameterError
        There is no such storage.

    Notes
    -----
    Inner products of unit rows move by about 1e-4 in float16, and by about 1e-3 in int8.
    """
    if storage not in STORAGES:
        raise ParameterError(f"storage must be one of {', '.join(STORAGES)}, not {storage!r}.")
    if storage != "int8":
        return StoredRows(np.ascontiguousarray(rows, storage))
    whole, scales = to_int8(rows)
    return StoredRows(whole, scales)


def to_int8(rows: Rows) -> tuple[NDArray[np.int8], Rows]:
    """Return rows as whole numbers from -127 to 127, and what each row is multiplied with to have it back."""
    largest = np.abs(rows).max(axis=1, initial=0.0)
    scales = np.where(largest > 0, largest / _LARGEST, 1.0).astype(np.float32)
    return np.rint(rows / scales[:, None]).astype(np.int8), scales


def join_rows(parts: list[StoredRows]) -> StoredRows:
    """Return several pieces of one storage as one, in memory; a single piece as it is."""
    if len(parts) == 1:
        return parts[0]
    scales = [part.scales for part in parts if part.scales is not None]
    values = np.concatenate([part.values for part in parts])
    return StoredRows(values, np.concatenate(scales) if scales else None)


@cache
def _halves() -> Rows:
    """All numbers that float16 has, by their bits."""
    return np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
