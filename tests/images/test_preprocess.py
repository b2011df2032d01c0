"""From any shape to one size: laws and figures."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_making import PHOTOS, corners, difference, encode, exif
from PIL import Image

from genus.errors import ImageError, ModelFileError, ParameterError
from genus.images.decode import Limits, decode
from genus.images.phash import hamming, perceptual_hash
from genus.images.preprocess import Preprocess, load_image, resize
from genus.images.source import as_source

FITS = ("squash", "crop", "pad")
SETTINGS = st.builds(
    Preprocess,
    st.integers(1, 80),
    st.integers(1, 80),
    st.sampled_from(FITS),
    st.floats(0.05, 1.0),
)


@settings(max_examples=300, deadline=None)
@given(SETTINGS, st.integers(1, 300), st.integers(1, 300), st.integers(0, 255))
def test_any_shape_becomes_the_shape(preprocess, height, width, value):
    pixels = np.full((height, width, 3), value, np.uint8)
    result = preprocess.apply(pixels)
    assert result.shape == (preprocess.height, preprocess.width, 3)
    assert result.dtype == np.uint8
    assert result.flags.c_contiguous
    if preprocess.fit != "pad":
        np.testing.assert_allclose(result, value, atol=1)  # one colour stays one colour
    assert (pixels == value).all()


@settings(max_examples=100, deadline=None)
@given(SETTINGS, st.integers(1, 100), st.integers(1, 100))
def test_applying_it_twice_changes_nothing(preprocess, height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    once = preprocess.apply(pixels)
    np.testing.assert_array_equal(preprocess.apply(once), once)


@settings(max_examples=50, deadline=None)
@given(SETTINGS)
def test_json_round_trip(preprocess):
    assert Preprocess.from_json(preprocess.to_json()) == preprocess


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", [(1, 5000), (5000, 1), (1, 1), (30000, 3)])
def test_extreme_shapes(fit, shape):
    result = Preprocess(224, 320, fit).apply(np.full((*shape, 3), 40, np.uint8))
    assert result.shape == (224, 320, 3)
    assert (result == 40).any()


@pytest.mark.parametrize("fit", FITS)
def test_views_and_strides_are_fine(fit):
    preprocess = Preprocess(64, 64, fit)
    turned = PHOTOS[0].transpose(1, 0, 2)[::-1]
    np.testing.assert_array_equal(preprocess.apply(turned), preprocess.apply(np.ascontiguousarray(turned)))
    grey = np.broadcast_to(PHOTOS[0][..., :1], PHOTOS[0].shape)
    np.testing.assert_array_equal(preprocess.apply(grey), preprocess.apply(np.ascontiguousarray(grey)))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", [(400, 600), (90, 140), (60, 900), (50, 50)])
def test_mirroring_commutes(fit, shape):
    preprocess = Preprocess(100, 100, fit)
    pixels = resize(PHOTOS[1], *shape)
    mirrored = preprocess.apply(pixels[:, ::-1])[:, ::-1]
    assert difference(preprocess.apply(pixels), mirrored) < 1


def test_squash_shows_the_whole_image():
    result = Preprocess(50, 50).apply(corners(100, 300))
    for at, colour in [((5, 5), (220, 30, 30)), ((5, 44), (30, 200, 30)), ((44, 5), (30, 30, 210))]:
        np.testing.assert_array_equal(result[at], colour)


def test_crop_keeps_the_middle_and_the_proportions():
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[:, 100:200] = 255  # the largest square in the middle
    assert (Preprocess(50, 50, "crop", 1.0).apply(pixels)[:, 1:-1] == 255).all()
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[25:75, 25:75] = 255
    assert (Preprocess(50, 50, "crop", 0.5).apply(np.pad(pixels, ((0, 0), (7, 7), (0, 0)))) == 255).all()


def test_crop_is_resizing_the_short_side_then_cutting_the_middle():
    photo = Image.fromarray(PHOTOS[0])
    resized = photo.resize((round(640 / 427 * 256), 256), Image.Resampling.BOX)
    left = (resized.width - 224) // 2
    expected = np.asarray(resized.crop((left, 16, left + 224, 240)))
    assert difference(Preprocess(224, 224, "crop", 0.875).apply(PHOTOS[0]), expected) < 8


def test_pad_keeps_the_proportions_and_fills_with_a_neutral_colour():
    result = Preprocess(60, 60, "pad").apply(np.full((30, 120, 3), 255, np.uint8))
    assert (result[22:37] == 255).all()
    np.testing.assert_array_equal(result[0, 0], (124, 116, 104))
    np.testing.assert_array_equal(result[59, 59], (124, 116, 104))


# resizing


@pytest.mark.parametrize(
    "shape", [(213, 320), (142, 213), (100, 100), (224, 224), (300, 500), (400, 620), (30, 600)]
)
@pytest.mark.parametrize("photo", PHOTOS)
def test_shrinking_averages(photo, shape):
    box = np.asarray(Image.fromarray(photo).resize(shape[::-1], Image.Resampling.BOX))
    tent = np.asarray(Image.fromarray(photo).resize(shape[::-1], Image.Resampling.BILINEAR))
    result = resize(photo, *shape)
    assert min(difference(result, box), difference(result, tent)) < 4.5


def test_shrinking_does_not_alias():
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    for side in (150, 170, 190, 210, 290):
        assert resize(stripes, side, side).std() < 40, side


def test_enlarging_is_bicubic():
    small = resize(PHOTOS[0], 60, 90)
    expected = np.asarray(Image.fromarray(small).resize((360, 240), Image.Resampling.BICUBIC))
    assert difference(resize(small, 240, 360), expected) < 1.5


def test_one_side_shrinks_while_the_other_grows():
    result = resize(PHOTOS[0], 1000, 100)
    narrow = Image.fromarray(PHOTOS[0]).resize((100, 427), Image.Resampling.BOX)
    assert difference(result, np.asarray(narrow.resize((100, 1000), Image.Resampling.BICUBIC))) < 2


# loading


def test_loading_gives_pixels_info_and_hash():
    data = encode(PHOTOS[0], "JPEG", exif=exif(8))
    loaded = load_image(as_source(data), Preprocess(64, 48, "crop"))
    assert loaded.pixels.shape == (64, 48, 3)
    assert (loaded.info.width, loaded.info.height) == (427, 640)
    whole = decode(as_source(data)).pixels
    assert hamming(loaded.phash, perceptual_hash(whole)) <= 6


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("photo", PHOTOS)
@pytest.mark.parametrize("side", [64, 100, 200, 224, 320, 380])
def test_decoding_smaller_hardly_shows(fit, photo, side):
    preprocess = Preprocess(side, side, fit)
    source = as_source(encode(photo, "JPEG", quality=90))
    quick, exact = load_image(source, preprocess).pixels, preprocess.apply(decode(source).pixels)
    # the leaves of one photo are as fine as pixels, and a crop is cut to the pixel at either scale
    assert difference(quick, exact) < (10 if fit == "crop" else 5)
    halved = (side // 2, side // 2)
    assert difference(resize(quick, *halved), resize(exact, *halved)) < 5


@pytest.mark.parametrize(
    ("preprocess", "expected"),
    [
        (Preprocess(224, 224), (224, 224)),
        (Preprocess(100, 200, "pad"), (100, 200)),
        (Preprocess(224, 224, "crop", 0.875), (256, 256)),
        (Preprocess(224, 224, "squash", 0.5), (224, 224)),
    ],
)
def test_what_the_decoder_is_asked_for(preprocess, expected):
    assert preprocess.at_least == expected


def test_loading_is_the_same_every_time_and_for_every_source(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(encode(PHOTOS[0], "JPEG"))
    preprocess = Preprocess(224, 224)
    a, b = load_image(as_source(path), preprocess), load_image(as_source(path.read_bytes()), preprocess)
    np.testing.assert_array_equal(a.pixels, b.pixels)
    assert (a.info, a.phash) == (b.info, b.phash)


def test_loading_reports_and_limits():
    with pytest.raises(ImageError, match=r"none\.jpg: no such file"):
        load_image(as_source("none.jpg"), Preprocess(8, 8))
    with pytest.raises(ImageError, match="limit"):
        load_image(as_source(PHOTOS[0]), Preprocess(8, 8), Limits(max_pixels=10))


# settings that cannot work


@pytest.mark.parametrize(
    "values",
    [
        (0, 8),
        (8, -1),
        (8, 1 << 20),
        (8.0, 8),
        (True, 8),
        ("8", 8),
        (8, 8, "stretch"),
        (8, 8, "crop", 0),
        (8, 8, "crop", 1.1),
    ],
)
def test_settings_that_cannot_work(values):
    with pytest.raises(ParameterError, match=r"must be .* not "):
        Preprocess(*values)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"magic": 1}, "newer version"),
        ({"fit": None}, "fit must be"),
        ({"height": "8"}, "height must be"),
        ({"crop_fraction": float("nan")}, "crop_fraction"),
    ],
)
def test_json_that_cannot_be_read(change, said):
    values = {**json.loads(Preprocess(8, 8).to_json()), **change}
    with pytest.raises(ModelFileError, match=said):
        Preprocess.from_json(json.dumps(values))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"height": 8, "width": 8}'])
def test_json_of_other_things(text):
    with pytest.raises(ModelFileError):
        Preprocess.from_json(text)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3)),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_pixels_that_are_not_rgb(pixels):
    with pytest.raises(ParameterError, match="pixels must be uint8"):
        Preprocess(8, 8).apply(pixels)
