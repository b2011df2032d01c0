"""What `genus data` says of a data set."""

import json
from pathlib import Path

from PIL import Image

from genus.data.describe import Spread, describe
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
