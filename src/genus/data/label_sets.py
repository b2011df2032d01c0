"""Several labels an image: which of the names each image has, has not, or may have."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.data.order import natural_key
from genus.errors import DataError

UNKNOWN = -1
"""Nobody has said whether the image has this label: neither learned from nor measured on."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelSets:
    """The labels of n images, any number each.

    Parameters
    ----------
    names : tuple of c str
        The labels, naturally sorted unless the data fixes an order; some may belong to no image.
    values : (n, c) int8
        1: the image has the label; 0: it has not; -1: unknown. A row of zeros is an image with nothing on it, a row
        of -1 one that nobody has labelled.

    Raises
    ------
    DataError
        The shapes do not fit, a name occurs twice, or a value is none of the three.

    Examples
    --------
    >>> found = LabelSets.of([["cat", "dog"], [], None])
    >>> found.names, found.values.tolist(), found[0]
    (('cat', 'dog'), [[1, 1], [0, 0], [-1, -1]], ('cat', 'dog'))
    """

    names: tuple[str, ...]
    values: NDArray[np.int8]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.names):
            raise DataError(f"{len(self.names)} label names, but label values of shape {self.values.shape}.")
        if len(set(self.names)) < len(self.names):
            twice = sorted({name for name in self.names if self.names.count(name) > 1})
            raise DataError(f"labels occur twice: {', '.join(twice[:5])}. Give each a name of its own.")
        if self.values.size and not np.isin(self.values, (UNKNOWN, 0, 1)).all():
            raise DataError("label values must be 1 (has it), 0 (has it not) or -1 (unknown).")

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, row: int) -> tuple[str, ...]:
        """Return the names that an image has."""
        return tuple(self.names[i] for i in np.flatnonzero(self.values[row] == 1))

    @classmethod
    def of(
        cls, rows: Sequence[Iterable[str] | None], names: Iterable[str] = (), unknown: ArrayLike | None = None
    ) -> "LabelSets":
        """Make label sets of a list of names for each image; None where nobody has labelled it.

        Parameters
        ----------
        rows : sequence of n (iterable of str, or None)
        names : iterable of str
            Labels that exist whether or not an image has them.
        unknown : (n,) bool or None
            Images whose other labels are unknown: only what is named is certain.
        """
        lists = [None if row is None else list(row) for row in rows]
        every = sorted({*names, *(name for row in lists for name in row or ())}, key=natural_key)
        code = {name: i for i, name in enumerate(every)}
        values = np.zeros((len(lists), len(every)), np.int8)
        if unknown is not None:
            values[np.asarray(unknown, bool)] = UNKNOWN
        for i, row in enumerate(lists):
            values[i, [code[name] for name in row or ()]] = 1
            if row is None:
                values[i] = UNKNOWN
        return cls(tuple(every), values)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether anything is known of an image, (n,)."""
        return np.asarray((self.values != UNKNOWN).any(axis=1), np.bool_)

    def counts(self) -> dict[str, int]:
        """Return how many images have each label."""
        return dict(zip(self.names, (self.values == 1).sum(axis=0).tolist(), strict=True))

    def contradictions(self, groups: ArrayLike) -> NDArray[np.int64]:
        """Return the groups in which one image has a label that another has not.

        Parameters
        ----------
        groups : (n,) int
            Images with the same number should have the same labels: they show the same picture.

        Examples
        --------
        >>> LabelSets.of([["cat"], ["cat", "dog"], ["dog"], None]).contradictions([7, 7, 8, 8]).tolist()
        [7]
        """
        numbers, member, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
        rows = np.flatnonzero(sizes[member] > 1)
        rows = rows[np.argsort(member[rows], kind="stable")]
        if not len(rows):
            return numbers[:0]
        shared, starts = np.unique(member[rows], return_index=True)
        yes = np.logical_or.reduceat(self.values[rows] == 1, starts, axis=0)
        no = np.logical_or.reduceat(self.values[rows] == 0, starts, axis=0)
        return np.asarray(numbers[shared[(yes & no).any(axis=1)]], np.int64)

    def take(self, rows: Sequence[int]) -> "LabelSets":
        """Return the label sets of these images, in this order."""
        return LabelSets(self.names, self.values[np.asarray(rows, np.intp)])

    def aligned(self, names: Sequence[str]) -> NDArray[np.int8]:
        """Return the values (n, len(names)) in the order of `names`; unknown where a name is not one of these."""
        column = {name: i for i, name in enumerate(self.names)}
        values = np.full((len(self), len(names)), UNKNOWN, np.int8)
        shared = [(to, column[name]) for to, name in enumerate(names) if name in column]
        if shared:
            to, of = map(list, zip(*shared, strict=True))
            values[:, to] = self.values[:, of]
        return values
