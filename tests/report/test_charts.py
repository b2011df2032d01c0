"""Geometry of the charts."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genus.metrics.calibration import reliability_bins
from genus.report.charts import heat_paths, hundred_dots, reliability_plot, scale_for, shades


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_hundred_dots_are_in_order(a: float, b: float, c: float) -> None:
    low, value, high = sorted((a, b, c))
    kinds = [dot.kind for dot in hundred_dots(value, low, high)]
    assert len(kinds) == 100
    order = {"sure": 0, "likely": 1, "possible": 2, "wrong": 3}
    assert [order[k] for k in kinds] == sorted(order[k] for k in kinds)
    assert kinds.count("sure") + kinds.count("likely") == round(100 * value)


def test_shades_are_zero_only_for_empty_cells() -> None:
    found = shades(np.array([[1000, 1, 0], [0, 0, 0], [1, 1, 98]]))
    assert (found == 0).tolist() == [[False, False, True], [True, True, True], [False, False, False]]
    assert found.max() == 9


def _cells(paths: tuple[object, ...]) -> list[tuple[int, int]]:
    drawn = "".join(p.d for p in paths)  # type: ignore[attr-defined]
    return [(int(y), int(x)) for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", drawn)]


def test_the_heat_map_draws_every_cell_once() -> None:
    confusion = np.random.default_rng(0).poisson(0.3, (40, 40))
    assert sorted(_cells(heat_paths(confusion))) == sorted(
        zip(*map(list, np.nonzero(confusion)), strict=True)
    )


def test_the_heat_map_keeps_the_largest_cells() -> None:
    confusion = np.ones((30, 30), int)
    confusion[3, 4] = 9
    found = _cells(heat_paths(confusion, max_cells=10))
    assert len(found) == 10
    assert (3, 4) in found


def test_the_reliability_plot_lies_within_its_frame() -> None:
    rng = np.random.default_rng(0)
    sure = 0.5 + 0.5 * rng.random(300)
    plot = reliability_plot(reliability_bins(sure, rng.random(300) < sure))
    for p in plot.points:
        assert 0 <= p.x <= plot.size
        assert 0 <= p.top <= p.y <= p.bottom <= plot.size
    assert [t.text for t in plot.ticks][-1] == "100%"
    assert all(0 <= t.at <= plot.size for t in plot.ticks)


@pytest.mark.parametrize("lowest", [0.0, 0.05, 0.5, 0.99])
def test_scales_hold_their_intervals(lowest: float) -> None:
    scale = scale_for([lowest], [1.0])
    assert 0 <= scale.place(lowest) <= scale.place(1.0) == 100
    assert scale_for([], []).place(0.5) == 50
