"""From probabilities to how many labels are wrong, and which."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genus.audit.label_noise import confident_class, doubt, noise_rate, probability_wrong


def world(
    share: float, n: int = 3000, n_classes: int = 5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Calibrated probabilities, given labels of which a share is wrong at random, and which are."""
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(n_classes, 0.12), n)
    truth = (proba.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    wrong = rng.random(n) < share
    codes = np.where(wrong, (truth + rng.integers(1, n_classes, n)) % n_classes, truth)
    noisy = (1 - share) * proba + share * (1 - proba) / (n_classes - 1)
    return noisy, codes, wrong


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_the_interval_holds_the_true_rate(share: float) -> None:
    proba, codes, wrong = world(share)
    rate = noise_rate(proba, codes)
    assert rate.low <= wrong.mean() <= rate.high
    assert abs(rate.value - wrong.mean()) < 0.05


def test_wrong_labels_are_ranked_above_right_ones() -> None:
    proba, codes, wrong = world(0.1)
    doubts = doubt(proba, codes)
    assert wrong[np.argsort(-doubts)[:150]].mean() > 0.7 > 0.2 > wrong.mean()


@given(arrays(np.float64, st.integers(1, 50), elements=st.floats(-20, 20)), st.floats(0, 0.5))
@settings(max_examples=20, deadline=None)
def test_probabilities_rise_with_doubt_and_suspect_nothing_likelier_right(
    doubts: np.ndarray, rate: float
) -> None:
    wrong = probability_wrong(doubts, rate)
    assert ((wrong >= 0) & (wrong <= 1)).all()
    assert (np.diff(wrong[np.argsort(doubts)]) >= 0).all()
    assert not (wrong[doubts < 0] > 0.5).any()


def test_the_order_of_images_and_the_names_of_classes_do_not_matter() -> None:
    proba, codes, _ = world(0.1, n=200)
    order = np.random.default_rng(1).permutation(200)
    assert np.allclose(doubt(proba[order], codes[order]), doubt(proba, codes)[order])
    swap = np.array([1, 0, 2, 3, 4])
    assert np.allclose(doubt(proba[:, swap], swap[codes]), doubt(proba, codes))


def test_a_class_without_labels_is_nobodys() -> None:
    proba = np.array([[0.6, 0.1, 0.3], [0.2, 0.7, 0.1]])
    assert confident_class(proba, np.array([0, 1])).tolist() == [0, 1]
