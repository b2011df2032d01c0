"""What a person knows beforehand: rows that belong together, rows that do not, labels of a few."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from genus.errors import DataError, ParameterError

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]
Pairs = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Constraints:
    """Rows that must, or must not, be in one group.

    Attributes
    ----------
    part : (n,) int64
        Rows of one part must be together. Rows that nothing is known of are parts of one row.
    apart : (q, 2) int64
        Pairs of parts that must not be together.
    known : (n,) bool
        The rows that something is known of.
    n_seeds : int
        How many different seed labels there are: so many groups at least.
    """

    part: Labels
    apart: Pairs
    known: NDArray[np.bool_]
    n_seeds: int

    @classmethod
    def of(
        cls,
        n: int,
        *,
        seeds: Sequence[str | None] | None = None,
        must_link: Iterable[tuple[int, int]] = (),
        cannot_link: Iterable[tuple[int, int]] = (),
    ) -> Self:
        """Collect what is known of `n` rows.

        Parameters
        ----------
        n : int
        seeds : sequence of n str or None, or None
            Labels of a few rows: equal ones belong together, different ones do not.
        must_link, cannot_link : pairs of int
            Rows by their index.

        Raises
        ------
        ParameterError
            An index is out of range, or there are not `n` seeds.
        DataError
            Two rows must be together and must not.

        Examples
        --------
        >>> known = Constraints.of(5, seeds=["cat", None, "dog", "cat", None], must_link=[(0, 1)])
        >>> bool(known.part[0] == known.part[1] == known.part[3] != known.part[2]), known.n_seeds
        (True, 2)
        """
        together, apart = _pairs(n, must_link), _pairs(n, cannot_link)
        if seeds is not None and len(seeds) != n:
            raise ParameterError(f"{n} rows, but {len(seeds)} seeds: one each is needed, None where unknown.")
        first: dict[str, int] = {}
        same = [
            (i, first.setdefault(label, i)) for i, label in enumerate(seeds or ()) if label not in (None, "")
        ]
        joined = np.concatenate([together, _pairs(n, same)])
        graph = coo_matrix((np.ones(len(joined)), (joined[:, 0], joined[:, 1])), shape=(n, n))
        part = connected_components(graph, directed=False)[1].astype(np.int64)
        heads = list(first.values())
        between = [(one, other) for i, one in enumerate(heads) for other in heads[:i]]
        apart = np.concatenate([apart, _pairs(n, between)])
        for one, other in apart:
            if part[one] == part[other]:
                raise DataError(
                    f"rows {other} and {one} must be in one group, and must not: one of both is wrong."
                )
        known = np.zeros(n, bool)
        known[joined.ravel()] = known[apart.ravel()] = True
        return cls(part, np.unique(np.sort(part[apart], axis=1), axis=0), known, len(first))

    def __bool__(self) -> bool:
        return bool(self.known.any())

    def take(self, rows: Labels) -> "Constraints":
        """Return what is known of some of the rows."""
        return Constraints(self.part[rows], self.apart, self.known[rows], self.n_seeds)

    def share_met(self, labels: Labels) -> float:
        """Return how far a grouping does what is wanted, 0 to 1: the mean of the two kinds' shares of pairs.

        nan where nothing is wanted of these rows. Noise (-1) is together with nobody.

        Examples
        --------
        >>> known = Constraints.of(4, must_link=[(0, 1)], cannot_link=[(1, 2), (1, 3)])
        >>> known.share_met(np.array([0, 0, 0, 1]))
        0.75
        """
        rows = np.flatnonzero(self.known)
        parts, codes = np.unique(self.part[rows], return_inverse=True)
        groups = labels[rows]
        counts = np.zeros((len(parts), int(groups.max(initial=-1)) + 1))
        np.add.at(counts, (codes[groups >= 0], groups[groups >= 0]), 1)
        sizes = np.bincount(codes, minlength=len(parts))
        wanted = (sizes * (sizes - 1)).sum() / 2
        shares = [(counts * (counts - 1)).sum() / 2 / wanted] if wanted else []
        place = {int(part): i for i, part in enumerate(parts)}
        pairs = [(place[a], place[b]) for a, b in self.apart.tolist() if a in place and b in place]
        if pairs:
            ones, others = np.array(pairs).T
            met = 1 - (counts[ones] * counts[others]).sum() / (sizes[ones] * sizes[others]).sum()
            shares.append(met)
        return float(np.mean(shares)) if shares else float("nan")

    def enforce(self, labels: Labels, distances: Floats) -> Labels:
        """Move rows that something is known of to the nearest groups that are allowed.

        Parameters
        ----------
        labels : (n,) int64
            The grouping as it was found.
        distances : (n, k) float32
            Of each row to each group.

        Returns
        -------
        (n,) int64
            A part goes as a whole to the group that is nearest on average, larger parts first; a part for which
            no group is left, because there are too few, goes to the nearest all the same.
        """
        found = labels.copy()
        foes: dict[int, set[int]] = {}
        for one, other in self.apart.tolist():
            foes.setdefault(one, set()).add(other)
            foes.setdefault(other, set()).add(one)
        placed: dict[int, int] = {}
        for rows in self.known_parts():
            part = int(self.part[rows[0]])
            taken = {placed[foe] for foe in foes.get(part, ()) if foe in placed}
            order = np.argsort((distances[rows] ** 2).sum(axis=0), kind="stable").tolist()
            placed[part] = next((group for group in order if group not in taken), order[0])
            found[rows] = placed[part]
        return found

    def name_all(self, k: int) -> bool:
        """Say whether rows of each of `k` groups are known: as many parts, none of which may be with another."""
        return 2 <= k == len(self.known_parts()) and len(self.apart) == k * (k - 1) // 2

    def known_parts(self) -> list[Labels]:
        """Return the rows of each part that something is known of, the largest first."""
        rows = np.flatnonzero(self.known)
        order = rows[np.argsort(self.part[rows], kind="stable")]
        members = np.split(order, np.flatnonzero(np.diff(self.part[order])) + 1) if len(order) else []
        return sorted(members, key=len, reverse=True)


def _pairs(n: int, pairs: Iterable[tuple[int, int]]) -> Pairs:
    found = np.array(list(pairs), np.int64).reshape(-1, 2)
    if len(found) and not (0 <= found.min() and found.max() < n):
        wrong = found[((found < 0) | (found >= n)).any(axis=1)][0].tolist()
        raise ParameterError(
            f"the pair {tuple(wrong)} names a row that does not exist: there are {n}, from 0."
        )
    return found
