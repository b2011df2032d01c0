"""Which pictures are the same, and whether their labels agree."""

import numpy as np
import pytest

from genus.data.read import read_dataset
from genus.estimators.division import find_groups
from genus.features.feature_set import parse_feature_set
from genus.features.stream import extract

RNG = np.random.default_rng(0)
PICTURES = [RNG.integers(0, 256, (32, 32, 3), np.uint8) for _ in range(3)]
TWICE = [PICTURES[0], PICTURES[1], PICTURES[2], PICTURES[0], PICTURES[1]]


@pytest.mark.parametrize(
    ("y", "note"),
    [
        (["a", "b", "c", "b", "b"], "1 picture occurs under more than one label"),
        ([["a"], ["b"], [], ["a", "b"], ["b"]], "1 picture occurs with a label and without it"),
        ([["a"], ["b"], [], ["a", "?"], None], None),
    ],
)
def test_copies_are_grouped_and_contradictions_said(y: list[object], note: str | None) -> None:
    data = read_dataset(TWICE, y)
    groups, notes = find_groups(data, extract(data.sources, parse_feature_set("thumbnail@32")))
    assert groups[0] == groups[3] != groups[1] == groups[4]
    assert [said for said in notes if "occur" in said] == ([note] if note else [])
