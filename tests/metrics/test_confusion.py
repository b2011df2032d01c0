"""The confusion matrix, the scores of classes and their averages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, precision_recall_fscore_support
from sklearn.metrics import confusion_matrix as sklearn_confusion_matrix

from genus.metrics.confusion import averages, class_scores, confusion_matrix
from genus.metrics.intervals import wilson

labels = st.integers(1, 6).flatmap(
    lambda c: st.lists(st.tuples(st.integers(0, c - 1), st.integers(0, c - 1)), min_size=1, max_size=60).map(
        lambda pairs: (np.array(pairs)[:, 0], np.array(pairs)[:, 1], c)
    )
)


# scikit-learn warns where one class is all there is, though it was told the labels.
@pytest.mark.filterwarnings("ignore:A single label")
@given(labels)
def test_counts_as_scikit_learn_counts(drawn: tuple[np.ndarray, np.ndarray, int]) -> None:
    y_true, y_pred, c = drawn
    expected = sklearn_confusion_matrix(y_true, y_pred, labels=range(c))
    np.testing.assert_array_equal(confusion_matrix(y_true, y_pred, c), expected)


@given(labels)
def test_scores_are_those_of_scikit_learn(drawn: tuple[np.ndarray, np.ndarray, int]) -> None:
    y_true, y_pred, c = drawn
    confusion = confusion_matrix(y_true, y_pred, c)
    scores, found = class_scores(confusion), averages(confusion)
    precision, recall, f1, _ = precision_recall_fscore_support(
        y_true, y_pred, labels=range(c), zero_division=0
    )
    np.testing.assert_allclose(scores.precision, precision)
    np.testing.assert_allclose(scores.recall, recall)
    np.testing.assert_allclose(scores.f1, f1)
    present = np.unique(y_true)
    for kind in ("macro", "weighted"):
        expected = precision_recall_fscore_support(
            y_true, y_pred, labels=present, average=kind, zero_division=0
        )
        for name, value in zip(("precision", "recall", "f1"), expected[:3], strict=True):
            assert found[f"{kind}_{name}"].value == pytest.approx(value, abs=1e-12)


def test_macro_recall_is_the_balanced_accuracy() -> None:
    y_true, y_pred = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 1, 0])
    found = averages(confusion_matrix(y_true, y_pred, 3))["macro_recall"]
    assert found.value == pytest.approx(balanced_accuracy_score(y_true, y_pred))


@given(labels, st.randoms(use_true_random=False))
def test_renaming_classes_changes_nothing(drawn: tuple[np.ndarray, np.ndarray, int], random: object) -> None:
    y_true, y_pred, c = drawn
    order = np.array(random.sample(range(c), c))  # type: ignore[attr-defined]
    before, after = (
        averages(confusion_matrix(*pair, c)) for pair in ((y_true, y_pred), (order[y_true], order[y_pred]))
    )
    for name, average in before.items():
        assert average.value == pytest.approx(after[name].value)
        assert average.low == pytest.approx(after[name].low)
        assert average.high == pytest.approx(after[name].high)


@given(labels)
def test_intervals_hold_their_values(drawn: tuple[np.ndarray, np.ndarray, int]) -> None:
    for average in averages(confusion_matrix(*drawn)).values():
        assert 0 <= average.low <= average.value + 1e-12
        assert average.value - 1e-12 <= average.high <= 1


def test_no_mistake_is_no_proof() -> None:
    found = averages(np.diag([15, 15]))["macro_f1"]
    assert found.value == found.high == 1
    assert found.low == pytest.approx(float(wilson(30, 30)[0]), abs=0.01)


def test_the_interval_of_one_class_is_that_of_its_proportion() -> None:
    found = averages(np.array([[7, 3], [0, 0]]))["macro_recall"]
    low, high = wilson(7, 10)
    assert (found.low, found.high) == pytest.approx((float(low), float(high)), abs=0.01)


def test_f1_interval_of_a_class_comes_from_the_share_of_hits() -> None:
    low, high = class_scores(np.array([[8, 2], [1, 9]])).f1_limits()
    share_low, share_high = wilson(8, 11)
    assert low[0] == pytest.approx(2 * share_low / (1 + share_low))
    assert high[0] == pytest.approx(2 * share_high / (1 + share_high))


def _population(n_classes: int, accuracy: float, skew: float) -> np.ndarray:
    """Cell probabilities with uneven classes and favourite mistakes."""
    rng = np.random.default_rng(1)
    prior = np.arange(1.0, n_classes + 1) ** -skew
    cells = rng.dirichlet(np.full(n_classes, 0.5), size=n_classes)
    np.fill_diagonal(cells, 0)
    cells *= (1 - accuracy) / cells.sum(1, keepdims=True)
    np.fill_diagonal(cells, accuracy)
    return cells * (prior / prior.sum())[:, None]


@pytest.mark.parametrize(
    ("n_classes", "n", "accuracy", "skew"),
    [(2, 40, 0.9, 0), (5, 60, 0.98, 0), (5, 200, 0.9, 1.5), (20, 200, 0.9, 0), (20, 600, 0.6, 1)],
)
def test_average_intervals_cover(n_classes: int, n: int, accuracy: float, skew: float) -> None:
    cells, rng = _population(n_classes, accuracy, skew), np.random.default_rng(0)
    truth = averages(np.round(cells * 1e9).astype(np.int64))
    held = dict.fromkeys(truth, 0)
    n_runs = 300
    for _ in range(n_runs):
        found = averages(rng.multinomial(n, cells.ravel()).reshape(cells.shape))
        for name, average in found.items():
            held[name] += average.low <= truth[name].value <= average.high
    assert all(0.90 <= count / n_runs for count in held.values()), held
