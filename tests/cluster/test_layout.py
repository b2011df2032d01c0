"""The map: every row has a place, and what is alike lies together."""

import numpy as np
import pytest

from genus.cluster import layout
from genus.cluster.layout import lay_out


def groups(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = np.arange(n) % 3
    X = 3 * np.eye(8)[truth] + rng.normal(0, 0.3, (n, 8))
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32), truth


def share_of_neighbours_alike(places: np.ndarray, truth: np.ndarray) -> float:
    squared = ((places[:, None] - places) ** 2).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    return float((truth[squared.argmin(axis=1)] == truth).mean())


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 40])
def test_every_row_has_a_place_in_the_unit_square(n: int) -> None:
    places = lay_out(groups(n)[0])
    assert places.shape == (n, 2) and places.dtype == np.float32
    assert places.min() >= 0 and places.max() <= 1


def test_what_is_alike_lies_together() -> None:
    X, truth = groups(150)
    assert share_of_neighbours_alike(lay_out(X), truth) > 0.95


def test_rows_that_were_not_laid_out_go_among_those_most_like_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "_MAX_ROWS", 100)
    X, truth = groups(400)
    places = lay_out(X)
    assert places.shape == (400, 2) and share_of_neighbours_alike(places, truth) > 0.95


def test_equal_seeds_make_equal_maps() -> None:
    X, _ = groups(60)
    assert (lay_out(X, 3) == lay_out(X, 3)).all()


def test_identical_rows_are_no_obstacle() -> None:
    assert np.isfinite(lay_out(np.ones((20, 4), np.float32) / 2)).all()
