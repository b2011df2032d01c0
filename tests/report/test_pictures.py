"""Which images get a picture."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genus.report.pictures import MAX_PICTURES, N_SUREST, choose_pictures


def _draw(n: int, c: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(-1, c, n)
    return y, np.where(rng.random(n) < 0.7, np.maximum(y, 0), rng.integers(0, c, n)), rng.random(n)


@given(st.integers(0, 400), st.integers(1, 12), st.integers(0, 100), st.integers(0, 300))
def test_choices_are_distinct_rising_and_within_the_limit(n: int, c: int, seed: int, limit: int) -> None:
    found = choose_pictures(*_draw(n, c, seed), limit=limit)
    assert len(found) <= limit
    assert (np.diff(found) > 0).all()
    assert all(0 <= i < n for i in found)


def test_the_surest_mistakes_and_every_kind_of_mistake_are_in() -> None:
    y, predicted, sure = _draw(3000, 6, 0)
    found = choose_pictures(y, predicted, sure)
    assert len(found) == MAX_PICTURES
    wrong = np.flatnonzero(y != predicted)
    assert set(wrong[np.argsort(-sure[wrong])][:N_SUREST]) <= set(found)
    kinds = set(zip(y[wrong].tolist(), predicted[wrong].tolist(), strict=True))
    assert {(int(y[i]), int(predicted[i])) for i in found if y[i] != predicted[i]} == kinds


def test_every_class_has_examples_from_sure_to_unsure() -> None:
    y = np.repeat(np.arange(4), 50)
    sure = np.tile(np.linspace(0.3, 1, 50), 4)
    found = choose_pictures(y, y, sure)
    for k in range(4):
        mine = sure[found[y[found] == k]]
        assert len(mine) == 6
        assert (mine.min(), mine.max()) == (0.3, 1)


def test_few_images_all_get_one() -> None:
    y = np.array([0, 1, 1])
    assert choose_pictures(y, np.array([0, 0, 1]), np.array([0.9, 0.8, 0.7])).tolist() == [0, 1, 2]
