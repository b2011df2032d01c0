"""One look at every image."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genus.images.phash import hamming, perceptual_hash
from genus.images.source import as_source
from genus.images.statistics import STATISTICS, picture_statistics
from genus.images.survey import survey
from photographs import photographs


def measured(pixels: np.ndarray) -> dict[str, float]:
    return dict(zip(STATISTICS, picture_statistics(pixels).values.tolist(), strict=True))


def test_dark_bright_grey_and_empty_pictures_show_in_their_numbers() -> None:
    photo = photographs(128)[0]
    assert measured((photo * 0.02).astype(np.uint8))["dark_share"] == 1.0
    assert measured(np.full_like(photo, 254))["bright_share"] == 1.0
    grey = np.repeat(photo.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    assert measured(grey)["colour"] == 0.0 < measured(photo)["colour"]
    assert measured(np.full_like(photo, 90))["entropy"] == 0.0


def test_a_blurred_picture_is_less_sharp() -> None:
    import cv2

    photo = photographs(192)[0]
    assert measured(cv2.GaussianBlur(photo, (0, 0), 4))["sharpness"] < 0.5 * measured(photo)["sharpness"]


def test_a_frame_is_measured() -> None:
    photo = np.pad(photographs(160)[5], ((16, 16), (0, 0), (0, 0)))
    assert measured(photo)["border"] == pytest.approx(2 / 12, abs=0.02)
    assert measured(photographs(160)[5])["border"] < 0.05


def test_what_cannot_be_read_has_no_numbers(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no image")
    found = survey([as_source(bad), as_source(photographs(64)[0])])
    assert np.isnan(found.values[0]).all() and np.isfinite(found.values[1]).all()


def test_the_hash_of_the_mirror_image_is_that_of_the_mirrored_picture() -> None:
    photo = photographs(128)[2]
    found = survey([as_source(photo)])
    assert int(hamming(found.mirrored[0], perceptual_hash(photo[:, ::-1].copy()))) == 0


def test_the_camera_is_read() -> None:
    exif = Image.Exif()
    exif[271], exif[272] = "Maker", "Model 1"
    buffer = BytesIO()
    Image.fromarray(photographs(64)[0]).save(buffer, "JPEG", exif=exif)
    assert survey([as_source(buffer.getvalue())]).cameras == ("Maker Model 1",)
