"""Conditions on columns: which rows a search may find."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.errors import ParameterError

_PATTERN = re.compile(r"\s*([^=!<>~]+?)\s*(!=|<=|>=|=|<|>|~)\s*(.*?)\s*")


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: a column, an operator, a value.

    Parameters
    ----------
    column : str
    operator : {"=", "!=", "<", "<=", ">", ">=", "~"}
        "~" means that the text contains the value, in whatever case.
    values : tuple of str
        With "=" and "!=" any of them.
    """

    column: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class TextCodes:
    """A column of text: for each row the number of its text; -1 for none.

    Attributes
    ----------
    codes : (n,) int32
    texts : sequence of str
    several : bool
        Whether a text holds several values, with | between.
    """

    codes: NDArray[np.int32]
    texts: Sequence[str]
    several: bool = False


Column = TextCodes | NDArray[np.float64]


def read_condition(text: str) -> Condition:
    """Read a condition such as "label=rose|tulip" or "width>=800".

    Raises
    ------
    ParameterError
        It cannot be understood.

    Examples
    --------
    >>> read_condition("label = rose|tulip")
    Condition(column='label', operator='=', values=('rose', 'tulip'))
    """
    found = _PATTERN.fullmatch(text)
    if not found:
        raise ParameterError(
            f"{text!r} is no condition; write one such as label=rose, label=rose|tulip, split!=test, width>=800 or "
            "image~holiday."
        )
    column, operator, value = found.groups()
    values = tuple(part.strip() for part in value.split("|")) if operator in ("=", "!=") else (value,)
    return Condition(column, operator, values)


def read_conditions(where: Any) -> tuple[Condition, ...]:
    """Read conditions: a text, several, or a mapping of columns to a value or several.

    Raises
    ------
    ParameterError
        One cannot be understood.

    Examples
    --------
    >>> read_conditions({"label": ["rose", "tulip"]})[0].values
    ('rose', 'tulip')
    """
    if not where:
        return ()
    if isinstance(where, str):
        return (read_condition(where),)
    if isinstance(where, Mapping):
        return tuple(Condition(str(name), "=", _texts(value)) for name, value in where.items())
    return tuple(read_condition(text) for text in where)


def matching(conditions: Sequence[Condition], columns: Mapping[str, Column], n: int) -> NDArray[np.bool_]:
    """Tell for each of `n` rows whether it meets all conditions.

    Raises
    ------
    ParameterError
        A column does not exist, or its values cannot be compared so.

    Examples
    --------
    >>> columns = {"label": TextCodes(np.int32([0, 1, -1]), ["rose", "tulip"])}
    >>> matching(read_conditions("label!=rose"), columns, 3).tolist()
    [False, True, True]
    """
    mask = np.ones(n, bool)
    for condition in conditions:
        if condition.column not in columns:
            raise ParameterError(
                f"no column {condition.column!r} to go by; there are {', '.join(sorted(columns))}."
            )
        column = columns[condition.column]
        mask &= (
            _of_text(condition, column) if isinstance(column, TextCodes) else _of_number(condition, column)
        )
    return mask


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return (str(value),)
    return tuple(map(str, value))


def _of_text(condition: Condition, column: TextCodes) -> NDArray[np.bool_]:
    if condition.operator not in ("=", "!=", "~"):
        raise ParameterError(
            f"{condition.column!r} holds text, which is compared with =, != or ~, not {condition.operator}."
        )
    if condition.operator == "~":
        wanted = condition.values[0].casefold()
        fits = [wanted in text.casefold() for text in column.texts]
    else:
        values = set(condition.values)
        fits = [bool(values & set(text.split("|") if column.several else (text,))) for text in column.texts]
    mask = np.array([*fits, "" in condition.values], bool)[column.codes]  # -1, the last, is no text at all
    return ~mask if condition.operator == "!=" else mask


def _of_number(condition: Condition, column: NDArray[np.float64]) -> NDArray[np.bool_]:
    try:
        values = [float(value) for value in condition.values]
    except ValueError as error:
        raise ParameterError(f"{condition.column!r} holds numbers: {error}.") from error
    compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
    if condition.operator in compare:
        return np.asarray(compare[condition.operator](column, values[0]), bool)
    if condition.operator == "~":
        raise ParameterError(f"{condition.column!r} holds numbers, which ~ cannot compare.")
    mask = np.isin(column, values)
    return ~mask if condition.operator == "!=" else mask
