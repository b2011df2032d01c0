"""A handful of examples a class: the head chosen beforehand and how it is judged."""

import json

import numpy as np
import pytest

from genus.classify.few import NEVER, few_shot_head, is_few, judge_beforehand
from genus.classify.few_calibration import calibration_near
from genus.classify.spreading_head import with_pile
from genus.features.feature_set import feature_set_for


def examples(n_each: int, n_classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows around one corner a class."""
    codes = np.repeat(np.arange(n_classes), n_each)
    noise = np.random.default_rng(seed).random((len(codes), 8))
    return (0.5 * noise + 2 * np.eye(8)[codes]).astype(np.float32), codes


class TestIsFew:
    @pytest.mark.parametrize(("n_each", "few"), [(1, True), (10, True), (11, False)])
    def test_up_to_ten_a_class(self, n_each: int, few: bool) -> None:
        codes = np.repeat([0, 1, 2], n_each)
        assert is_few(codes, np.arange(len(codes))) is few

    def test_duplicates_count_once(self) -> None:
        codes = np.repeat([0, 1], 40)
        assert is_few(codes, np.arange(80) // 8)

    def test_the_median_class_counts(self) -> None:
        codes = np.repeat([0, 1, 2], [1, 20, 20])
        assert not is_few(codes, np.arange(41))

    def test_many_classes_of_a_few_can_be_compared_on(self) -> None:
        codes = np.repeat(np.arange(40), 5)
        assert not is_few(codes, np.arange(200))


class TestHead:
    def test_it_looks_at_last_layers_only(self) -> None:
        blocks = feature_set_for("balanced").blocks
        head = few_shot_head(blocks)
        assert [blocks[i].middle for i in head.use] == [False] * len(head.use)
        assert 0 < len(head.use) < len(blocks)

    def test_one_example_a_class_is_enough_to_fit(self) -> None:
        X, codes = examples(1)
        assert few_shot_head().fit(X, codes).predict(X).tolist() == codes.tolist()


class TestJudging:
    def test_every_row_is_judged_by_a_head_that_has_not_seen_it(self) -> None:
        X, codes = examples(4)
        lie = codes.copy()
        lie[0] = 2  # whoever learns this row says 2 of it; the others say 0
        found = judge_beforehand(few_shot_head(), X, lie, np.arange(12) % 4)
        assert found.logits.argmax(axis=1)[0] == 0
        assert found.winner_row.accuracy < 1

    def test_rows_that_are_never_held_out_are_learned_and_not_judged(self) -> None:
        X, codes = examples(2)
        folds = np.array([0, 1, 0, 1, NEVER, NEVER])
        assert judge_beforehand(few_shot_head(), X, codes, folds).logits.shape == (4, 3)

    def test_without_judges_nothing_is_made_up(self) -> None:
        X, codes = examples(1)
        found = judge_beforehand(few_shot_head(), X, codes, np.full(3, NEVER))
        row = json.loads(json.dumps(found.to_dict(), allow_nan=False))["winner"]
        assert row["score"] is None
        assert row["accuracy"] is None
        assert found.calibration.n == 0

    def test_a_fold_that_holds_all_other_classes_does_no_harm(self) -> None:
        X, codes = examples(2, n_classes=2)
        found = judge_beforehand(few_shot_head(), X, codes, np.array([0, 0, 1, 1]))
        assert np.isfinite(found.logits).all()

    def test_rows_all_alike_do_no_harm(self) -> None:
        found = judge_beforehand(
            few_shot_head(), np.ones((4, 3), np.float32), np.array([0, 0, 1, 1]), np.arange(4) % 2
        )
        assert np.isfinite(found.logits).all()


class TestTemperature:
    def test_the_more_rows_the_nearer_to_theirs(self) -> None:
        rng = np.random.default_rng(0)
        codes = rng.integers(0, 2, 2000)
        sure = np.where(
            np.eye(2)[codes] == (rng.random((2000, 1)) < 0.8), 5.0, -5.0
        )  # wants a temperature of 7
        found = [calibration_near(sure[:n], codes[:n], 0.6).mapping.temperature for n in (0, 10, 100, 2000)]
        assert found[0] == 0.6
        assert found == sorted(found)
        assert found[-1] == pytest.approx(7, rel=0.1)


class TestPile:
    def test_labels_reach_unlabelled_rows_of_their_kind(self) -> None:
        X, codes = examples(30)
        first = np.array([0, 30, 60])
        rows, labels, weights = with_pile(few_shot_head(), X[first], codes[first], X)
        assert (labels[3:] == codes).mean() > 0.95
        assert weights[3:].sum() <= 9 + 1e-9
        assert len(rows) == len(labels) == len(weights)

    def test_an_empty_pile_changes_nothing(self) -> None:
        X, codes = examples(2)
        for pile in (None, X[:0]):
            rows, labels, weights = with_pile(few_shot_head(), X, codes, pile)
            assert rows is X
            assert labels is codes
            assert (weights == 1).all()
