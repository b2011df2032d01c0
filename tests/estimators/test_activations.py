"""What a network's frozen beginning makes of images once is what it would make of them in every epoch."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")

from estimators.networks import pictures  # noqa: E402
from genus.cnn.augment import Augmenter  # noqa: E402
from genus.cnn.augmentation import PRESETS  # noqa: E402
from genus.cnn.networks import make_network  # noqa: E402
from genus.cnn.pixels import PixelStore, store_pixels  # noqa: E402
from genus.estimators import activations  # noqa: E402
from genus.estimators.activations import activation_shape, compute_activations  # noqa: E402
from genus.features.feature_set import find_backbone  # noqa: E402
from genus.features.quantized import int8_ranges  # noqa: E402
from genus.features.runtime import Runtime  # noqa: E402
from genus.features.trained import FrozenPrefix  # noqa: E402
from genus.images.preprocess import Preprocess  # noqa: E402
from genus.images.source import as_source  # noqa: E402
from genus.room import room  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

SIDE, N, N_BLOCKS, NAME = 64, 12, 11, "efficientnet-lite0"
QUIET = Runtime(engine="onnxruntime", workers=1)


@pytest.fixture(scope="module")
def store() -> PixelStore:
    grey, _ = pictures(N, side=SIDE)
    return store_pixels([as_source(one) for one in grey], Preprocess(SIDE, SIDE))


def prefix(precision: str) -> FrozenPrefix:
    backbone: Any = find_backbone(NAME)
    ranges = int8_ranges(NAME)
    return FrozenPrefix(backbone.quantized(ranges) if precision == "int8" else backbone, N_BLOCKS)


def computed(
    store: PixelStore, precision: str = "float32", n_views: int = 2, **more: Any
) -> list[np.ndarray]:
    augmenter = Augmenter(PRESETS["standard"], SIDE, seed=more.pop("seed", 0))
    return compute_activations(store, prefix(precision), augmenter, n_views, **{"runtime": QUIET, **more})


@torch.inference_mode()
def by_pytorch(images: "torch.Tensor") -> np.ndarray:
    beginning, _ = make_network(NAME, 2, size=SIDE, random_state=0).eval().split(N_BLOCKS)
    return beginning(images).numpy()


@pytest.mark.parametrize(("precision", "off"), [("float32", 0.002), ("int8", 0.2)])
def test_the_first_view_is_what_pytorch_makes_of_the_images_as_they_are(
    store: PixelStore, precision: str, off: float
) -> None:
    (first,) = computed(store, precision, 1)
    expected = by_pytorch(store.batch(np.arange(N)))
    assert first.dtype == np.float16 and first.shape == expected.shape
    difference = np.linalg.norm(first.astype(np.float32) - expected) / np.linalg.norm(expected)
    assert difference < off


def test_the_other_views_are_those_of_the_augmented_images(store: PixelStore) -> None:
    rows = np.arange(N)
    views = computed(store, n_views=3)
    augmenter = Augmenter(PRESETS["standard"], SIDE, seed=0)
    for number in (1, 2):
        expected = by_pytorch(augmenter(store.batch(rows), number, rows))
        np.testing.assert_allclose(
            views[number].astype(np.float32), expected, atol=0.05 * np.abs(expected).max()
        )


def test_a_seed_gives_the_same_views_whatever_the_number_of_workers(store: PixelStore) -> None:
    one, other = computed(store), computed(store, runtime=Runtime(engine="onnxruntime", workers=2))
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert not np.array_equal(computed(store, seed=1)[1], one[1])


def test_only_the_rows_that_are_wanted_are_computed(store: PixelStore) -> None:
    rows = np.array([1, 4, 5])
    (every,), (some,) = computed(store, n_views=1), computed(store, n_views=1, rows=rows)
    np.testing.assert_array_equal(some[rows], every[rows])
    assert not some[np.setdiff1d(np.arange(N), rows)].any()


def test_the_shape_is_known_beforehand(store: PixelStore) -> None:
    assert computed(store, n_views=1)[0].shape[1:] == activation_shape(prefix("float32"), SIDE) == (112, 4, 4)


def test_no_further_view_is_begun_when_the_time_would_be_over(
    store: PixelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter(range(0, 1000, 10))  # each view takes ten seconds
    monkeypatch.setattr(activations, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    assert len(computed(store, n_views=4, seconds=25.0)) == 2


def test_what_does_not_fit_into_memory_is_in_a_file_without_a_name(
    store: PixelStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected = computed(store)
    monkeypatch.setattr("genus.room._IN_MEMORY", 1000)
    monkeypatch.setenv("GENUS_CACHE", str(tmp_path))
    found = computed(store)
    assert all(isinstance(view, np.memmap) for view in found)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert not list(tmp_path.glob("tmp*"))
    assert isinstance(room((10, 10, 10), np.float16), np.memmap)
    assert not isinstance(room((10, 5, 5), np.float16), np.memmap)
