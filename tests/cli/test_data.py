"""`genus data`: what a folder or table holds, and what is wrong with it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .command import below, done, genus


def test_what_is_there(digits: Path) -> None:
    lines = done("data", digits).out.splitlines()
    assert lines[0] == f"{digits} (class folders): 48 images, 48 readable."
    table = [line.split() for line in lines]
    assert ["1", "12"] in table and ["4", "classes", "48"] in table
    assert ["Formats", "PNG", "48"] in table
    assert "64 to 64 pixels" in lines[1]


def test_the_same_in_json(digits: Path) -> None:
    found = done("data", digits, "--json").json
    assert found["counts"] == {"0": 12, "1": 12, "2": 12, "3": 12}
    assert (found["n_images"], found["n_readable"], found["n_labelled"]) == (48, 48, 48)
    assert found["widths"] == {"low": 64, "median": 64, "high": 64}
    assert (found["formats"], found["modes"]) == ({"PNG": 48}, {"L": 48})
    assert found["problems"] == found["skipped"] == found["notes"] == []


def test_nothing_is_written(here: Path, digits: Path) -> None:
    before = below(digits)
    done("data", digits)
    assert below(here) == set() and below(digits) == before


def test_parts_are_counted(here: Path, digits: Path, fresh: Path) -> None:
    for name, folder in {"train": digits, "test": fresh}.items():
        (here / name).symlink_to(folder)
    found = done("data", ".", "--json").json
    assert found["split_counts"]["train"]["3"] == 12 and found["split_counts"]["test"]["3"] == 5
    assert ["3", "17", "12", "5"] in [line.split() for line in done("data", ".").out.splitlines()]


def test_columns_of_a_table_can_be_named(here: Path, digits: Path) -> None:
    paths = sorted(digits.rglob("*.png"))
    rows = [f"{path},{path.parent.name},{i % 3},{('train', 'test')[i % 2]}" for i, path in enumerate(paths)]
    (here / "t.csv").write_text("\n".join(["photo,species,plant,fold", *rows]))
    named = ("--image-column", "photo", "--label-column", "species", "--group-column", "plant")
    found = done("data", "t.csv", *named, "--split-column", "fold", "--json").json
    assert found["counts"] == {"0": 12, "1": 12, "2": 12, "3": 12}
    assert found["n_groups"] == 3 and found["split_counts"].keys() == {"train", "test"}


def test_the_reader_can_be_named(digits: Path) -> None:
    assert done("data", digits, "--reader", "flat", "--json").json["n_labelled"] == 0
    complaint = genus("data", digits, "--reader", "folder").complaint
    assert "no reader named 'folder'" in complaint and "'folders'" in complaint


class TestSeveralLabels:
    @pytest.fixture
    def table(self, here: Path, digits: Path) -> Path:
        """Digits, each even or odd, some also small; the last that nobody has labelled."""
        rows = []
        for path in sorted(digits.rglob("*.png")):
            number = int(path.parent.name)
            names = [("even", "odd")[number % 2], *(["small"] if number < 2 else [])]
            rows.append(f"{path},{'|'.join(names)}")
        rows[-1] = rows[-1].rpartition(",")[0] + ",?"
        (here / "t.csv").write_text("\n".join(["image,labels", *rows]))
        return here / "t.csv"

    def test_what_is_there(self, table: Path) -> None:
        out = done("data", "t.csv").out
        assert "48 images, 47 with a label, 48 readable" in out
        lines = [line.split() for line in out.splitlines()]
        assert ["small", "24"] in lines and ["Unlabelled", "1", "image"] in lines
        assert "3, several an image: 1.5 on average, 2 at most" in out
        assert "even + small 12, odd + small 12" in out
        assert "Note: column 'labels': several labels an image, separated by '|'" in out

    def test_the_same_in_json(self, table: Path) -> None:
        found = done("data", "t.csv", "--json").json
        assert found["labels"]["pairs"] == [["even", "small", 12], ["odd", "small", 12]]
        assert (found["labels"]["n_unlabelled"], found["n_labelled"]) == (1, 47)

    def test_it_can_be_decided(self, table: Path) -> None:
        assert set(done("data", "t.csv", "--single-label", "--json").json["counts"]) > {"even|small"}
        table.write_text(table.read_text().replace("|", " / "))
        found = done("data", "t.csv", "--label-separator", "/", "--json").json
        assert set(found["counts"]) == {"even", "odd", "small"}
        found = done("data", "t.csv", "--multi-label", "--json").json
        assert found["labels"]["n_labels"] == 4

    def test_columns_of_0_and_1(self, here: Path, digits: Path) -> None:
        paths = sorted(digits.rglob("*.png"))
        rows = [f"{path},{i % 2},{'?' if i % 3 == 0 else 1}" for i, path in enumerate(paths)]
        (here / "t.csv").write_text("\n".join(["image,a,b", *rows]))
        out = done("data", "t.csv", "--label-column", "a,b").out
        lines = [line.split() for line in out.splitlines()]
        assert ["label", "images", "unknown"] in lines and ["b", "32", "16"] in lines
        assert "Problem: 1 label that no image is known not to have, so nothing can be learned: b" in out

    def test_a_preview_shows_the_labels(self, table: Path, here: Path) -> None:
        done("data", "t.csv", "--preview", "p.html")
        assert "even|small" in (here / "p.html").read_text("utf-8")


class TestProblems:
    @pytest.fixture
    def pile(self, here: Path, digits: Path) -> Path:
        """A cat and a dog, a twin under both names, one too small, two that are broken."""
        pictures = [path.read_bytes() for path in sorted(digits.rglob("*.png"))[:5]]
        names = ("cat/1.png", "cat/2.png", "dog/3.png", "dog/4.png", "cat/twin.png")
        for name, data in zip(names, pictures, strict=True):
            path = here / "pile" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        (here / "pile/dog/twin.png").write_bytes(pictures[-1])
        Image.new("RGB", (9, 9)).save(here / "pile/dog/tiny.png")
        (here / "pile/dog/empty.png").touch()
        (here / "pile/cat/cut.png").write_bytes(pictures[0][:60])
        (here / "pile/cat/notes.txt").write_text("x")
        return here / "pile"

    def test_each_kind_is_found(self, pile: Path) -> None:
        found = {problem["kind"]: problem for problem in done("data", "pile", "--json").json["problems"]}
        names = {kind: {Path(name).name for name in found[kind]["images"]} for kind in found}
        assert names == {
            "unreadable": {"cut.png", "empty.png"},
            "tiny": {"tiny.png"},
            "duplicate": {"twin.png"},
            "conflict": {"twin.png"},
        }

    def test_each_is_told_with_names(self, pile: Path) -> None:
        out = done("data", "pile").out
        for words in (
            "9 images, 7 readable",
            "less than 32 pixels",
            "pile/dog/tiny.png",
            "is an exact copy of others",
            "identical files occur under different labels",
            "Left out, 2 in all",
            "pile/dog/empty.png: ",
            "1 file left out: no images by their names",
        ):
            assert words in out

    def test_nothing_readable_is_described_all_the_same(self, here: Path) -> None:
        (here / "bad.jpg").write_text("text")
        found = done("data", ".", "--json").json
        assert (found["n_images"], found["n_readable"]) == (1, 0)
        assert "text, not an image" in found["skipped"][0]["reason"]


class TestPreview:
    def test_a_page(self, here: Path, digits: Path) -> None:
        out = done("data", digits, "--preview", "p.html").out
        assert out.splitlines()[-1] == "Preview  p.html"
        page = (here / "p.html").read_text("utf-8")
        assert page.count("<img") == 2 * 24 and 'src="data:image/' in page and 'src="http' not in page

    def test_a_picture(self, here: Path, digits: Path) -> None:
        assert done("data", digits, "--preview", "p.png", "--json").json["preview"] == "p.png"
        with Image.open("p.png") as picture:
            assert np.asarray(picture).std() > 10 and min(picture.size) > 300

    def test_unreadable_images_are_in_it_with_their_reason(self, here: Path, fresh: Path) -> None:
        (here / "pile").mkdir()
        (here / "pile" / "bad.jpg").write_text("text")
        (here / "pile" / "good.png").write_bytes(min(fresh.glob("1/*")).read_bytes())
        done("data", "pile", "--preview", "p.html")
        page = (here / "p.html").read_text("utf-8")
        assert "it is text, not an image" in page and page.count("<img") == 2

    def test_a_file_that_exists_is_left_alone(self, here: Path, digits: Path) -> None:
        (here / "p.html").write_text("precious")
        assert "p.html: exists already" in genus("data", digits, "--preview", "p.html").complaint
        assert (here / "p.html").read_text() == "precious"
        done("data", digits, "--preview", "p.html", "--force")
        assert "<img" in (here / "p.html").read_text("utf-8")

    def test_the_name_says_the_format(self, here: Path, digits: Path) -> None:
        complaint = genus("data", digits, "--preview", "p.pdf").complaint
        assert "p.pdf: a preview's name must end in .html or .png" in complaint
        assert below(here) == set()
