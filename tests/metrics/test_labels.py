"""Figures of predicted label sets: scikit-learn's where everything is known, hand-made ones where it is not."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from genus.errors import DataError
from genus.metrics.label_evaluation import LabelEvaluation
from genus.metrics.label_ranking import RankedLabel, rank_labels
from genus.metrics.labels import evaluate_labels

NAMES = ("ant", "bee", "cat", "dog", "eel")


def case(seed: int = 0, n: int = 150, digits: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, probabilities with ties, thresholds."""
    rng = np.random.default_rng(seed)
    y = (rng.random((n, len(NAMES))) < 0.3).astype(np.int8)
    y[:2] = [[1] * len(NAMES), [0] * len(NAMES)]
    p = np.clip(rng.random(y.shape) * 0.7 + 0.25 * y, 0, 1).round(digits)
    return y, p, rng.uniform(0.3, 0.7, len(NAMES))


@given(st.integers(0, 40))
def test_every_figure_is_scikit_learns(seed: int) -> None:
    y, p, cut = case(seed)
    named = p >= cut
    expected = {
        "mean_average_precision": metrics.average_precision_score(y, p),
        "micro_average_precision": metrics.average_precision_score(y, p, average="micro"),
        "macro_auroc": metrics.roc_auc_score(y, p),
        "macro_f1": metrics.f1_score(y, named, average="macro"),
        "micro_f1": metrics.f1_score(y, named, average="micro"),
        "subset_accuracy": metrics.accuracy_score(y, named),
        "hamming_loss": metrics.hamming_loss(y, named),
        "coverage_error": metrics.coverage_error(y, p),
        "label_ranking_loss": metrics.label_ranking_loss(y, p),
        "label_ranking_average_precision": metrics.label_ranking_average_precision_score(y, p),
    }
    found = evaluate_labels(y, p, NAMES, cut)
    assert {name: found.figure(name).value for name in expected} == pytest.approx(expected)
    for figure in found.metrics:
        assert figure.low is not None and figure.high is not None
        assert figure.low <= figure.value <= figure.high or figure.name == "calibration_error"


def test_every_row_is_scikit_learns() -> None:
    y, p, cut = case()
    for i, row in enumerate(evaluate_labels(y, p, NAMES, cut).per_label):
        named = p[:, i] >= cut[i]
        assert row.average_precision == pytest.approx(metrics.average_precision_score(y[:, i], p[:, i]))
        assert row.auroc == pytest.approx(metrics.roc_auc_score(y[:, i], p[:, i]))
        scores = metrics.precision_recall_fscore_support(y[:, i], named, average="binary")[:3]
        assert (row.precision, row.recall, row.f1) == pytest.approx(scores)
        assert row.precision_low <= row.precision <= row.precision_high  # type: ignore[operator]
        assert (row.n, row.n_absent, row.n_unknown) == (y[:, i].sum(), len(y) - y[:, i].sum(), 0)


@given(st.integers(0, 20))
def test_unknown_cells_are_as_if_the_rows_were_not_there(seed: int) -> None:
    y, p, cut = case(seed)
    masked = y.copy()
    masked[10::4, 0] = -1
    found = evaluate_labels(masked, p, NAMES, cut)
    known = masked[:, 0] >= 0
    assert found.per_label[0].average_precision == pytest.approx(
        metrics.average_precision_score(y[known, 0], p[known, 0])
    )
    wrong = ((p >= cut) != (y == 1)) & (masked >= 0)
    assert found.figure("hamming_loss").value == pytest.approx(wrong.sum() / (masked >= 0).sum())
    assert found.figure("subset_accuracy").value == pytest.approx((~wrong.any(axis=1)).mean())
    assert any("unknown labels" in note for note in found.notes)


def test_ranking_by_hand_with_an_unknown_label() -> None:
    truth = np.array([[1, -1, 0, 1], [0, 0, 0, 0], [1, 1, -1, -1]], np.int8)
    proba = np.array([[0.2, 0.9, 0.5, 0.8], [0.5, 0.4, 0.3, 0.2], [0.1, 0.2, 0.9, 0.8]])
    found = rank_labels(truth, proba)
    # first: order d, c, a; a comes third, after one wrong label of the two pairs
    assert found.coverage.tolist() == [3, 0, 2]
    assert found.precision.tolist() == pytest.approx([(1 + 2 / 3) / 2, 1, 1])
    assert found.loss.tolist() == [0.5, 0, 0]


def test_weighted_rows_count_like_repeated_ones() -> None:
    y, p, _ = case()
    times = np.random.default_rng(1).integers(1, 4, len(y))
    ranked = RankedLabel.of(y[:, 0], p[:, 0])
    repeated = np.repeat(np.arange(len(y)), times)
    weights = times[:, None].astype(float)
    again = RankedLabel.of(y[repeated, 0], p[repeated, 0])
    assert ranked.average_precision(weights) == pytest.approx(again.average_precision())
    assert ranked.auroc(weights) == pytest.approx(again.auroc())


def test_labels_on_no_image_are_left_out_of_averages_and_said() -> None:
    y, p, cut = case()
    y[:, 2] = 0
    found = evaluate_labels(y, p, NAMES, cut)
    others = [0, 1, 3, 4]
    expected = metrics.average_precision_score(y[:, others], p[:, others])
    assert found.figure("mean_average_precision").value == pytest.approx(expected)
    assert found.per_label[2].average_precision is None and found.per_label[2].recall is None
    assert any("cat" in note for note in found.notes)


def test_what_is_written_is_read_back() -> None:
    y, p, cut = case()
    found = evaluate_labels(y, p, NAMES, cut)
    written = json.loads(json.dumps(found.to_dict()))
    assert LabelEvaluation.from_dict(written).to_dict() == found.to_dict()
    assert (found.cooccurrence == y.T.astype(int) @ y).all()
    with pytest.raises(DataError, match="LabelEvaluation"):
        LabelEvaluation.from_dict({"n": 3})
    with pytest.raises(KeyError, match="there are: mean_average_precision"):
        found.figure("accuracy")


def test_a_curve_runs_from_strict_to_lax_and_stays_short() -> None:
    y, p, cut = case(n=3000, digits=8)
    for curve in evaluate_labels(y, p, NAMES, cut).curves:
        assert len(curve.threshold) <= 100
        assert list(curve.threshold) == sorted(curve.threshold, reverse=True)
        assert list(curve.recall) == sorted(curve.recall) and curve.recall[-1] == 1


def test_the_bootstrap_interval_holds_the_truth_as_often_as_it_says() -> None:
    held = 0
    big_y, big_p, cut = case(99, n=60_000, digits=6)
    truth = metrics.average_precision_score(big_y, big_p)
    for part in range(60):
        rows = slice(part * 200 + 2, part * 200 + 202)
        figure = evaluate_labels(big_y[rows], big_p[rows], NAMES, cut).figure("mean_average_precision")
        held += figure.low <= truth <= figure.high  # type: ignore[operator]
    assert held >= 50  # 57 expected; 50 or fewer would be a chance of 1 in 200


@pytest.mark.parametrize(
    ("truth", "proba", "names"),
    [
        ([[1, 0]], [[0.5]], ["a", "b"]),
        ([[1, 0]], [[0.5, 0.5]], ["a"]),
        ([[1, 2]], [[0.5, 0.5]], ["a", "b"]),
        ([[1, 0]], [[0.5, np.nan]], ["a", "b"]),
        ([[1, 0]], [[0.5, 1.5]], ["a", "b"]),
        ([[-1, -1]], [[0.5, 0.5]], ["a", "b"]),
        (np.zeros((0, 2)), np.zeros((0, 2)), ["a", "b"]),
    ],
)
def test_what_cannot_be_scored_is_refused(truth: object, proba: object, names: list[str]) -> None:
    with pytest.raises(DataError):
        evaluate_labels(truth, proba, names, [0.5] * len(names))  # type: ignore[arg-type]


def test_one_image_is_enough_for_figures() -> None:
    found = evaluate_labels([[1, 0]], [[0.9, 0.2]], ["a", "b"], [0.5, 0.5])
    assert found.figure("subset_accuracy").value == 1
    assert found.figure("hamming_loss").low is None


def test_nothing_on_any_image_leaves_what_can_be_said() -> None:
    found = evaluate_labels(np.zeros((30, 2)), np.full((30, 2), 0.1), ["a", "b"], [0.5, 0.5])
    assert found.figure("subset_accuracy").value == 1
    assert "mean_average_precision" not in {figure.name for figure in found.metrics}
