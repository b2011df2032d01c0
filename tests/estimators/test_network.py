"""A network beside the heads on frozen features: compared, taken if it is better, then learning from all images."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

torch = pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")

from estimators.networks import NET, STRONG, WEAK, beside, pictures, small  # noqa: E402
from genus.cnn.history import History  # noqa: E402
from genus.data.dataset import Dataset  # noqa: E402
from genus.data.read import read_dataset  # noqa: E402
from genus.estimators import network_training  # noqa: E402
from genus.estimators.classifier import ImageClassifier  # noqa: E402
from genus.estimators.network_result import BOTH, FROZEN, NETWORK, NetworkResult  # noqa: E402
from genus.estimators.network_trainer import NetworkTrainer, TrainedNetwork  # noqa: E402
from genus.predictor import load  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

N = 120


@pytest.fixture(scope="module")
def won() -> ImageClassifier:
    """A network has won."""
    return beside(WEAK).fit(*pictures(N))


@pytest.fixture(scope="module")
def lost() -> ImageClassifier:
    """A network has lost."""
    return beside(STRONG).fit(*pictures(N))


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the network was asked to learn, training by training."""
    seen: list[dict[str, Any]] = []
    train = NetworkTrainer.train

    def watched(self: NetworkTrainer, rows: Any, validation: Any, **how: Any) -> TrainedNetwork:
        trained = train(self, rows, validation, **how)
        seen.append({"rows": rows, "validation": validation, "trained": trained, **how})
        return trained

    go_on = NetworkTrainer.go_on

    def watched_later(self: NetworkTrainer, rows: Any, **how: Any) -> TrainedNetwork:
        trained = go_on(self, rows, **how)
        seen.append({"rows": rows, "trained": trained, **how})
        return trained

    monkeypatch.setattr(NetworkTrainer, "train", watched)
    monkeypatch.setattr(NetworkTrainer, "go_on", watched_later)
    return seen


def network(classifier: ImageClassifier) -> NetworkResult:
    found = classifier.result_.network
    assert found is not None
    return found


def take(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a way win whatever it scores."""
    chosen = lambda ways, judges: next(way for way in ways if way.name == name)  # noqa: E731
    monkeypatch.setattr(network_training, "best_way", chosen)


class TestWins:
    def test_it_is_taken_where_the_heads_are_weak(self, won: ImageClassifier) -> None:
        found = network(won)
        ways = {way.name: way for way in found.contestants}
        assert found.chosen == NETWORK == found.contestants[1].name
        assert ways[NETWORK].score > 0.9 > 0.6 > ways[FROZEN].score
        assert (found.name, found.size, found.how) == (f"textbook:{NET}", 16, "trained from scratch")
        assert won.result_.winner.name == "network" and won.result_.evaluation.accuracy.value > 0.8
        assert won.score(*pictures(N)) > 0.95

    def test_the_file_says_what_the_estimator_says(self, won: ImageClassifier, tmp_path: Path) -> None:
        X, _ = pictures(N)
        won.save(tmp_path / "digits.onnx")
        np.testing.assert_array_equal(load(tmp_path / "digits.onnx").predict(X), won.predict(X).astype(str))
        np.testing.assert_allclose(
            load(tmp_path / "digits.onnx").predict_proba(X), won.predict_proba(X), atol=1e-5
        )
        assert max(won.result_.parity.values()) < 1e-3

    def test_the_file_knows_the_network_and_no_frozen_features(self, won: ImageClassifier) -> None:
        details = won.model_.details
        assert NetworkResult.from_dict(details["network"]) == network(won)
        assert won.result_.features == f"textbook:{NET}-trained@16"
        assert details["head"]["name"] == "network" and details["head"]["n_stored_examples"] == 0
        assert "memory" not in details and "unknown" not in details

    def test_no_image_judges_that_taught(self, trainings: list[dict[str, Any]]) -> None:
        classifier = beside(STRONG, small(epochs=1)).fit(*pictures(N))
        first = trainings[0]
        assert not set(first["rows"]) & set(first["validation"])
        assert len(first["rows"]) + len(first["validation"]) == classifier.result_.n_train
        assert network(classifier).n_validation == len(first["validation"])
        assert network(classifier).n_train == len(first["rows"])

    def test_then_it_goes_on_with_all(self, trainings: list[dict[str, Any]]) -> None:
        beside(WEAK).fit(*pictures(N))
        first, on = trainings
        assert len(on["rows"]) == N and on["n_epochs"] == first["trained"].history.best
        assert len(on["trained"].history.epochs) == round(0.3 * on["n_epochs"])

    def test_unless_that_is_not_wanted(self, trainings: list[dict[str, Any]]) -> None:
        classifier = beside(WEAK, refit=False).fit(*pictures(N))
        assert len(trainings) == 1
        assert max(classifier.result_.parity.values()) < 1e-3
        assert network(classifier).chosen == NETWORK

    def test_images_marked_as_test_are_never_learned_from(self, trainings: list[dict[str, Any]]) -> None:
        data = marked(*pictures(N), n_test=4)
        classifier = beside(WEAK).fit(data)
        tested = set(range(N - 4, N))
        for training in trainings:
            assert not tested & {*training["rows"], *training.get("validation", ())}
        assert len(trainings) == 2 and classifier.result_.n_test == 4
        assert max(classifier.result_.parity.values()) < 1e-3, (
            "also on training images: there are 4 others only"
        )

    def test_a_second_training_that_goes_wrong_is_not_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        X, y = pictures(N)
        judged = beside(WEAK, refit=False).fit(X, y)
        monkeypatch.setattr(network_training, "_WORSE", 0.0)
        kept = beside(WEAK).fit(X, y)
        assert any("going on with all images did not go as well" in note for note in kept.result_.notes)
        np.testing.assert_allclose(kept.predict_proba(X[:20]), judged.predict_proba(X[:20]), atol=1e-6)
        assert max(kept.result_.parity.values()) < 1e-3


def marked(X: np.ndarray, y: np.ndarray, *, n_test: int) -> Dataset:
    """A data set whose last images are marked as test."""
    splits = tuple("test" if i >= len(X) - n_test else "train" for i in range(len(X)))
    return replace(read_dataset(list(X), y), splits=splits)


class TestLoses:
    def test_the_frozen_winner_stays(self, lost: ImageClassifier) -> None:
        assert network(lost).chosen == FROZEN
        assert lost.result_.winner.name == "rbf" and lost.result_.features == "thumbnail@32"
        plain = beside(STRONG, cnn=None).set_params(cnn=None).fit(*pictures(N))
        X = pictures(N)[0][:20]
        np.testing.assert_array_equal(lost.predict_proba(X), plain.predict_proba(X))
        assert plain.result_.network is None

    def test_it_is_on_the_leaderboard_with_what_its_score_stands_on(self, lost: ImageClassifier) -> None:
        (row,) = [row for row in lost.leaderboard_ if row.name == "network"]
        assert row.score == network(lost).contestants[1].score
        assert row.note == f"on {network(lost).n_validation} validation images"
        assert row.params == {"network": f"textbook:{NET}", "size": 16}

    def test_it_learns_once_only(self, trainings: list[dict[str, Any]]) -> None:
        beside(STRONG).fit(*pictures(N))
        assert len(trainings) == 1

    def test_one_that_came_to_nothing_leaves_all_as_it_was(self, monkeypatch: pytest.MonkeyPatch) -> None:
        train = NetworkTrainer.train

        def nothing(self: NetworkTrainer, *rows: Any, **how: Any) -> TrainedNetwork:
            history = History((), "time", 0, 10, "cpu", 1.0, ("the time was over in epoch 1 of 8",))
            return replace(train(self, *rows, **how), history=history)

        monkeypatch.setattr(NetworkTrainer, "train", nothing)
        result = beside(STRONG, small(epochs=1)).fit(*pictures(N)).result_
        assert result.network is None and all(row.name == "rbf" for row in result.leaderboard)
        assert "the network: the time was over in epoch 1 of 8" in result.notes


class TestBoth:
    def test_a_mixture_is_one_file_too(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        take(BOTH, monkeypatch)
        X, y = pictures(N)
        classifier = beside(STRONG, small(epochs=6)).fit(X, y)
        mixed = network(classifier).contestant(BOTH)
        assert mixed is not None and sum(mixed.shares) == pytest.approx(1) and min(mixed.shares) >= 0.1
        assert classifier.result_.features == f"thumbnail@32+textbook:{NET}-trained@16"
        assert max(classifier.result_.parity.values()) < 1e-3
        classifier.save(tmp_path / "both.onnx")
        np.testing.assert_allclose(
            load(tmp_path / "both.onnx").predict_proba(X), classifier.predict_proba(X), atol=1e-5
        )
        assert classifier.score(X, y) > 0.97
        assert classifier.predict(X[:5], reject="auto").shape == (5,), "frozen features are there to tell by"

    def test_there_is_none_where_the_network_sees_more_of_a_picture(self) -> None:
        classifier = beside(STRONG, small(size=40, epochs=1)).fit(*pictures(N))
        assert [way.name for way in network(classifier).contestants] == [FROZEN, NETWORK]


class TestTime:
    def test_a_budget_is_kept(self) -> None:
        classifier = beside(WEAK, small(epochs=10_000), time_budget=6.0).fit(*pictures(N))
        assert network(classifier).history["stopped"] == "time"
        assert any("the time was over in epoch" in note for note in classifier.result_.notes)
        assert classifier.result_.seconds["total"] < 30, "ten thousand epochs take half an hour"

    def test_where_nothing_is_left_no_network_is_trained(self, trainings: list[dict[str, Any]]) -> None:
        result = beside(STRONG, time_budget=1e-3).fit(*pictures(N)).result_
        assert "no network was trained: the time budget left nothing for it" in result.notes
        assert not trainings and result.network is None


class TestFewImages:
    def test_a_handful_a_class_is_not_enough(self, trainings: list[dict[str, Any]]) -> None:
        X, y = pictures(40)
        result = (
            ImageClassifier("fast", features="thumbnail@32", cnn=small(), random_state=0).fit(X, y).result_
        )
        assert "no network was trained: that takes more than a handful of images a class" in result.notes
        assert not trainings and result.network is None

    def test_a_class_of_two_images_is_no_obstacle(self) -> None:
        X, y = pictures(N)
        kept = np.concatenate([np.flatnonzero(y != 4), np.flatnonzero(y == 4)[:2]])
        classifier = beside(WEAK, small(epochs=3)).fit(X[kept], y[kept])
        assert classifier.predict_proba(X[:3]).shape == (3, 5)
        assert network(classifier).chosen in (NETWORK, FROZEN)


class TestScikitLearn:
    def test_it_is_a_parameter_like_the_others(self) -> None:
        wish = small(epochs=2)
        classifier = beside(WEAK, wish)
        assert classifier.get_params()["cnn"] == wish
        assert clone(classifier).cnn == wish
        assert clone(classifier).set_params(cnn="scratch").cnn == "scratch"

    def test_it_can_be_cross_validated(self) -> None:
        X, y = pictures(160)
        scores = cross_val_score(beside(WEAK, refit=False), X, y, cv=2)
        assert scores.shape == (2,) and scores.mean() > 0.6, "chance is 0.2"


def test_the_same_seed_gives_the_same_model(won: ImageClassifier) -> None:
    again = beside(WEAK).fit(*pictures(N))
    np.testing.assert_allclose(
        again.predict_proba(pictures(N)[0][:30]), won.predict_proba(pictures(N)[0][:30])
    )
    assert network(again).contestants == network(won).contestants


def test_groups_are_on_one_side(trainings: list[dict[str, Any]]) -> None:
    X, y = pictures(N)
    groups = np.arange(N) // 6
    data = replace(read_dataset(list(X), y), groups=tuple(map(str, groups)))
    beside(WEAK, small(epochs=1)).fit(data)
    first = trainings[0]
    assert not set(groups[first["rows"]]) & set(groups[first["validation"]])


def test_another_metric_decides(trainings: list[dict[str, Any]]) -> None:
    classifier = beside(WEAK, small(epochs=3), metric="log_loss").fit(*pictures(N))
    found = network(classifier)
    assert found.metric == "log_loss" and all(
        way.score == pytest.approx(way.log_loss) for way in found.contestants
    )
    assert found.chosen == min(found.contestants, key=lambda way: way.log_loss).name
