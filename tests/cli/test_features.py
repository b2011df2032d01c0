"""`genus features`: images become rows of numbers, in any of four formats."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

from genus.features.feature_set import parse_feature_set
from genus.features.stream import extract
from genus.images.source import as_source

from .command import CHEAP, below, csv_rows, done, genus

FORMATS = ("npz", "npy", "parquet", "csv")


def written(path: str, n_columns: int = 3072) -> dict[str, Any]:
    """Read a feature file of any format back: X, paths, labels (None without)."""
    if path.endswith(".npz"):
        with np.load(path, allow_pickle=False) as file:
            labels = file["labels"].tolist() if "labels" in file else None
            return {"X": file["X"], "paths": file["paths"].tolist(), "labels": labels}
    if path.endswith(".npy"):
        rows = csv_rows(path.replace(".npy", ".images.csv"))
        assert [int(row["row"]) for row in rows] == list(range(len(rows)))
        labels = [row["label"] for row in rows]
        X, paths = np.load(path), [row["path"] for row in rows]
        return {"X": X, "paths": paths, "labels": labels if any(labels) else None}
    if path.endswith(".parquet"):
        table = pyarrow.parquet.read_table(path).to_pydict()
        X = np.array(table["features"], np.float32)
        return {"X": X, "paths": table["path"], "labels": table.get("label")}
    rows = csv_rows(path)
    X = np.array([list(row.values())[-n_columns:] for row in rows]).astype(np.float32)
    labels = [row["label"] for row in rows] if "label" in rows[0] else None
    return {"X": X, "paths": [row["path"] for row in rows], "labels": labels}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_holds_the_features_names_and_labels(here: Path, fresh: Path, kind: str) -> None:
    found = done("features", fresh, "-o", f"x.{kind}", "--json", *CHEAP).json
    assert (found["n_images"], found["n_features"], found["features"]) == (20, 3072, "thumbnail@32")
    got = written(f"x.{kind}")
    paths = sorted(map(str, fresh.rglob("*.png")), key=lambda name: (Path(name).parent.name, Path(name).name))
    assert sorted(got["paths"]) == sorted(paths)
    assert got["labels"] == [Path(path).parent.name for path in got["paths"]]
    wanted = extract([as_source(path) for path in got["paths"]], parse_feature_set("thumbnail@32"))
    np.testing.assert_array_equal(got["X"], wanted.X)
    assert got["X"].dtype == np.float32


@pytest.mark.parametrize("kind", FORMATS)
def test_several_labels_are_written_as_a_table_writes_them(here: Path, fresh: Path, kind: str) -> None:
    paths = sorted(fresh.rglob("*.png"))[:3]
    cells = ("a|b", "?", "")
    rows = [f"{path},{cell}" for path, cell in zip(paths, cells, strict=True)]
    (here / "t.csv").write_text("\n".join(["image,labels", *rows]))
    done("features", "t.csv", "-o", f"x.{kind}", *CHEAP)
    assert written(f"x.{kind}")["labels"] == list(cells)


@pytest.mark.parametrize("kind", FORMATS)
def test_unreadable_images_have_no_row_and_are_listed(here: Path, fresh: Path, kind: str) -> None:
    pile = here / "pile"
    pile.mkdir()
    for i, path in enumerate(sorted(fresh.glob("1/*"))[:3]):
        (pile / f"{i}.png").write_bytes(path.read_bytes())
    (pile / "0 bad.png").touch()
    (pile / "1 bad.png").write_text("text")
    found = done("features", "pile", "-o", f"x.{kind}", "--json", *CHEAP).json
    assert {Path(skip["source"]).name for skip in found["skipped"]} == {"0 bad.png", "1 bad.png"}
    got = written(f"x.{kind}")
    assert [Path(path).name for path in got["paths"]] == ["0.png", "1.png", "2.png"]
    assert len(got["X"]) == 3 and got["labels"] is None
    assert "Left out, 2 in all" in done("features", "pile", "-o", f"x.{kind}", "--force", *CHEAP).out


def test_an_archive_names_its_columns(here: Path, fresh: Path) -> None:
    done("features", fresh, "-o", "x.npz", "--features", "thumbnail@32+lbp@32")
    with np.load("x.npz") as file:
        columns = file["columns"].tolist()
        assert len(columns) == file["X"].shape[1]
        assert columns[0].startswith("thumbnail@32") and columns[-1].startswith("lbp@32")


def test_several_things_have_no_labels(here: Path, fresh: Path) -> None:
    done("features", min(fresh.glob("1/*")), fresh / "2", "-o", "x.npz", *CHEAP)
    got = written("x.npz")
    assert len(got["X"]) == 6 and got["labels"] is None


@pytest.mark.parametrize(("null", "end"), [((), "\n"), (("-0",), "\0")])
def test_a_list_on_stdin(here: Path, fresh: Path, null: tuple[str, ...], end: str) -> None:
    names = sorted(map(str, fresh.glob("3/*")), reverse=True)
    stdin = "".join(name + end for name in names).encode()
    done("features", "-", *null, "-o", "x.npz", *CHEAP, stdin=stdin)
    assert written("x.npz")["paths"] == names


def test_presets_say_what_is_computed(here: Path, fresh: Path) -> None:
    image = min(fresh.glob("1/*"))
    found = done("features", image, "-o", "x.npy", "--preset", "fast", "--json").json
    assert found["features"] == "efficientnet-lite0@224/middle"
    assert np.load("x.npy").shape == (1, found["n_features"])


def test_precision_changes_the_numbers_a_little(here: Path, fresh: Path) -> None:
    image = min(fresh.glob("1/*"))
    spec = ("--features", "efficientnet-lite0@64")
    for precision in ("int8", "float32"):
        done("features", image, "-o", f"{precision}.npy", "--precision", precision, *spec)
    a, b = np.load("int8.npy")[0], np.load("float32.npy")[0]
    assert not np.array_equal(a, b)
    assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.9


def test_the_cache_changes_no_number(here: Path, fresh: Path, empty_cache: Path) -> None:
    for name, options in {"a": (), "b": (), "c": ("--no-cache",)}.items():
        done("features", fresh, "-o", f"{name}.npy", *CHEAP, *options)
    a, b, c = (np.load(f"{name}.npy") for name in "abc")
    np.testing.assert_array_equal(a, c)
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


def test_workers_and_engines_change_no_number(here: Path, fresh: Path) -> None:
    for engine in ("onnxruntime", "openvino"):
        pytest.importorskip(engine)
        done("features", fresh, "-o", f"{engine}.npy", "--engine", engine, "--no-cache", *CHEAP)
    done("features", fresh, "-o", "one.npy", "--workers", "1", "--no-cache", *CHEAP)
    a, b, c = (np.load(f"{name}.npy") for name in ("onnxruntime", "openvino", "one"))
    np.testing.assert_allclose(a, b, atol=1e-4)
    np.testing.assert_allclose(a, c, atol=1e-4)


@pytest.mark.parametrize("name", ["x.npz", "x.npy", "x.parquet", "x.csv", "x.images.csv"])
def test_a_file_that_exists_is_left_alone(here: Path, fresh: Path, name: str) -> None:
    (here / name).write_text("precious")
    target = "x.npy" if name == "x.images.csv" else name
    assert f"{name}: exists already" in genus("features", fresh, "-o", target, *CHEAP).complaint
    assert below(here) == {name} and (here / name).read_text() == "precious"
    done("features", fresh, "-o", target, "--force", *CHEAP)
    assert (here / name).read_bytes() != b"precious"


@pytest.mark.parametrize("name", ["x", "x.txt", "x.npz.gz"])
def test_the_name_says_the_format(here: Path, fresh: Path, name: str) -> None:
    complaint = genus("features", fresh, "-o", name, *CHEAP).complaint
    assert f"{name}: the name must end in one of .npz, .npy, .parquet, .csv" in complaint
    assert below(here) == set()


def test_nothing_readable_leaves_no_file(here: Path) -> None:
    (here / "bad.jpg").write_text("text")
    complaint = genus("features", "bad.jpg", "-o", "x.npz", *CHEAP).complaint
    assert "bad.jpg: it is text, not an image" in complaint
    assert below(here) == {"bad.jpg"}
