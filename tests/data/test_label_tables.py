"""Tables with several labels an image: lists, separators, columns of 0 and 1."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genus.data.dataset import Dataset
from genus.data.read import read_dataset
from genus.data.tables import TableOptions
from genus.errors import DataError, ParameterError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the images 1.png to 30.png."""
    for i in range(1, 31):
        Image.new("RGB", (2, 2), (i, 0, 0)).save(tmp_path / f"{i}.png")
    return tmp_path


def read_column(folder: Path, values: list[str], column: str = "labels", **options: object) -> Dataset:
    """Read a table with an image and a quoted text a row."""
    rows = [f'{i}.png,"{value}"' for i, value in enumerate(values, start=1)]
    (folder / "t.csv").write_text("\n".join([f"image,{column}", *rows]), "utf-8")
    return read_dataset(folder / "t.csv", options=TableOptions(**options))


def read_lines(folder: Path, lines: list[str], **options: object) -> Dataset:
    (folder / "t.csv").write_text("\n".join(lines), "utf-8")
    return read_dataset(folder / "t.csv", options=TableOptions(**options))


def sets_of(data: Dataset) -> list[tuple[str, ...]]:
    assert data.label_sets is not None, data.notes
    return [data.label_sets[i] for i in range(len(data))]


class TestSeparators:
    @pytest.mark.parametrize("separator", ["|", ";", ",", " | ", ", "])
    def test_each_is_found_by_looking(self, folder: Path, separator: str) -> None:
        texts = [separator.join(names) for names in (["cat", "dog"], ["dog"], ["bird", "cat", "dog"])]
        data = read_column(folder, texts)
        assert sets_of(data) == [("cat", "dog"), ("dog",), ("bird", "cat", "dog")]
        assert f"separated by {separator.strip()!r}" in data.notes[0]

    @pytest.mark.parametrize("column", ["labels", "tags", "Finding Labels", "image_tags", "Findings"])
    def test_a_plural_name_makes_lists_of_anything_with_a_bar(self, folder: Path, column: str) -> None:
        assert sets_of(read_column(folder, ["a|b", "c"], column)) == [("a", "b"), ("c",)]

    def test_a_count_is_no_list(self, folder: Path) -> None:
        assert read_column(folder, ["1", "2"], "n_labels").labels is None

    @pytest.mark.parametrize("column", ["label", "labels"])
    @pytest.mark.parametrize(
        "names",
        [["tench, Tinca tinca", "goldfish, Carassius auratus"], ["crane, bird", "crane", "hen, fowl"]],
    )
    def test_class_names_with_commas_stay_whole(self, folder: Path, column: str, names: list[str]) -> None:
        data = read_column(folder, names, column)
        assert data.labels == tuple(names)
        assert "taken for a part of the name; --label-separator ','" in data.notes[0]

    @pytest.mark.parametrize(
        "names", [["red;car", "bicycle"], ["red;car", "red;bus", "blue;car", "blue;bus"]]
    )
    def test_class_names_made_of_parts_stay_whole(self, folder: Path, names: list[str]) -> None:
        assert read_column(folder, names, "label").labels == tuple(names)

    def test_a_singular_name_makes_lists_where_parts_recur_in_other_places(self, folder: Path) -> None:
        assert sets_of(read_column(folder, ["a|b", "b", "b|c"], "label")) == [("a", "b"), ("b",), ("b", "c")]

    def test_the_separator_can_be_named(self, folder: Path) -> None:
        data = read_column(folder, ["a/b", "c"], "label", label_separator="/")
        assert sets_of(data) == [("a", "b"), ("c",)]

    @pytest.mark.parametrize(
        "options", [{"label_separator": " "}, {"label_separator": "|", "multilabel": False}]
    )
    def test_separators_that_cannot_be(self, folder: Path, options: dict[str, object]) -> None:
        with pytest.raises(ParameterError, match="label separator"):
            read_column(folder, ["a|b"], **options)


class TestWishes:
    def test_single_labels_are_never_separated(self, folder: Path) -> None:
        assert read_column(folder, ["a|b", "a"], multilabel=False).labels == ("a|b", "a")
        assert read_column(folder, ["['a']", "['b']"], multilabel=False).labels == ("['a']", "['b']")

    def test_single_names_become_sets_of_one(self, folder: Path) -> None:
        data = read_column(folder, ["a", "b", "", "?"], "label", multilabel=True)
        assert sets_of(data) == [("a",), ("b",), (), ()]
        assert data.label_sets.known.tolist() == [True, True, True, False]

    def test_the_parameter_of_read_dataset_says_the_same(self, folder: Path) -> None:
        read_column(folder, ["a", "b"], "label")
        assert read_dataset(folder / "t.csv", multilabel=True).is_multilabel

    def test_a_plural_column_is_preferred_where_several_are_wanted(self, folder: Path) -> None:
        lines = ["image,label,labels", "1.png,x,a|b", "2.png,y,b"]
        assert read_lines(folder, lines).labels == ("x", "y")
        assert read_lines(folder, lines, multilabel=True).classes == ("a", "b")


class TestUnknown:
    def test_empty_is_none_and_a_question_mark_is_nobody_knows(self, folder: Path) -> None:
        data = read_column(folder, ["cat|dog", "", "?", "cat|?", "?dog", "cat|?dog"])
        assert data.label_sets.names == ("cat", "dog")
        expected = [[1, 1], [0, 0], [-1, -1], [1, -1], [0, -1], [1, -1]]
        assert data.label_sets.values.tolist() == expected
        assert any("1 image that nobody has labelled" in note for note in data.notes)
        assert any("1 image without any label: taken to have none" in note for note in data.notes)


class TestLists:
    @pytest.mark.parametrize(
        ("first", "second"),
        [('[""a"", ""b""]', "[]"), ("['a', 'b']", "[]"), ("['a' 'b']", "[]"), ("['a','b']", "")],
    )
    def test_lists_written_out(self, folder: Path, first: str, second: str) -> None:
        data = read_column(folder, [first, second, "['b']"], "label")
        assert sets_of(data) == [("a", "b"), (), ("b",)]

    def test_numbers_in_lists(self, folder: Path) -> None:
        assert sets_of(read_column(folder, ["[1, 2]", "[10]"])) == [("1", "2"), ("10",)]

    def test_a_damaged_list_is_named(self, folder: Path) -> None:
        with pytest.raises(
            DataError, match=r"column 'labels' has lists of labels, but \"\['a', 'b\" in row 2"
        ):
            read_column(folder, ["['a']", "['a', 'b", "['b']"])

    def test_names_in_brackets_are_names(self, folder: Path) -> None:
        assert read_column(folder, ["[unclear]", "cat"], "label").labels == ("[unclear]", "cat")

    def test_json_lists_and_missing_ones(self, folder: Path) -> None:
        rows = [
            {"image": "1.png", "label": ["a", "b"]},
            {"image": "2.png", "label": []},
            {"image": "3.png", "label": None},
            {"image": "4.png", "label": "b"},
        ]
        (folder / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
        data = read_dataset(folder / "t.jsonl")
        assert data.label_sets.values.tolist() == [[1, 1], [0, 0], [-1, -1], [0, 1]]
        with pytest.raises(DataError, match="expected one class an image, not several"):
            read_dataset(folder / "t.jsonl", multilabel=False)

    def test_lists_in_lists_are_refused(self, folder: Path) -> None:
        (folder / "t.jsonl").write_text(json.dumps({"image": "1.png", "labels": [["a"], "b"]}))
        with pytest.raises(DataError, match="expected one class"):
            read_dataset(folder / "t.jsonl")

    def test_parquet_lists(self, folder: Path) -> None:
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        table = pa.table({"image": ["1.png", "2.png", "3.png"], "labels": [["a", "b"], [], None]})
        parquet.write_table(table, folder / "t.parquet")
        for data in (
            read_dataset(folder / "t.parquet"),
            read_dataset(table, options=TableOptions(root=str(folder))),
        ):
            assert data.label_sets.values.tolist() == [[1, 1], [0, 0], [-1, -1]]

    def test_class_numbers_of_a_hugging_face_list_get_their_names(self, folder: Path) -> None:
        pa = pytest.importorskip("pyarrow")
        feature = {"feature": {"names": ["cat", "dog"], "_type": "ClassLabel"}, "_type": "Sequence"}
        metadata = {"huggingface": json.dumps({"info": {"features": {"labels": feature}}})}
        table = pa.table({"image": ["1.png", "2.png"], "labels": [[0, 1], [1]]}).replace_schema_metadata(
            metadata
        )
        assert sets_of(read_dataset(table, options=TableOptions(root=str(folder)))) == [
            ("cat", "dog"),
            ("dog",),
        ]

    def test_a_data_frame_of_lists_arrays_and_gaps(self, folder: Path) -> None:
        pandas = pytest.importorskip("pandas")
        names = [str(folder / f"{i}.png") for i in (1, 2, 3)]
        frame = pandas.DataFrame({"path": names, "labels": [["b"], np.array(["a", "b"]), None]})
        assert read_dataset(frame).label_sets.values.tolist() == [[0, 1], [1, 1], [-1, -1]]

    def test_an_empty_cell_means_the_same_in_a_file_and_in_a_data_frame(self, folder: Path) -> None:
        pandas = pytest.importorskip("pandas")
        data = read_column(folder, ["a|b", "", "?"])
        frame = read_dataset(pandas.read_csv(folder / "t.csv"), options=TableOptions(root=str(folder)))
        assert frame.label_sets.values.tolist() == data.label_sets.values.tolist()


class TestFlags:
    @pytest.mark.parametrize(
        ("yes", "no"), [("1", "0"), ("1.0", "0.0"), ("true", "false"), ("True", "False"), ("TRUE", "0")]
    )
    def test_columns_of_0_and_1_are_labels_in_their_order(self, folder: Path, yes: str, no: str) -> None:
        data = read_lines(
            folder, ["image,dog,cat,width", f"1.png,{yes},{no},40", f"2.png,{no},,50", f"3.png,?,{yes},60"]
        )
        assert data.label_sets.names == ("dog", "cat")
        assert data.label_sets.values.tolist() == [[1, 0], [0, -1], [-1, 1]]
        assert "columns of 0 and 1 are read as labels, several an image: dog, cat (2 in all)" in data.notes[0]

    def test_they_can_be_named(self, folder: Path) -> None:
        lines = ["image,label,cat,dog,seen", "1.png,x,1,0,1", "2.png,y,1,1,1"]
        data = read_lines(folder, lines, label_column="cat, dog")
        assert sets_of(data) == [("cat",), ("cat", "dog")]
        assert read_lines(folder, lines).labels == ("x", "y")

    def test_a_column_of_that_very_name_counts_first(self, folder: Path) -> None:
        assert read_lines(
            folder, ['image,"cat,dog"', "1.png,a", "2.png,b"], label_column="cat,dog"
        ).labels == ("a", "b")

    def test_a_missing_one_is_named(self, folder: Path) -> None:
        with pytest.raises(
            DataError, match="column 'bird' of --label-column cat,bird is missing; found image, cat"
        ):
            read_lines(folder, ["image,cat", "1.png,1"], label_column="cat,bird")

    @pytest.mark.parametrize("value", ["2", "0.5", "yes"])
    def test_another_value_is_an_error_with_its_place(self, folder: Path, value: str) -> None:
        lines = ["image,cat,dog", "1.png,1,0", f"2.png,1,{value}"]
        with pytest.raises(DataError, match=f"label column 'dog' has '{value}' in row 2; expected 1"):
            read_lines(folder, lines, label_column="cat,dog")

    def test_one_odd_value_does_not_hide_a_label(self, folder: Path) -> None:
        lines = ["image,cat,dog", *(f"{i}.png,1,0" for i in range(1, 20)), "20.png,1,2"]
        with pytest.raises(
            DataError, match=r"'dog' has '2' in row 20; .* leave the column out .*--label-column cat"
        ):
            read_lines(folder, lines, label_column=None, multilabel=True)

    def test_numbers_of_another_kind_are_no_labels(self, folder: Path) -> None:
        data = read_lines(folder, ["image,cat,dog,age", "1.png,1,0,0", "2.png,0,0,1", "3.png,0,1,40"])
        assert data.classes == ("cat", "dog")

    def test_one_column_alone_is_no_set_unless_wanted(self, folder: Path) -> None:
        lines = ["image,defect", "1.png,1", "2.png,0"]
        assert read_lines(folder, lines).label_sets is None
        assert sets_of(read_lines(folder, lines, multilabel=True)) == [("defect",), ()]

    def test_single_labels_want_one_column(self, folder: Path) -> None:
        lines = ["image,cat,dog", "1.png,1,0"]
        assert read_lines(folder, lines, multilabel=False).label_sets is None
        with pytest.raises(ParameterError, match="2 label columns make several labels an image"):
            read_lines(folder, lines, multilabel=False, label_column="cat,dog")

    def test_a_thousand_columns(self, folder: Path) -> None:
        names = [f"label {i}" for i in range(1000)]
        rows = [f"{i}.png," + ",".join("01"[(i + j) % 7 == 0] for j in range(1000)) for i in range(1, 31)]
        data = read_lines(folder, ["image," + ",".join(names), *rows])
        assert data.label_sets.names == tuple(names)
        assert data.label_sets.values.sum() == sum(row.partition(",")[2].count("1") for row in rows)


class TestRowsOfOneImage:
    def test_a_label_a_row_is_joined_where_several_are_wanted(self, folder: Path) -> None:
        lines = ["image,label", "1.png,cat", "1.png,dog", "2.png,cat", "./1.png,bird", "1.png,cat"]
        data = read_lines(folder, lines, multilabel=True)
        assert sets_of(data) == [("bird", "cat", "dog"), ("cat",)]
        assert any(
            "5 rows of 2 images: an image has the labels of all its rows" in note for note in data.notes
        )

    def test_otherwise_the_error_says_how_to(self, folder: Path) -> None:
        with pytest.raises(DataError, match=r"1\.png is 'cat' in row 1 and 'dog' in row 2.*--multi-label"):
            read_lines(folder, ["image,label", "1.png,cat", "1.png,dog"])

    def test_what_one_row_names_another_row_does_not_take_away(self, folder: Path) -> None:
        data = read_lines(folder, ["image,labels", "1.png,?", "1.png,cat|dog", "2.png,cat", "2.png,?dog"])
        assert data.label_sets.values.tolist() == [[1, 1], [1, -1]]

    def test_rows_of_0_and_1_complete_each_other(self, folder: Path) -> None:
        data = read_lines(folder, ["image,cat,dog", "1.png,1,?", "1.png,,0", "2.png,0,"])
        assert data.label_sets.values.tolist() == [[1, 0], [0, -1]]

    def test_rows_of_0_and_1_may_contradict_each_other(self, folder: Path) -> None:
        lines = ["image,cat,dog", "1.png,1,0", "2.png,1,1", "1.png,1,1"]
        with pytest.raises(DataError, match=r"1\.png has 'dog' in row 3 and has it not in row 1"):
            read_lines(folder, lines)
        data = read_lines(folder, lines, on_conflict="drop")
        assert sets_of(data) == [("cat", "dog")]
        assert any("contradictory" in note for note in data.notes)


class TestRealSets:
    @pytest.mark.parametrize(
        ("name", "n", "n_labels", "n_with"),
        [("ucmerced", 2100, 17, 2100), ("bccd", 364, 3, 364), ("coco128", 128, 71, 126)],
    )
    def test_read_without_being_told(
        self, shared_data: Path, name: str, n: int, n_labels: int, n_with: int
    ) -> None:
        data = read_dataset(shared_data / name / "labels.csv")
        assert (len(data), len(data.classes)) == (n, n_labels)
        assert sum(bool(names) for names in sets_of(data)) == n_with

    def test_a_table_of_boxes_is_a_label_a_row(self, shared_data: Path) -> None:
        data = read_dataset(shared_data / "coco128" / "boxes.csv", multilabel=True)
        whole = read_dataset(shared_data / "coco128" / "labels.csv")
        assert (
            dict(zip(data.names, sets_of(data), strict=True)).items()
            <= dict(zip(whole.names, sets_of(whole), strict=True)).items()
        )
