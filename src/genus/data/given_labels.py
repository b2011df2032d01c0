"""Labels in memory: one an image, lists of names, or a matrix of 0 and 1."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.data.flags import flag_columns
from genus.data.label_cells import Cell, cell_of, is_list, is_missing, join_cells, label_name
from genus.data.label_columns import ImageLabels
from genus.data.label_sets import UNKNOWN, LabelSets
from genus.errors import DataError

_ORIGIN = "labels"


def read_labels(y: Any, n: int, multilabel: bool | None = None) -> ImageLabels:
    """Return labels as class names, or as sets of names.

    Parameters
    ----------
    y : sequence, array (n,) or (n, 1), Series; LabelSets; list of n lists, tuples or sets; array (n, c) or DataFrame
        One label an image: None, NaN and empty strings mean none. Several: names or numbers in a list (empty: the
        image has no label; None: nobody has looked), or a matrix of 1 (has it), 0 (has it not) and NaN or -1
        (unknown) with c >= 2 columns, which a DataFrame names. Lists of equally many 0 and 1 are such a matrix.
    n : int
        How many there must be.
    multilabel : bool or None
        None looks; True makes a set of a single label; False refuses several.

    Returns
    -------
    ImageLabels

    Raises
    ------
    DataError
        There are more or fewer; a matrix holds something else; an image has several labels, but shall have one.

    Examples
    --------
    >>> read_labels(["b", None], 2).labels
    ('b', None)
    >>> sets = read_labels([["b", "a"], [], None], 3).label_sets
    >>> sets.names, sets.values.tolist()
    (('a', 'b'), [[1, 1], [0, 0], [-1, -1]])
    >>> read_labels(np.array([[1, 0], [0, 1]]), 2).label_sets[1]
    ('1',)
    """
    if not isinstance(y, LabelSets) and (isinstance(y, str | bytes | dict) or not hasattr(y, "__iter__")):
        raise DataError(f"labels: expected a sequence of {n} labels, one an image, not a {type(y).__name__}.")
    found = y if isinstance(y, LabelSets) else _matrix(y)
    if found is not None:
        _check_number(len(found), n)
        if multilabel is False:
            raise DataError(
                f"labels: a matrix of {len(found.names)} labels says several an image; leave out multilabel=False."
            )
        return ImageLabels(label_sets=found)
    values = _values(y)
    _check_number(len(values), n)
    if multilabel is False or not (multilabel or any(is_list(value) for value in values)):
        return ImageLabels(tuple(label_name(value) for value in values))
    cells = [
        cell_of(value) if is_list(value) else Cell(open=True) if _is_nothing(value) else cell_of([value])
        for value in values
    ]
    return ImageLabels(label_sets=join_cells([[cell] for cell in cells]))


def _check_number(n_given: int, n: int) -> None:
    if n_given != n:
        raise DataError(f"{n} images, but {n_given} labels: one each is needed.")


def _is_nothing(value: Any) -> bool:
    return is_missing(value) or (isinstance(value, str) and not value.strip())


def _values(y: Any) -> list[Any]:
    """Return the labels of a list, a Series, a DataFrame of one column, an Arrow array."""
    if hasattr(y, "to_pylist"):
        return list(y.to_pylist())
    array = y.to_numpy() if hasattr(y, "to_numpy") else y
    if isinstance(array, np.ndarray) and array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    return list(array)


def _matrix(y: Any) -> LabelSets | None:
    """Return a matrix of 0 and 1 as label sets; None if it is none."""
    if hasattr(y, "toarray"):  # a sparse matrix
        y = y.toarray()
    if hasattr(y, "columns") and hasattr(y, "iloc"):  # a DataFrame
        if len(y.columns) < 2:
            return None
        names = tuple(map(str, y.columns))
        return _of_columns(names, [y.iloc[:, i].tolist() for i in range(len(names))])
    if not isinstance(y, np.ndarray):
        if not _is_matrix_of_flags(y):
            return None
        y = np.array([list(row) for row in y])
    if y.ndim != 2 or y.shape[1] < 2:
        return None
    names = tuple(map(str, range(y.shape[1])))
    if y.dtype.kind in "biuf":
        return LabelSets(names, _numbers(y))
    return _of_columns(names, y.T.tolist())


def _of_columns(names: tuple[str, ...], columns: list[list[Any]]) -> LabelSets:
    read = [
        flag_columns([(name, values)], _ORIGIN)[name] for name, values in zip(names, columns, strict=True)
    ]
    return LabelSets(names, np.stack(read, axis=1))


def _numbers(matrix: NDArray[Any]) -> NDArray[np.int8]:
    values = np.where(np.isnan(matrix), UNKNOWN, matrix) if matrix.dtype.kind == "f" else matrix
    if wrong := np.argwhere(~np.isin(values, (UNKNOWN, 0, 1))).tolist():
        row, column = wrong[0]
        raise DataError(
            f"labels: the matrix has {matrix[row, column]} in row {row}, column {column}; "
            "expected 1 (has it), 0 (has it not), or NaN or -1 (unknown)."
        )
    return np.asarray(values, np.int8)


def _is_matrix_of_flags(y: Any) -> bool:
    """Tell whether lists are rows of 0 and 1, rather than numbers of classes: equally many, and nothing else."""
    if not isinstance(y, Sequence) or not all(isinstance(row, list | tuple | np.ndarray) for row in y):
        return False
    widths = {len(row) for row in y}
    numbers = (int, float, np.number, np.bool_)
    return (
        len(widths) == 1
        and widths.pop() >= 2
        and all(
            isinstance(value, numbers) and value in (0, 1) or value != value for row in y for value in row
        )
    )
