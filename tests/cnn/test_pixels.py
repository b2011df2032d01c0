"""Training images decoded once: in memory, in a file, or for each batch; the same pixels everywhere."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photographs import photographs

torch = pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")

from genus.cnn import pixel_files, pixels  # noqa: E402
from genus.cnn.decoding import Decoder  # noqa: E402
from genus.cnn.pixel_files import pixel_folder  # noqa: E402
from genus.cnn.pixels import PixelStore, Storage, store_pixels  # noqa: E402
from genus.errors import DataError, ImageError, ParameterError  # noqa: E402
from genus.images.decode import Limits  # noqa: E402
from genus.images.preprocess import Preprocess, load_image  # noqa: E402
from genus.images.source import ImageSource, as_source  # noqa: E402

SQUARE = Preprocess(24, 24)
PLACES: dict[str, Storage] = {
    "memory": Storage(workers=2),
    "file": Storage(memory=0, workers=2),
    "nowhere": Storage(memory=0, disk=0, workers=2),
}
everywhere = pytest.mark.parametrize("where", PLACES)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENUS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def sources(tmp_path: Path) -> list[ImageSource]:
    """Twenty photographs as files and pixels, grey ones and a tiny one among them; the 4th and last are broken."""
    from PIL import Image

    found: list[ImageSource] = []
    for i, picture in enumerate(photographs(40)):
        image = Image.fromarray(picture).convert("L" if i % 5 == 0 else "RGB")
        image.save(tmp_path / f"{i}.png")
        found.append(as_source(tmp_path / f"{i}.png"))
    found[1] = as_source(np.full((1, 1, 3), 77, np.uint8))
    whole = (tmp_path / "3.png").read_bytes()
    (tmp_path / "3.png").write_bytes(whole[: len(whole) // 2])
    found[-1] = as_source(tmp_path / "missing.png")
    return found


class Recorder:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.n_done = 0

    def task(self, label: str, total: int | None = None, unit: str = "") -> "Recorder":
        self.total = total
        return self

    def say(self, text: str) -> None:
        self.said.append(text)

    def advance(self, n: int = 1) -> None:
        self.n_done += n

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: Any) -> None: ...


@everywhere
def test_pixels_are_those_of_the_one_decoder(where: str, sources: list[ImageSource]) -> None:
    store = store_pixels(sources, SQUARE, storage=PLACES[where])
    assert store.where == {"kept": "file"}.get(where, where)
    batch = store.batch(np.arange(len(store)))
    assert batch.dtype == torch.uint8 and batch.is_contiguous(memory_format=torch.channels_last)
    for row, place in zip(batch, store.kept, strict=True):
        expected = load_image(sources[place], SQUARE).pixels
        assert np.array_equal(row.permute(1, 2, 0), expected)


@everywhere
def test_what_cannot_be_read_is_named_and_never_replaced(where: str, sources: list[ImageSource]) -> None:
    store = store_pixels(sources, SQUARE, storage=PLACES[where])
    assert [Path(image.source).name for image in store.skipped] == ["3.png", "missing.png"]
    assert "truncated" in store.skipped[0].reason
    assert store.kept.tolist() == [i for i in range(20) if i not in (3, 19)]


@everywhere
@settings(max_examples=10)
@given(rows=st.lists(st.integers(0, 17), max_size=40))
def test_a_batch_is_in_the_order_that_is_asked_for(
    where: str, rows: list[int], stores: dict[str, PixelStore]
) -> None:
    store = stores[where]
    whole = store.batch(np.arange(18))
    assert torch.equal(store.batch(rows), whole[rows])
    assert torch.equal(store.batch(torch.tensor(rows, dtype=torch.int64)), whole[rows])


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PixelStore]:
    pictures = [as_source(picture) for picture in photographs(40)[:18]]
    before = os.environ.get("GENUS_CACHE", "")
    os.environ["GENUS_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    try:
        return {where: store_pixels(pictures, SQUARE, storage=storage) for where, storage in PLACES.items()}
    finally:
        os.environ["GENUS_CACHE"] = before


@pytest.mark.parametrize(("quick", "most"), [(60.0, 1), (0.0, 4)])
def test_images_that_are_decoded_in_no_time_are_decoded_by_one_thread(
    monkeypatch: pytest.MonkeyPatch, quick: float, most: int
) -> None:
    threads, decode = set(), Decoder.pixels

    def look(decoder: Decoder, i: int) -> np.ndarray:
        if i >= 16:  # the first ones are timed
            threads.add(threading.get_ident())
            time.sleep(0.002)
        return decode(decoder, i)

    monkeypatch.setattr("genus.cnn.decoding._QUICK", quick)
    monkeypatch.setattr(Decoder, "pixels", look)
    pictures = [as_source(np.full((20, 20, 3), i, np.uint8)) for i in range(200)]
    store = store_pixels(pictures, SQUARE, storage=Storage(workers=4))
    assert len(threads) == most
    assert store.batch(np.arange(200))[:, 0, 0, 0].tolist() == list(range(200))


@everywhere
def test_a_batch_is_a_copy(where: str, stores: dict[str, PixelStore]) -> None:
    before = stores[where].batch([0, 1]).clone()
    stores[where].batch([0, 1]).zero_()
    assert torch.equal(stores[where].batch([0, 1]), before)


@everywhere
@pytest.mark.parametrize("ahead", [0, 1, 5])
def test_reading_ahead_gives_the_same_batches(where: str, ahead: int, stores: dict[str, PixelStore]) -> None:
    wanted = [[3, 1], [0], [], [17, 17, 2]]
    found = list(stores[where].batches(wanted, ahead=ahead))
    assert all(torch.equal(a, stores[where].batch(rows)) for a, rows in zip(found, wanted, strict=True))


def test_reading_ahead_is_bounded_and_ends_with_whoever_reads(stores: dict[str, PixelStore]) -> None:
    asked = []

    def rows() -> Iterator[list[int]]:
        for i in range(1000):
            asked.append(i)
            yield [i % 18]

    reading = stores["memory"].batches(rows(), ahead=3)
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert len(asked) <= 4
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("genus-pixels")]


def test_progress_is_told(sources: list[ImageSource]) -> None:
    told = Recorder()
    store_pixels(sources, SQUARE, progress=told)
    assert told.n_done == told.total == 20 and not told.said
    store_pixels(sources, SQUARE, storage=PLACES["nowhere"], progress=told)
    assert "decoded again in every epoch" in told.said[0]


def test_sides_need_not_be_equal(sources: list[ImageSource]) -> None:
    store = store_pixels(sources, Preprocess(8, 16))
    assert store.batch([0]).shape == (1, 3, 8, 16)


def test_without_images_there_is_nothing_to_store(sources: list[ImageSource]) -> None:
    with pytest.raises(DataError, match="there are no images"):
        store_pixels([], SQUARE)
    with pytest.raises(DataError, match=r"none of the 2 images can be read: .*3\.png: .*truncated"):
        store_pixels([sources[3], sources[19]], SQUARE)


def test_limits_hold(sources: list[ImageSource]) -> None:
    store = store_pixels(sources, SQUARE, limits=Limits(max_pixels=100))
    assert store.kept.tolist() == [1] and "more than the limit" in store.skipped[0].reason


@pytest.mark.parametrize("rows", [[18], [-1], [0, 99]])
def test_rows_out_of_range_are_refused(rows: list[int], stores: dict[str, PixelStore]) -> None:
    with pytest.raises(ParameterError, match="indices must be from 0 to 17"):
        stores["memory"].batch(rows)


def test_an_image_that_is_gone_in_the_middle_of_training_is_named(sources: list[ImageSource]) -> None:
    store = store_pixels(sources, SQUARE, storage=PLACES["nowhere"])
    os.remove(sources[0].name)
    with pytest.raises(ImageError, match=r"0\.png"):
        store.batch([0])


@pytest.mark.parametrize("wrong", [{"memory": -1}, {"disk": -1}, {"workers": 0}])
def test_storage_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ParameterError):
        Storage(**wrong)  # type: ignore[arg-type]


# Files


def files() -> list[str]:
    return sorted(path.name for path in pixel_folder().iterdir())


@pytest.mark.skipif(os.name != "posix", reason="a file that is open cannot lose its name there")
def test_a_file_that_is_not_kept_has_no_name(sources: list[ImageSource]) -> None:
    store = store_pixels(sources, SQUARE, storage=PLACES["file"])
    assert files() == [] and len(store.batch([0])) == 1


def test_a_full_disk_means_decoding_again(
    sources: list[ImageSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    told = Recorder()
    monkeypatch.setattr(pixel_files.GrowingFile, "write", no_space)
    store = store_pixels(sources, SQUARE, storage=PLACES["file"], progress=told)
    assert store.where == "nowhere" and files() == []
    assert "No space left on device" in told.said[0]
    monkeypatch.setattr(pixels, "has_room", lambda n_bytes: False)
    assert store_pixels(sources, SQUARE, storage=PLACES["file"]).where == "nowhere"


def test_what_a_killed_process_has_left_goes_at_the_next_start(sources: list[ImageSource]) -> None:
    pixel_folder().mkdir(parents=True)
    (pixel_folder() / "12345.abcd.part").write_bytes(bytes(100))
    store_pixels(sources, SQUARE, storage=PLACES["file"])
    assert "12345.abcd.part" not in files()


def test_an_interruption_leaves_nothing(sources: list[ImageSource]) -> None:
    class Impatient(Recorder):
        def advance(self, n: int = 1) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store_pixels(sources, SQUARE, storage=PLACES["file"], progress=Impatient())
    assert files() == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("genus-pixels")]
