"""Rows to search in: exact search is exact, a graph finds nearly as much, and what is removed is not found."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genus.errors import DataError, MissingExtraError, OutputError, ParameterError
from genus.search import storage
from genus.search import vector_index as module
from genus.search.exact import search_exactly
from genus.search.graph import Graph, is_installed
from genus.search.storage import STORAGES, StoredRows, store_rows
from genus.search.vector_index import VectorIndex

from .rows import clouds, unit

with_usearch = pytest.mark.skipif(not is_installed(), reason="needs usearch: pip install genus[search]")


@given(st.integers(0, 60), st.integers(0, 5), st.integers(1, 70), st.integers(0, 10_000))
def test_exact_search_is_a_sort_of_all(n: int, m: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(-2, 3, (n, 4)).astype(np.float32)  # with many ties
    queries = rng.integers(-2, 3, (m, 4)).astype(np.float32)
    found = search_exactly(StoredRows(rows), queries, k)
    for query, places, scores in zip(queries, found.rows, found.scores, strict=True):
        wanted = np.argsort(-(rows @ query), kind="stable")[:k]
        assert places.tolist() == wanted.tolist()
        assert scores.tolist() == (rows @ query)[wanted].tolist()


@pytest.mark.parametrize("storage", STORAGES)
def test_what_is_stored_is_nearly_what_was_given(storage: str) -> None:
    rows, _ = clouds(50, 32)
    stored = store_rows(rows, storage)
    assert stored.storage == storage and len(stored) == 50
    np.testing.assert_allclose(
        stored.read(slice(None)), rows, atol={"int8": 5e-3, "float16": 1e-3}.get(storage, 0)
    )
    np.testing.assert_array_equal(stored.read(np.array([3, 1])), stored.read(slice(None))[[3, 1]])
    assert (VectorIndex(stored).search(rows, 1).rows[:, 0] == np.arange(50)).all()


def test_there_are_three_storages() -> None:
    with pytest.raises(ParameterError, match="storage must be one of"):
        store_rows(np.zeros((1, 2), np.float32), "float64")  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=12), st.integers(0, 100))
def test_after_any_additions_and_removals_it_finds_what_is_left(
    steps: list[tuple[bool, int]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = unit(rng.standard_normal((5, 3)))
    index, there = VectorIndex.of(rows), set(range(5))
    for adds, number in steps:
        if adds:
            more = unit(rng.standard_normal((number % 4, 3)))
            index.add(more)
            there |= set(range(len(rows), len(rows) + len(more)))
            rows = np.concatenate([rows, more])
        elif there:
            gone = sorted(there)[number % len(there)]
            index.remove(np.array([gone]))
            there.discard(gone)
    query = unit(rng.standard_normal((1, 3)))
    found = index.search(query, 50).rows[0].tolist()
    assert len(index) == len(there) and set(found) == there
    assert found == sorted(there, key=lambda i: -float(rows[i] @ query[0]))
    np.testing.assert_array_equal(index.read(np.array(sorted(there), np.int64)), rows[sorted(there)])


@pytest.fixture
def with_graph(monkeypatch: pytest.MonkeyPatch) -> VectorIndex:
    """2,000 rows in a graph, as if these were many."""
    monkeypatch.setattr(module, "EXACT_NUMBERS", 4000)
    index = VectorIndex.of(clouds(2000, 24, 8)[0], "float16")
    index.make_graph()
    return index


@with_usearch
class TestGraph:
    def test_its_recall_is_measured_and_high(self, with_graph: VectorIndex) -> None:
        assert with_graph.recall is not None and not with_graph.is_exact
        assert with_graph.recall.value >= 0.98 and with_graph.recall.n_queries == 200
        queries, _ = clouds(40, 24, 8, seed=1)
        found, true = with_graph.search(queries, 10), with_graph.search(queries, 10, exact=True)
        assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.rows, true.rows, strict=True)]) > 0.95
        best = found.rows[:, 0] == true.rows[:, 0]
        np.testing.assert_allclose(
            found.scores[best, 0], true.scores[best, 0], atol=1e-5
        )  # compared again as stored

    def test_a_filter_that_leaves_little_is_met_exactly(self, with_graph: VectorIndex) -> None:
        for n_allowed in (3, 150, 1500):
            allowed = np.zeros(2000, bool)
            allowed[:n_allowed] = True
            found = with_graph.search(clouds(5, 24, 8, seed=1)[0], 10, allowed)
            assert found.rows.shape == (5, min(10, n_allowed))
            assert (found.rows < n_allowed).all() and (found.rows >= 0).all()

    def test_it_follows_what_comes_and_goes(self, with_graph: VectorIndex) -> None:
        query = unit(np.full((1, 24), -1.0))
        with_graph.add(query)
        assert with_graph.search(query, 1).rows.tolist() == [[2000]]  # before it is in the graph
        with_graph.remove(np.array([2000, 7]))
        with_graph.settle()
        assert with_graph.graph is not None and len(with_graph.graph) == 1999
        assert 2000 not in with_graph.search(query, 10).rows
        with_graph.add(query)
        with_graph.settle()
        assert with_graph.search(query, 1).rows.tolist() == [[2001]]

    def test_the_graph_of_other_rows_is_refused(self, with_graph: VectorIndex, tmp_path) -> None:
        assert with_graph.graph is not None
        with_graph.graph.save(tmp_path / "graph")
        assert len(Graph.open(tmp_path / "graph", 24, 2000)) == 2000
        with pytest.raises(DataError, match="belongs to other rows"):
            Graph.open(tmp_path / "graph", 24, 1999)
        (tmp_path / "graph").write_bytes(b"no graph")
        with pytest.raises(DataError, match="damaged"):
            Graph.open(tmp_path / "graph", 24, 2000)


def test_rows_are_read_in_blocks_across_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_BLOCK_ROWS", 3)
    index = VectorIndex.of(clouds(10)[0])
    index.add(clouds(6, seed=1)[0])
    places = np.array([0, 2, 3, 4, 9, 10, 15])
    numbers, rows = zip(*index.blocks(places), strict=True)
    assert np.concatenate(numbers).tolist() == places.tolist() and max(map(len, rows)) == 3
    np.testing.assert_array_equal(np.concatenate(rows), index.read(places))


class _Failing:
    """What usearch does on a full disk, and where a file is gone or damaged."""

    serialized_length = 10

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def save(self, path: str) -> None:
        if self.error is not None:
            raise self.error
        Path(path).write_bytes(b"short")

    def load(self, path: str) -> None:
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("error", [RuntimeError("no room."), OSError("no room"), None])
def test_a_graph_that_cannot_be_written_is_said(error: Exception | None, tmp_path: Path) -> None:
    words = "cannot write the graph: no room. Is the disk full" if error else "the graph as a whole"
    with pytest.raises(OutputError, match=words):
        Graph(_Failing(error)).save(tmp_path / "graph")


@pytest.mark.parametrize("error", [RuntimeError("no file"), FileNotFoundError("no file")])
def test_a_graph_that_is_gone_is_said(error: Exception) -> None:
    with pytest.raises(DataError, match=r"can no longer be read: no file.*open it again"):
        Graph(_Failing(error), "graph").remove(np.array([1]))


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "usearch.index", None)
    with pytest.raises(MissingExtraError, match=r"genus\[search\]"):
        Graph.empty(3)
