"""Columns of 0 and 1, one a label: has it, has it not, or unknown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.data.label_cells import is_missing
from genus.data.label_sets import UNKNOWN
from genus.errors import DataError

_WORDS = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0}
_UNKNOWN_WORDS = frozenset({"", "?", "-1", "-1.0", "nan"})
_NEARLY = 0.1
_NOT_LABELS = frozenset({"", "id", "index", "fold", "confidence"})
_EXPECTED = "expected 1 (has it), 0 (has it not), or ? or an empty cell (unknown)"


@dataclass(frozen=True, slots=True)
class Column:
    """A column read as 0 and 1.

    Attributes
    ----------
    values : (n,) int8
        Unknown where something else stands.
    other : tuple of int
        The rows in which something else stands.
    """

    values: NDArray[np.int8]
    other: tuple[int, ...]

    @property
    def n_known(self) -> int:
        """In how many rows there is a 0 or a 1."""
        return int((self.values != UNKNOWN).sum())


def flag(value: Any) -> int | None:
    """Return 1, 0 or -1 (unknown); None where a value is nothing of the kind.

    Examples
    --------
    >>> flag("1"), flag(False), flag("?"), flag("yes")
    (1, 0, -1, None)
    """
    if is_missing(value):
        return UNKNOWN
    text = str(value).strip().lower()
    return UNKNOWN if text in _UNKNOWN_WORDS else _WORDS.get(text)


def read_column(values: Sequence[Any]) -> Column:
    """Read a column as 0 and 1."""
    try:
        known = {value: flag(value) for value in set(values)}
        found = [known[value] for value in values]
    except TypeError:  # lists and dictionaries
        found = [None] * len(values)
    other = tuple(i for i, value in enumerate(found) if value is None)
    return Column(np.array([UNKNOWN if value is None else value for value in found], np.int8), other)


def flag_columns(columns: Iterable[tuple[str, Sequence[Any]]], origin: str) -> dict[str, NDArray[np.int8]]:
    """Read columns that must hold 0 and 1: their values (n,) by name.

    Raises
    ------
    DataError
        One holds something else; the message names the column, the row and the value.
    """
    found = {}
    for name, values in columns:
        column = read_column(values)
        if column.other:
            raise DataError(f"{_not_a_flag(origin, name, column.other[0], values)}.")
        found[name] = column.values
    return found


def find_flag_columns(
    columns: Iterable[tuple[str, Sequence[Any]]], origin: str, *, at_least: int = 2
) -> dict[str, NDArray[np.int8]]:
    """Return the columns that hold nothing but 0 and 1; none if there are fewer than `at_least`.

    Raises
    ------
    DataError
        Beside them is one that holds little else, but something.
    """
    found: dict[str, NDArray[np.int8]] = {}
    nearly = []
    for name, values in columns:
        if name.strip().lower() in _NOT_LABELS or name.startswith("Unnamed:"):
            continue
        column = read_column(values)
        if not column.other and column.n_known:
            found[name] = column.values
        elif 0 < len(column.other) <= _NEARLY * column.n_known:
            nearly.append(_not_a_flag(origin, name, column.other[0], values))
    if not found or len(found) < at_least:
        return {}
    if nearly:
        raise DataError(
            f"{nearly[0]}. Correct it, or leave the column out by naming those that are labels: "
            f"--label-column {_shown(found)}."
        )
    return found


def _not_a_flag(origin: str, name: str, row: int, values: Sequence[Any]) -> str:
    return f"{origin}: the label column {name!r} has {values[row]!r} in row {row + 1}; {_EXPECTED}"


def _shown(names: Iterable[str], most: int = 5) -> str:
    every = list(names)
    return ",".join(every[:most]) + (",..." if len(every) > most else "")
