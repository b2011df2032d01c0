"""A pre-trained network goes on learning: its last blocks behind a frozen beginning, or all of it; several labels."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")

from estimators.networks import STRONG, WEAK, beside, pictures, small  # noqa: E402
from genus import Explainer  # noqa: E402
from genus.estimators.classifier import ImageClassifier  # noqa: E402
from genus.estimators.network_options import NetworkOptions  # noqa: E402
from genus.estimators.network_result import FROZEN, NETWORK, NetworkResult  # noqa: E402
from genus.metrics.label_evaluation import LabelEvaluation  # noqa: E402
from genus.predictor import load  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

N = 80


def network(classifier: ImageClassifier) -> NetworkResult:
    found = classifier.result_.network
    assert found is not None
    return found


def finetuned(**changes: Any) -> NetworkOptions:
    return NetworkOptions(size=64, device="cpu", precision="float32", **{"epochs": 2, **changes})


@pytest.fixture(scope="module")
def tuned() -> ImageClassifier:
    """EfficientNet-Lite0 fine-tuned on digits of 64 pixels, behind a beginning in int8."""
    X, y = pictures(N, side=64, n_classes=3)
    wish = finetuned(batch_size=8, augment="none", learning_rate=3e-4)
    return beside(WEAK, wish, precision="int8").fit(X, y)


class TestLastBlocks:
    def test_they_learn_in_two_epochs(self, tuned: ImageClassifier) -> None:
        found = network(tuned)
        assert (found.name, found.size, found.how) == (
            "efficientnet-lite0",
            64,
            "fine-tuned, its last blocks",
        )
        assert found.n_views == 1 and len(found.history["epochs"]) == 2
        ways = {way.name: way.score for way in found.contestants}
        assert found.chosen == NETWORK and ways[NETWORK] > ways[FROZEN]
        assert 2e6 < found.history["n_parameters"] < 4e6, "of 4.7 million"

    def test_the_file_holds_the_beginning_in_int8_and_agrees(
        self, tuned: ImageClassifier, tmp_path: Path
    ) -> None:
        X, _ = pictures(N, side=64, n_classes=3)
        assert max(tuned.result_.parity.values()) < 0.02
        tuned.save(tmp_path / "tuned.onnx")
        again = load(tmp_path / "tuned.onnx")
        np.testing.assert_allclose(again.predict_proba(X), tuned.predict_proba(X), atol=1e-5)
        import onnx

        ops = {node.op_type for node in onnx.load(tmp_path / "tuned.onnx").graph.node}
        assert {"DequantizeLinear", "Conv", "MatMul"} <= ops

    def test_what_it_saves_to_compute_the_beginning_once_is_said(self, tuned: ImageClassifier) -> None:
        said = [note for note in tuned.result_.notes if "frozen beginning was computed once" in note]
        assert len(said) == 1 and said[0].endswith("for it in every epoch")

    @pytest.mark.parametrize("method", ["grad-cam", "layer-cam", "auto"])
    def test_where_it_finds_the_evidence_can_be_asked(self, tuned: ImageClassifier, method: str) -> None:
        X, _ = pictures(N, side=64, n_classes=3)
        (found,) = Explainer(tuned.model_, method=method).explain(X[0])
        assert np.isfinite(found.evidence).all() and found.evidence.max() > 0

    def test_images_are_mixed_as_pictures_would_be(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from genus.cnn import training_examples

        shares, mix = [], training_examples.mix_maps

        def watched(*arguments: Any, **more: Any) -> Any:
            mixed = mix(*arguments, **more)
            shares.append(mixed.targets.max(dim=1).values)
            return mixed

        monkeypatch.setattr(training_examples, "mix_maps", watched)
        X, y = pictures(N, side=64, n_classes=3)
        beside(STRONG, finetuned(epochs=1, augment="strong"), refit=False).fit(X, y)
        largest = torch.cat(shares)
        assert (largest < 1).any() and largest.min() >= 0.5, "of two classes, the larger share"

    def test_where_time_is_short_there_are_fewer_views(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from genus.estimators import activations

        ticks = iter(range(0, 100_000, 10))
        slow = SimpleNamespace(monotonic=lambda: float(next(ticks)))
        monkeypatch.setattr(activations, "time", slow)
        X, y = pictures(N, side=64, n_classes=3)
        result = beside(STRONG, finetuned(epochs=1), refit=False, time_budget=60.0).fit(X, y).result_
        assert any(
            "the time allowed for" in note and "of 8 views of each image" in note for note in result.notes
        )


@pytest.fixture(scope="module")
def deeper() -> ImageClassifier:
    X, y = pictures(N, side=64, n_classes=3)
    return beside(WEAK, finetuned(depth="all", batch_size=12, learning_rate=3e-4), refit=True).fit(X, y)


class TestThenAll:
    """Where that is wanted, or time allows it, all of the network is trained after its last blocks."""

    def test_the_better_one_is_taken_and_both_scores_are_said(self, deeper: ImageClassifier) -> None:
        said = [
            note for note in deeper.result_.notes if "all of it was trained after its last blocks" in note
        ]
        assert len(said) == 1 and "in validation" in said[0]
        found, epochs = network(deeper), network(deeper).history["epochs"]
        went_on = found.how.endswith("then all of it")
        assert [epoch["number"] for epoch in epochs] == list(range(1, len(epochs) + 1))
        assert len(epochs) == (3 if went_on else 2), "a quarter of two epochs is one more"
        assert went_on == ("so it is taken" in said[0])
        assert (found.history["n_parameters"] > 3.3e6) == went_on, "all but ImageNet's classifier"
        assert max(deeper.result_.parity.values()) < (1e-3 if went_on else 0.02)

    def test_one_that_is_worse_is_not_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from genus.estimators import network_plan

        monkeypatch.setattr(network_plan, "_DEEPER_RATE", 1000.0)
        X, y = pictures(N, side=64, n_classes=3)
        found = network(beside(WEAK, finetuned(depth="all", batch_size=12), refit=False).fit(X, y))
        assert found.how == "fine-tuned, its last blocks" and len(found.history["epochs"]) == 2

    def test_what_the_clock_decided_holds_when_the_training_is_resumed(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        from genus.cnn import timing
        from genus.estimators import activations

        X, y = pictures(N, side=64, n_classes=3)
        found, ticks = [], iter(range(0, 100_000, 100))
        slow = SimpleNamespace(monotonic=lambda: float(next(ticks)))
        for resume, an_image in ((False, 0.0), (True, 1000.0)):
            monkeypatch.setattr(timing, "seconds_an_image", lambda *_, s=an_image: s)
            wish = finetuned(epochs=1, checkpoint=tmp_path / "net.checkpoint", resume=resume)
            model = beside(WEAK, wish, refit=False, time_budget=600.0).fit(X, y)
            found.append((len(network(model).history["epochs"]), model.predict_proba(X)))
            monkeypatch.setattr(activations, "time", slow)  # the second would have time for one view
        assert (tmp_path / "net.checkpoint.deeper").exists()
        assert found[0][0] == found[1][0]
        np.testing.assert_array_equal(found[0][1], found[1][1])

    def test_without_time_for_an_epoch_it_is_left_out_and_that_is_said(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from genus.cnn import timing

        monkeypatch.setattr(timing, "seconds_an_image", lambda *_: 1000.0)
        X, y = pictures(N, side=64, n_classes=3)
        result = beside(WEAK, finetuned(epochs=1), refit=False, time_budget=300.0).fit(X, y).result_
        assert any("all of it was not trained after its last blocks" in note for note in result.notes)


def test_rare_classes_count_as_much_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    from genus.cnn import run

    X, y = pictures(N, side=64, n_classes=3)
    rare = np.concatenate([np.flatnonzero(y != 2), np.flatnonzero(y == 2)[:8]])
    weights, class_loss = [], run.class_loss

    def watched(*arguments: Any, **more: Any) -> Any:
        weights.append(more["weights"])
        return class_loss(*arguments, **more)

    monkeypatch.setattr(run, "class_loss", watched)
    found = network(beside(WEAK, small(epochs=1), refit=False, class_weight="balanced").fit(X[rare], y[rare]))
    assert found.recipe["class_weight"] == "balanced"
    assert weights[0][2] > 2 * weights[0][:2].max()


@pytest.fixture(scope="module")
def labelled() -> tuple[list[np.ndarray], list[list[str]]]:
    """Digits with what is true of them."""
    X, y = pictures(150)
    known = {"even": y % 2 == 0, "small": y < 3}
    names = [[f"is {digit}", *(name for name in known if known[name][i])] for i, digit in enumerate(y)]
    return list(X), names


class TestSeveralLabels:
    def test_a_network_learns_them_too(self, labelled: Any, tmp_path: Path) -> None:
        X, names = labelled
        classifier = beside({**WEAK, "heads": ["logistic"]}, small(epochs=12)).fit(X, names)
        found = network(classifier)
        assert found.metric == "mean_average_precision" and found.chosen != FROZEN
        ways = {way.name: way.score for way in found.contestants}
        assert ways[NETWORK] > ways[FROZEN] + 0.1
        assert isinstance(classifier.evaluation_, LabelEvaluation)
        assert max(classifier.result_.parity.values()) < 1e-3
        classifier.save(tmp_path / "labels.onnx")
        again = load(tmp_path / "labels.onnx")
        np.testing.assert_allclose(again.predict_proba(X[:30]), classifier.predict_proba(X[:30]), atol=1e-5)
        assert [set(map(str, said)) for said in again.predict(X[:30])] == [
            set(map(str, said)) for said in classifier.predict(X[:30])
        ]

    def test_labels_that_nobody_has_looked_at_are_no_obstacle(self, labelled: Any) -> None:
        X, names = labelled
        columns = sorted({name for each in names for name in each})
        values = np.array([[name in each for name in columns] for each in names], float)
        values[::5, 2] = np.nan
        classifier = beside({**WEAK, "heads": ["logistic"]}, small(epochs=4)).fit(X, values)
        assert network(classifier).chosen and classifier.predict_proba(X[:2]).shape == (2, len(columns))
