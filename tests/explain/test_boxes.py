"""Boxes round evidence: one for each place, inside the picture, the most telling first."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genus.explain.boxes import boxes_of, boxes_round
from genus.explain.outline import SIDE, outlined, positive

maps = arrays(
    np.float32, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.floats(-5, 5, width=32)
)


@given(maps, st.floats(0.1, 1))
def test_boxes_lie_in_the_picture_and_hold_a_share_of_the_evidence(
    evidence: np.ndarray, threshold: float
) -> None:
    found = boxes_of(evidence, threshold)
    assert bool(found) == bool(positive(evidence).max() > 0)
    for box in found:
        assert 0 <= box.left < box.right <= 1 and 0 <= box.top < box.bottom <= 1 and 0 < box.score <= 1
    assert [box.score for box in found] == sorted((box.score for box in found), reverse=True)


def test_two_objects_have_two_boxes() -> None:
    evidence = np.zeros((9, 9), np.float32)
    evidence[1:3, 1:3], evidence[6:8, 5:8] = 1.0, 0.9
    larger, smaller = boxes_of(evidence)
    assert larger.top > 0.5 > smaller.top and larger.left > 0.5 > smaller.left


def test_a_weak_place_beside_a_strong_one_has_none() -> None:
    evidence = np.zeros((9, 9), np.float32)
    evidence[1, 1], evidence[7, 7] = 1.0, 0.3
    assert len(boxes_of(evidence, 0.2)) == 1


def test_nothing_for_the_class_is_no_box() -> None:
    assert boxes_of(np.full((9, 9), -1.0, np.float32)) == () == boxes_of(np.zeros((9, 9), np.float32))


def test_a_higher_threshold_draws_smaller_boxes() -> None:
    y, x = np.mgrid[-4:5, -4:5]
    evidence = np.exp(-(x**2 + y**2) / 6).astype(np.float32)
    wide, narrow = boxes_of(evidence, 0.3)[0], boxes_of(evidence, 0.8)[0]
    assert wide.right - wide.left > narrow.right - narrow.left
    assert (narrow.left + narrow.right) / 2 == pytest.approx(0.5, abs=0.02)


def coin(centres: list[tuple[int, int]], radius: int = 40) -> np.ndarray:
    """Red discs on a mottled green ground, 260 pixels a side."""
    rng = np.random.default_rng(0)
    picture = np.stack([rng.integers(20, 60, (260, 260)) + add for add in (0, 90, 10)], 2).astype(np.uint8)
    for x, y in centres:
        cv2.circle(picture, (x, y), radius, (200, 40, 50), -1)
    return picture


def blurry(centres: list[tuple[int, int]]) -> np.ndarray:
    """Evidence on a coarse grid in the middle of each disc."""
    fine = np.zeros((260, 260), np.float32)
    for x, y in centres:
        cv2.circle(fine, (x, y), 25, 1.0, -1)
    return cv2.resize(cv2.GaussianBlur(fine, (0, 0), 30), (9, 9), interpolation=cv2.INTER_AREA)


def test_colours_tell_where_the_thing_ends() -> None:
    centres = [(100, 120)]
    evidence, picture = blurry(centres), coin(centres)
    (box,) = boxes_round(outlined(evidence, evidence, picture), evidence)
    found = np.array([box.left, box.top, box.right, box.bottom]) * 260
    assert np.abs(found - [60, 80, 140, 160]).max() < 6


def test_two_things_have_two_outlines() -> None:
    centres = [(70, 70), (190, 180)]
    evidence, picture = blurry(centres), coin(centres)
    boxes = boxes_round(outlined(evidence, evidence, picture), evidence)
    assert len(boxes) == 2 and {box.left > 0.5 for box in boxes} == {True, False}


@settings(max_examples=12)
@given(maps, st.integers(0, 5))
def test_any_map_of_any_picture_has_an_outline(evidence: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    flat = np.full((30, 40, 3), rng.integers(0, 256), np.uint8)
    for picture in (flat, rng.integers(0, 256, (8, 8, 3), np.uint8)):
        mask = outlined(evidence, evidence[::-1], picture)
        assert mask.shape == (SIDE, SIDE) and (mask.any() or evidence.max() <= 0)
