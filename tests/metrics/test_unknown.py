"""Images unlike those learned from: the threshold that gives up a share of known ones, and how well it works."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from genus.errors import DataError, ParameterError
from genus.metrics.unknown import USUAL_SHARE, KnownScores, auroc, check_reject, measure_rejection

scores = arrays(np.float64, st.integers(20, 300), elements=st.floats(0, 2))
shares = st.floats(0.05, 0.95)


class TestThreshold:
    @given(scores, shares)
    def test_at_most_the_share_asked_for_lies_above_it(self, values: np.ndarray, share: float) -> None:
        known = KnownScores.of(values)
        assert (known.values > known.threshold(share)).mean() <= share

    @given(scores, shares, shares)
    def test_giving_up_more_rejects_more(self, values: np.ndarray, one: float, other: float) -> None:
        known = KnownScores.of(values)
        assert known.threshold(min(one, other)) >= known.threshold(max(one, other))

    def test_new_images_of_the_same_kind_are_given_up_as_often_as_promised(self) -> None:
        rng = np.random.default_rng(0)
        above = [
            (rng.gamma(3, size=500) > KnownScores.of(rng.gamma(3, size=99)).threshold(0.1)).mean()
            for _ in range(400)
        ]
        assert np.mean(above) == pytest.approx(0.1, abs=0.005)

    def test_of_a_handful_auto_gives_up_the_least_there_is(self) -> None:
        known = KnownScores.of([0.1, 0.2, 0.4])
        assert known.threshold("auto") == known.threshold(0.25) == 0.4
        with pytest.raises(ParameterError, match=r"reject=0\.1: .*0\.25 is the least"):
            known.threshold(0.1)
        with pytest.raises(ParameterError, match="too few images to tell"):
            KnownScores.of([]).threshold("auto")

    @pytest.mark.parametrize("share", [0, 1, -0.1, 5, float("nan"), "often", True, None])
    def test_a_share_lies_between_none_and_all(self, share: object) -> None:
        with pytest.raises(ParameterError, match="reject must be"):
            check_reject(share)

    def test_auto_is_one_in_twenty(self) -> None:
        assert check_reject("auto") == USUAL_SHARE == 0.05


class TestKnownScores:
    def test_they_survive_a_file(self) -> None:
        known = KnownScores.of(np.random.default_rng(0).random(50))
        assert np.array_equal(
            KnownScores.from_list(json.loads(json.dumps(known.to_list()))).values, known.values
        )

    def test_of_very_many_a_sample_is_enough(self) -> None:
        values = np.random.default_rng(0).random(100_000)
        assert KnownScores.of(values).threshold(0.05) == pytest.approx(0.95, abs=0.02)

    @pytest.mark.parametrize("bad", [[np.nan], [np.inf], [[1.0]], "many", None])
    def test_what_is_no_score_is_refused(self, bad: object) -> None:
        with pytest.raises(DataError, match="scores"):
            KnownScores.from_list(bad)


class TestAuroc:
    @given(
        st.lists(st.integers(0, 9), min_size=1, max_size=40),
        st.lists(st.integers(0, 9), min_size=1, max_size=40),
    )
    def test_it_is_scikit_learns(self, known: list[int], unknown: list[int]) -> None:
        found = auroc(known, unknown)
        truth = [0] * len(known) + [1] * len(unknown)
        assert found.value == pytest.approx(roc_auc_score(truth, known + unknown))
        assert 0 <= found.low <= found.value + 1e-9 and found.value - 1e-9 <= found.high <= 1

    def test_the_interval_holds_the_truth_nineteen_times_in_twenty(self) -> None:
        rng, truth = np.random.default_rng(0), 0.7602  # of unit normals one standard deviation apart
        held = [
            found.low <= truth <= found.high
            for found in (auroc(rng.normal(size=60), rng.normal(1, size=40)) for _ in range(600))
        ]
        assert 0.92 < np.mean(held) < 0.98

    def test_perfect_separation_of_few_is_no_certainty(self) -> None:
        found = auroc([0.1, 0.2, 0.3], [0.8, 0.9])
        assert found.value == found.high == 1.0 and found.low < 0.8

    def test_both_kinds_are_needed(self) -> None:
        with pytest.raises(DataError, match="0 known from 1 unknown"):
            auroc([], [1])
        with pytest.raises(DataError, match="no numbers"):
            auroc([np.nan], [1])


class TestRejection:
    def test_it_counts_who_is_given_up_and_who_is_caught(self) -> None:
        known = KnownScores.of(np.arange(1, 100) / 100)
        found = measure_rejection([0.5, 0.97, 0.99, 0.2], [True, True, False, False], known)
        assert (found.known, found.caught, found.n_known, found.n_unknown) == (0.5, 0.5, 2, 2)
        assert found.threshold == 0.95 and found.auroc == 0.5

    def test_without_unknown_images_half_of_it_is_not_measured(self) -> None:
        found = measure_rejection([0.5, 0.97], [True, True], KnownScores.of(np.arange(99) / 100))
        assert found.n_unknown == 0 and found.caught is None and found.auroc is None

    def test_without_known_ones_nothing_is(self) -> None:
        with pytest.raises(DataError, match="none"):
            measure_rejection([0.5], [False], KnownScores.of([0.1]))
