"""Splits where an image may have several labels: the rarest is spread first, groups stay together."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genus.data.splits import split_off, stratified_folds
from genus.errors import DataError, ParameterError

Data = tuple[np.ndarray, list[str], np.ndarray]


@st.composite
def labelled(draw: st.DrawFn, max_units: int = 40, max_labels: int = 6) -> Data:
    """An indicator matrix with some unknown cells, content keys and groups of up to four images."""
    n_units = draw(st.integers(1, max_units))
    sizes = draw(st.lists(st.integers(1, 4), min_size=n_units, max_size=n_units))
    groups = np.repeat(np.arange(n_units), sizes)
    n_labels = draw(st.integers(0, max_labels))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    share = rng.beta(0.5, 1.5, n_labels)
    y = np.where(rng.random((len(groups), n_labels)) < share, 1, 0).astype(np.int8)
    y[rng.random(y.shape) < 0.1] = -1
    return y, [f"key{i}" for i in range(len(groups))], groups


def groups_with(y: np.ndarray, groups: np.ndarray, label: int) -> np.ndarray:
    return np.unique(groups[y[:, label] == 1])


@given(labelled(), st.integers(0, 5))
def test_groups_are_never_torn_apart(data: Data, seed: int) -> None:
    y, keys, groups = data
    aside = split_off(y, keys, groups, size=0.3, random_state=seed)
    folds = stratified_folds(y, keys, groups, n_folds=3, random_state=seed)
    assert set(folds) <= {0, 1, 2}
    for group in np.unique(groups):
        assert len(set(aside[groups == group])) == 1
        assert len(set(folds[groups == group])) == 1


@given(labelled(), st.integers(0, 5), st.sampled_from([0.05, 0.2, 0.5, 0.9]))
def test_no_label_is_missing_among_those_left_behind(data: Data, seed: int, size: float) -> None:
    y, keys, groups = data
    aside = split_off(y, keys, groups, size=size, random_state=seed)
    for label in range(y.shape[1]):
        if (y[:, label] == 1).any():
            assert (y[~aside, label] == 1).any()


@given(labelled(max_units=8, max_labels=5), st.integers(0, 5))
def test_every_label_of_two_groups_is_on_both_sides_wherever_that_can_be(data: Data, seed: int) -> None:
    y, keys, groups = data
    with_label = [groups_with(y, groups, label) for label in range(y.shape[1])]
    alone = {int(units[0]) for units in with_label if len(units) == 1}
    shared = [set(units.tolist()) for units in with_label if len(units) > 1]

    def on_both_sides(aside: set[int]) -> bool:
        return all(units & aside and units - aside for units in shared) and not aside & alone

    everyone = range(int(groups.max()) + 1)
    possible = any(
        on_both_sides({unit for unit, chosen in zip(everyone, choice, strict=True) if chosen})
        for choice in product([False, True], repeat=len(everyone))
    )
    aside = split_off(y, keys, groups, size=0.25, random_state=seed)
    assert on_both_sides(set(groups[aside].tolist())) or not possible


@given(labelled(), st.randoms(use_true_random=False))
def test_the_order_of_the_files_does_not_matter(data: Data, random: object) -> None:
    y, keys, groups = data
    order = np.random.default_rng(random.randint(0, 99)).permutation(len(y))
    shuffled = (y[order], [keys[i] for i in order], groups[order])
    np.testing.assert_array_equal(split_off(y, keys, groups)[order], split_off(*shuffled))
    np.testing.assert_array_equal(stratified_folds(y, keys, groups)[order], stratified_folds(*shuffled))


@given(labelled())
def test_unknown_counts_as_not_having_it(data: Data) -> None:
    y, keys, groups = data
    known = np.maximum(y, 0)
    np.testing.assert_array_equal(split_off(y, keys, groups), split_off(known, keys, groups))
    np.testing.assert_array_equal(stratified_folds(y, keys, groups), stratified_folds(known, keys, groups))


def many(n: int = 2000, seed: int = 0) -> Data:
    """Labels from common to rare, half of the images without any."""
    rng = np.random.default_rng(seed)
    y = (rng.random((n, 5)) < [0.4, 0.2, 0.1, 0.05, 0.02]) & (rng.random((n, 1)) < 0.5)
    return y.astype(np.int8), [str(i) for i in range(n)], np.arange(n)


def test_proportions_are_kept_for_every_label_and_for_images_without_any() -> None:
    y, keys, groups = many()
    aside = split_off(y, keys, groups, size=0.2)
    assert abs(int(aside.sum()) - 400) <= 2
    np.testing.assert_allclose(y[aside].sum(0), 0.2 * y.sum(0), atol=1)
    none = ~y.any(axis=1)
    assert abs(aside[none].mean() - 0.2) < 0.02


def test_folds_get_the_same_of_every_label() -> None:
    y, keys, groups = many()
    folds = stratified_folds(y, keys, groups, n_folds=5)
    counts = np.array([y[folds == k].sum(0) for k in range(5)])
    assert np.ptp(counts, axis=0).max() <= 3
    by_chance = np.array([y[np.arange(len(y)) % 5 == k].sum(0) for k in range(5)])
    assert np.ptp(counts, axis=0).sum() < np.ptp(by_chance, axis=0).sum() / 4
    assert np.ptp(np.bincount(folds)) <= 20


def test_images_without_labels_are_spread_evenly() -> None:
    y = np.zeros((100, 3), np.int8)
    keys = [str(i) for i in range(100)]
    assert split_off(y, keys, np.arange(100), size=0.2).sum() == 20
    assert np.bincount(stratified_folds(y, keys, np.arange(100), n_folds=5)).tolist() == [20] * 5


def test_one_label_an_image_is_split_as_classes_are() -> None:
    codes = np.repeat([0, 1, 2], [100, 50, 10])
    y = np.eye(3, dtype=np.int8)[codes]
    aside = split_off(y, [str(i) for i in range(160)], np.arange(160), size=0.2)
    assert y[aside].sum(0).tolist() == [20, 10, 2]


def test_the_seed_decides() -> None:
    data = many(200)
    one, same, other = (split_off(*data, random_state=seed) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_a_thousand_labels() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random((3000, 1000)) < 0.003).astype(np.int8)
    aside = split_off(y, [str(i) for i in range(3000)], np.arange(3000))
    several = y.sum(0) > 1
    assert (y[aside].sum(0)[several] > 0).all()
    assert (y[~aside].sum(0)[several] > 0).all()


def test_bad_input_is_refused() -> None:
    y = np.array([[1, 0], [0, 1]])
    with pytest.raises(DataError, match="2 labels, 1 keys"):
        split_off(y, ["a"], [0, 1])
    with pytest.raises(DataError, match="a matrix"):
        split_off(2 * y, ["a", "b"], [0, 1])
    with pytest.raises(ParameterError, match="between 0 and 1"):
        split_off(y, ["a", "b"], [0, 1], size=1)
    with pytest.raises(ParameterError, match="at least 2 folds"):
        stratified_folds(y, ["a", "b"], [0, 1], n_folds=1)
