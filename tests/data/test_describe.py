"""What `genus data` says of a data set."""

import json
from collections import Counter
from itertools import combinations
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from genus.data.describe import Description, Spread, describe
from genus.data.label_sets import LabelSets
from genus.data.label_summary import LabelSummary, summarise_labels
from genus.data.read import read_dataset


def test_everything_worth_knowing(tmp_path: Path) -> None:
    for name, size, colour in [("a/1.png", (40, 50), 1), ("a/2.png", (60, 50), 2), ("b/3.jpg", (80, 50), 3)]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", size, (colour, 0, 0)).save(tmp_path / name)
    (tmp_path / "b" / "copy.png").write_bytes((tmp_path / "a" / "1.png").read_bytes())
    (tmp_path / "b" / "empty.png").touch()
    Image.new("L", (1, 1)).save(tmp_path / "b" / "tiny.png")
    found = describe(read_dataset(tmp_path))
    assert found.counts == {"a": 2, "b": 4}
    assert (found.n_images, found.n_readable) == (6, 5)
    assert found.widths == Spread(1, 40, 80)
    assert found.formats == {"PNG": 4, "JPEG": 1}
    assert found.modes == {"RGB": 4, "L": 1}
    assert {p.kind: p.n for p in found.problems} == {
        "unreadable": 1,
        "tiny": 1,
        "duplicate": 2,
        "conflict": 2,
    }
    assert Path(found.skipped[0].source).name == "empty.png"
    json.dumps(found.to_dict())


def test_splits_are_counted(tmp_path: Path) -> None:
    for i, name in enumerate(["train/a/1.png", "train/b/2.png", "test/a/3.png"]):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (i, 0, 0)).save(tmp_path / name)
    assert describe(read_dataset(tmp_path)).split_counts == {"train": {"a": 1, "b": 1}, "test": {"a": 1}}


def test_nothing_readable(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"no")
    found = describe(read_dataset(tmp_path))
    assert (found.n_readable, found.widths) == (0, None)


def test_real_flaws_are_found(shared_data: Path) -> None:
    found = describe(read_dataset(shared_data / "trashnet"))
    assert found.n_readable == 2527
    assert {p.kind for p in found.problems} >= {"duplicate"}


class TestSeveralLabels:
    def read(self, folder: Path, *cells: str, column: str = "labels") -> Description:
        for i in range(len(cells)):
            Image.new("RGB", (40, 40), (i, 0, 0)).save(folder / f"{i}.png")
        rows = [f"{i}.png,{cell}" for i, cell in enumerate(cells)]
        (folder / "t.csv").write_text("\n".join([f"image,{column}", *rows]))
        return describe(read_dataset(folder / "t.csv"))

    def test_what_is_known_of_the_labels(self, tmp_path: Path) -> None:
        found = self.read(tmp_path, "cat|dog", "cat|dog|emu", "", "?", "dog|?", "?cat")
        assert found.counts == {"cat": 2, "dog": 3, "emu": 1}
        assert (found.n_images, found.n_labelled) == (6, 5)
        assert found.labels == LabelSummary(
            n_labels=3,
            n_labelled=5,
            n_unlabelled=1,
            n_none=1,
            mean=1.2,
            most=3,
            unknown={"cat": 2, "emu": 1},
            never=(),
            always=(),
            pairs=(("cat", "dog", 2), ("cat", "emu", 1), ("dog", "emu", 1)),
        )
        json.dumps(found.to_dict())

    def test_labels_of_which_nothing_can_be_learned(self, tmp_path: Path) -> None:
        found = self.read(tmp_path, "1,0,1", "1,0,0", "?,?,0", column="always,never,some")
        assert {p.kind: p.text for p in found.problems} == {
            "never": "1 label that no image has, so nothing can be learned: never",
            "always": "1 label that no image is known not to have, so nothing can be learned: always",
        }

    def test_identical_files_that_contradict_each_other(self, tmp_path: Path) -> None:
        self.read(tmp_path, "cat|dog", "cat", "cat|?", "cat|dog")
        (tmp_path / "1.png").write_bytes((tmp_path / "0.png").read_bytes())
        (tmp_path / "3.png").write_bytes((tmp_path / "2.png").read_bytes())
        found = {p.kind: p.n for p in describe(read_dataset(tmp_path / "t.csv")).problems}
        assert (found["duplicate"], found["conflict"]) == (4, 2)

    def test_no_labels_at_all(self) -> None:
        found = summarise_labels(LabelSets.of([None, None]))
        assert (found.n_labels, found.n_labelled, found.mean, found.pairs) == (0, 0, 0.0, ())

    @given(st.lists(st.lists(st.sampled_from("abcd"), unique=True), min_size=1, max_size=8))
    def test_pairs_are_counted_right(self, rows: list[list[str]]) -> None:
        counted = Counter(pair for row in rows for pair in combinations(sorted(row), 2))
        found = summarise_labels(LabelSets.of(rows)).pairs
        assert {(a, b): n for a, b, n in found} == counted
        assert [n for *_, n in found] == sorted(counted.values(), reverse=True)
