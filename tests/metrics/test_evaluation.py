"""Evaluation of probabilities, against scikit-learn and by law."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss, top_k_accuracy_score

from genus.errors import DataError
from genus.metrics.evaluate import evaluate
from genus.metrics.evaluation import Evaluation
from genus.metrics.intervals import wilson


def _case(n: int = 300, c: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, c, n)
    logits = rng.normal(size=(n, c)) + 2.0 * (np.arange(c) == y[:, None])
    proba = np.exp(logits)
    return y, proba / proba.sum(1, keepdims=True), tuple(f"class {i}" for i in range(c))


def test_figures_are_those_of_scikit_learn() -> None:
    y, p, classes = _case()
    found = evaluate(y, p, classes)
    assert found.accuracy.value == pytest.approx(accuracy_score(y, p.argmax(1)))
    assert found.figure("log_loss").value == pytest.approx(log_loss(y, p))
    assert found.figure("top_5_accuracy").value == pytest.approx(top_k_accuracy_score(y, p, k=5))
    assert found.n_right == round(found.accuracy.value * found.n)


def test_accuracy_has_wilsons_interval() -> None:
    y, p, classes = _case()
    found = evaluate(y, p, classes).accuracy
    assert (found.low, found.high) == tuple(map(float, wilson((p.argmax(1) == y).sum(), len(y))))


def test_every_figure_lies_in_its_interval() -> None:
    for figure in evaluate(*_case()).metrics:
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low <= figure.value <= figure.high
        assert figure.text()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000))
def test_the_order_of_images_does_not_matter(seed: int) -> None:
    y, p, classes = _case(60, 4, seed)
    order = np.random.default_rng(seed).permutation(len(y))
    before, after = evaluate(y, p, classes), evaluate(y[order], p[order], classes)
    assert [f.value for f in before.metrics] == pytest.approx([f.value for f in after.metrics])
    assert [f.low for f in before.metrics] == pytest.approx([f.low for f in after.metrics])
    assert list(before.most_confident_mistakes) == order[list(after.most_confident_mistakes)].tolist()


def test_mistakes_come_surest_first() -> None:
    y, p, classes = _case()
    indices = np.array(evaluate(y, p, classes).most_confident_mistakes)
    assert (p[indices].argmax(1) != y[indices]).all()
    assert (np.diff(p[indices].max(1)) <= 0).all()


def test_equal_probabilities_count_by_position() -> None:
    found = evaluate([0, 5, 6], np.full((3, 7), 1 / 7), list("abcdefg"))
    assert found.accuracy.value == pytest.approx(1 / 3)
    assert found.figure("top_5_accuracy").value == pytest.approx(1 / 3)


def test_unknown_classes_are_wrong_but_kept_apart() -> None:
    y, p, classes = _case()
    with_unknown = np.append(y, [-1, -1])
    found = evaluate(with_unknown, np.vstack([p, p[:2]]), classes)
    plain = evaluate(y, p, classes)
    assert (found.n, found.n_unknown) == (len(y), 2)
    assert found.accuracy == plain.accuracy
    assert found.figure("accuracy_with_unknown").value == pytest.approx(plain.n_right / (len(y) + 2))
    assert any("does not know" in note for note in found.notes)
    with pytest.raises(KeyError, match="there are: accuracy"):
        plain.figure("accuracy_with_unknown")


def test_indices_of_mistakes_count_unknown_images() -> None:
    found = evaluate([-1, 0, -1, 1], [[0.9, 0.1]] * 4, ["a", "b"])
    assert found.most_confident_mistakes == (3,)


def test_classes_without_test_images_are_left_out_and_named() -> None:
    p = np.eye(4)[[0, 1, 1, 3]] * 0.97 + 0.0075
    found = evaluate([0, 1, 1, 1], p, ["a", "b", "never seen", "also not"])
    assert found.figure("balanced_accuracy").value == pytest.approx((1 + 2 / 3) / 2)
    assert any("never seen, also not" in note for note in found.notes)
    absent = found.per_class[2]
    assert (absent.recall, absent.precision, absent.f1) == (None, None, None)
    assert (absent.recall_low, absent.recall_high) == (0, 1)
    assert found.per_class[3].precision == 0  # predicted once, wrongly


def test_one_image() -> None:
    found = evaluate([1], [[0.3, 0.7]], ["a", "b"])
    assert found.accuracy.text() == "100.0% (20.7-100.0)"
    loss = found.figure("log_loss")
    assert (loss.low, loss.high, loss.text()) == (None, None, "0.357")


def test_one_class() -> None:
    found = evaluate([0, 0], [[1.0], [1.0]], ["only"])
    assert found.accuracy.value == 1
    assert any("one class" in note for note in found.notes)


def test_certain_and_wrong_costs_much_but_not_infinitely() -> None:
    found = evaluate([0, 1], np.array([[0.0, 1.0], [0.0, 1.0]], np.float32), ["a", "b"])
    expected = log_loss([0, 1], np.array([[0.0, 1.0], [0.0, 1.0]], np.float32))
    assert found.figure("log_loss").value == pytest.approx(expected, rel=1e-5)


def test_confused_pairs_come_most_frequent_first() -> None:
    y = [0, 0, 0, 1, 1, 2]
    p = np.eye(3)[[1, 1, 0, 0, 1, 2]]
    pairs = evaluate(y, p, list("abc")).confused_pairs()
    assert [(q.true, q.predicted, q.n) for q in pairs] == [(0, 1, 2), (1, 0, 1)]
    assert pairs[0].share == pytest.approx(2 / 3)
    assert len(evaluate(y, p, list("abc")).confused_pairs(1)) == 1


def test_to_dict_is_json_and_comes_back() -> None:
    y, p, classes = _case(40, 6)
    found = evaluate(np.append(y, -1), np.vstack([p, p[:1]]), classes)
    again = Evaluation.from_dict(json.loads(json.dumps(found.to_dict())))
    np.testing.assert_array_equal(again.confusion, found.confusion)
    same = np.zeros(0)
    assert repr(replace(again, confusion=same)) == repr(replace(found, confusion=same))
    assert again.to_dict() == found.to_dict()


@pytest.mark.parametrize(
    "values",
    [{}, {"classes": ["a"], "confusion": [[0, 3, 1]]}, {"classes": 3}, {"classes": ["a"], "confusion": 1}],
)
def test_from_dict_refuses_what_is_none(values: dict[str, object]) -> None:
    with pytest.raises(DataError, match="not an evaluation"):
        Evaluation.from_dict(values)


@pytest.mark.parametrize(
    ("y", "proba", "classes", "message"),
    [
        ([], np.zeros((0, 2)), ["a", "b"], "no images"),
        ([0], [[1.0]], [], "at least one class"),
        ([0, 1], [[0.5, 0.5]], ["a", "b"], "shapes"),
        ([0], [[0.5, 0.5]], ["a", "b", "c"], "shapes"),
        ([2], [[0.5, 0.5]], ["a", "b"], "from 0 to 1"),
        ([-2], [[0.5, 0.5]], ["a", "b"], "from 0 to 1"),
        ([0.0], [[0.5, 0.5]], ["a", "b"], "whole numbers"),
        ([0, 1], [[0.5, 0.5], [0.9, 0.9]], ["a", "b"], "image 1, sum 1.8"),
        ([0], [[np.nan, 0.5]], ["a", "b"], "sum to 1"),
        ([0], [[-0.5, 1.5]], ["a", "b"], "0 or more"),
        ([-1, -1], [[0.5, 0.5]] * 2, ["a", "b"], "none of the 2 images"),
    ],
)
def test_what_cannot_be_evaluated_says_so(
    y: list[float], proba: np.ndarray, classes: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        evaluate(y, proba, classes)


def test_sixty_thousand_images_of_a_hundred_classes_take_no_time() -> None:
    y, p, classes = _case(60_000, 100)
    evaluate(*_case(50, 3))  # imports
    started = time.process_time()
    evaluate(y, p, classes)
    assert time.process_time() - started < 1.5  # 0.1 s on an idle core; the machine may be busy
