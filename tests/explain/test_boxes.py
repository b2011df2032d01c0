"""Boxes round evidence: one for each place, inside the picture, the most telling first."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genus.explain.boxes import boxes_of, fine

maps = arrays(
    np.float32, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.floats(-5, 5, width=32)
)


@given(maps, st.floats(0.1, 1))
def test_boxes_lie_in_the_picture_and_hold_a_share_of_the_evidence(
    evidence: np.ndarray, threshold: float
) -> None:
    found = boxes_of(evidence, threshold)
    assert bool(found) == bool(fine(evidence).max() > 0)
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
    evidence[1, 1], evidence[7, 7] = 1.0, 0.55
    assert len(boxes_of(evidence)) == 1


def test_nothing_for_the_class_is_no_box() -> None:
    assert boxes_of(np.full((9, 9), -1.0, np.float32)) == () == boxes_of(np.zeros((9, 9), np.float32))


def test_a_higher_threshold_draws_smaller_boxes() -> None:
    y, x = np.mgrid[-4:5, -4:5]
    evidence = np.exp(-(x**2 + y**2) / 6).astype(np.float32)
    wide, narrow = boxes_of(evidence, 0.3)[0], boxes_of(evidence, 0.8)[0]
    assert wide.right - wide.left > narrow.right - narrow.left
    assert (narrow.left + narrow.right) / 2 == pytest.approx(0.5, abs=0.02)
