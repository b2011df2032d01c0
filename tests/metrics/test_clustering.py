"""Groups held against known classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genus.errors import DataError
from genus.metrics.clustering import cluster_agreement


@given(st.lists(st.integers(0, 4), min_size=2, max_size=40))
def test_a_perfect_match_is_perfect_whatever_the_numbers(classes: list[int]) -> None:
    y = np.array(classes)
    found = cluster_agreement([f"class {c}" for c in y], 7 - y)
    assert found.hungarian_accuracy == found.majority_accuracy == 1
    assert found.adjusted_rand == pytest.approx(1) and found.v_measure == pytest.approx(1)


def test_chance_agrees_by_nothing() -> None:
    rng = np.random.default_rng(0)
    assert abs(cluster_agreement(rng.integers(0, 5, 5000), rng.integers(0, 5, 5000)).adjusted_rand) < 0.01


def test_splitting_a_class_costs_the_one_to_one_match_but_not_the_names() -> None:
    y, labels = np.repeat([0, 1], [60, 40]), np.repeat([0, 1, 2], [30, 30, 40])
    found = cluster_agreement(y, labels)
    assert found.hungarian_accuracy == pytest.approx(0.7)
    assert found.majority_accuracy == 1
    assert found.normalized_mutual_info == pytest.approx(found.v_measure)


def test_noise_earns_nothing() -> None:
    y = np.repeat([0, 1], 10)
    labels = y.copy()
    labels[::2] = -1
    found = cluster_agreement(y, labels)
    assert found.majority_accuracy == 0.5
    assert found.adjusted_rand < 0.5
    assert cluster_agreement(y, np.full(20, -1)).majority_accuracy == 0


def test_plain_values() -> None:
    found = cluster_agreement(["a", "b"], [0, 1]).to_dict()
    assert found["adjusted_rand"] == 1 and found["n"] == 2


@pytest.mark.parametrize(("y", "labels"), [([], []), ([0, 1], [0])])
def test_lengths_must_agree(y: list[int], labels: list[int]) -> None:
    with pytest.raises(DataError, match="as many classes as groups"):
        cluster_agreement(y, labels)
