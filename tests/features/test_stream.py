"""Streaming extraction: right, in order, the same however it is computed, and hard to stop by accident."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pytest

from genus.errors import EngineError, ImageError, ParameterError
from genus.features import cache_rows, runtime, stream, workers
from genus.features.cache import FeatureCache
from genus.features.engines import open_runner
from genus.features.feature_set import parse_feature_set
from genus.features.runtime import Runtime, available_cores
from genus.features.stream import extract, extract_batches
from genus.images.preprocess import load_image
from genus.images.source import ImageSource, as_source

FEATURES = parse_feature_set("thumbnail@32")
PLAIN = Runtime(cache=False)


@dataclass
class Watcher:
    """A progress that remembers."""

    done: int = 0
    total: int | None = None
    said: list[str] = field(default_factory=list)

    def task(self, label: str, total: int | None = None, unit: str = "") -> Self:
        self.total = total
        return self

    def say(self, text: str) -> None:
        self.said.append(text)

    def advance(self, n: int = 1) -> None:
        self.done += n

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def picture(seed: int, h: int = 40, w: int = 56) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (h, w, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty small images of several sizes and formats."""
    import cv2

    folder = tmp_path_factory.mktemp("images")
    for i in range(50):
        cv2.imwrite(str(folder / f"{i:02}.{('jpg', 'png', 'bmp')[i % 3]}"), picture(i, 40 + i, 60))
    return folder


@pytest.fixture
def sources(folder: Path) -> list[ImageSource]:
    return [as_source(path) for path in sorted(folder.iterdir())]


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for one test, in which files count as settled at once."""
    monkeypatch.setenv("GENUS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache_rows, "_FRESH_NS", -(10**18))
    FEATURES.model()
    return tmp_path / "cache"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the images decoded, as they are."""
    names: list[str] = []
    real = workers.load_image

    def counting(source: ImageSource, *args: object) -> object:
        names.append(source.name)
        return real(source, *args)

    monkeypatch.setattr(workers, "load_image", counting)
    return names


# ---- what comes out ----


def test_the_table_is_what_the_graph_gives_for_each_image(sources: list[ImageSource]) -> None:
    progress = Watcher()
    table = extract(sources, FEATURES, runtime=PLAIN, progress=progress)
    images = [load_image(source, FEATURES.preprocess) for source in sources]
    run = open_runner(FEATURES.model(), engine="onnxruntime")
    wanted = run(np.stack([image.pixels for image in images]))["features"]
    np.testing.assert_allclose(table.X, wanted, atol=1e-6)
    assert table.X.dtype == np.float32 and table.blocks == FEATURES.blocks
    assert table.infos == tuple(image.info for image in images)
    assert list(table.kept) == list(range(50)) and table.hashes.dtype == np.uint64
    assert len(set(table.hashes.tolist())) > 45
    assert (len(table), table.skipped, table.n_cached) == (50, (), 0)
    assert (progress.done, progress.total) == (50, 50) and table.seconds > 0
    assert table.to_dict()["n_features"] == 3072


@pytest.mark.parametrize("n_workers", [1, 2, 5])
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_workers_and_batches_do_not_change_the_result(
    sources: list[ImageSource], n_workers: int, batch_size: int
) -> None:
    options = Runtime(workers=n_workers, batch_size=batch_size, cache=False)
    table, wanted = extract(sources, FEATURES, runtime=options), extract(sources, FEATURES, runtime=PLAIN)
    np.testing.assert_allclose(table.X, wanted.X, atol=1e-6)
    assert table.infos == wanted.infos
    np.testing.assert_array_equal(table.hashes, wanted.hashes)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_network_gives_the_same_for_any_batch(sources: list[ImageSource], engine: str) -> None:
    pytest.importorskip(engine)
    features = parse_feature_set("efficientnet-lite0@64")
    options = [Runtime(engine, n, size, cache=False) for n, size in ((1, 12), (3, 2))]
    a, b = (extract(sources[:12], features, runtime=o).X for o in options)
    assert a.shape == (12, 1280)
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_arrays_bytes_and_files_may_be_mixed(folder: Path) -> None:
    file = sorted(folder.iterdir())[1]  # a PNG
    import cv2

    pixels = cv2.imread(str(file))[:, :, ::-1].copy()
    mixed = [as_source(file), as_source(file.read_bytes(), "bytes"), as_source(pixels, "array")]
    table = extract(mixed, FEATURES, runtime=PLAIN)
    np.testing.assert_allclose(table.X, table.X[[0, 0, 0]], atol=1e-6)
    assert table.infos[0].content_hash == table.infos[1].content_hash != table.infos[2].content_hash


def test_no_images_give_an_empty_table() -> None:
    table = extract([], FEATURES)
    assert table.X.shape == (0, 3072) and len(table.kept) == 0


@pytest.mark.parametrize("options", [Runtime(workers=0), Runtime(batch_size=0), Runtime(engine="tpu")])
def test_impossible_options_are_refused(sources: list[ImageSource], options: Runtime) -> None:
    with pytest.raises(ParameterError):
        extract(sources, FEATURES, runtime=options)


# ---- images that cannot be read, images that occur twice ----


def broken(tmp_path: Path, name: str) -> ImageSource:
    (tmp_path / name).write_bytes(b"this is not an image")
    return as_source(tmp_path / name)


def test_unreadable_images_are_listed_and_the_others_stay_in_order(
    sources: list[ImageSource], tmp_path: Path
) -> None:
    bad = [broken(tmp_path, "a.jpg"), as_source(tmp_path / "missing.png"), broken(tmp_path, "b.jpg")]
    mixed = [bad[0], *sources[:20], bad[1], *sources[20:], bad[2], bad[0]]
    progress = Watcher()
    table = extract(mixed, FEATURES, runtime=Runtime(batch_size=4, cache=False), progress=progress)
    assert [skipped.source for skipped in table.skipped] == [s.name for s in (*bad, bad[0])]
    assert all(skipped.reason for skipped in table.skipped)
    assert [mixed[i] for i in table.kept] == sources
    np.testing.assert_allclose(table.X, extract(sources, FEATURES, runtime=PLAIN).X, atol=1e-6)
    assert progress.done == progress.total


def test_nothing_but_unreadable_images(tmp_path: Path) -> None:
    table = extract([broken(tmp_path, "a.jpg")] * 3, FEATURES, runtime=PLAIN)
    assert len(table) == 0 and len(table.skipped) == 3


def test_an_image_that_occurs_several_times_is_decoded_once(
    sources: list[ImageSource], decoded: list[str]
) -> None:
    array = picture(1)
    again = [as_source(Path(os.path.relpath(sources[0].path or "")))]  # the same file under another name
    repeated = [*sources[:3], *again, *sources[:3], as_source(array, "x"), as_source(array, "x")]
    table = extract(repeated, FEATURES, runtime=PLAIN)
    assert len(decoded) == 4
    np.testing.assert_array_equal(table.X, table.X[[0, 1, 2, 0, 0, 1, 2, 7, 7]])
    assert list(table.kept) == list(range(9))


# ---- the cache ----


def test_a_second_run_reads_and_decodes_nothing(
    sources: list[ImageSource], cache_folder: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = extract(sources, FEATURES)
    assert len(decoded) == 50
    monkeypatch.setattr(ImageSource, "read", lambda *_: pytest.fail("was read"))
    second = extract(sources[::-1], FEATURES)
    assert (len(decoded), second.n_cached) == (50, 50)
    np.testing.assert_array_equal(second.X[::-1], first.X)
    np.testing.assert_array_equal(second.hashes[::-1], first.hashes)
    assert second.infos[::-1] == first.infos


def test_a_moved_file_is_read_but_not_decoded(
    sources: list[ImageSource], cache_folder: Path, decoded: list[str], tmp_path: Path
) -> None:
    extract(sources[:5], FEATURES)
    copies = []
    for i, source in enumerate(sources[:5]):
        copies.append(tmp_path / f"copy {i}")
        copies[-1].write_bytes((source.path or Path()).read_bytes())
    moved = [as_source(path) for path in copies]
    for attempt in range(2):
        table = extract(moved, FEATURES)
        assert (len(decoded), table.n_cached) == (5, 5), attempt
    with FeatureCache() as cache:
        assert cache.stats().n_files == 10  # the second time they were not even read


def test_verify_reads_files_that_seem_unchanged(
    sources: list[ImageSource], cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract(sources[:5], FEATURES)
    names: list[str] = []
    real = ImageSource.read
    monkeypatch.setattr(ImageSource, "read", lambda self, *a: names.append(self.name) or real(self, *a))
    assert extract(sources[:5], FEATURES, runtime=Runtime(verify=True)).n_cached == 5
    assert sorted(names) == sorted(source.name for source in sources[:5])


def test_arrays_are_cached_by_content(cache_folder: Path) -> None:
    first = extract([as_source(picture(i), f"image {i}") for i in range(3)], FEATURES)
    second = extract([as_source(picture(i), f"image {i}") for i in (2, 5, 0)], FEATURES)
    assert second.n_cached == 2
    np.testing.assert_array_equal(second.X[[0, 2]], first.X[[2, 0]])


def test_other_features_are_other_rows(sources: list[ImageSource], cache_folder: Path) -> None:
    extract(sources, FEATURES)
    assert extract(sources, parse_feature_set("lbp@32")).n_cached == 0
    assert extract(sources, FEATURES).n_cached == 50


def test_without_the_cache_nothing_is_kept(sources: list[ImageSource], cache_folder: Path) -> None:
    extract(sources, FEATURES, runtime=PLAIN)
    assert not (cache_folder / "features.sqlite").exists()


def test_an_unusable_cache_is_said_once_and_the_work_is_done(
    sources: list[ImageSource], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GENUS_CACHE", str(tmp_path / "file"))
    progress = Watcher()
    table = extract(sources, FEATURES, progress=progress)
    assert len(table) == 50 and len(progress.said) == 1
    assert "is not used" in progress.said[0]


# ---- failures ----


def test_an_unexpected_failure_in_a_worker_stops_everything(
    sources: list[ImageSource], monkeypatch: pytest.MonkeyPatch, cache_folder: Path
) -> None:
    calls: list[str] = []
    real = workers.load_image

    def failing(source: ImageSource, *args: object) -> object:
        calls.append(source.name)
        if len(calls) == 10:
            raise RuntimeError("a bug")
        time.sleep(0.002)
        return real(source, *args)

    monkeypatch.setattr(workers, "load_image", failing)
    with pytest.raises(RuntimeError, match="a bug"):
        extract(sources, FEATURES, runtime=Runtime(workers=2, batch_size=2))
    assert len(calls) < 40
    monkeypatch.setattr(workers, "load_image", real)
    assert extract(sources, FEATURES).n_cached >= 6  # what was done before is kept


@dataclass
class FakeRunner:
    """Gives the mean of each picture; NaN for black ones."""

    engine: str = "fake"
    family: str = "fake"

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        mean = images.reshape(len(images), -1).mean(axis=1, keepdims=True)
        return {"features": np.where(mean == 0, np.nan, mean).astype(np.float32).repeat(3072, axis=1)}


def test_features_that_are_not_finite_name_the_image(
    sources: list[ImageSource], monkeypatch: pytest.MonkeyPatch, cache_folder: Path
) -> None:
    monkeypatch.setattr(stream, "open_runner", lambda *_, **__: FakeRunner())
    black = as_source(np.zeros((9, 9, 3), np.uint8), "night.png")
    with pytest.raises(EngineError, match=r"night\.png: onnxruntime gave features that are not finite"):
        extract([*sources, black], FEATURES)
    with FeatureCache() as cache:
        assert cache.stats().n_rows <= 50  # the black one is not kept


def test_the_engines_first_call_is_made_alone(
    sources: list[ImageSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[int] = []
    most: list[int] = []

    class Slow(FakeRunner):
        def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
            running.append(1)
            time.sleep(0.02)
            most.append(len(running))  # how many were under way when this one was
            running.pop()
            return super().__call__(images)

    monkeypatch.setattr(stream, "open_runner", lambda *_, **__: Slow())
    extract(sources, FEATURES, runtime=Runtime(workers=4, batch_size=2, cache=False))
    assert most[0] == 1 and max(most) > 1


# ---- batch by batch ----


def test_batches_hold_every_source_once(
    sources: list[ImageSource], cache_folder: Path, tmp_path: Path
) -> None:
    extract(sources[::2], FEATURES)
    mixed = [*sources, broken(tmp_path, "bad.gif")]
    rows: dict[int, np.ndarray] = {}
    skipped: list[int] = []
    for batch in extract_batches(mixed, FEATURES, runtime=Runtime(batch_size=4)):
        assert len(batch.X) == len(batch.indices) == len(batch.infos) == len(batch.hashes)
        assert (np.diff(batch.indices) > 0).all()
        rows.update(zip(batch.indices.tolist(), batch.X, strict=True))
        skipped += batch.skipped
    assert sorted(rows) == list(range(50)) and skipped == [50]
    table = extract(sources, FEATURES, runtime=PLAIN)
    np.testing.assert_allclose([rows[i] for i in range(50)], table.X, atol=1e-6)


def test_a_slow_consumer_holds_the_workers_back(sources: list[ImageSource], decoded: list[str]) -> None:
    options = Runtime(workers=2, batch_size=1, cache=False)
    batches: Iterator[object] = extract_batches(sources, FEATURES, runtime=options)
    next(batches)
    time.sleep(0.2)
    assert len(decoded) <= 8  # two workers, four batches ahead each
    assert sum(1 for _ in batches) == 49


def test_a_consumer_that_leaves_stops_the_workers(
    sources: list[ImageSource], decoded: list[str], cache_folder: Path
) -> None:
    n_threads = threading.active_count()
    batches = extract_batches(sources, FEATURES, runtime=Runtime(workers=2, batch_size=1))
    next(batches)
    batches.close()
    assert threading.active_count() == n_threads
    assert len(decoded) <= 8
    with FeatureCache() as cache:
        assert cache.stats().n_rows >= 1


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
def test_ctrl_c_stops_at_once_and_loses_nothing(cache_folder: Path) -> None:
    here = Path(__file__).resolve()
    code = f"""
import os, signal, sys, time
sys.path.insert(0, {str(here.parent)!r})
from {here.stem} import *
signal.signal(signal.SIGINT, signal.default_int_handler)  # what was started in the background ignores it
real, calls = workers.load_image, []
def decode(*arguments):
    calls.append(time.monotonic())
    if len(calls) == 100:
        os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)
    return real(*arguments)
workers.load_image = decode
images = [as_source(picture(i), f"image {{i}}") for i in range(5000)]
try:
    extract(images, FEATURES, runtime=Runtime("onnxruntime", workers=2))
except KeyboardInterrupt:
    with FeatureCache() as cache:
        print("stopped", cache.stats().n_rows, time.monotonic() - calls[99])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    word, n_rows, seconds = result.stdout.split()
    assert word == "stopped" and 64 <= int(n_rows) < 130 and float(seconds) < 2


# ---- the runtime ----


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "200000 100000"}, 2.0),
        ({"cpu.max": "50000 100000"}, 1.0),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "nonsense"}, None),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3.0),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_a_containers_quota_counts(tmp_path: Path, files: dict[str, str], cores: float | None) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert runtime._container_quota(tmp_path) == cores


def test_few_images_start_few_workers() -> None:
    assert Runtime().n_workers(1) == 1
    assert Runtime().n_workers(10**6) == available_cores()
    assert Runtime(workers=64).n_workers(3) == 3


def test_image_errors_of_a_source_keep_their_reason(
    sources: list[ImageSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: ImageSource, *_: object) -> object:
        raise ImageError(source.name, "is too large")

    monkeypatch.setattr(workers, "load_image", refuse)
    table = extract(sources[:2], FEATURES, runtime=PLAIN)
    assert {skipped.reason for skipped in table.skipped} == {"is too large"}
