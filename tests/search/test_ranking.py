"""One query of several examples, variety, copies put together, conditions."""

import numpy as np
import pytest

from genus.errors import ParameterError
from genus.search.conditions import TextCodes, matching, read_condition, read_conditions
from genus.search.ranking import diverse, fold, joint_query

from .rows import clouds

COLUMNS = {
    "label": TextCodes(np.array([0, 1, -1, 0], np.int32), ["rose", "tulip"]),
    "tags": TextCodes(np.array([0, 1, -1, 1], np.int32), ["a|b", "b|c"], several=True),
    "width": np.array([100.0, 200.0, np.nan, 300.0]),
}


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ((), [0, 1, 2, 3]),
        ("label=rose", [0, 3]),
        ("label!=rose", [1, 2]),
        ("label=rose|tulip", [0, 1, 3]),
        ("label=", [2]),
        ("label!=", [0, 1, 3]),
        ("label ~ LIP", [1]),
        ("tags=c", [1, 3]),
        ("tags=a", [0]),
        ("width>=200", [1, 3]),
        ("width<200", [0]),
        ("width=100|300", [0, 3]),
        (["label=rose", "width>100"], [3]),
        ({"label": ["rose", "tulip"], "width": 200}, [1]),
        ({"label": "nothing"}, []),
    ],
)
def test_conditions(where: object, wanted: list[int]) -> None:
    assert np.flatnonzero(matching(read_conditions(where), COLUMNS, 4)).tolist() == wanted


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("rose", "is no condition"),
        ("colour=red", "no column 'colour' to go by; there are label, tags, width"),
        ("label>rose", "holds text"),
        ("width=wide", "holds numbers"),
        ("width~1", "holds numbers"),
    ],
)
def test_conditions_that_cannot_be(where: str, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        matching(read_conditions(where), COLUMNS, 4)


def test_a_value_may_hold_signs() -> None:
    assert read_condition("image~a=b").values == ("a=b",)


def test_a_negative_example_pushes_its_like_down() -> None:
    rows, codes = clouds(80, n_classes=2, spread=0.3)
    query = joint_query(rows[:2], rows[1:2])  # an example of each class, one of them not meant
    assert codes[np.argsort(-(rows @ query))[:20]].tolist() == [0] * 20


def test_diversity_takes_what_is_unlike_the_chosen() -> None:
    rows, codes = clouds(80, n_classes=4, spread=0.2)
    scores = rows @ rows[0]
    order = np.argsort(-scores)
    plain = diverse(scores[order], rows[order], 4, 0.0)
    mixed = diverse(scores[order], rows[order], 4, 0.7)
    assert set(codes[order][plain]) == {0} and len(set(codes[order][mixed])) > 2
    assert mixed[0] == 0 and len(set(mixed.tolist())) == 4


def test_folding_keeps_the_order() -> None:
    groups = np.array([5, 5, 2, 5, 9])
    assert fold(5, lambda one, others: groups[others] == groups[one], 9) == [[0, 1, 3], [2], [4]]
    assert fold(5, lambda one, others: groups[others] == groups[one], 2) == [[0, 1, 3], [2]]
    assert fold(0, lambda one, others: groups[others] == groups[one], 2) == []
