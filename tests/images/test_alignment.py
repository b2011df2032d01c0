"""Whether two pictures are one: decided in the pixels."""

import cv2
import numpy as np
import pytest

from genus.images.alignment import agreement, detail
from photographs import photographs

SAME = 0.75


def changed(picture: np.ndarray, how: str) -> np.ndarray:
    h, w = picture.shape[:2]
    if how == "mirrored":
        return picture[:, ::-1].copy()
    if how == "cropped":
        return picture[: int(0.75 * h), : int(0.75 * w)].copy()
    if how == "mirrored and cropped":
        return picture[: int(0.8 * h), int(0.1 * w) :][:, ::-1].copy()
    if how == "darker":
        return (picture * 0.5).astype(np.uint8)
    if how == "grey":
        return np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2)
    if how == "turned":
        matrix = cv2.getRotationMatrix2D((w / 2, h / 2), 4, 1.0)
        return cv2.warpAffine(picture, matrix, (w, h), borderMode=cv2.BORDER_REFLECT)
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 15])[1], cv2.IMREAD_COLOR)


@pytest.mark.parametrize(
    "how", ["mirrored", "cropped", "mirrored and cropped", "darker", "grey", "turned", "saved again"]
)
def test_a_changed_picture_is_the_same(how: str) -> None:
    for picture in photographs(160)[[0, 5]]:
        assert agreement(detail(picture), detail(changed(picture, how))) > SAME


def test_another_picture_is_not() -> None:
    pictures = [detail(picture) for picture in photographs(160)[[0, 5, 7, 9]]]
    assert agreement(pictures[0], pictures[1]) < SAME
    assert agreement(pictures[2], pictures[3]) < SAME


def test_it_does_not_matter_which_comes_first() -> None:
    one, other = (detail(picture) for picture in photographs(160)[[1, 2]])
    assert agreement(one, other) == pytest.approx(agreement(other, one), abs=0.15)


def test_an_empty_picture_is_like_no_other() -> None:
    empty = detail(np.full((50, 60, 3), 200, np.uint8))
    assert agreement(empty, empty) == 0.0
