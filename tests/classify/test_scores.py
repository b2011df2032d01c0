import numpy as np
import pytest
from sklearn import metrics

from genus.classify.scores import METRICS, check_metric, gain, row_gains, score
from genus.errors import ParameterError


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    codes = rng.choice(3, 80, p=[0.6, 0.3, 0.1])
    return (np.eye(3)[codes] * 1.5 + rng.standard_normal((80, 3))).astype(np.float32), codes


def test_scores_agree_with_scikit_learn(case) -> None:
    logits, codes = case
    predicted = logits.argmax(axis=1)
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert score("accuracy", logits, codes) == pytest.approx(metrics.accuracy_score(codes, predicted))
    assert score("balanced_accuracy", logits, codes) == pytest.approx(
        metrics.balanced_accuracy_score(codes, predicted)
    )
    assert score("macro_f1", logits, codes) == pytest.approx(
        metrics.f1_score(codes, predicted, average="macro")
    )
    assert score("log_loss", logits, codes) == pytest.approx(metrics.log_loss(codes, proba), rel=1e-5)


@pytest.mark.parametrize("metric", [m for m in METRICS if m != "macro_f1"])
def test_the_rows_add_up_to_the_score(metric, case) -> None:
    assert row_gains(metric, *case).mean() == pytest.approx(gain(metric, score(metric, *case)), rel=1e-6)


def test_unknown_metrics_are_refused() -> None:
    with pytest.raises(ParameterError, match="balanced_accuracy"):
        check_metric("auc")
