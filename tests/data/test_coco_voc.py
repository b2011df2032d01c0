"""Annotations of objects, in the formats of COCO and Pascal VOC, read as labels of images."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from genus.data.coco import is_coco
from genus.data.dataset import Dataset
from genus.data.read import read_dataset
from genus.data.tables import TableOptions
from genus.errors import DataError


def put(root: Path, *names: str) -> None:
    for i, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2), (i, 0, 0)).save(root / name)


def labels_of(data: Dataset) -> dict[str, tuple[str, ...]]:
    return {Path(name).name: data.label_sets[i] for i, name in enumerate(data.names)}


def coco(**changes: object) -> dict[str, Any]:
    """Three images, the third without annotations; a category that no image has."""
    return {
        "images": [{"id": 10 + i, "file_name": f"{i}.png", "width": 2, "height": 2} for i in (1, 2, 3)],
        "annotations": [
            {"id": 1, "image_id": 11, "category_id": 7, "bbox": [0, 0, 1, 1]},
            {"id": 2, "image_id": 11, "category_id": 7, "bbox": [0, 0, 2, 1]},
            {"id": 3, "image_id": 11, "category_id": 3, "iscrowd": 1},
            {"id": 4, "image_id": 12, "category_id": 3},
        ],
        "categories": [{"id": 7, "name": "zebra"}, {"id": 3, "name": "cat"}, {"id": 5, "name": "emu"}],
        **changes,
    }


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), "utf-8")
    return path


class TestCoco:
    def test_an_image_has_the_categories_of_its_annotations(self, tmp_path: Path) -> None:
        put(tmp_path, "1.png", "2.png", "3.png")
        data = read_dataset(write(tmp_path / "a.json", coco()))
        assert data.label_sets.names == ("zebra", "cat", "emu")
        assert labels_of(data) == {"1.png": ("zebra", "cat"), "2.png": ("cat",), "3.png": ()}
        assert "3 labels, several an image, from the annotations" in data.notes
        assert "1 image without any annotation: taken to have none of the labels" in data.notes

    @pytest.mark.parametrize(
        "folder",
        [
            "x/annotations",
            "x/annotations/images",
            "x/images",
            "x/val2017",
            "x/instances_val2017",
            "x/images/val2017",
        ],
    )
    def test_where_images_are_looked_for(self, tmp_path: Path, folder: str) -> None:
        put(tmp_path / folder, "1.png", "2.png", "3.png")
        data = read_dataset(write(tmp_path / "x" / "annotations" / "instances_val2017.json", coco()))
        assert len(data) == 3

    def test_the_folder_can_be_named(self, tmp_path: Path) -> None:
        put(tmp_path / "elsewhere", "1.png", "2.png", "3.png")
        path = write(tmp_path / "a.json", coco())
        assert len(read_dataset(path, options=TableOptions(root=str(tmp_path / "elsewhere")))) == 3

    def test_missing_images_are_reported(self, tmp_path: Path) -> None:
        put(tmp_path, "2.png")
        data = read_dataset(write(tmp_path / "a.json", coco()))
        assert labels_of(data) == {"2.png": ("cat",)}
        assert [(skip.source, skip.reason) for skip in data.skipped] == [
            ("1.png", "no such file"),
            ("3.png", "no such file"),
        ]

    def test_no_image_at_all_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"none of the annotated images can be used, for example 1\.png"):
            read_dataset(write(tmp_path / "a.json", coco()))

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"categories": None}, "the list 'categories' is missing"),
            ({"images": [1]}, "'images' must be a list of objects"),
            ({"images": [{"id": 11}]}, r"images\[0\] has no 'file_name'"),
            ({"images": [{"file_name": "1.png"}]}, r"images\[0\] has no 'id'"),
            ({"annotations": [{"image_id": 11}]}, r"annotations\[0\] has no 'category_id'"),
            ({"annotations": [{"image_id": [], "category_id": 7}]}, r"annotations\[0\] has no 'image_id'"),
            (
                {"annotations": [{"image_id": 11, "category_id": 99}]},
                r"annotations\[0\] has category 99, which",
            ),
            ({"categories": [{"id": 7}]}, r"categories\[0\] has no 'name'"),
        ],
    )
    def test_what_is_missing_is_named(self, tmp_path: Path, changes: dict[str, object], message: str) -> None:
        put(tmp_path, "1.png", "2.png", "3.png")
        with pytest.raises(DataError, match=message):
            read_dataset(write(tmp_path / "a.json", coco(**changes)))

    def test_annotations_of_unknown_images_are_counted(self, tmp_path: Path) -> None:
        put(tmp_path, "1.png", "2.png", "3.png")
        lost = [{"image_id": 99, "category_id": 7}]
        data = read_dataset(write(tmp_path / "a.json", coco(annotations=lost)))
        assert "1 annotation of images that the file does not list" in data.notes

    def test_categories_that_were_not_looked_for_are_unknown(self, tmp_path: Path) -> None:
        put(tmp_path, "1.png")
        images = [{"id": 11, "file_name": "1.png", "neg_category_ids": [5]}]
        data = read_dataset(
            write(tmp_path / "a.json", coco(images=images, annotations=[{"image_id": 11, "category_id": 7}]))
        )
        assert data.label_sets.values.tolist() == [[1, -1, 0]]

    def test_one_category_an_image_can_be_read_as_classes(self, tmp_path: Path) -> None:
        put(tmp_path, "1.png", "2.png", "3.png")
        path = write(tmp_path / "a.json", coco(annotations=[{"image_id": 11, "category_id": 7}]))
        assert read_dataset(path, multilabel=False).labels == ("zebra", None, None)
        with pytest.raises(DataError, match=r"1\.png has several labels"):
            read_dataset(write(tmp_path / "a.json", coco()), multilabel=False)

    def test_tables_in_json_are_still_tables(self, tmp_path: Path) -> None:
        put(tmp_path, "1.png")
        row = {"image": "1.png", "label": "cat"}
        for text in (json.dumps([row]), json.dumps(row), f"{json.dumps(row)}\n{json.dumps(row)}\n"):
            (tmp_path / "t.json").write_text(text)
            assert read_dataset(tmp_path / "t.json").labels == ("cat",)

    def test_a_large_file_is_known_by_its_head(self, tmp_path: Path) -> None:
        assert is_coco(write(tmp_path / "a.json", {"info": {"about": "x" * (1 << 21)}, **coco()})) is True
        assert is_coco(write(tmp_path / "b.json", {"licenses": [], "about": "x" * (1 << 21)})) is True
        assert is_coco(write(tmp_path / "c.json", {"image": "x" * (1 << 21)})) is False
        assert is_coco(tmp_path / "none.json") is False

    def test_damaged_json_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "a.json").write_text('{"images": [')
        with pytest.raises(DataError, match=r"a\.json: not JSON"):
            read_dataset(tmp_path / "a.json")


def voc(*objects: str, filename: str = "", difficult: tuple[str, ...] = ()) -> str:
    every = [(name, 0) for name in objects] + [(name, 1) for name in difficult]
    found = "".join(
        f"<object><name>{name}</name><difficult>{hard}</difficult><part><name>head</name></part></object>"
        for name, hard in every
    )
    return f"<annotation><filename>{filename}</filename>{found}</annotation>"


@pytest.fixture
def challenge(tmp_path: Path) -> Path:
    """Four annotated images, of which the last is in another format than its annotation says."""
    put(tmp_path / "JPEGImages", "001.jpg", "002.jpg", "003.jpg", "004.png", "005.jpg")
    texts = {
        "001": voc("cat", "dog", "cat", filename="001.jpg", difficult=("dog", "bus")),
        "002": voc("cat", filename="002.jpg"),
        "003": voc(filename="003.jpg"),
        "004": voc("bus", filename="004.jpg"),
    }
    (tmp_path / "Annotations").mkdir()
    for name, text in texts.items():
        (tmp_path / "Annotations" / f"{name}.xml").write_text(text)
    return tmp_path


class TestVoc:
    def test_an_image_has_the_classes_of_its_objects(self, challenge: Path) -> None:
        data = read_dataset(challenge)
        assert data.label_sets.names == ("bus", "cat", "dog")
        assert [Path(name).name for name in data.names] == ["001.jpg", "002.jpg", "003.jpg", "004.png"]
        assert data.label_sets.values.tolist() == [[-1, 1, 1], [0, 1, 0], [0, 0, 0], [1, 0, 0]]
        assert data.splits is None

    @pytest.mark.parametrize("folder", ["images", ".", "Annotations"])
    def test_images_may_lie_elsewhere(self, challenge: Path, folder: str) -> None:
        for image in list((challenge / "JPEGImages").iterdir()):
            (challenge / folder).mkdir(exist_ok=True)
            image.rename(challenge / folder / image.name)
        assert len(read_dataset(challenge, reader="voc")) == 4

    def test_image_sets_give_the_splits(self, challenge: Path) -> None:
        sets = challenge / "ImageSets" / "Main"
        sets.mkdir(parents=True)
        (sets / "trainval.txt").write_text("001\n002\n004\n")
        (sets / "val.txt").write_text("002\n")
        (sets / "test.txt").write_text("003\n")
        (sets / "cat_val.txt").write_text("001 1\n")
        assert read_dataset(challenge).splits == ("train", "val", "test", "train")

    def test_missing_images_are_reported(self, challenge: Path) -> None:
        (challenge / "JPEGImages" / "002.jpg").unlink()
        data = read_dataset(challenge)
        assert len(data) == 3
        assert [(skip.source, skip.reason) for skip in data.skipped] == [("002.jpg", "no such file")]

    bomb = '<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]><annotation>&y;</annotation>'

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("<annotation><object>", "no element found"),
            ("", "no element found"),
            ("<html/>", "no <annotation>"),
            (bomb, "a document type is declared"),
            ("<annotation>" + " " * (9 << 20) + "</annotation>", "larger than 8 MiB"),
        ],
    )
    def test_damaged_annotations_are_reported_by_name(self, challenge: Path, text: str, reason: str) -> None:
        (challenge / "Annotations" / "002.xml").write_text(text)
        data = read_dataset(challenge)
        assert len(data) == 3
        (skip,) = data.skipped
        assert Path(skip.source).name == "002.xml"
        assert reason in skip.reason
        assert "1 annotation file cannot be read" in data.notes

    def test_a_document_type_in_another_encoding_is_refused_too(self, challenge: Path) -> None:
        (challenge / "Annotations" / "002.xml").write_bytes(self.bomb.encode("utf-16"))
        assert "a document type is declared" in read_dataset(challenge).skipped[0].reason

    def test_a_table_beside_them_counts_if_it_is_named(self, challenge: Path) -> None:
        (challenge / "labels.csv").write_text("image,label\nJPEGImages/001.jpg,x\n")
        data = read_dataset(challenge)
        assert data.classes == ("bus", "cat", "dog")
        assert data.notes[0].startswith(
            "labels taken from the annotations; to use the table instead, name it"
        )
        assert read_dataset(challenge / "labels.csv").classes == ("x",)

    def test_nothing_usable_is_an_error(self, challenge: Path) -> None:
        with pytest.raises(DataError, match="no XML files in the folder Annotations"):
            read_dataset(challenge / "JPEGImages", reader="voc")
        for file in (challenge / "Annotations").iterdir():
            file.write_text("broken")
        with pytest.raises(
            DataError, match=r"none of the annotated images can be used, for example .*001\.xml"
        ):
            read_dataset(challenge)
