"""Classes that form a tree: species in genera in families, or dogs and cats among the animals.

NumPy only: `genus.predictor` imports it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.errors import DataError

SEPARATOR = "/"
"""What stands between the levels of a path."""
TOP = -1
"""Above all taxa: nothing is said of the image."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Taxonomy:
    """A tree of taxa, and where a model's classes stand in it.

    Parameters
    ----------
    names : tuple of m str
        The taxa, each after the one it belongs to.
    parents : tuple of m int
        Place of the taxon that each belongs to; -1 (`TOP`) for the uppermost ones.
    classes : tuple of c int
        Place of each class. A class may stand above others: then it is "that taxon, not further determined".
    ranks : tuple of str
        What the levels are called, the highest first: kingdom, family ... Empty where nobody has said.

    Attributes
    ----------
    paths : tuple of m str
        Every taxon with all it belongs to: "Plantae/Asteraceae".
    depth : (m,) int64
        1 for the uppermost taxa.
    height : (m,) int64
        Steps down to the deepest taxon below; 0 where there is none.

    Raises
    ------
    DataError
        A taxon comes before the one that it belongs to, two stand at one place, or there is no class.

    Examples
    --------
    >>> tree = Taxonomy.of_paths(["animal/cat", "animal/dog", "plant/rose"])
    >>> tree.paths
    ('animal', 'animal/cat', 'animal/dog', 'plant', 'plant/rose')
    >>> tree.proba([[0.5, 0.3, 0.2]]).round(2).tolist()
    [[0.8, 0.5, 0.3, 0.2, 0.2]]
    >>> tree.path(tree.common(1, 2)), tree.path(tree.common(1, 4))
    ('animal', '')
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    classes: tuple[int, ...]
    ranks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.names)
        fits = len(self.parents) == n and all(TOP <= p < i for i, p in enumerate(self.parents))
        if not fits or not all(0 <= node < n for node in self.classes):
            raise DataError("the taxonomy is no tree: a taxon must come after the one that it belongs to.")
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise DataError("each class needs a place of its own in the taxonomy.")
        if len(set(self.paths)) < n:
            raise DataError("a taxon occurs twice in the taxonomy, below the same one.")

    @classmethod
    def of_paths(cls, classes: Sequence[str], ranks: Sequence[str] = ()) -> Self:
        """Read the tree from class names that are paths.

        Parameters
        ----------
        classes : sequence of c str
            Such as "Plantae/Asteraceae/Bellis perennis".
        ranks : sequence of str
            What the levels are called.

        Raises
        ------
        DataError
            A part of a path is empty, or two class names are the same path.
        """
        parts = {name: _parts(name) for name in classes}
        parents = {
            SEPARATOR.join(path[: i + 1]): SEPARATOR.join(path[:i])
            for path in parts.values()
            for i in range(len(path))
        }
        keys = [SEPARATOR.join(parts[name]) for name in classes]
        return cls._grown(keys, parents, lambda key: key.rpartition(SEPARATOR)[2], ranks)

    @classmethod
    def of_parents(cls, classes: Sequence[str], parents: Mapping[str, str | None]) -> Self:
        """Read the tree from what each taxon belongs to.

        Parameters
        ----------
        classes : sequence of c str
            Those that the tree lacks stand by themselves, at the top.
        parents : mapping of str to str or None
            For each taxon the one that it belongs to; None or "" for the uppermost. What no class belongs to is
            left out.

        Raises
        ------
        DataError
            A taxon belongs to itself, directly or by way of others.
        """
        known = {child: parent or "" for child, parent in parents.items()}
        return cls._grown(list(classes), known, str, ())

    @classmethod
    def _grown(
        cls, keys: Sequence[str], parents: Mapping[str, str], name_of: Any, ranks: Sequence[str]
    ) -> Self:
        """Put together the tree above `keys`; children stand behind their parents, in the order of the classes."""
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise DataError(f"two classes are the same taxon, {twice!r}: give them one name.")
        below: dict[str, dict[str, None]] = {"": {}}
        for key in keys:
            for child, parent in _upwards(key, parents):
                below.setdefault(parent, {})[child] = None
        order: dict[str, int] = {}
        above: list[int] = []
        waiting = [(child, TOP) for child in reversed(below[""])]
        while waiting:
            taxon, place_above = waiting.pop()
            order[taxon] = len(order)
            above.append(place_above)
            waiting += [(child, order[taxon]) for child in reversed(below.get(taxon, {}))]
        names = tuple(name_of(key) for key in order)
        return cls(names, tuple(above), tuple(order[key] for key in keys), tuple(ranks))

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Every taxon with all it belongs to."""
        found: list[str] = []
        for name, parent in zip(self.names, self.parents, strict=True):
            found.append(name if parent == TOP else f"{found[parent]}{SEPARATOR}{name}")
        return tuple(found)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What each taxon is called for short: its name where that is the only one, else its path."""
        counts: dict[str, int] = {}
        for name in self.names:
            counts[name] = counts.get(name, 0) + 1
        return tuple(n if counts[n] == 1 else p for n, p in zip(self.names, self.paths, strict=True))

    @cached_property
    def depth(self) -> Integers:
        """How far down each taxon stands; 1 for the uppermost."""
        found: list[int] = []
        for parent in self.parents:
            found.append(1 if parent == TOP else found[parent] + 1)
        return np.array(found, np.int64)

    @cached_property
    def height(self) -> Integers:
        """Steps from each taxon down to the deepest below it."""
        found = np.zeros(len(self.names), np.int64)
        for node in range(len(self.names) - 1, -1, -1):
            if (parent := self.parents[node]) != TOP:
                found[parent] = max(found[parent], found[node] + 1)
        return found

    @property
    def n_levels(self) -> int:
        """Depth of the deepest taxon."""
        return int(self.depth.max())

    @property
    def roots(self) -> tuple[int, ...]:
        """The uppermost taxa."""
        return tuple(i for i, parent in enumerate(self.parents) if parent == TOP)

    @cached_property
    def lineage(self) -> Integers:
        """Each taxon's ancestors and itself by depth, (m + 1, n_levels); -1 below it. The last row is `TOP`'s."""
        rows = np.full((len(self.names) + 1, self.n_levels), TOP, np.int64)
        for node, parent in enumerate(self.parents):
            rows[node] = rows[parent]
            rows[node, self.depth[node] - 1] = node
        return rows

    def rank(self, depth: int) -> str:
        """Return what a level is called.

        Examples
        --------
        >>> Taxonomy.of_paths(["a/b"], ["kingdom"]).rank(1), Taxonomy.of_paths(["a/b"]).rank(2)
        ('kingdom', 'level 2')
        """
        return self.ranks[depth - 1] if depth <= len(self.ranks) else f"level {depth}"

    def path(self, node: int) -> str:
        """Return a taxon's path; empty for `TOP`."""
        return "" if node == TOP else self.paths[node]

    def find(self, label: str) -> int | None:
        """Return the taxon that a label names, by its path or by a name that only one has; None if there is none.

        Examples
        --------
        >>> tree = Taxonomy.of_paths(["animal/bat", "sport/bat", "animal/cat"])
        >>> tree.find("animal / cat"), tree.find("cat"), tree.find("bat")
        (2, 2, None)
        """
        key = SEPARATOR.join(part.strip() for part in label.split(SEPARATOR))
        return self._places.get(key)

    @cached_property
    def _places(self) -> dict[str, int]:
        """Every spelling that names one taxon only; paths before names."""
        return {label: i for i, label in enumerate(self.labels)} | {
            path: i for i, path in enumerate(self.paths)
        }

    def proba(self, proba: ArrayLike) -> Floats:
        """Return the probability of every taxon: that of all classes at and below it.

        Parameters
        ----------
        proba : (n, c) array

        Returns
        -------
        (n, m) float64
            No taxon is less probable than one below it.
        """
        given = np.asarray(proba, np.float64)
        found = np.zeros((len(self.names), len(given)))
        found[list(self.classes)] = given.T
        parents = np.array(self.parents)
        for depth in range(self.n_levels, 1, -1):
            nodes = np.flatnonzero(self.depth == depth)
            np.add.at(found, parents[nodes], found[nodes])
        return np.ascontiguousarray(found.T)

    def common(self, a: Any, b: Any) -> Any:
        """Return the deepest taxon that two belong to, `TOP` if there is none; arrays go through one by one.

        A taxon belongs to itself: the common one of a taxon and one below it is the upper of the two.
        """
        first, second = self.lineage[np.asarray(a)], self.lineage[np.asarray(b)]
        same = (first == second) & (first != TOP)
        found = np.where(same, first, TOP).max(axis=-1)  # children stand behind their parents
        return int(found) if found.ndim == 0 else found

    def distance(self, a: Any, b: Any) -> Any:
        """Return how far apart two taxa are: the height of the deepest that both belong to, 0 for the same.

        Notes
        -----
        Deng, Berg, Li and Fei-Fei (2010), "What does classifying more than 10,000 image categories tell us?";
        Bertinetto et al. (2020), "Making better mistakes". What has nothing in common is as far apart as the whole
        tree is high.
        """
        height = np.append(self.height, self.height.max() + 1)  # the last is TOP's
        found = np.where(np.asarray(a) == np.asarray(b), 0, height[self.common(a, b)])
        return int(found) if found.ndim == 0 else found

    def costs(self) -> Floats:
        """Return what it costs to take one class for another, (c, c): their distance; rows are the truth."""
        nodes = np.array(self.classes)
        return np.asarray(self.distance(nodes[:, None], nodes[None, :]), np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "names": list(self.names),
            "parents": list(self.parents),
            "classes": list(self.classes),
            "ranks": list(self.ranks),
        }

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Self:
        """Read what `to_dict` returned.

        Raises
        ------
        DataError
            It is something else.
        """
        try:
            return cls(
                tuple(map(str, known["names"])),
                tuple(map(int, known["parents"])),
                tuple(map(int, known["classes"])),
                tuple(map(str, known.get("ranks", ()))),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("the taxonomy cannot be read.") from error


def are_paths(classes: Iterable[str]) -> bool:
    """Tell whether class names look like paths: at least two share a first part.

    Examples
    --------
    >>> are_paths(["animal/cat", "animal/dog"]), are_paths(["cat", "dog", "n/a"])
    (True, False)
    """
    first = [parts[0] for name in classes if len(parts := name.split(SEPARATOR)) > 1]
    return len(set(first)) < len(first)


def _parts(name: str) -> list[str]:
    parts = [part.strip() for part in name.split(SEPARATOR)]
    if not all(parts):
        raise DataError(
            f"the class {name!r} is no path: a part of it is empty. Write it like animal{SEPARATOR}cat."
        )
    return parts


def _upwards(key: str, parents: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Yield (taxon, what it belongs to) from `key` up to the top, whose name is empty."""
    seen = [key]
    while parent := parents.get(seen[-1], ""):
        yield seen[-1], parent
        if parent in seen:
            circle = " -> ".join([*seen[seen.index(parent) :], parent])
            raise DataError(
                f"the taxonomy goes round in a circle: {circle}. The uppermost taxon has no parent."
            )
        seen.append(parent)
    yield seen[-1], ""
