"""Which columns of a table hold the labels, whether an image may have several, and what they say of each image."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from genus.data.columns import find_column
from genus.data.flags import find_flag_columns, flag_columns
from genus.data.label_cells import (
    QUESTION,
    Cell,
    cell_of,
    is_list,
    is_missing,
    join_cells,
    label_name,
    listed,
)
from genus.data.label_sets import UNKNOWN, LabelSets
from genus.data.separators import SEPARATORS, find_separator, split_text
from genus.errors import DataError, ParameterError
from genus.wording import count

_SINGULAR = ("label", "class", "category", "target")
_PLURAL = ("labels", "tags", "findings", "classes", "categories")
_COUNTS = ("n", "num", "number", "count", "max", "min")
_SHOWN = 5

Row = Mapping[str, Any]
Members = Sequence[Sequence[int]]
"""The rows of each image."""


@dataclass(frozen=True, slots=True)
class LabelWishes:
    """What the caller has decided about the labels: see `genus.data.tables.TableOptions`."""

    column: str | None = None
    separator: str | None = None
    multilabel: bool | None = None


@dataclass(frozen=True, slots=True)
class ImageLabels:
    """What a table says of its images.

    Attributes
    ----------
    labels : tuple of n (str or None), or None
    label_sets : LabelSets of n, or None
        One of the two.
    conflicts : dict of int to str
        Images of which the table says two things, and what in words.
    notes : tuple of str
    """

    labels: tuple[str | None, ...] | None = None
    label_sets: LabelSets | None = None
    conflicts: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class LabelReading(Protocol):
    """The labels of a table's rows, read one way."""

    def of_images(self, members: Members, names: Sequence[str]) -> ImageLabels:
        """Return the labels of images, given the rows and the name of each."""
        ...


@dataclass(frozen=True, slots=True)
class OneLabel:
    """One class a row; two different ones for an image contradict each other."""

    labels: Sequence[str | None]
    notes: tuple[str, ...] = ()

    def of_images(self, members: Members, names: Sequence[str]) -> ImageLabels:
        """Return the class of each image."""
        conflicts = {}
        for image, rows in enumerate(members):
            first = rows[0]
            for row in rows[1:]:
                if self.labels[row] != self.labels[first]:
                    conflicts[image] = (
                        f"{names[image]} is {self.labels[first]!r} in row {first + 1} "
                        f"and {self.labels[row]!r} in row {row + 1}"
                    )
        labels = tuple(self.labels[rows[0]] for rows in members)
        return ImageLabels(labels, conflicts=conflicts, notes=self.notes)


@dataclass(frozen=True, slots=True)
class NamedLabels:
    """Names of labels, any number a row; an image has those of all its rows."""

    cells: Sequence[Cell]
    notes: tuple[str, ...] = ()

    def of_images(self, members: Members, names: Sequence[str]) -> ImageLabels:
        """Return the labels of each image."""
        found = join_cells([[self.cells[row] for row in rows] for rows in members])
        return ImageLabels(label_sets=found, notes=(*self.notes, *self._notes(members, found)))

    def _notes(self, members: Members, found: LabelSets) -> Iterable[str]:
        n_rows = sum(map(len, members))
        if n_rows > len(members):
            yield f"{count(n_rows, 'row')} of {count(len(members), 'image')}: an image has the labels of all its rows"
        n_unlabelled = int((~found.known).sum())
        n_none = int((found.values == 0).all(axis=1).sum()) if found.names else 0
        if n_unlabelled and found.names:
            yield f"{count(n_unlabelled, 'image')} that nobody has labelled"
        if n_none:
            yield f"{count(n_none, 'image')} without any label: taken to have none; write ? where nobody has looked"


@dataclass(frozen=True, slots=True)
class FlagColumns:
    """A column a label; has it in one row and has it not in another contradict each other."""

    names: tuple[str, ...]
    values: NDArray[np.int8]
    notes: tuple[str, ...] = ()

    def of_images(self, members: Members, names: Sequence[str]) -> ImageLabels:
        """Return the labels of each image."""
        starts = np.cumsum([0, *map(len, members)])[:-1]
        rows = self.values[[row for of_image in members for row in of_image]]
        yes = np.logical_or.reduceat(rows == 1, starts, axis=0) if len(members) else rows == 1
        no = np.logical_or.reduceat(rows == 0, starts, axis=0) if len(members) else rows == 0
        conflicts = {}
        for image, label in np.argwhere(yes & no).tolist():
            said = [int(self.values[row, label]) for row in members[image]]
            has, has_not = members[image][said.index(1)] + 1, members[image][said.index(0)] + 1
            conflicts[image] = (
                f"{names[image]} has {self.names[label]!r} in row {has} and has it not in row {has_not}"
            )
        values = np.where(yes, 1, np.where(no, 0, UNKNOWN)).astype(np.int8)
        return ImageLabels(label_sets=LabelSets(self.names, values), conflicts=conflicts, notes=self.notes)


def find_labels(
    rows: Sequence[Row], wishes: LabelWishes, taken: Iterable[str | None], origin: str
) -> LabelReading | None:
    """Find the labels of a table's rows; None where it has none.

    Parameters
    ----------
    rows : sequence of n mappings, n >= 1
    wishes : LabelWishes
    taken : iterable of str or None
        Columns that hold something else: images, splits, groups.
    origin : str
        What messages call the table.

    Raises
    ------
    DataError
        A column is missing, or one of 0 and 1 holds something else.
    ParameterError
        A separator, or several columns, but one label an image.
    """
    if wishes.separator is not None and (not wishes.separator.strip() or wishes.multilabel is False):
        raise ParameterError(
            "a label separator makes several labels an image: it must be a character other than a space, and "
            "not come with multilabel=False (--single-label)."
        )
    columns = list(rows[0])
    if named := _named_flags(columns, wishes.column, origin):
        if wishes.multilabel is False:
            raise ParameterError(
                f"{len(named)} label columns make several labels an image: name one, or leave out "
                "multilabel=False (--single-label)."
            )
        return _flags_of(flag_columns(_columns(rows, named), origin))
    column = find_column(columns, wishes.column, _usual(columns, wishes.multilabel), origin, "label")
    if column is not None:
        return _one_column(rows, column, wishes, origin)
    if wishes.multilabel is False:
        return None
    excluded = set(taken)
    rest = _columns(rows, (name for name in columns if name not in excluded))
    found = find_flag_columns(rest, origin, at_least=1 if wishes.multilabel else 2)
    if not found:
        return None
    shown = ", ".join(list(found)[:_SHOWN]) + (" ..." if len(found) > _SHOWN else "")
    note = f"columns of 0 and 1 are read as labels, several an image: {shown} ({len(found):,} in all)"
    return _flags_of(found, f"{note}; --label-column names others")


def _usual(columns: Sequence[str], multilabel: bool | None) -> tuple[str, ...]:
    lower = [column.strip().lower() for column in columns]
    longer = [name for name in lower if _is_plural(name) and name not in _PLURAL]  # "Finding Labels"
    if multilabel:
        return (*_PLURAL, *longer, *_SINGULAR)
    return (*_SINGULAR, *_PLURAL, *longer)


def _is_plural(column: str) -> bool:
    """Tell whether a name promises several: "tags", "Finding Labels"; but not "n_labels"."""
    words = re.split(r"[\s_-]+", column.strip().lower())
    return words[-1] in _PLURAL and words[0] not in _COUNTS


def _named_flags(columns: Sequence[str], wanted: str | None, origin: str) -> tuple[str, ...]:
    """Return the columns in "cat,dog,bird"; none where that is one column's name, or names none."""
    if wanted is None or wanted in columns or "," not in wanted:
        return ()
    names = tuple(dict.fromkeys(split_text(wanted, ",")))
    missing = [name for name in names if name not in columns]
    if missing:
        raise DataError(
            f"{origin}: column {missing[0]!r} of --label-column {wanted} is missing; found {', '.join(columns)}."
        )
    return names


def _columns(rows: Sequence[Row], names: Iterable[str]) -> Iterator[tuple[str, list[Any]]]:
    """Yield columns one at a time: a table may have thousands."""
    for name in names:
        yield name, [row.get(name) for row in rows]


def _flags_of(columns: Mapping[str, NDArray[np.int8]], *notes: str) -> FlagColumns:
    return FlagColumns(tuple(columns), np.stack(list(columns.values()), axis=1), notes)


def _one_column(rows: Sequence[Row], column: str, wishes: LabelWishes, origin: str) -> LabelReading:
    values = [row.get(column) for row in rows]
    if wishes.multilabel is False:
        return OneLabel([label_name(value) for value in values])
    if any(is_list(value) for value in values):
        return NamedLabels(_cells_of_lists(values), (f"column {column!r}: a list of labels an image",))
    names = [label_name(value) for value in values]
    distinct = {name for name in names if name and name != QUESTION}
    lists = {name: found for name in distinct if (found := listed(name)) is not None}
    if lists and 2 * len(lists) >= len(distinct) and wishes.separator is None:
        _check_lists(names, lists, column, origin)
        parts = {name: lists.get(name, [name]) for name in distinct}
        return _of_texts(names, parts, f"column {column!r}: a list of labels an image")
    expected = wishes.multilabel is True or _is_plural(column)
    separator = wishes.separator or find_separator(distinct, expected=expected)
    if separator is not None:
        parts = {name: split_text(name, separator) for name in distinct}
        return _of_texts(
            names, parts, f"column {column!r}: several labels an image, separated by {separator!r}"
        )
    if wishes.multilabel:
        note = f"column {column!r}: a set of labels an image"
        return _of_texts(names, {name: [name] for name in distinct}, note, *_kept_whole(distinct, column))
    return OneLabel(names, tuple(_kept_whole(distinct, column)))


def _of_texts(names: Sequence[str | None], parts: Mapping[str, Iterable[Any]], *notes: str) -> NamedLabels:
    cells: dict[str | None, Cell] = {name: cell_of(found) for name, found in parts.items()}
    cells |= {None: Cell(), QUESTION: Cell(open=True)}
    return NamedLabels([cells[name] for name in names], notes)


def _cells_of_lists(values: Iterable[Any]) -> list[Cell]:
    """Read lists; beside them, a missing value is no empty list but an image that nobody has labelled."""
    return [
        cell_of(value) if is_list(value) else Cell(open=True) if is_missing(value) else cell_of([value])
        for value in values
    ]


def _check_lists(names: Sequence[str | None], lists: Mapping[str, Any], column: str, origin: str) -> None:
    for row, name in enumerate(names, start=1):
        if name and name.startswith("[") and name not in lists:
            raise DataError(
                f"{origin}: column {column!r} has lists of labels, but {name[:80]!r} in row {row} is none; "
                'write ["a", "b"].'
            )


def _kept_whole(names: Iterable[str], column: str) -> Iterable[str]:
    """Say which separators occur and were taken for a part of the names."""
    every = list(names)
    for separator in SEPARATORS:
        if n := sum(separator in name for name in every):
            yield (
                f"column {column!r}: {n:,} class names contain {separator!r}, taken for a part of the name; "
                f"--label-separator {separator!r} reads them as several labels"
            )
            return
