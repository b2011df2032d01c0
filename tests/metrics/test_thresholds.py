"""Thresholds: tuned for what was asked, sober with few images, changed by hand."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from genus.errors import DataError, ParameterError
from genus.metrics.thresholds import Aim, Thresholds, tune_thresholds

NAMES = ("ant", "bee", "cat")


def honest(seed: int, n: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are true, of labels that are rare, common and in between."""
    rng = np.random.default_rng(seed)
    proba = rng.beta([0.3, 1.0, 3.0], [3.0, 2.0, 1.0], (n, 3))
    return proba, (rng.random((n, 3)) < proba).astype(np.int8)


@settings(max_examples=10)
@given(st.integers(0, 20))
def test_f1_is_nearly_the_best_there_is_and_better_than_at_a_half(seed: int) -> None:
    proba, truth = honest(seed)
    tuned = tune_thresholds(proba, truth, NAMES)
    fresh, true = honest(seed + 1000)
    found = f1_score(true, tuned.apply(fresh), average="macro")
    best = np.mean(
        [max(f1_score(true[:, c], fresh[:, c] >= t) for t in np.linspace(0.02, 0.98, 33)) for c in range(3)]
    )
    assert found > f1_score(true, fresh >= 0.5, average="macro")
    assert found > best - 0.03


@given(st.integers(0, 20), st.sampled_from([0.6, 0.8, 0.9]))
def test_precision_is_kept_on_new_images(seed: int, wanted: float) -> None:
    proba, truth = honest(seed, 4000)
    tuned = tune_thresholds(proba, truth, NAMES, f"precision>={wanted}")
    fresh, true = honest(seed + 1000, 4000)
    for c in range(3):
        named = tuned.apply(fresh)[:, c]
        if named.sum() > 50:
            assert true[named, c].mean() > wanted - 3 * np.sqrt(2 * wanted * (1 - wanted) / named.sum())


@given(st.integers(0, 20), st.sampled_from([0.7, 0.9, 0.95]))
def test_recall_is_kept_on_new_images(seed: int, wanted: float) -> None:
    proba, truth = honest(seed)
    tuned = tune_thresholds(proba, truth, NAMES, Aim("recall", wanted))
    fresh, true = honest(seed + 1000)
    for c in range(3):
        there = true[:, c] == 1
        # two samples of this size part by chance
        error = np.sqrt(2 * wanted * (1 - wanted) / there.sum())
        assert tuned.apply(fresh)[there, c].mean() > wanted - 4 * error


def test_cost_needs_no_tuning_with_honest_probabilities() -> None:
    proba, truth = honest(0)
    assert tune_thresholds(proba, truth, NAMES, "cost=4").values == (0.2, 0.2, 0.2)


def test_one_lucky_image_does_not_set_the_threshold() -> None:
    proba = np.array([[0.9], *[[0.3]] * 10, *[[0.02]] * 200])
    truth = np.zeros((211, 1), np.int8)
    truth[0] = 1  # the raw optimum would be anything between 0.3 and 0.9
    assert 0.1 < tune_thresholds(proba, truth, ["rare"]).values[0] <= 0.6


def test_a_label_on_every_image_is_always_named() -> None:
    tuned = tune_thresholds(np.linspace(0.8, 0.99, 50)[:, None], np.ones((50, 1), int), ["all"])
    assert tuned.values[0] < 0.75


def test_unknown_cells_are_left_out() -> None:
    proba, truth = honest(0)
    masked = truth.copy()
    masked[::2] = -1
    assert tune_thresholds(proba, masked, NAMES) == tune_thresholds(proba[1::2], truth[1::2], NAMES)


def test_what_cannot_be_had_is_said() -> None:
    proba, truth = honest(0, 60)
    noise = np.random.default_rng(0).random(proba.shape)
    never = tune_thresholds(noise * 0.5, truth * 0, NAMES, "precision>=0.99")
    assert all("no image to tune" in note for note in never.notes)
    truth[:, 0] = 0
    truth[5, 0] = 1
    strict = tune_thresholds(noise * 0.5, truth, NAMES, "precision>=0.999")
    assert not strict.apply(noise)[:, 0].any() and "never named" in strict.notes[0]
    lax = tune_thresholds(noise, truth, NAMES, "recall>=0.99")
    assert lax.apply(noise)[:, 0].all() and "too few" in lax.notes[0]


@pytest.mark.parametrize(
    ("text", "aim"),
    [
        ("f1", Aim()),
        (" F1 ", Aim()),
        ("precision >= 0.9", Aim("precision", 0.9)),
        ("recall>=.95", Aim("recall", 0.95)),
        ("cost=5", Aim("cost", 5.0)),
    ],
)
def test_aims_are_read(text: str, aim: Aim) -> None:
    assert Aim.parse(text) == aim == Aim.parse(str(aim))


@pytest.mark.parametrize(
    "text", ["", "f2", "precision", "precision>=90", "recall>=1", "cost=0", "cost=1.2.3"]
)
def test_other_aims_are_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="aim"):
        Aim.parse(text)


def test_thresholds_are_changed_by_hand_and_kept() -> None:
    tuned = Thresholds(NAMES, (0.1, 0.2, 0.3))
    assert tuned.changed(0.5).values == (0.5, 0.5, 0.5)
    assert tuned.changed({"bee": 0.9}).values == (0.1, 0.9, 0.3)
    written = json.loads(json.dumps(tuned.to_dict()))
    assert Thresholds.from_dict(written, NAMES) == tuned
    assert Thresholds.from_dict(written, NAMES[::-1]).values == (0.3, 0.2, 0.1)


@pytest.mark.parametrize("given_", [1.5, -0.1, float("nan"), {"cow": 0.5}, {"bee": "0.5"}, {"bee": True}])
def test_changes_that_make_no_sense_are_refused(given_: object) -> None:
    with pytest.raises(ParameterError, match="threshold"):
        Thresholds(NAMES, (0.1, 0.2, 0.3)).changed(given_)  # type: ignore[arg-type]


def test_damaged_thresholds_and_shapes_are_refused() -> None:
    with pytest.raises(DataError):
        Thresholds.from_dict({"values": {"ant": 0.5}}, NAMES)
    with pytest.raises(DataError):
        tune_thresholds([[0.5]], [[1, 0]], ["a"])
