"""`genus predict --sort-into`: images filed by class, and nothing ever lost."""

import os
from pathlib import Path

import pytest

from .command import below, done, genus


@pytest.fixture
def pile(here: Path, fresh: Path) -> Path:
    """Six images, named by what they show: three ones, three twos."""
    folder = here / "pile"
    folder.mkdir()
    for label in "12":
        for i, path in enumerate(sorted((fresh / label).iterdir())[:3]):
            (folder / f"{label}{'abc'[i]}.png").write_bytes(path.read_bytes())
    return folder


ALL = {"1", "1/1a.png", "1/1b.png", "1/1c.png", "2", "2/2a.png", "2/2b.png", "2/2c.png"}


def sort(model: Path, *arguments: object) -> str:
    return done("predict", "-m", model, "pile", "--sort-into", "sorted", "--above", "0", *arguments).out


def test_each_class_has_a_folder_with_copies(model: Path, pile: Path) -> None:
    out = sort(model)
    assert below(Path("sorted")) == ALL
    assert (Path("sorted") / "1" / "1a.png").read_bytes() == (pile / "1a.png").read_bytes()
    assert len(below(pile)) == 6
    assert "Written to sorted" in out


def test_what_is_not_sure_is_filed_apart(model: Path, pile: Path) -> None:
    found = done("predict", "-m", model, "pile", "--json").json["images"]
    sure = {Path(image["path"]).name: image["confidence"] for image in found}
    above = sorted(sure.values())[2]
    done("predict", "-m", model, "pile", "--sort-into", "sorted", "--above", above)
    unsure = {path.name for path in Path("sorted/unsure").glob("*")}
    assert unsure == {name for name, confidence in sure.items() if confidence < above}


def test_moved(model: Path, pile: Path) -> None:
    sort(model, "--move")
    assert below(Path("sorted")) == ALL and below(pile) == set()


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_linked(model: Path, pile: Path) -> None:
    sort(model, "--link")
    assert below(Path("sorted")) == ALL
    assert all(path.is_symlink() and path.exists() for path in Path("sorted").glob("*/*"))


def test_again_changes_nothing(model: Path, pile: Path) -> None:
    for _ in range(3):
        sort(model)
    assert below(Path("sorted")) == ALL


def test_another_image_of_the_same_name_gets_a_number(model: Path, pile: Path) -> None:
    there = Path("sorted/1/1a.png")
    there.parent.mkdir(parents=True)
    there.write_bytes(b"precious")
    sort(model)
    assert there.read_bytes() == b"precious"
    assert Path("sorted/1/1a-2.png").read_bytes() == (pile / "1a.png").read_bytes()


def test_two_images_of_one_name_from_two_folders_are_both_kept(model: Path, fresh: Path, here: Path) -> None:
    pictures = [path.read_bytes() for path in sorted((fresh / "1").iterdir())[:2]]
    for folder, data in zip(("a", "b"), pictures, strict=True):
        (here / folder).mkdir()
        (here / folder / "x.png").write_bytes(data)
    done("predict", "-m", model, "a", "b", "--sort-into", "sorted", "--above", "0", "--move")
    assert {path.read_bytes() for path in Path("sorted").glob("1/*")} == set(pictures)


def test_unreadable_images_stay_where_they_are(model: Path, pile: Path) -> None:
    (pile / "bad.png").touch()
    sort(model, "--move")
    assert below(pile) == {"bad.png"} and below(Path("sorted")) == ALL


def test_into_a_file_is_refused_before_the_work(model: Path, pile: Path) -> None:
    Path("sorted").write_text("precious")
    complaint = genus("predict", "-m", model, "pile", "--sort-into", "sorted").complaint
    assert "sorted: cannot sort into it: it is a file" in complaint
    assert Path("sorted").read_text() == "precious"


def test_below_a_file_is_refused_before_the_work(model: Path, pile: Path) -> None:
    Path("file").write_text("precious")
    complaint = genus("predict", "-m", model, "pile", "--sort-into", "file/sorted").complaint
    assert "file/sorted: cannot write: a part of the path is a file" in complaint


def test_move_and_link_exclude_each_other(model: Path, pile: Path) -> None:
    arguments = ("predict", "-m", model, "pile", "--sort-into", "sorted", "--move", "--link")
    assert "exclude each other" in genus(*arguments).complaint
    assert not Path("sorted").exists()
