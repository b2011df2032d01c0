"""What may be an image, and what is said of things that cannot be read."""

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from image_making import PHOTOS, corners, encode, exif
from PIL import Image

from genus.errors import ImageError, ParameterError
from genus.images.decode import decode
from genus.images.source import ImageSource, StoredImage, as_source

MIB = 1 << 20


class Cell:
    def __init__(self, answer):
        self.answer = answer

    def read(self):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def reason(source, max_bytes=MIB):
    with pytest.raises(ImageError) as caught:
        source.read(max_bytes)
    assert caught.value.source == source.name
    assert str(caught.value).startswith(f"{source.name}: ")
    return caught.value.reason


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("a/b.jpg", "a/b.jpg"),
        (Path("a/b.jpg"), str(Path("a/b.jpg"))),
        (b"bytes", "bytes"),
        (np.zeros((2, 2), np.uint8), "array"),
        (Image.new("L", (2, 2)), "PIL image"),
        (Cell(b"x"), "stored image"),
    ],
)
def test_names(image, name):
    assert as_source(image).name == name
    assert as_source(image, "mine").name == "mine"


def test_a_source_stays_itself():
    source = as_source("a.jpg")
    assert as_source(source) is source
    assert as_source(source, "other").name == "other"
    assert source.path == Path("a.jpg")
    assert as_source(b"x").path is None


def test_a_stored_image_is_read_on_demand():
    cell = Cell(b"abc")
    assert isinstance(cell, StoredImage)
    assert as_source(cell, "t[0]").read(MIB) == b"abc"


@pytest.mark.parametrize("error", [OSError("gone"), ValueError("bad page"), KeyError("column"), EOFError()])
def test_what_a_stored_image_raises_becomes_an_image_error(error):
    assert "cannot be read" in reason(as_source(Cell(error), "t[3]"))


def test_a_missing_file(tmp_path):
    assert reason(as_source(tmp_path / "none.jpg")) == "no such file"
    (tmp_path / "file").write_bytes(b"x")
    assert reason(as_source(tmp_path / "file" / "a.jpg")).startswith("no such file")


def test_a_folder(tmp_path):
    assert reason(as_source(tmp_path)) == "it is a folder, not an image"


def test_an_empty_file(tmp_path):
    (tmp_path / "a.jpg").touch()
    assert reason(as_source(tmp_path / "a.jpg")) == "it is empty (0 bytes)"
    assert reason(as_source(b"")) == "it is empty (0 bytes)"


def test_no_permission(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(
        "builtins.open", refuse
    )  # a superuser may read everything, so the mode bits do not tell
    assert reason(as_source(path)) == "no permission to read it"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_does_not_wait_for_ever(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert reason(as_source(tmp_path / "pipe")) == "it is not a regular file"


def test_impossible_paths():
    assert "cannot be read" in reason(as_source("a\0b.jpg"))
    assert "cannot be read" in reason(as_source("x" * 5000))


def test_too_many_bytes(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(bytes(2 * MIB + 1))
    assert reason(as_source(path)) == "its 2.0 MiB are more than the limit of 1.0 MiB"
    assert "limit" in reason(as_source(path.read_bytes()))
    assert "limit" in reason(as_source(Cell(path.read_bytes())))


@pytest.mark.parametrize(
    "name", ["a b.jpg", "größe 花.jpg", "new\nline.jpg", "no extension", "'quotes\".jpg"]
)
def test_any_file_name(tmp_path, name):
    path = tmp_path / name
    try:
        path.write_bytes(encode(PHOTOS[0], "JPEG"))
    except OSError:
        pytest.skip("this file system does not take the name")
    assert decode(as_source(str(path))).pixels.shape == (427, 640, 3)


@pytest.mark.parametrize("image", [None, 3, 1.5, ["a.jpg"], {"path": "a.jpg"}, object()])
def test_what_is_no_image(image):
    with pytest.raises(ParameterError, match=r"image 3: an image is a path.* not "):
        as_source(image, "image 3")


ARRAYS = {
    "grey": (corners()[..., 0], np.repeat(corners()[..., :1], 3, axis=2)),
    "grey, one channel": (corners()[..., :1], np.repeat(corners()[..., :1], 3, axis=2)),
    "RGB": (corners(), corners()),
    "not contiguous": (corners()[::-1, ::-1], corners()[::-1, ::-1]),
    "Fortran order": (np.asfortranarray(corners()), corners()),
    "opaque RGBA": (np.dstack([corners(), np.full((40, 60), 255, np.uint8)]), corners()),
    "clear RGBA": (np.dstack([corners(), np.zeros((40, 60), np.uint8)]), np.full((40, 60, 3), 255, np.uint8)),
    "bool": (corners()[..., 0] > 100, np.where(corners()[..., :1] > 100, 255, 0).repeat(3, axis=2)),
    "float32": (corners().astype(np.float32) / 255, corners()),
    "float64": (corners() / 255, corners()),
    "int64": (corners().astype(np.int64), corners()),
    "12 bits": (corners().astype(np.uint16) << 4, corners()),
    "16 bits": (corners().astype(np.uint16) * 257, corners()),
    "big-endian": ((corners().astype(np.uint16) * 257).astype(">u2"), corners()),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays(case):
    array, expected = ARRAYS[case]
    before = array.copy()
    pixels = decode(as_source(array)).pixels
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    np.testing.assert_array_equal(pixels, expected)
    np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((2, 4, 4, 3), np.uint8), "as a list"),
        (np.zeros((3, 40, 40), np.uint8), "channels come last"),
        (np.zeros((4, 4, 2), np.uint8), "4 x 4 x 2"),
        (np.zeros(5, np.uint8), "must be"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
        (np.full((4, 4), 200.0), r"must lie in 0..1 \(or convert them to uint8\), these lie in 200..200"),
        (np.full((4, 4), np.nan), "must lie in 0..1"),
        (np.full((4, 4), -1), "must lie in 0..65535"),
        (np.full((4, 4), 70000), "must lie in 0..65535"),
        (np.full((4, 4), "x"), "must be numbers"),
        (np.full((4, 4), None), "must be numbers"),
    ],
)
def test_arrays_that_are_no_image(array, said):
    with pytest.raises(ImageError, match=said) as caught:
        as_source(array, "image 7")
    assert caught.value.source == "image 7"


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "LA", "PA", "YCbCr", "HSV", "I", "F", "I;16"]
)
def test_pil_images_of_any_mode(mode):
    image = Image.fromarray(corners()).convert("L" if mode == "I;16" else mode).convert(mode)
    assert decode(as_source(image)).pixels.shape == (40, 60, 3)


def test_pil_images_are_turned_upright():
    image = Image.open(BytesIO(encode(corners(), "JPEG", exif=exif(6))))
    assert decode(as_source(image)).pixels.shape == (60, 40, 3)


def test_a_truncated_pil_image_is_reported():
    image = Image.open(BytesIO(encode(PHOTOS[0], "JPEG")[:5000]))
    with pytest.raises(ImageError, match="truncated"):
        as_source(image, "image 0")


def test_an_empty_pil_image_is_reported():
    with pytest.raises(ImageError, match="no pixels"):
        as_source(Image.new("RGB", (0, 5)))


def test_a_path_an_array_and_a_pil_image_give_the_same(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(PHOTOS[0]).save(path)
    image = Image.open(path)
    for other in (str(path), path, path.read_bytes(), PHOTOS[0], image):
        np.testing.assert_array_equal(decode(as_source(other)).pixels, PHOTOS[0])
    image.close()


def test_pixels_have_no_encoded_bytes():
    with pytest.raises(ImageError, match="array of pixels"):
        ImageSource("x", corners()).read(MIB)
