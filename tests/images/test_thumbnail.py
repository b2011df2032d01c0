"""Small copies for reports."""

from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from image_making import PHOTOS, corners, difference, encode
from PIL import Image

from genus.errors import ImageError, ParameterError
from genus.images.source import as_source
from genus.images.thumbnail import data_uri, thumbnail


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ((427, 640), 160, (107, 160)),
        ((640, 427), 160, (160, 107)),
        ((30, 20), 160, (30, 20)),
        ((1, 5000), 100, (1, 100)),
        ((160, 160), 160, (160, 160)),
    ],
)
def test_the_longer_side_has_the_size(shape, size, expected):
    pixels = np.full((*shape, 3), 70, np.uint8)
    with Image.open(BytesIO(thumbnail(as_source(encode(pixels, "JPEG")), size))) as small:
        assert small.format == "JPEG"
        assert small.size == expected[::-1]


def test_colours_stay():
    with Image.open(BytesIO(thumbnail(as_source(corners(400, 600)), 60, quality=95))) as small:
        assert difference(np.asarray(small), corners()) < 12


def test_it_is_small():
    assert len(thumbnail(as_source(PHOTOS[0]))) < 12_000


def test_as_text_for_a_page():
    jpeg = thumbnail(as_source(PHOTOS[0]))
    head, _, body = data_uri(jpeg).partition(",")
    assert head == "data:image/jpeg;base64"
    assert b64decode(body) == jpeg


def test_what_cannot_be_read_is_reported():
    with pytest.raises(ImageError, match="none"):
        thumbnail(as_source("none"))


@pytest.mark.parametrize(("size", "quality"), [(0, 80), (5000, 80), (100, 0), (100, 101)])
def test_parameters_that_cannot_work(size, quality):
    with pytest.raises(ParameterError):
        thumbnail(as_source(PHOTOS[0]), size, quality=quality)
