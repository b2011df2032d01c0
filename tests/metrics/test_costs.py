"""What mistakes cost: the cheapest answer, and what was paid in the end."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genus.data.cost_table import read_costs
from genus.errors import DataError, ParameterError
from genus.metrics.costs import UNKNOWN, Costs, measure_costs, unknown_name

CLASSES = ("ant", "bee", "cat")
PROBA = arrays(float, (7, 3), elements=st.floats(0.01, 1)).map(lambda p: p / p.sum(axis=1, keepdims=True))
TABLE = arrays(float, (3, 3), elements=st.floats(0, 50))


@given(PROBA, st.floats(0.1, 100))
def test_equal_costs_answer_the_most_probable_class(proba: np.ndarray, cost: float) -> None:
    answers = Costs.of(cost * (1 - np.eye(3)), CLASSES).answers(proba)
    chosen = proba[np.arange(len(proba)), answers]
    np.testing.assert_allclose(chosen, proba.max(axis=1), atol=1e-9)


@given(PROBA, TABLE)
def test_no_answer_is_expected_to_cost_less(proba: np.ndarray, table: np.ndarray) -> None:
    costs = Costs.of(table, CLASSES)
    expected = costs.expected(proba)
    chosen = expected[np.arange(len(proba)), costs.answers(proba)]
    np.testing.assert_allclose(chosen, expected.min(axis=1), atol=1e-6)


@given(PROBA)
def test_a_cheap_unknown_is_chows_rule(proba: np.ndarray) -> None:
    costs = Costs.of(np.column_stack([1 - np.eye(3), np.full(3, 0.3)]), CLASSES)
    answers = costs.answers(proba)
    clear = np.abs(proba.max(axis=1) - 0.7) > 1e-6
    np.testing.assert_array_equal((answers == UNKNOWN)[clear], (proba.max(axis=1) < 0.7)[clear])
    assert set(costs.names(proba)) <= {*CLASSES, "unknown"}


def test_names_are_bound_to_classes_and_what_is_left_out_costs_1() -> None:
    costs = Costs.of({"cat": {"ant": 20}, "bee": {"unknown": 0.5}}, CLASSES)
    assert costs.matrix.tolist() == [[0, 1, 1], [1, 0, 1], [20, 1, 0]]
    assert costs.unknown is not None and costs.unknown.tolist() == [1, 0.5, 1]
    turned = costs.only(("cat", "ant"))
    assert turned.matrix.tolist() == [[0, 20], [1, 0]]


def test_what_is_written_is_read_back_in_any_order() -> None:
    costs = Costs.of({"cat": {"ant": 20, "unknown": 2}}, CLASSES)
    written = json.loads(json.dumps(costs.to_dict()))
    again = Costs.from_dict(written, CLASSES[::-1])
    assert again.matrix[0, 2] == 20 and again.unknown is not None and again.unknown[0] == 2
    with pytest.raises(DataError):
        Costs.from_dict({}, CLASSES)


def test_a_class_called_unknown_keeps_its_name() -> None:
    assert unknown_name(("unknown", "(unknown)")) == "((unknown))"
    costs = Costs.of({"unknown": {"(unknown)": 0.1}}, ("ant", "unknown"))
    assert costs.unknown is not None and costs.unknown.tolist() == [1, 0.1]


def test_costs_paid_are_counted() -> None:
    costs = Costs.of([[0, 1], [10, 0]], ("fine", "faulty"))
    proba = np.array([[0.8, 0.2], [0.99, 0.01], [0.95, 0.05], [0.3, 0.7]])
    found = measure_costs(costs, proba, [0, 1, 0, 1])
    assert (found.mean, found.of_most_probable) == ((1 + 10 + 0 + 0) / 4, 10 / 4)
    assert found.changed == 0.25 and found.n == 4
    with pytest.raises(DataError):
        measure_costs(costs, proba, [0])


@pytest.mark.parametrize(
    "costs",
    [
        np.ones((2, 2)),
        np.ones(3),
        -np.ones((3, 3)),
        np.full((3, 3), np.nan),
        "high",
        {"cow": {"ant": 1}},
        {"ant": {"cow": 1}},
        {"ant": 3},
        {"ant": {"bee": "much"}},
        {"ant": {"bee": -1}},
        {"ant": {"bee": float("inf")}},
    ],
)
def test_costs_that_make_no_sense_are_refused(costs: object) -> None:
    with pytest.raises(ParameterError, match="cost"):
        Costs.of(costs, CLASSES)


def test_tables_and_json_say_the_same(tmp_path: Path) -> None:
    table, text = tmp_path / "c.csv", tmp_path / "c.json"
    table.write_text("true,ant,bee,cat\ncat,20,,0\nant,,3,\n", "utf-8")
    text.write_text('{"cat": {"ant": 20}, "ant": {"bee": 3}}', "utf-8")
    one, other = (Costs.of(read_costs(path), CLASSES) for path in (table, text))
    assert one.matrix.tolist() == other.matrix.tolist() == [[0, 3, 1], [1, 0, 1], [20, 1, 0]]


@pytest.mark.parametrize(
    ("name", "text"), [("c.json", "[1]"), ("c.json", "{"), ("c.csv", ""), ("c.csv", "a\n1\n")]
)
def test_files_that_are_no_costs_are_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(DataError, match=name):
        read_costs(tmp_path / name)
    with pytest.raises(DataError, match="gone"):
        read_costs(tmp_path / f"gone{Path(name).suffix}")
