"""A pre-trained network goes on learning: its last blocks behind a frozen beginning, or all of it; several labels."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")

from estimators.networks import STRONG, WEAK, beside, pictures, small  # noqa: E402
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
    return beside(WEAK, finetuned(batch_size=8, augment="none"), precision="int8").fit(X, y)


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

    def test_mixing_is_left_out_and_that_is_said(self) -> None:
        X, y = pictures(N, side=64, n_classes=3)
        result = beside(STRONG, finetuned(epochs=1, augment="strong"), refit=False).fit(X, y).result_
        assert any("images are not mixed with one another" in note for note in result.notes)

    def test_where_time_is_short_there_are_fewer_views(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from genus.estimators import activations

        ticks = iter(range(0, 100_000, 10))
        slow = SimpleNamespace(monotonic=lambda: float(next(ticks)))
        monkeypatch.setattr(activations, "time", slow)
        X, y = pictures(N, side=64, n_classes=3)
        result = beside(STRONG, finetuned(epochs=1), refit=False, time_budget=60.0).fit(X, y).result_
        assert any(
            "the time allowed for" in note and "of 4 views of each image" in note for note in result.notes
        )


def test_the_whole_network_can_be_fine_tuned() -> None:
    X, y = pictures(N, side=64, n_classes=3)
    classifier = beside(WEAK, finetuned(depth="all", epochs=1, batch_size=12), refit=False).fit(X, y)
    found = network(classifier)
    assert found.how == "fine-tuned" and found.n_views == 0
    assert found.history["n_parameters"] > 3.3e6, "all but ImageNet's classifier"
    assert max(classifier.result_.parity.values()) < 1e-3


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
