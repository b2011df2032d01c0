"""What one cell of a table, or one label in memory, says of an image."""

import ast
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genus.data.label_sets import UNKNOWN, LabelSets
from genus.data.order import natural_key
from genus.errors import DataError

QUESTION = "?"  # nobody knows: alone, of everything that is not named; before a name, of that label
_LISTS = (list, tuple, set, frozenset, np.ndarray)
_BETWEEN_QUOTES = re.compile(r"(?<=['\"])\s+(?=['\"])")  # NumPy prints arrays without commas: ['a' 'b']
_MAX_LIST_TEXT = 1 << 20


@dataclass(frozen=True, slots=True)
class Cell:
    """What somebody says of an image.

    Attributes
    ----------
    has : tuple of str
        The labels that it has.
    unsure : tuple of str
        Labels that it may have.
    open : bool
        Whether it may have any other label too; otherwise it has no other.
    """

    has: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    open: bool = False


def label_name(value: Any) -> str | None:
    """Return a label as text: 3 and 3.0 as "3"; None, NaN and "" as None.

    Raises
    ------
    DataError
        It is a list, an array or the like: several labels.

    Examples
    --------
    >>> label_name(3.0), label_name("cat"), label_name(float("nan"))
    ('3', 'cat', None)
    """
    if isinstance(value, str):
        return value.strip() or None
    if is_list(value) or isinstance(value, dict):
        raise DataError(f"an image has the label {value!r}: expected one class an image, not several.")
    if is_missing(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return str(value).strip() or None


def is_missing(value: Any) -> bool:
    """Tell whether a value is None, NaN or another library's word for nothing."""
    if value is None:
        return True
    try:
        return bool(value != value)  # NaN, NaT
    except (
        TypeError,
        ValueError,
    ):  # pandas.NA answers neither yes nor no; nor do arrays, which are something
        return not isinstance(value, _LISTS)


def is_list(value: Any) -> bool:
    """Tell whether a value holds several labels, or can."""
    return isinstance(value, _LISTS)


def cell_of(values: Iterable[Any]) -> Cell:
    """Return what a list of labels says; "?" alone leaves the rest open, "?dog" the dog.

    Examples
    --------
    >>> cell_of(["cat", "?dog"])
    Cell(has=('cat',), unsure=('dog',), open=False)
    >>> cell_of(["cat", "?"])
    Cell(has=('cat',), unsure=(), open=True)
    """
    names = list(dict.fromkeys(name for value in values if (name := label_name(value))))
    return Cell(
        has=tuple(name for name in names if not name.startswith(QUESTION)),
        unsure=tuple(rest for name in names if name.startswith(QUESTION) and (rest := name[1:].strip())),
        open=QUESTION in names,
    )


def listed(text: str) -> list[Any] | None:
    """Return the list that a text such as `["a", "b"]` or `['a', 'b']` writes out; None where it is none.

    Examples
    --------
    >>> listed('["a", "b"]'), listed("['a' 'b']"), listed("[unclear]")
    (['a', 'b'], ['a', 'b'], None)
    """
    text = text.strip()
    if not (text.startswith("[") and text.endswith("]")) or len(text) > _MAX_LIST_TEXT:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(_BETWEEN_QUOTES.sub(", ", text))
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return None
    return found if isinstance(found, list) and not any(isinstance(x, list | dict) for x in found) else None


def join_cells(cells: Sequence[Iterable[Cell]], names: Sequence[str] = ()) -> LabelSets:
    """Return the label sets of n images, of each of which any number of cells speak.

    What any cell names, the image has. What none names but any leaves open is unknown. The labels are `names`, in this
    order, and after them what else occurs.
    """
    has: list[tuple[int, str]] = []
    unsure: list[tuple[int, str]] = []
    still_open = []
    for image, of_image in enumerate(cells):
        for cell in of_image:
            has += [(image, name) for name in cell.has]
            unsure += [(image, name) for name in cell.unsure]
            if cell.open:
                still_open.append(image)
    others = {name for pairs in (has, unsure) for _, name in pairs} - set(names)
    every = (*names, *sorted(others, key=natural_key))
    code = {name: i for i, name in enumerate(every)}
    values = np.zeros((len(cells), len(every)), np.int8)
    values[still_open] = UNKNOWN
    for pairs, value in ((unsure, UNKNOWN), (has, 1)):  # what is certain last: it wins
        values[[image for image, _ in pairs], [code[name] for _, name in pairs]] = value
    return LabelSets(every, values)


def label_texts(sets: LabelSets) -> list[str]:
    """Write the labels of each image as a table's cell: what `cell_of` reads, with "|" between them.

    Examples
    --------
    >>> label_texts(LabelSets.of([["a", "b"], [], None, ["a"]], unknown=[False, False, False, True]))
    ['a|b', '', '?', 'a|?']
    """
    names = np.array(sets.names, object)
    texts = []
    for row in sets.values:
        unsure = np.flatnonzero(row == UNKNOWN)
        # all that the image is not known to have is unknown: one mark says so
        rest = (
            [QUESTION]
            if len(unsure) and not (row == 0).any()
            else [QUESTION + name for name in names[unsure]]
        )
        texts.append("|".join([*names[row == 1], *rest]))
    return texts
