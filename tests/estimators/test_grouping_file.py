"""Groups in a file: all of it comes back, and nothing in it is ever run."""

import io
import json
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genus.data.dataset import SkippedImage
from genus.data.read import read_dataset
from genus.errors import DataError, OutputError
from genus.estimators.grouped import GroupedImages
from genus.estimators.grouping import group_images
from genus.estimators.grouping_file import FORMAT_VERSION, read_grouping, write_grouping
from genus.estimators.grouping_options import GroupingOptions
from genus.features.feature_set import parse_feature_set

Digits = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def grouped(digits: Digits) -> GroupedImages:
    pictures, labels = digits
    data = read_dataset(list(pictures[labels < 3]), labels[labels < 3])
    options = GroupingOptions(
        parse_feature_set("thumbnail@32+hog@32"), 3, algorithms=("HDBSCAN", "Ward"), random_state=0
    )
    found = group_images(data, options)[0].renamed({0: "naïve \udcff", 1: "-"})
    names = ("caf\udce9.png", *found.names[1:])
    return replace(found, names=names, skipped=(SkippedImage("gone.png", "no such file"),))


@pytest.fixture(scope="module")
def file(grouped: GroupedImages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("state") / "groups.npz"
    write_grouping(grouped, path)
    return path


def rewritten(file: Path, to: Path, **changes: Any) -> Path:
    """A copy with other arrays; `about` may be a change of its keys, None takes an array out."""
    with np.load(file) as arrays:
        parts = {name: arrays[name] for name in arrays.files}
    if isinstance(about := changes.get("about"), dict):
        known = json.loads(parts["about"].tobytes())
        changes["about"] = np.frombuffer(json.dumps({**known, **about}).encode(), np.uint8)
    parts = {name: array for name, array in {**parts, **changes}.items() if array is not None}
    np.savez(to, **parts)
    return to


def test_everything_comes_back(grouped: GroupedImages, file: Path) -> None:
    back = read_grouping(file)
    for name in ("origin", "names", "skipped", "truth", "view", "numbers", "temperature", "group_names"):
        assert getattr(back, name) == getattr(grouped, name), name
    assert (back.labels == grouped.labels).all() and (back.row == grouped.row).all()
    assert np.allclose(back.row_confidence, grouped.row_confidence, atol=1e-6)
    assert np.allclose(back.row_distances, grouped.row_distances, atol=1e-6)
    assert np.allclose(back.map_places, grouped.map_places)
    assert back.cohesion == pytest.approx(grouped.cohesion)
    assert back.comparison == json.loads(json.dumps(grouped.comparison))
    assert back.features == json.loads(json.dumps(grouped.features))


def test_the_preparation_still_works(grouped: GroupedImages, file: Path) -> None:
    X = np.random.default_rng(0).normal(size=(5, grouped.preparation.n_features_in_)).astype(np.float32)
    assert np.allclose(
        read_grouping(file).preparation.transform(X), grouped.preparation.transform(X), atol=1e-5
    )


def test_a_missing_file_says_how_groups_are_made(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"groups\.npz: no groups there; make them with genus cluster"):
        read_grouping(tmp_path / "groups.npz")


@pytest.mark.parametrize("keep", [0, 10, 1000, 0.5, 0.99])
def test_a_truncated_file(file: Path, tmp_path: Path, keep: float) -> None:
    data = file.read_bytes()
    cut = tmp_path / "cut.npz"
    cut.write_bytes(data[: int(keep if keep >= 1 else keep * len(data))])
    with pytest.raises(DataError, match=r"cut\.npz: damaged"):
        read_grouping(cut)


def test_something_else(tmp_path: Path) -> None:
    other = tmp_path / "other.npz"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(DataError, match="damaged, or not written by genus cluster"):
        read_grouping(other)


@pytest.mark.parametrize(
    "part", ["about", "row", "labels", "prototypes", "components", "placed", "view plain"]
)
def test_a_part_is_missing(file: Path, tmp_path: Path, part: str) -> None:
    with pytest.raises(DataError, match="damaged"):
        read_grouping(rewritten(file, tmp_path / "less.npz", **{part: None}))


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": np.zeros(3, np.int64)},
        {"row": np.full(72, 900)},
        {"prototypes": np.zeros((2, 3), np.float32)},
        {"placed": np.zeros((1, 2), np.float32)},
        {"about": {"numbers": [0]}},
        {"about": {"names": "abc"}},
        {"about": {"view": "nowhere"}},
    ],
)
def test_parts_that_do_not_fit_together(file: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="damaged"):
        read_grouping(rewritten(file, tmp_path / "odd.npz", **changes))


def test_a_newer_format(file: Path, tmp_path: Path) -> None:
    newer = rewritten(file, tmp_path / "newer.npz", about={"format": FORMAT_VERSION + 1})
    with pytest.raises(DataError, match="written by a newer Genus"):
        read_grouping(newer)


def test_nothing_is_unpickled(file: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    trapped = tmp_path / "trap.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(trapped, "w") as new:
        for name in old.namelist():
            is_trap = name == "row.npy"
            new.writestr(name, header.getvalue() + pickle.dumps([Trap()]) if is_trap else old.read(name))
    with pytest.raises(DataError, match="damaged"):
        read_grouping(trapped)
    assert not (tmp_path / "sprung").exists()


def test_a_folder_that_is_not_there(grouped: GroupedImages, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="its folder does not exist"):
        write_grouping(grouped, tmp_path / "nowhere" / "groups.npz")
    assert not list(tmp_path.iterdir())
