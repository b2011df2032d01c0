"""Rows to search in: exactly while they are few, through a graph of neighbours once they are many."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.progress import SILENT, Progress
from genus.search.exact import Found, Numbers, merge, search_exactly
from genus.search.graph import Graph, is_installed
from genus.search.storage import Rows, StorageName, StoredRows, join_rows, store_rows

EXACT_NUMBERS = 1 << 27
"""Numbers (rows times width) up to which every row is compared: 512 MB, and some hundredths of a second a query."""
TARGET_RECALL = 0.98
_EXPANSIONS = (64, 128, 256, 512, 1024)
_RECALL_AT = 10
_POOL = 2  # times k rows are taken from the graph, and compared again as they are stored; more find no more
_LEAST_POOL = 20
_MOST_POOL = 4096
_PIECE = 8192  # rows written at once
_N_QUERIES = 200  # of its own rows, to measure recall


@dataclass(frozen=True, slots=True)
class Recall:
    """How much of what an exact search finds the graph finds, measured on the index's own rows.

    Attributes
    ----------
    value : float in [0, 1]
        Share of the ten nearest rows of a row that are found.
    at : int
        Ten, or fewer where there are not so many.
    n_queries : int
        For how many rows that was measured.
    expansion : int
        How many rows the graph looks at, so that it is so.
    """

    value: float
    at: int
    n_queries: int
    expansion: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


class VectorIndex:
    """Rows of unit length to search in. Rows are known by their places, from 0; those removed keep theirs.

    Parameters
    ----------
    stored : StoredRows
        The rows at the beginning; may be mapped from a file.
    graph : Graph or None
        Over these rows.
    keys : (n,) int64 or None
        By what the graph knows them, ascending; None for their places.
    recall : Recall or None
        What was measured of the graph.

    Examples
    --------
    >>> index = VectorIndex.of(np.eye(4, dtype=np.float32))
    >>> index.remove(np.array([0]))
    >>> index.add(np.float32([[0.8, 0.6, 0, 0]]))
    >>> index.search(np.float32([[1, 0, 0, 0]]), 2).rows.tolist(), len(index)
    ([[4, 1]], 4)
    """

    def __init__(
        self,
        stored: StoredRows,
        graph: Graph | None = None,
        keys: Numbers | None = None,
        recall: Recall | None = None,
    ) -> None:
        self._parts = [stored]
        self.graph = graph
        self.keys = np.arange(len(stored)) if keys is None else keys
        self.recall = recall
        self.alive: NDArray[np.bool_] = np.ones(len(stored), bool)

    @classmethod
    def of(cls, rows: Rows, storage: StorageName = "float32") -> "VectorIndex":
        """Return an index of rows (n, d) float32, kept as `storage` says."""
        return cls(store_rows(rows, storage))

    def __len__(self) -> int:
        return int(self.alive.sum())

    @property
    def width(self) -> int:
        """Numbers a row."""
        return self._parts[0].width

    @property
    def storage(self) -> str:
        """How the rows are kept: "float32", "float16" or "int8"."""
        return self._parts[0].storage

    @property
    def is_exact(self) -> bool:
        """Whether every row is compared."""
        return self.graph is None

    def read(self, places: Numbers) -> Rows:
        """Return rows as float32, removed ones too."""
        if len(self._parts) == 1:
            return self._parts[0].read(places)
        rows = np.empty((len(places), self.width), np.float32)
        for start, part in self._starts():
            inside = (places >= start) & (places < start + len(part))
            if inside.any():
                rows[inside] = part.read(places[inside] - start)
        return rows

    def blocks(self, places: Numbers) -> Iterator[tuple[Numbers, Rows]]:
        """Go through some rows, ascending: yields their places and the rows as float32, 16 MB at once."""
        for start, part in self._starts():
            first, last = np.searchsorted(places, [start, start + len(part)])
            for numbers, rows in part.blocks(places[first:last] - start):
                yield numbers + start, rows

    def add(self, rows: Rows) -> None:
        """Add rows (m, d) behind the others; until `settle`, each is compared with every query."""
        self._parts.append(store_rows(rows, self.storage))  # type: ignore[arg-type]
        first = int(self.keys[-1]) + 1 if len(self.keys) else 0
        self.keys = np.concatenate([self.keys, np.arange(first, first + len(rows))])
        self.alive = np.concatenate([self.alive, np.ones(len(rows), bool)])

    def remove(self, places: Numbers) -> None:
        """Take rows out."""
        self.alive[places] = False

    def search(
        self, queries: Rows, k: int, allowed: NDArray[np.bool_] | None = None, *, exact: bool = False
    ) -> Found:
        """Find the `k` rows most like each query; fewer if there are no more.

        Parameters
        ----------
        queries : (m, d) float32
        k : int
            At least 0.
        allowed : (n,) bool or None
            The rows that may be found; None for all.
        exact : bool, default False
            Whether every row is compared, whatever the size.
        """
        allowed = self.alive if allowed is None else self.alive & allowed
        n_allowed = int(allowed.sum())
        k = min(k, n_allowed)
        if exact or self.graph is None or self.recall is None or n_allowed * self.width <= EXACT_NUMBERS // 4:
            return self._exactly(queries, k, allowed)
        share = len(allowed) / max(1, n_allowed)
        pool = round(max(_POOL * k, _LEAST_POOL) * share)
        if pool > _MOST_POOL:
            return self._exactly(queries, k, allowed)
        found = self._by_graph(self.graph, queries, k, allowed, pool, max(pool, self.recall.expansion))
        if k and (found.rows.shape[1] < k or (found.rows[:, k - 1] < 0).any()):  # the filter left too little
            return self._exactly(queries, k, allowed)
        return found

    def pieces(self) -> Iterator[StoredRows]:
        """Go through the rows that are left, as they are kept, some at a time: for writers."""
        for start, part in self._starts():
            for first in range(0, len(part), _PIECE):
                alive = self.alive[start + first : start + min(first + _PIECE, len(part))]
                yield part.take(first + np.flatnonzero(alive))

    def wants_graph(self) -> bool:
        """Whether the rows are too many to compare all, and usearch is there."""
        return len(self) * self.width > EXACT_NUMBERS and is_installed()

    def make_graph(self, *, progress: Progress = SILENT, random_state: int = 0) -> None:
        """Build the graph over all rows, and measure how much it finds."""
        graph = Graph.empty(self.width)
        for start, part in self._starts():
            rows = np.flatnonzero(self.alive[start : start + len(part)])
            graph.add(self.keys[start + rows], part, rows, progress=progress)
        self._parts = [join_rows(self._parts)]  # all are in the graph now
        self.graph = graph
        self.recall = self.measured_recall(random_state)

    def settle(self, *, progress: Progress = SILENT) -> None:
        """Bring the graph to the rows that are here now; build one where they have become too many."""
        n_known = len(self._parts[0])
        if self.graph is None:
            if self.wants_graph():
                self.make_graph(progress=progress)
            return
        if len(self._parts) == 1 and self.alive.all():
            return
        self.graph.remove(self.keys[:n_known][~self.alive[:n_known]])
        for start, part in self._starts()[1:]:
            rows = np.flatnonzero(self.alive[start : start + len(part)])
            self.graph.add(self.keys[start + rows], part, rows, progress=progress)
        self._parts = [join_rows(self._parts)]
        self.recall = self.measured_recall()

    def measured_recall(self, random_state: int = 0) -> Recall:
        """Compare the graph with an exact search, for a sample of its own rows; the least effort that suffices."""
        if self.graph is None:
            return Recall(1.0, _RECALL_AT, 0, 0)
        rng = np.random.default_rng(random_state)
        places = np.flatnonzero(self.alive)
        chosen = rng.permutation(places)[:_N_QUERIES]
        queries, k = self.read(chosen), min(_RECALL_AT, len(places) - 1)
        true = without_self(self._exactly(queries, k + 1, self.alive), chosen)
        share, expansion = 0.0, 0
        for expansion in _EXPANSIONS:
            found = self._by_graph(
                self.graph, queries, k + 1, self.alive, max(_POOL * k, _LEAST_POOL), expansion
            )
            share = overlap(without_self(found, chosen), true)
            if share >= TARGET_RECALL:
                break
        return Recall(share, k, len(chosen), expansion)

    def _exactly(self, queries: Rows, k: int, allowed: NDArray[np.bool_]) -> Found:
        best = Found(np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32))
        for start, part in self._starts():
            inside = allowed[start : start + len(part)]
            among = None if inside.all() else np.flatnonzero(inside)
            found = search_exactly(part, queries, k, among)
            if found.rows.size:
                best = merge(best, Found(found.rows + start, found.scores), k)
        return best

    def _by_graph(
        self,
        graph: Graph,
        queries: Rows,
        k: int,
        allowed: NDArray[np.bool_],
        pool: int,
        expansion: int,
    ) -> Found:
        """Compare what the graph proposes, and all rows that it does not know, with each query."""
        keys = graph.propose(queries, pool, expansion)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = (keys >= 0) & allowed[places]
        rows = self.read(places.ravel()).reshape(*places.shape, self.width)
        scores = np.einsum("md,mkd->mk", queries, rows)
        best = Found(np.where(known, places, -1), np.where(known, scores, -np.inf).astype(np.float32))
        best = merge(best, Found(best.rows[:, :0], best.scores[:, :0]), k)
        for start, part in self._starts()[1:]:
            among = np.flatnonzero(allowed[start : start + len(part)])
            found = search_exactly(part, queries, k, among)
            if found.rows.size:
                best = merge(best, Found(found.rows + start, found.scores), k)
        return best

    def _starts(self) -> list[tuple[int, StoredRows]]:
        starts = np.cumsum([0, *(len(part) for part in self._parts)]).tolist()
        return list(zip(starts[:-1], self._parts, strict=True))


def without_self(found: Found, places: Numbers) -> list[set[int]]:
    """Return what was found for rows of the index, each without itself."""
    return [set(rows.tolist()) - {-1, own} for rows, own in zip(found.rows, places.tolist(), strict=True)]


def overlap(found: list[set[int]], true: list[set[int]]) -> float:
    """Return the share of `true` that is in `found`; 1 where there is nothing to find."""
    wanted = sum(map(len, true))
    return sum(len(a & b) for a, b in zip(found, true, strict=True)) / wanted if wanted else 1.0
