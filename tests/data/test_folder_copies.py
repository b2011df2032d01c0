"""The same picture in several class folders."""

from pathlib import Path

import pytest

from genus.data.read import read_dataset


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """A picture in two class folders, one of the same size beside it, two copies in one class."""
    contents = {
        "cat/1.png": b"A" * 9000,
        "dog/one.png": b"A" * 9000,
        "cat/2.png": b"A" * 8999 + b"B",
        "dog/3.png": b"B" * 9000,
        "bird/4.png": b"C",
        "bird/5.png": b"C",
    }
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_several_labels_where_they_are_wanted(folders: Path) -> None:
    data = read_dataset(folders, multilabel=True)
    found = {Path(name).name: data.label_sets[i] for i, name in enumerate(data.names)}
    assert found == {"1.png": ("cat", "dog"), "2.png": ("cat",), "3.png": ("dog",), "4.png": ("bird",)}
    assert data.labels is None
    assert "2 identical files joined: an image has the labels of all its copies" in data.notes


def test_otherwise_they_stay_single_and_a_note_says_so(folders: Path) -> None:
    data = read_dataset(folders)
    assert len(data) == 6
    assert data.labels is not None
    (note,) = data.notes
    assert note.startswith("1 picture lies in several class folders")
    assert "--multi-label" in note
    assert read_dataset(folders, multilabel=False).notes == ()


def test_copies_in_several_splits_stay_apart(folders: Path) -> None:
    for name in ("cat", "dog", "bird"):
        split = folders / ("test" if name == "dog" else "train")
        split.mkdir(exist_ok=True)
        (folders / name).rename(split / name)
    data = read_dataset(folders, multilabel=True)
    found = {Path(name).name: data.label_sets[i] for i, name in enumerate(data.names)}
    assert found["1.png"] == ("cat",)
    assert found["one.png"] == ("dog",)
    assert data.splits.count("test") == 2


def test_a_pile_without_classes_has_no_sets(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"x")
    data = read_dataset(tmp_path, multilabel=True)
    assert (data.labels, data.label_sets) == (None, None)
