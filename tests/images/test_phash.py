"""Alike images have like hashes; different ones do not."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_making import PHOTOS, encode
from PIL import Image, ImageEnhance

from genus.images.decode import decode
from genus.images.phash import hamming, perceptual_hash
from genus.images.preprocess import resize
from genus.images.source import as_source

U64 = st.integers(0, 2**64 - 1)


def real_photos(folder):
    return [decode(as_source(path)).pixels for path in sorted(folder.glob("*.jpg"))]


@pytest.fixture(scope="session")
def photos(shared_data):
    return PHOTOS + real_photos(shared_data / "imagededup_fixtures" / "base_images")


CHANGES = {
    "JPEG at 30": lambda p: np.asarray(Image.open(BytesIO(encode(p, "JPEG", quality=30)))),
    "WebP at 50": lambda p: np.asarray(Image.open(BytesIO(encode(p, "WEBP", quality=50)))),
    "half": lambda p: resize(p, p.shape[0] // 2, p.shape[1] // 2),
    "a fifth": lambda p: resize(p, p.shape[0] // 5, p.shape[1] // 5),
    "double": lambda p: resize(p, p.shape[0] * 2, p.shape[1] * 2),
    "squashed": lambda p: resize(p, 224, 224),
    "brighter": lambda p: np.asarray(ImageEnhance.Brightness(Image.fromarray(p)).enhance(1.15)),
    "grey": lambda p: np.repeat(np.asarray(Image.fromarray(p).convert("L"))[..., None], 3, axis=2),
}


@pytest.mark.parametrize("change", CHANGES)
def test_scale_and_recompression_change_few_bits(photos, change):
    for photo in photos:
        assert hamming(perceptual_hash(photo), perceptual_hash(CHANGES[change](photo))) <= 8


@pytest.mark.parametrize("scale", [2, 4])
def test_scaled_decoding_changes_few_bits(photos, scale):
    for photo in photos:
        source = as_source(encode(photo, "JPEG", quality=90))
        small = decode(source, (photo.shape[0] // scale, photo.shape[1] // scale))
        assert hamming(perceptual_hash(photo), perceptual_hash(small.pixels)) <= 6


def test_different_photos_differ(photos):
    hashes = np.array([perceptual_hash(photo) for photo in photos])
    distances = hamming(hashes[:, None], hashes[None])
    assert distances[~np.eye(len(hashes), dtype=bool)].min() > 10


def test_mirrored_photos_differ(photos):
    for photo in photos:
        assert hamming(perceptual_hash(photo), perceptual_hash(photo[:, ::-1])) > 10


@pytest.mark.parametrize("value", [0, 1, 127, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (5, 700), (300, 200)])
def test_an_image_of_one_colour_has_no_structure(value, shape):
    assert perceptual_hash(np.full((*shape, 3), value, np.uint8)) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (7, 3), (128, 128)])
def test_any_shape(shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    hashed = perceptual_hash(pixels)
    assert isinstance(hashed, np.uint64)
    assert hashed == perceptual_hash(pixels.copy())


@given(U64, U64, U64)
def test_hamming_is_a_distance(a, b, c):
    def d(x, y):
        return int(hamming(np.uint64(x), np.uint64(y)))

    assert d(a, b) == d(b, a) == (a ^ b).bit_count()
    assert d(a, a) == 0
    assert d(a, c) <= d(a, b) + d(b, c)


def test_hamming_broadcasts():
    a = np.random.default_rng(0).integers(0, 2**64, 50, np.uint64)
    table = hamming(a[:, None], a[None])
    assert table.shape == (50, 50)
    assert table[3, 7] == (int(a[3]) ^ int(a[7])).bit_count()
    assert hamming(a[0], a).shape == (50,)
    assert hamming(np.uint64(0), np.uint64(2**64 - 1)) == 64
    assert hamming(a[::2], a[::2]).shape == (25,)
