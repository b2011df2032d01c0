"""Stored pictures as a model sees them when it is measured."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")

from sklearn.datasets import load_sample_image  # noqa: E402

from genus.cnn.augment_torch import scale_on_device  # noqa: E402
from genus.cnn.pixels import enlarged  # noqa: E402
from genus.cnn.views import evaluation_view  # noqa: E402
from genus.images.preprocess import Fit, Preprocess, load_image  # noqa: E402
from genus.images.source import as_source  # noqa: E402

from .image_batches import as_batch, difference, photos  # noqa: E402

# Grey levels on average, of photographs full of detail. A crop keeps its scale, the others are scaled twice; and the
# edges of padding fall between pixels.
BOUNDS = {"crop": 2, "squash": 5, "pad": 9}


@pytest.mark.parametrize("fit", BOUNDS)
@pytest.mark.parametrize("side", [32, 63, 224])
@pytest.mark.parametrize("margin", [1, 8 / 7, 1.5])
def test_training_measures_what_the_model_file_will_see(fit: Fit, side: int, margin: float) -> None:
    bound = BOUNDS[fit] if margin > 1 else 0
    preprocess = Preprocess(side, side, fit)
    for name in ("china.jpg", "flower.jpg"):
        source = as_source(load_sample_image(name))
        stored = load_image(source, enlarged(preprocess, margin)).pixels
        seen = evaluation_view(as_batch(stored[None]), side, fit=fit)
        assert difference(seen, as_batch(load_image(source, preprocess).pixels[None])) <= bound


@pytest.mark.parametrize("fraction", [0.5, 0.875, 0.95, 1.0])
def test_the_middle_of_an_enlarged_crop_is_the_crop(fraction: float) -> None:
    small = Preprocess(224, 224, "crop", fraction)
    large = enlarged(small)
    before, after = small.region(1000, 1500), large.region(1000, 1500)
    scales = [(box[2] - box[0]) / size for box, size in ((before, 224), (after, large.height))]
    assert np.isclose(*scales), "at the same scale"
    assert large.height % 2 == 0 and large.crop_fraction <= 1


def test_a_picture_that_is_too_small_is_enlarged() -> None:
    assert evaluation_view(photos(2, 8), 20, fit="crop").shape == (2, 3, 20, 20)
    assert evaluation_view(photos(2, 8)[:0], 20).shape == (0, 3, 20, 20)


@pytest.mark.parametrize("side", [20, 32, 48, 60])
def test_an_accelerator_would_scale_the_same(side: int) -> None:
    images = photos()
    scaled = scale_on_device(images.permute(0, 2, 3, 1), side).permute(0, 3, 1, 2)
    assert difference(scaled, evaluation_view(images, side)) < 2.5
