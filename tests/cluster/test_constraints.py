"""What is known beforehand: what follows from it, how far a grouping meets it, and putting a grouping right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genus.cluster.constraints import Constraints
from genus.errors import DataError, ParameterError


def test_belonging_together_is_passed_on() -> None:
    known = Constraints.of(6, must_link=[(0, 1), (1, 2)], seeds=[None, None, "a", "a", None, None])
    assert len(set(known.part[:4].tolist())) == 1
    assert known.known.tolist() == [True] * 4 + [False] * 2


def test_nothing_known_is_nothing_wanted() -> None:
    known = Constraints.of(4)
    assert not known and np.isnan(known.share_met(np.zeros(4, np.int64)))


def test_a_contradiction_is_named() -> None:
    with pytest.raises(DataError, match="rows 2 and 0 must be in one group, and must not"):
        Constraints.of(4, must_link=[(0, 1), (1, 2)], cannot_link=[(0, 2)])


@pytest.mark.parametrize("pair", [(0, 4), (-1, 2)])
def test_rows_that_do_not_exist_are_refused(pair: tuple[int, int]) -> None:
    with pytest.raises(ParameterError, match="names a row that does not exist"):
        Constraints.of(4, must_link=[pair])


def test_seeds_are_one_a_row() -> None:
    with pytest.raises(ParameterError, match="4 rows, but 2 seeds"):
        Constraints.of(4, seeds=["a", "b"])


def test_both_kinds_count_the_same() -> None:
    known = Constraints.of(6, must_link=[(0, 1)], cannot_link=[(2, 3), (3, 4), (4, 5)])
    assert known.share_met(np.array([0, 1, 0, 1, 0, 1])) == 0.5
    assert known.share_met(np.zeros(6, np.int64)) == 0.5


def test_noise_is_together_with_nobody() -> None:
    known = Constraints.of(2, must_link=[(0, 1)])
    assert known.share_met(np.array([-1, -1])) == 0


def test_a_sample_keeps_what_is_known_of_it() -> None:
    known = Constraints.of(5, must_link=[(0, 4)], cannot_link=[(0, 2)]).take(np.array([2, 4]))
    assert known.share_met(np.array([0, 0])) == 0  # 4 is with 0, which is not with 2


@given(
    seeds=st.lists(st.sampled_from([None, "a", "b", "c"]), min_size=3, max_size=30),
    random=st.randoms(use_true_random=False),
)
def test_with_enough_groups_everything_is_met(seeds: list[str | None], random: object) -> None:
    n = len(seeds)
    rng = np.random.default_rng(random.randrange(2**32))  # type: ignore[attr-defined]
    known = Constraints.of(n, seeds=seeds)
    labels = rng.integers(0, 4, n)
    put = known.enforce(labels, rng.random((n, 4)).astype(np.float32))
    assert np.isnan(known.share_met(put)) or known.share_met(put) == 1
    assert np.array_equal(put[~known.known], labels[~known.known])
