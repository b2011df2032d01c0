"""Reading: folders, tables and lists, each recognised by looking."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genus.data.dataset import Dataset
from genus.data.read import read_dataset
from genus.data.tables import TableOptions
from genus.errors import DataError, ParameterError


def put(root: Path, *names: str) -> Path:
    """Write small pictures, each of another colour."""
    for i, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 3), (i * 7 % 256, i, 0)).save(path, format="PNG")
    return root


def labels_of(data: Dataset) -> dict[str, str | None]:
    return dict(zip((Path(n).name for n in data.names), data.labels or (None,) * len(data), strict=True))


class TestFolders:
    def test_one_folder_a_class(self, tmp_path: Path) -> None:
        data = read_dataset(put(tmp_path, "cat/1.png", "cat/deep/2.png", "dog/3.png"))
        assert labels_of(data) == {"1.png": "cat", "2.png": "cat", "3.png": "dog"}
        assert data.splits is None

    @pytest.mark.parametrize(
        ("folder", "split"),
        [
            ("train", "train"),
            ("Training", "train"),
            ("VAL", "val"),
            ("valid", "val"),
            ("validation", "val"),
            ("dev", "val"),
            ("test", "test"),
            ("Testing", "test"),
        ],
    )
    def test_split_folders_in_any_spelling(self, tmp_path: Path, folder: str, split: str) -> None:
        data = read_dataset(put(tmp_path, f"{folder}/cat/1.png", f"{folder}/dog/2.png"))
        assert data.splits == (split, split)
        assert data.classes == ("cat", "dog")

    def test_a_class_named_like_a_split_beside_others_is_a_class(self, tmp_path: Path) -> None:
        data = read_dataset(put(tmp_path, "test/1.png", "dog/2.png"))
        assert data.classes == ("dog", "test")
        assert "taken for a class" in data.notes[0]

    def test_a_pile_of_images_has_no_labels(self, tmp_path: Path) -> None:
        data = read_dataset(put(tmp_path, "1.png", "2.png"))
        assert data.labels is None
        assert len(data) == 2

    def test_names_are_naturally_sorted(self, tmp_path: Path) -> None:
        data = read_dataset(put(tmp_path, "10/x10.png", "10/x9.png", "9/a.png", "2/a.png"))
        assert data.classes == ("2", "9", "10")
        assert [Path(n).name for n in data.names][-2:] == ["x9.png", "x10.png"]

    def test_what_is_no_image_is_left_out_and_counted(self, tmp_path: Path) -> None:
        put(tmp_path, "a/1.png", "b/2.png", "a/.hidden.png", "b/Thumbs.db", "__MACOSX/x/3.png")
        (tmp_path / "a" / "notes.txt").write_text("x")
        (tmp_path / "b" / "picture.unknown").write_bytes(b"?")
        data = read_dataset(tmp_path)
        assert set(labels_of(data)) == {"1.png", "2.png", "picture.unknown"}
        assert data.notes == ("1 file left out: no images by their names",)

    @pytest.mark.parametrize("name", ["with space.png", "Ünïcødé 花.png", "new\nline.png", "%41&'\".png"])
    def test_odd_names_work(self, tmp_path: Path, name: str) -> None:
        data = read_dataset(put(tmp_path, f"a/{name}", "b/2.png"))
        assert name in labels_of(data)
        assert data.sources[0].read(10_000)

    def test_a_symbolic_link_loop_ends(self, tmp_path: Path) -> None:
        put(tmp_path, "a/1.png", "b/2.png")
        (tmp_path / "a" / "again").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "a" / "self").symlink_to(tmp_path / "a", target_is_directory=True)
        (tmp_path / "up").symlink_to(tmp_path, target_is_directory=True)
        assert len(read_dataset(tmp_path).sources) <= 4

    def test_an_empty_class_folder_is_no_class(self, tmp_path: Path) -> None:
        put(tmp_path, "a/1.png", "b/2.png")
        (tmp_path / "c").mkdir()
        assert read_dataset(tmp_path).classes == ("a", "b")

    def test_class_folders_count_before_a_table_beside_them(self, tmp_path: Path) -> None:
        put(tmp_path, "a/1.png", "b/2.png")
        (tmp_path / "labels.csv").write_text("image,label\na/1.png,x\nb/2.png,y\n")
        data = read_dataset(tmp_path)
        assert data.classes == ("a", "b")
        assert "labels.csv" in data.notes[0]
        assert read_dataset(tmp_path / "labels.csv").classes == ("x", "y")

    def test_a_table_counts_where_there_are_no_class_folders(self, tmp_path: Path) -> None:
        put(tmp_path, "images/1.png", "images/2.png")
        (tmp_path / "labels.csv").write_text("image,label\nimages/1.png,x\nimages/2.png,y\n")
        assert read_dataset(tmp_path).classes == ("x", "y")

    @pytest.mark.parametrize(
        "make", [lambda p: p, lambda p: (p / "a").mkdir() or p, lambda p: (p / "t.txt").touch() or p]
    )
    def test_nothing_to_read_is_said(self, tmp_path: Path, make: object) -> None:
        with pytest.raises(DataError, match="no images in this folder"):
            read_dataset(make(tmp_path))

    def test_patterns_and_single_files(self, tmp_path: Path) -> None:
        put(tmp_path, "1.png", "2.png", "3.jpg")
        assert len(read_dataset(f"{tmp_path}/*.png")) == 2
        assert len(read_dataset(tmp_path / "3.jpg")) == 1
        with pytest.raises(DataError, match="no image matches"):
            read_dataset(f"{tmp_path}/*.gif")

    def test_the_reader_can_be_named(self, tmp_path: Path) -> None:
        put(tmp_path, "a/1.png", "b/2.png")
        assert read_dataset(tmp_path, reader="flat").labels is None
        with pytest.raises(ParameterError, match="no reader named 'folder'. Did you mean 'folders'"):
            read_dataset(tmp_path, reader="folder")


class TestTables:
    def test_paths_start_from_the_table(self, tmp_path: Path) -> None:
        put(tmp_path, "pics/1.png", "pics/2.png")
        (tmp_path / "t.csv").write_text("path,label,split,group\npics/1.png,x,Train,p1\npics/2.png,y,TEST,\n")
        data = read_dataset(tmp_path / "t.csv")
        assert (data.labels, data.splits, data.groups) == (("x", "y"), ("train", "test"), ("p1", None))
        assert all(source.path.is_file() for source in data.sources)

    @pytest.mark.parametrize("column", ["path", "image", "filename", "file_name", "Image"])
    def test_the_image_column_has_several_names(self, tmp_path: Path, column: str) -> None:
        put(tmp_path, "1.png")
        (tmp_path / "t.csv").write_text(f"{column},label\n1.png,x\n")
        assert len(read_dataset(tmp_path / "t.csv")) == 1

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("t.tsv", "image\tlabel\n1.png\tx\n"),
            ("t.csv", "image;label\n1.png;x\n"),
            ("t.csv", "\ufeffimage,label\r\n1.png,x\r\n"),
            ("t.csv", 'image,label\n"1.png","x"\n'),
            ("t.jsonl", '{"image": "1.png", "label": "x"}\n'),
            ("t.json", '[{"image": "1.png", "label": "x"}]'),
        ],
    )
    def test_formats(self, tmp_path: Path, name: str, text: str) -> None:
        put(tmp_path, "1.png")
        (tmp_path / name).write_text(text, "utf-8")
        assert labels_of(read_dataset(tmp_path / name)) == {"1.png": "x"}

    def test_whole_numbers_and_gaps_as_labels(self, tmp_path: Path) -> None:
        put(tmp_path, "1.png", "2.png", "3.png")
        rows = [
            {"image": "1.png", "label": 3.0},
            {"image": "2.png", "label": None},
            {"image": "3.png", "label": 10},
        ]
        (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
        assert read_dataset(tmp_path / "t.jsonl").labels == ("3", None, "10")

    def test_missing_columns_are_named_with_those_found(self, tmp_path: Path) -> None:
        (tmp_path / "t.csv").write_text("a,b\n1,2\n")
        with pytest.raises(DataError, match=r"no column with images; found a, b.*--image-column"):
            read_dataset(tmp_path / "t.csv")
        with pytest.raises(DataError, match=r"column 'species' is missing; found a, b.*--label-column"):
            read_dataset(tmp_path / "t.csv", options=TableOptions(image_column="a", label_column="species"))

    def test_missing_files_are_listed(self, tmp_path: Path) -> None:
        put(tmp_path, "1.png")
        (tmp_path / "t.csv").write_text("image,label\n1.png,x\ngone.png,y\n")
        data = read_dataset(tmp_path / "t.csv")
        assert len(data) == 1
        assert [(s.source, s.reason) for s in data.skipped] == [("gone.png", "no such file")]

    def test_all_files_missing_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "t.csv").write_text("image,label\na.png,x\nb.png,y\n")
        with pytest.raises(DataError, match=r"none of the table's images can be found, for example a\.png"):
            read_dataset(tmp_path / "t.csv")

    def test_repeated_rows_are_merged(self, tmp_path: Path) -> None:
        put(tmp_path, "1.png")
        (tmp_path / "t.csv").write_text("image,label\n1.png,x\n1.png,x\n./1.png,x\n")
        data = read_dataset(tmp_path / "t.csv")
        assert len(data) == 1
        assert data.notes == ("2 repeated rows merged",)

    def test_two_labels_for_one_image(self, tmp_path: Path) -> None:
        put(tmp_path, "1.png", "2.png")
        (tmp_path / "t.csv").write_text("image,label\n1.png,x\n2.png,y\n1.png,z\n")
        with pytest.raises(DataError, match=r"1\.png is 'x' in row 1 and 'z' in row 3"):
            read_dataset(tmp_path / "t.csv")
        data = read_dataset(tmp_path / "t.csv", options=TableOptions(on_conflict="drop"))
        assert labels_of(data) == {"2.png": "y"}

    def test_unknown_splits_are_refused(self, tmp_path: Path) -> None:
        put(tmp_path, "1.png")
        (tmp_path / "t.csv").write_text("image,label,split\n1.png,x,holdout\n")
        with pytest.raises(DataError, match=r"row 1: unknown split 'holdout'; expected one of train"):
            read_dataset(tmp_path / "t.csv")

    @pytest.mark.parametrize("text", ["", "image,label\n", "{broken", "[1, 2]"])
    def test_empty_and_broken_tables(self, tmp_path: Path, text: str) -> None:
        for name in ("t.csv", "t.jsonl"):
            (tmp_path / name).write_text(text)
            with pytest.raises(DataError, match=name):
                read_dataset(tmp_path / name)

    def test_a_data_frame(self, tmp_path: Path) -> None:
        pandas = pytest.importorskip("pandas")
        put(tmp_path, "1.png", "2.png")
        frame = pandas.DataFrame({"path": [tmp_path / "1.png", str(tmp_path / "2.png")], "label": [1, 2]})
        assert read_dataset(frame).labels == ("1", "2")

    def test_parquet_with_the_images_inside(self, tmp_path: Path) -> None:
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        put(tmp_path, "1.png", "2.png", "3.png")
        images = [{"bytes": (tmp_path / f"{i}.png").read_bytes(), "path": f"{i}.png"} for i in (1, 2, 3)]
        features = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
        table = pa.table({"image": images, "label": [1, 0, 1]}).replace_schema_metadata(
            {"huggingface": json.dumps({"info": {"features": features}})}
        )
        parquet.write_table(table, tmp_path / "t.parquet", row_group_size=2)
        for data in (read_dataset(tmp_path / "t.parquet"), read_dataset(table)):
            assert data.labels == ("dog", "cat", "dog")
            assert [s.read(10_000) for s in data.sources] == [image["bytes"] for image in images]

    def test_a_file_that_is_no_parquet(self, tmp_path: Path) -> None:
        pytest.importorskip("pyarrow")
        (tmp_path / "t.parquet").write_bytes(b"nothing")
        with pytest.raises(DataError, match="not a readable Parquet file"):
            read_dataset(tmp_path / "t.parquet")


class TestMemory:
    def test_lists_and_arrays(self, tmp_path: Path) -> None:
        path = put(tmp_path, "1.png") / "1.png"
        images = [str(path), path, path.read_bytes(), np.zeros((4, 4, 3), np.uint8), Image.new("L", (3, 3))]
        data = read_dataset(images, [1, 2.0, "x", None, float("nan")])
        assert data.labels == ("1", "2", "x", None, None)
        assert len(read_dataset(np.zeros((5, 8, 8), np.uint8))) == 5

    def test_a_data_set_passes_through(self, tmp_path: Path) -> None:
        data = read_dataset(put(tmp_path, "a/1.png", "b/2.png"))
        assert read_dataset(data) is data
        assert read_dataset(data, ["x", "y"]).labels == ("x", "y")

    @pytest.mark.parametrize("nonsense", [3, None, {"a": 1}])
    def test_nonsense_is_refused(self, nonsense: object) -> None:
        with pytest.raises(ParameterError, match="cannot read a data set from"):
            read_dataset(nonsense)

    def test_labels_of_another_number(self) -> None:
        with pytest.raises(DataError, match="2 images, but 3 labels"):
            read_dataset([b"x", b"y"], [1, 2, 3])

    def test_an_empty_list(self) -> None:
        with pytest.raises(DataError, match="the list is empty"):
            read_dataset([])


class TestRealData:
    @pytest.mark.parametrize(
        ("name", "n", "n_classes"),
        [("flower_photos", 2207, 5), ("trashnet", 2527, 6), ("hymenoptera", 397, 2), ("ucmerced", 2100, 21)],
    )
    def test_class_folders(self, shared_data: Path, name: str, n: int, n_classes: int) -> None:
        data = read_dataset(shared_data / name)
        assert (len(data), len(data.classes)) == (n, n_classes)

    def test_sixty_thousand_images_in_one_parquet_file(self, shared_data: Path) -> None:
        pytest.importorskip("pyarrow")
        data = read_dataset(shared_data / "cifar10.parquet")
        assert data.counts() == dict.fromkeys(data.classes, 6000)
        assert data.splits.count("test") == 10_000
        assert data.sources[59_999].read(10_000)[:2] == b"\xff\xd8"
