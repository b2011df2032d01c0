"""The contest between a network and the heads, on arrays: rare classes, few judges, mixtures, columns."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from estimators.networks import pictures
from genus.classify.fitted import fit_final
from genus.classify.head import probabilities
from genus.classify.logistic import LogisticHead
from genus.classify.truth import ABSENT, OneClass
from genus.data.read import read_dataset
from genus.estimators import training
from genus.estimators.classifier import ImageClassifier
from genus.estimators.contest import Contest
from genus.estimators.network_contest import (
    Judges,
    Way,
    best_way,
    contestant,
    leaderboard_row,
    ways_to_classify,
    won_contest,
)
from genus.estimators.network_features import NetworkFeatures
from genus.estimators.network_result import BOTH, FROZEN, NETWORK, NetworkResult
from genus.estimators.network_training import divided
from genus.features.feature_set import Block
from genus.progress import SILENT


def contest_of(X: np.ndarray, y: np.ndarray, **options: Any) -> Contest:
    """Compare heads on frozen features, as training does before a network comes in."""
    wish = {"features": "thumbnail@32", "heads": ["prototype"], "precision": "float32", "random_state": 0}
    told = ImageClassifier("fast", **{**wish, **options})._options()
    learned = training._features(read_dataset(list(X), y), told, SILENT)
    return training._select(learned, told, training._Clock(), SILENT)


def network_in(contest: Contest, skill: float, seed: int = 0) -> tuple[Any, NetworkFeatures, NetworkFeatures]:
    """Make up a network: embeddings with noise, which its last layer reads; alone, and beside the frozen features.

    As in training, only the images that were asked for have embeddings: those that are not learned from.
    """
    rng, n_classes = np.random.default_rng(seed), len(contest.learned.classes)
    truth = np.eye(n_classes, dtype=np.float32)[contest.learned.codes]
    if contest.learned.values is not None:
        n_classes = contest.learned.values.shape[1]
        truth = (contest.learned.values == 1).astype(np.float32)
    embedding = rng.normal(size=truth.shape).astype(np.float32) + skill * truth
    trained = SimpleNamespace(
        coef=np.eye(n_classes, dtype=np.float32), intercept=np.zeros(n_classes, np.float32)
    )
    table, block = contest.learned.table, Block("net@16", 0, n_classes)

    def features(X: np.ndarray, blocks: tuple[Block, ...], start: int) -> NetworkFeatures:
        wide = replace(table, X=X, blocks=blocks)
        return NetworkFeatures(contest.feature_set, start, replace(contest.learned, table=wide), 10.0)

    n = table.X.shape[1]
    beside = (*table.blocks, replace(block, start=n, stop=n + n_classes))
    both = features(np.hstack([table.X, embedding]), beside, n)
    return trained, features(embedding, (block,), 0), both


def judges_of(contest: Contest) -> Judges:
    _, validation = divided(contest.learned, contest.rows, contest.folds)
    return Judges.of(contest.learned, validation, contest.selection.metric, 0)


def result_of(judges: Judges) -> NetworkResult:
    return NetworkResult("net", "", 16, judges.metric, "", 1, len(judges.rows), (), "", {}, {}, 0, 1.0, 1.0)


def with_rare_class(n_rare: int) -> tuple[np.ndarray, np.ndarray]:
    """Five digits, of the last of which there are a few images only."""
    X, y = pictures(150)
    kept = np.concatenate([np.flatnonzero(y != 4), np.flatnonzero(y == 4)[:n_rare]])
    return X[kept], y[kept]


class TestDivision:
    def test_it_has_every_class_that_is_compared_on(self) -> None:
        contest = contest_of(*pictures(120))
        rows, validation = divided(contest.learned, contest.rows, contest.folds)
        assert set(contest.learned.codes[validation]) == set(range(5))
        assert 0.1 < len(validation) / len(contest.learned.train) < 0.3
        assert sorted([*rows, *validation]) == contest.learned.train.tolist()

    def test_of_the_folds_it_is_the_one_with_most_classes(self) -> None:
        contest = contest_of(*pictures(120))
        folds = np.zeros(len(contest.rows), np.int64)
        codes = contest.learned.codes[contest.rows]
        folds[codes == 0] = (
            np.arange((codes == 0).sum()) % 2
        )  # the first fold has all classes, the second only one
        _, validation = divided(contest.learned, contest.rows, 1 - folds)
        assert set(contest.learned.codes[validation]) == set(range(5))

    def test_a_class_with_a_single_image_is_learned_and_not_judged(self) -> None:
        contest = contest_of(*with_rare_class(1))
        rows, validation = divided(contest.learned, contest.rows, contest.folds)
        rare = np.flatnonzero(contest.learned.codes == 4)
        assert rare in rows and rare not in validation


class TestRareClasses:
    """A class that is too rare to be compared on has no column in the heads' leaderboard, but one in the network."""

    @pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1", "log_loss"])
    def test_every_way_has_a_column_for_every_class(self, metric: str) -> None:
        contest = contest_of(*with_rare_class(1), metric=metric)
        assert len(contest.selection.classes) == 4 < len(contest.learned.classes)
        judges = judges_of(contest)
        ways = ways_to_classify(contest, *network_in(contest, 2.0), judges)
        assert [way.name for way in ways] == [FROZEN, NETWORK, BOTH]
        assert all(way.logits.shape == (len(judges.rows), 5) for way in ways)
        assert (ways[0].logits[:, 4] == ABSENT).all()
        for way in ways[1:]:
            assert leaderboard_row(way, judges, result_of(judges)).macro_f1 > 0
            assert np.isfinite(contestant(way, judges).log_loss)

    def test_the_winner_knows_them_all(self) -> None:
        contest = contest_of(*with_rare_class(1))
        judges, network = judges_of(contest), network_in(contest, 2.0)
        for way in ways_to_classify(contest, *network, judges)[1:]:
            assert way.features is not None
            row = leaderboard_row(way, judges, result_of(judges))
            won = won_contest(contest, way, way.features, row, judges, "auto")
            table = won.learned.table
            head = fit_final(won.selection, table.X[won.learned.train], won.learned.y[won.learned.train])
            proba = head.predict_proba(table.X)
            assert proba.shape == (len(table), 5) and proba.sum(axis=1) == pytest.approx(1, abs=1e-5)
            assert (proba.argmax(axis=1) == won.learned.codes).mean() > 0.6, "chance is 0.2"
            assert (won.folds >= 0).sum() == len(won.selection.logits) == len(won.rows)


class TestFewJudges:
    @pytest.mark.parametrize("n", [1, 2, 3, 19])
    def test_of_few_images_no_scale_is_learned(self, n: int) -> None:
        contest = contest_of(*pictures(120))
        judges = Judges.of(contest.learned, contest.rows[:n], "accuracy", 0)
        ways = ways_to_classify(replace_rows(contest, n), *network_in(contest, 2.0), judges)
        np.testing.assert_array_equal(ways[1].raw, ways[1].logits)
        best = best_way(ways, judges)
        assert best in ways and np.isfinite(contestant(best, judges).log_loss)
        assert leaderboard_row(ways[1], judges, result_of(judges)).spread >= 0

    def test_a_class_with_one_image_among_them_is_no_obstacle(self) -> None:
        contest = contest_of(*pictures(150))
        codes = contest.learned.codes[contest.rows]
        some = np.sort(np.concatenate([np.flatnonzero(codes < 4)[:40], np.flatnonzero(codes == 4)[:1]]))
        judges = Judges.of(contest.learned, contest.rows[some], "macro_f1", 0)
        for method in ("auto", "temperature", "platt", "isotonic"):
            way = ways_to_classify(contest, *network_in(contest, 2.0), judges)[1]
            assert way.features is not None
            row = leaderboard_row(way, judges, result_of(judges))
            won = won_contest(contest, way, way.features, row, judges, method)
            assert np.isfinite(won.selection.logits).all()

    def test_one_group_is_dealt_into_folds_all_the_same(self) -> None:
        contest = contest_of(*pictures(120))
        together = replace(contest.learned.division, groups=np.zeros(len(contest.learned.data), np.int64))
        learned = replace(contest.learned, division=together)
        judges = Judges.of(learned, contest.rows[:30], "accuracy", 0)
        assert set(judges.fold) == set(range(5))


def replace_rows(contest: Contest, n: int) -> Contest:
    """A contest that the first n images judged."""
    logits = contest.selection.logits[:n]
    return replace(contest, rows=contest.rows[:n], selection=replace(contest.selection, logits=logits))


class TestMixture:
    def test_there_is_none_where_one_of_the_two_says_next_to_nothing(self) -> None:
        contest = contest_of(*pictures(400))
        ways = ways_to_classify(contest, *network_in(contest, 0.0), judges_of(contest))
        assert [way.name for way in ways] == [FROZEN, NETWORK]

    def test_it_is_not_taken_where_the_network_needs_no_help(self) -> None:
        contest = contest_of(*pictures(400))
        judges = judges_of(contest)
        ways = ways_to_classify(contest, *network_in(contest, 30.0), judges)
        assert len(ways) == 3 and best_way(ways, judges).name == NETWORK

    def test_it_is_the_weighted_mean_of_what_both_say(self) -> None:
        contest = contest_of(*pictures(120))
        judges, (trained, alone, both) = judges_of(contest), network_in(contest, 2.0)
        way = ways_to_classify(contest, trained, alone, both, judges)[2]
        table, learned = both.learned.table, contest.learned
        head = way.head.fit(table.X[learned.train], learned.y[learned.train])
        frozen = fit_final(contest.selection, learned.table.X[learned.train], learned.y[learned.train])
        scaling = judges.scaling(table.X[judges.rows, both.start :])
        own, scaled = frozen.logits(learned.table.X), scaling.apply(table.X[:, both.start :])
        weights = way.head.weights
        expected = probabilities(weights[0] * own + weights[1] * scaled, several=False)
        np.testing.assert_allclose(head.predict_proba(table.X), expected, atol=1e-4)
        assert sum(weights) == pytest.approx(1) and sum(way.shares) == pytest.approx(1)

    def test_a_head_that_was_given_as_an_object_does_not_read_the_networks_columns(self) -> None:
        """Of the training images there are no embeddings, so it would learn that zeros are all there is."""
        contest = contest_of(*pictures(120), heads=[LogisticHead()])
        assert contest.selection.winner.blocks is None
        judges, (trained, alone, both) = judges_of(contest), network_in(contest, 2.0)
        head = ways_to_classify(contest, trained, alone, both, judges)[2].head
        train, table = contest.learned.train, both.learned.table
        odd = table.X.copy()
        odd[:, both.start :] = 1e6
        (frozen, _), (same, _) = (head.fit(X[train], contest.learned.y[train]).heads_ for X in (table.X, odd))
        np.testing.assert_array_equal(frozen.logits(table.X), same.logits(odd))


class TestChoice:
    def judges(self, n: int = 100) -> Judges:
        codes = np.arange(n) % 2
        return Judges(np.arange(n), OneClass(codes), np.arange(n) % 5, "accuracy")

    def way(self, name: str, judges: Judges, wrong: range, sureness: float) -> Way:
        codes = judges.truth.y.copy()
        codes[wrong] = 1 - codes[wrong]
        logits = sureness * np.eye(2, dtype=np.float32)[codes]
        return Way(name, None, logits, logits)

    def test_the_better_one_is_taken(self) -> None:
        judges = self.judges()
        ways = [self.way(FROZEN, judges, range(20), 2.0), self.way(NETWORK, judges, range(20, 25), 2.0)]
        assert best_way(ways, judges).name == NETWORK

    def test_of_two_too_close_to_tell_apart_the_one_with_the_least_log_loss(self) -> None:
        judges = self.judges()
        ways = [self.way(FROZEN, judges, range(6), 2.5), self.way(NETWORK, judges, range(10, 15), 9.0)]
        assert best_way(ways, judges).name == FROZEN

    def test_what_is_said_of_an_image_does_not_depend_on_its_own_class(self) -> None:
        judges = self.judges()
        raw = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
        changed = judges.truth.y.copy()
        changed[judges.fold == 3] = 1 - changed[judges.fold == 3]
        others = replace(judges, truth=OneClass(changed))
        rows = judges.fold == 3
        np.testing.assert_array_equal(judges.scaled(raw)[rows], others.scaled(raw)[rows])
        assert not np.array_equal(judges.scaled(raw)[~rows], others.scaled(raw)[~rows])


def test_several_labels_are_compared_alike() -> None:
    X, y = pictures(150)
    sets = [[f"is {label}", *(["even"] if label % 2 == 0 else [])] for label in y]
    contest = contest_of(X, sets, heads=["logistic"], features="color-histogram@32")
    judges = judges_of(contest)
    ways = ways_to_classify(contest, *network_in(contest, 1.5), judges)
    assert [way.name for way in ways] == [FROZEN, NETWORK, BOTH]
    for way in ways[1:]:
        assert way.features is not None
        row = leaderboard_row(way, judges, result_of(judges))
        won = won_contest(contest, way, way.features, row, judges, "auto")
        train = won.learned.train
        head = fit_final(won.selection, won.learned.table.X[train], won.learned.y[train])
        named = head.predict_proba(won.learned.table.X) > 0.5
        assert (named == (won.learned.values == 1)).mean() > 0.8, "seven of ten labels are absent"
        assert row.mean_average_precision is not None and row.accuracy is None


class TestBest:
    """A network alone is never taken that names fewer images rightly than the frozen features do."""

    @pytest.mark.parametrize(("n_wrong", "best"), [(4, FROZEN), (3, NETWORK), (2, NETWORK)])
    def test_a_surer_network_is_taken_only_if_it_is_as_often_right(self, n_wrong: int, best: str) -> None:
        contest = contest_of(*pictures(120))
        judges = judges_of(contest)
        y, n = judges.truth.codes, len(judges.rows)  # type: ignore[attr-defined]

        def logits(n_wrong: int, sure: float) -> np.ndarray:
            found = sure * np.eye(5, dtype=np.float32)[y]
            found[:n_wrong] = np.roll(found[:n_wrong], 1, axis=1) / sure
            return found

        ways = [Way(FROZEN, None, *[logits(3, 1.0)] * 2), Way(NETWORK, None, *[logits(n_wrong, 3.0)] * 2)]
        assert n > 15 and best_way(ways, judges).name == best
