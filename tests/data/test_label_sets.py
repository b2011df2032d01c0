"""Several labels an image in memory: names, numbers, matrices, and the columns that hold them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genus.data.dataset import Dataset
from genus.data.given_labels import read_labels
from genus.data.label_cells import Cell, cell_of, join_cells, label_texts
from genus.data.label_sets import LabelSets
from genus.data.read import read_dataset
from genus.errors import DataError

IMAGES = [b"1", b"2", b"3"]


def sets_of(y: object, multilabel: bool | None = None) -> LabelSets:
    data = read_dataset(IMAGES, y, multilabel=multilabel)
    assert data.labels is None
    assert data.label_sets is not None
    return data.label_sets


class TestLabelSets:
    def test_names_are_sorted_naturally_and_rows_may_be_empty_or_unknown(self) -> None:
        found = LabelSets.of([["b10", "b9"], [], None], names=["a"])
        assert found.names == ("a", "b9", "b10")
        assert found.values.tolist() == [[0, 1, 1], [0, 0, 0], [-1, -1, -1]]
        assert found.known.tolist() == [True, True, False]
        assert found.counts() == {"a": 0, "b9": 1, "b10": 1}

    def test_shapes_names_and_values_are_checked(self) -> None:
        with pytest.raises(DataError, match="1 label names, but label values of shape"):
            LabelSets(("a",), np.zeros((2, 2), np.int8))
        with pytest.raises(DataError, match="labels occur twice: a"):
            LabelSets(("a", "a"), np.zeros((2, 2), np.int8))
        with pytest.raises(DataError, match=r"must be 1 \(has it\)"):
            LabelSets(("a",), np.array([[2]], np.int8))

    def test_names_that_are_not_known_come_back_unknown(self) -> None:
        assert LabelSets.of([["a"]]).aligned(["b", "a"]).tolist() == [[-1, 1]]

    def test_images_of_one_group_may_contradict_each_other(self) -> None:
        sets = LabelSets.of([["a"], ["b"], ["a"], ["a"], None, ["b"]], names=["c"])
        assert sets.contradictions([1, 1, 2, 2, 3, 3]).tolist() == [1]
        assert sets.contradictions(range(6)).tolist() == []

    def test_a_data_set_has_labels_or_sets_of_labels(self) -> None:
        sets = LabelSets.of([["a"], ["a", "b"], None])
        data = Dataset(read_dataset(IMAGES).sources, label_sets=sets)
        assert (data.classes, data.counts(), data.is_multilabel) == (("a", "b"), {"a": 2, "b": 1}, True)
        assert data.take([1]).label_sets.values.tolist() == [[1, 1]]
        assert len(data.labelled()) == 2
        with pytest.raises(DataError, match="not both"):
            Dataset(data.sources, labels=("a", "b", "c"), label_sets=sets)


class TestMemory:
    @pytest.mark.parametrize(
        "y",
        [
            [["a", "b"], [], ["b"]],
            [("a", "b"), (), ("b",)],
            [{"a", "b"}, set(), frozenset({"b"})],
            [np.array(["b", "a"]), [], "b"],
            np.array([["a", "b"], [], ["b"]], object),
        ],
    )
    def test_lists_of_names(self, y: object) -> None:
        assert sets_of(y).names == ("a", "b")
        assert sets_of(y).values.tolist() == [[1, 1], [0, 0], [0, 1]]

    def test_lists_of_numbers_that_are_no_matrix(self) -> None:
        assert sets_of([[3, 10.0], [3], []]).names == ("3", "10")
        assert sets_of([[0, 1], [1], [0]]).values.tolist() == [[1, 1], [0, 1], [1, 0]]

    def test_none_is_nobody_knows_and_empty_is_none_of_them(self) -> None:
        assert sets_of([["a"], None, []]).values.tolist() == [[1], [-1], [0]]
        assert sets_of([["a", "?"], ["?b"], []]).values.tolist() == [[1, -1], [0, -1], [0, 0]]

    @pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, np.float32, bool, object])
    def test_a_matrix_of_0_and_1(self, dtype: type) -> None:
        matrix = np.array([[1, 0], [0, 0], [1, 1]], dtype)
        assert sets_of(matrix).names == ("0", "1")
        assert sets_of(matrix).values.tolist() == [[1, 0], [0, 0], [1, 1]]
        assert sets_of(matrix.tolist()).values.tolist() == [[1, 0], [0, 0], [1, 1]]

    def test_unknown_cells_of_a_matrix(self) -> None:
        expected = [[1, -1], [0, 0], [-1, -1]]
        assert sets_of(np.array([[1, np.nan], [0, 0], [-1, np.nan]])).values.tolist() == expected
        assert sets_of(np.array([[1, None], [0, 0], ["?", None]], object)).values.tolist() == expected
        assert sets_of([[1, float("nan")], [0, 0], [float("nan")] * 2]).values.tolist() == expected

    def test_a_sparse_matrix(self) -> None:
        sparse = pytest.importorskip("scipy.sparse").csr_array(np.array([[1, 0], [0, 0], [1, 1]]))
        assert sets_of(sparse).values.tolist() == [[1, 0], [0, 0], [1, 1]]

    def test_a_data_frame_names_its_columns(self) -> None:
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame({"dog": [1, 0, None], "cat": [True, False, True]})
        assert sets_of(frame).names == ("dog", "cat")
        assert sets_of(frame).values.tolist() == [[1, 1], [0, 0], [-1, 1]]
        with pytest.raises(DataError, match="label column 'dog' has 2 in row 3"):
            sets_of(pandas.DataFrame({"dog": [1, 0, 2], "cat": [1, 0, 1]}))

    def test_a_series_and_an_arrow_array_of_lists(self) -> None:
        pandas, pa = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
        rows = [["a", "b"], [], ["b"]]
        for y in (pandas.Series(rows), pa.array(rows), pa.chunked_array([rows])):
            assert sets_of(y).values.tolist() == [[1, 1], [0, 0], [0, 1]]

    def test_label_sets_pass_through(self) -> None:
        sets = LabelSets.of([["a"], ["b"], None])
        assert sets_of(sets) is sets

    def test_a_matrix_with_another_value_names_the_place(self) -> None:
        with pytest.raises(DataError, match=r"the matrix has 0\.5 in row 1, column 0; expected 1"):
            sets_of(np.array([[1, 0], [0.5, 0], [0, 1]]))

    @pytest.mark.parametrize("y", [[["a"]], np.zeros((2, 3)), LabelSets.of([["a"]])])
    def test_another_number_of_labels(self, y: object) -> None:
        with pytest.raises(DataError, match="3 images, but [12] labels"):
            sets_of(y)

    def test_they_replace_those_of_the_data(self) -> None:
        data = read_dataset(read_dataset(IMAGES, ["x", "y", "z"]), [["a"], [], ["b"]])
        assert (data.labels, data.classes) == (None, ("a", "b"))
        assert read_dataset(data, ["x", "y", "z"]).label_sets is None


class TestWishes:
    def test_single_labels_become_sets(self) -> None:
        assert sets_of(["a", None, "b|c"], multilabel=True).values.tolist() == [[1, 0], [-1, -1], [0, 1]]
        data = read_dataset(read_dataset(IMAGES, ["a", None, "b"]), multilabel=True)
        assert data.label_sets.values.tolist() == [[1, 0], [-1, -1], [0, 1]]

    @pytest.mark.parametrize("y", [[["a"], ["b"], []], np.eye(3)])
    def test_several_are_refused_where_one_is_wanted(self, y: object) -> None:
        with pytest.raises(DataError, match="several"):
            read_dataset(IMAGES, y, multilabel=False)

    def test_sets_of_one_label_each_become_single_labels(self) -> None:
        data = read_dataset(IMAGES, [["a"], None, ["b"]])
        assert read_dataset(data, multilabel=False).labels == ("a", None, "b")
        with pytest.raises(DataError, match=r"image 1 has several labels; leave out --single-label"):
            read_dataset(read_dataset(IMAGES, [["a"], ["a", "b"], []]), multilabel=False)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="|?"), min_size=1).map(str.strip).filter(bool)


@st.composite
def label_sets(draw: st.DrawFn) -> LabelSets:
    """Any label sets whose names can be written in a cell."""
    names = draw(st.lists(NAMES, unique=True, max_size=5))
    n = draw(st.integers(1, 6))
    cells = st.lists(st.sampled_from([-1, 0, 1]), min_size=len(names), max_size=len(names))
    return LabelSets(
        tuple(names), np.array(draw(st.lists(cells, min_size=n, max_size=n)), np.int8).reshape(n, -1)
    )


@given(label_sets())
def test_what_is_written_as_text_is_read_back(sets: LabelSets) -> None:
    back = join_cells([[cell_of(text.split("|"))] for text in label_texts(sets)])
    named = [name for name, n in zip(sets.names, (sets.values == 1).any(0), strict=True) if n]
    for name in named:
        column, again = sets.names.index(name), back.names.index(name)
        np.testing.assert_array_equal(sets.values[:, column], back.values[:, again])


@given(st.lists(st.lists(st.sampled_from(["a", "b", "?", "?a", "?c"])), min_size=1, max_size=4))
def test_the_order_of_an_images_rows_does_not_matter(rows: list[list[str]]) -> None:
    cells = [cell_of(row) for row in rows]
    forward, back = join_cells([cells]), join_cells([cells[::-1]])
    assert forward.names == back.names
    np.testing.assert_array_equal(forward.values, back.values)


def test_a_cell_is_read_once() -> None:
    assert cell_of([" cat", "cat", "?dog", "? bird", "?", ""]) == Cell(("cat",), ("dog", "bird"), True)


def test_nothing_is_changed_in_place(tmp_path: Path) -> None:
    matrix = np.array([[1.0, np.nan], [0, 0], [0, 1]])
    before = matrix.copy()
    read_labels(matrix, 3)
    np.testing.assert_array_equal(matrix, before)
