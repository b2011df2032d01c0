"""Finding a table's columns: the one that is named, or one with a usual name."""

from collections.abc import Sequence

from genus.errors import DataError


def find_column(
    columns: Sequence[str], wanted: str | None, usual: Sequence[str], origin: str, role: str
) -> str | None:
    """Return the column to use; None where none is named and none has a usual name.

    Parameters
    ----------
    columns : sequence of str
        What the table has.
    wanted : str or None
        What the caller names.
    usual : sequence of str
        Names in lower case, the likeliest first.
    origin, role : str
        What messages call the table, and the option: "image" for --image-column.

    Raises
    ------
    DataError
        The column that is named does not exist.

    Examples
    --------
    >>> find_column(["File", "Class"], None, ["label", "class"], "a.csv", "label")
    'Class'
    """
    if wanted is not None:
        if wanted not in columns:
            raise DataError(
                f"{origin}: column {wanted!r} is missing; found {', '.join(columns)}. "
                f"Name the right one with --{role}-column."
            )
        return wanted
    by_name = {column.strip().lower(): column for column in reversed(columns)}
    return next((by_name[name] for name in usual if name in by_name), None)
