"""Splits: stratified, seeded, groups together, independent of order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genus.data.splits import join_groups, split_off, stratified_folds
from genus.errors import DataError, ParameterError


@st.composite
def labelled(draw: st.DrawFn) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Class codes, content keys and groups; groups of one class each, as duplicates mostly are."""
    n_units = draw(st.integers(4, 60))
    unit_class = np.array(draw(st.lists(st.integers(0, 3), min_size=n_units, max_size=n_units)))
    sizes = np.array(draw(st.lists(st.integers(1, 4), min_size=n_units, max_size=n_units)))
    units = np.repeat(np.arange(n_units), sizes)
    return unit_class[units], [f"key{i}" for i in range(len(units))], units


@given(labelled(), st.integers(0, 5))
def test_groups_are_never_torn_apart(data: tuple[np.ndarray, list[str], np.ndarray], seed: int) -> None:
    y, keys, groups = data
    aside = split_off(y, keys, groups, size=0.3, random_state=seed)
    folds = stratified_folds(y, keys, groups, n_folds=3, random_state=seed)
    for group in np.unique(groups):
        assert len(set(aside[groups == group])) == 1
        assert len(set(folds[groups == group])) == 1


@given(labelled(), st.integers(0, 5))
def test_every_class_of_two_groups_is_on_both_sides(
    data: tuple[np.ndarray, list[str], np.ndarray], seed: int
) -> None:
    y, keys, groups = data
    aside = split_off(y, keys, groups, size=0.3, random_state=seed)
    for code in np.unique(y):
        sides = set(aside[y == code].tolist())
        assert sides == ({True, False} if len(np.unique(groups[y == code])) > 1 else {False})


@given(labelled(), st.randoms(use_true_random=False))
def test_the_order_of_the_files_does_not_matter(
    data: tuple[np.ndarray, list[str], np.ndarray], random: object
) -> None:
    y, keys, groups = data
    order = np.random.default_rng(random.randint(0, 99)).permutation(len(y))
    shuffled = (y[order], [keys[i] for i in order], groups[order])
    np.testing.assert_array_equal(split_off(y, keys, groups)[order], split_off(*shuffled))
    np.testing.assert_array_equal(stratified_folds(y, keys, groups)[order], stratified_folds(*shuffled))


def test_proportions_are_kept() -> None:
    y = np.repeat([0, 1, 2], [1000, 200, 50])
    keys = [str(i) for i in range(len(y))]
    aside = split_off(y, keys, np.arange(len(y)), size=0.2)
    assert [int(aside[y == c].sum()) for c in range(3)] == [200, 40, 10]
    folds = stratified_folds(y, keys, np.arange(len(y)), n_folds=5)
    assert [np.bincount(folds[y == c]).tolist() for c in range(3)] == [[200] * 5, [40] * 5, [10] * 5]


def test_large_groups_are_spread_evenly() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), rng.integers(1, 30, 40))
    y = (groups % 2).astype(int)
    folds = stratified_folds(y, [str(i) for i in range(len(y))], groups, n_folds=4)
    assert np.ptp(np.bincount(folds)) < 0.15 * len(y)


def test_the_seed_decides() -> None:
    y, keys = np.repeat([0, 1], 50), [str(i) for i in range(100)]
    one, same, other = (split_off(y, keys, np.arange(100), random_state=s) for s in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


@pytest.mark.parametrize("size", [0, 1, -0.5, 2])
def test_impossible_shares_are_refused(size: float) -> None:
    with pytest.raises(ParameterError, match="between 0 and 1"):
        split_off([0, 1], ["a", "b"], [0, 1], size=size)


def test_one_fold_is_refused() -> None:
    with pytest.raises(ParameterError, match="at least 2 folds"):
        stratified_folds([0, 1], ["a", "b"], [0, 1], n_folds=1)


def test_lengths_must_agree() -> None:
    with pytest.raises(DataError, match="2 labels, 1 keys"):
        split_off([0, 1], ["a"], [0, 1])


def test_joined_groups_are_connected_components() -> None:
    assert join_groups([0, 0, 1, 1, 2], [0, 1, 1, 2, 3]).tolist() == [0, 0, 0, 0, 1]
