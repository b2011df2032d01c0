"""Labels in several columns of a table, one for each level of a taxonomy: kingdom, family, species."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from genus.data.label_cells import label_name
from genus.data.label_columns import OneLabel
from genus.errors import DataError
from genus.taxonomy import SEPARATOR

_SHOWN = 3

Row = Mapping[str, Any]


def rank_labels(rows: Sequence[Row], ranks: Sequence[str], origin: str) -> OneLabel:
    """Read one label a row: the path of what stands in the columns, the highest level first.

    Parameters
    ----------
    rows : sequence of n mappings, n >= 1
    ranks : sequence of str
        The columns. The lower ones may be empty: the image is then known to the level above only.
    origin : str
        What messages call the table.

    Raises
    ------
    DataError
        A column is missing, a name holds a slash, or a level is empty though one below it is not.

    Examples
    --------
    >>> rank_labels([{"family": "cats", "species": "lynx"}, {"family": "cats"}], ["family", "species"], "t").labels
    ('cats/lynx', 'cats')
    """
    columns = {name for row in rows for name in row}
    if missing := [rank for rank in ranks if rank not in columns]:
        raise DataError(
            f"{origin}: column {missing[0]!r} is missing; found {', '.join(rows[0])}. "
            "Name the columns of the taxonomy with --taxonomy, the highest level first."
        )
    labels = tuple(_path(row, ranks, f"{origin}, row {number}") for number, row in enumerate(rows, start=1))
    return OneLabel(labels, tuple(_homonyms(labels)))


def _path(row: Row, ranks: Sequence[str], place: str) -> str | None:
    names = [label_name(row.get(rank)) for rank in ranks]
    known = [name for name in names if name is not None]
    if names[: len(known)] != known:
        gap = names.index(None)
        below = next(rank for rank, name in zip(ranks[gap:], names[gap:], strict=True) if name is not None)
        raise DataError(
            f"{place}: {below!r} is filled in, but {ranks[gap]!r} above it is empty. "
            "Fill it in, or leave that column out."
        )
    for name in known:
        if SEPARATOR in name:
            raise DataError(
                f"{place}: {name!r} holds a slash, which parts the levels of a path. Write it without."
            )
    return SEPARATOR.join(known) or None


def _homonyms(labels: Iterable[str | None]) -> Iterable[str]:
    """Say which names stand at the end of different paths: homonyms, or slips of the pen higher up."""
    paths = defaultdict(set)
    for label in set(labels) - {None}:
        paths[str(label).rpartition(SEPARATOR)[2]].add(str(label))
    several = [" and ".join(sorted(found)) for _, found in sorted(paths.items()) if len(found) > 1]
    if several:
        shown = "; ".join(several[:_SHOWN]) + (" ..." if len(several) > _SHOWN else "")
        yield f"the same name in two places of the taxonomy, kept apart: {shown}"
