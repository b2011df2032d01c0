"""Where things lie in the page's charts: geometry in Python, so that the templates only place it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genus.metrics.calibration import ReliabilityBin
from genus.metrics.risk_coverage import RiskCoverage

N_SHADES = 9
_RISK_POINTS = 120
_RISK_STEPS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)  # between the marks of an error axis
MAX_CELLS = 20_000  # of a heat map; beyond that single images cannot be told apart anyway


def shades(confusion: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give each cell of a confusion matrix a shade by its share of the row.

    Parameters
    ----------
    confusion : int64 (c, c)
        Rows are true classes.

    Returns
    -------
    int64 (c, c)
        0 for empty cells, else 1 to 9. A square root lifts the small shares, which are the mistakes.

    Examples
    --------
    >>> shades(np.array([[9, 1], [0, 4]])).tolist()
    [[9, 3], [0, 9]]
    """
    share = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    return np.where(confusion > 0, np.clip(np.ceil(N_SHADES * np.sqrt(share)), 1, N_SHADES), 0).astype(
        np.int64
    )


@dataclass(frozen=True, slots=True)
class HeatPath:
    """All cells of one shade as one SVG path."""

    kind: str
    shade: int
    d: str


def heat_paths(confusion: NDArray[np.int64], max_cells: int = MAX_CELLS) -> tuple[HeatPath, ...]:
    """Draw a confusion matrix as unit squares, one path a shade.

    Parameters
    ----------
    confusion : int64 (c, c)
        Rows are true classes.
    max_cells : int
        At most so many cells, the largest ones: the page's size stays bounded.

    Returns
    -------
    tuple of HeatPath
        `kind` is "right" on the diagonal, else "wrong".
    """
    shade = shades(confusion)
    true, predicted = np.nonzero(confusion)
    if len(true) > max_cells:
        largest = np.argsort(-confusion[true, predicted], kind="stable")[:max_cells]
        true, predicted = true[largest], predicted[largest]
    found = []
    for kind, chosen in (("right", true == predicted), ("wrong", true != predicted)):
        for level in range(1, N_SHADES + 1):
            here = chosen & (shade[true, predicted] == level)
            d = "".join(
                f"M{x} {y}h1v1h-1z"
                for x, y in zip(predicted[here].tolist(), true[here].tolist(), strict=True)
            )
            if d:
                found.append(HeatPath(kind, level, d))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Dot:
    """One of a hundred images: "sure", "likely", "possible" or "wrong"."""

    x: int
    y: int
    kind: str


def hundred_dots(value: float, low: float, high: float) -> tuple[Dot, ...]:
    """Draw an accuracy and its interval as 100 dots, row by row.

    Examples
    --------
    >>> [dot.kind for dot in hundred_dots(0.94, 0.92, 0.96)[90:]]
    ['sure', 'sure', 'likely', 'likely', 'possible', 'possible', 'wrong', 'wrong', 'wrong', 'wrong']
    """
    steps = [(round(100 * low), "sure"), (round(100 * value), "likely"), (round(100 * high), "possible")]
    return tuple(
        Dot(i % 10, i // 10, next((kind for stop, kind in steps if i < stop), "wrong")) for i in range(100)
    )


@dataclass(frozen=True, slots=True)
class Point:
    """A reliability bin in plot coordinates; y grows downward."""

    x: float
    y: float
    top: float
    bottom: float
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on both axes; `at` is its distance from the origin."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class ReliabilityPlot:
    """Confidence (x) against accuracy (y) on a square.

    Attributes
    ----------
    size : float
        Length of its sides.
    points : tuple of Point
        One a bin.
    ticks : tuple of Tick
        The same for both axes.
    before : str
        Where the bins lay before calibration, as points of an SVG polyline; empty where that is unknown.
    """

    size: float
    points: tuple[Point, ...]
    ticks: tuple[Tick, ...]
    before: str = ""


def reliability_plot(
    bins: tuple[ReliabilityBin, ...], size: float = 320.0, *, before: tuple[ReliabilityBin, ...] = ()
) -> ReliabilityPlot:
    """Lay out a reliability diagram; the axes begin where the data does, at a multiple of 10%.

    Parameters
    ----------
    bins : tuple of ReliabilityBin
        At least one.
    size : float
        Length of the sides.
    before : tuple of ReliabilityBin
        Those before calibration, to be drawn as a line.
    """
    lowest = min(min(b.confidence, b.accuracy) for b in (*bins, *before))
    start = min(0.9, max(0.0, math.floor(10 * lowest - 0.2) / 10))

    def place(share: float) -> float:
        return round(size * (max(share, start) - start) / (1 - start), 1)

    points = tuple(
        Point(
            x=place(b.confidence),
            y=round(size - place(b.accuracy), 1),
            top=round(size - place(b.high), 1),
            bottom=round(size - place(b.low), 1),
            text=f"{b.n:,} images: says {b.confidence:.1%}, right {b.accuracy:.1%} "
            f"({100 * b.low:.0f}–{100 * b.high:.0f})",
        )
        for b in bins
    )
    step = 0.1 if start >= 0.5 else 0.2
    n_ticks = math.floor((1 - start) / step + 1e-9)
    shares = [1 - i * step for i in range(n_ticks + 1)][::-1]
    line = " ".join(f"{place(b.confidence)},{round(size - place(b.accuracy), 1)}" for b in before)
    return ReliabilityPlot(size, points, tuple(Tick(place(s), f"{s:.0%}") for s in shares), line)


@dataclass(frozen=True, slots=True)
class RiskPlot:
    """The share of images that is answered (x) against the error among them (y), on a rectangle.

    Attributes
    ----------
    width, height : float
    line : str
        The error, as points of an SVG polyline.
    band : str
        Its 95% intervals, as points of a polygon.
    x_ticks, y_ticks : tuple of Tick
    """

    width: float
    height: float
    line: str
    band: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def risk_plot(curve: RiskCoverage, width: float = 320.0, height: float = 190.0) -> RiskPlot:
    """Lay out a risk-coverage curve from a tenth of the images on: of fewer, chance says more than the model."""
    first = min(curve.n - 1, max(curve.n // 10, 1))
    at = np.unique(np.linspace(first, curve.n - 1, _RISK_POINTS).round().astype(int))
    low, high = (side[at] for side in curve.band())
    error, share = curve.error[at], curve.coverage[at]
    step = next(s for s in _RISK_STEPS if s * 5 >= min(1.0, float(high[-1]) * 1.15) or s == _RISK_STEPS[-1])
    top = min(1.0, step * math.ceil(max(float(high[-1]) * 1.15, step) / step))
    x = (width * share).round(1)

    def place(values: NDArray[np.float64]) -> list[float]:
        found: list[float] = (height - height * np.minimum(values, top) / top).round(1).tolist()
        return found

    line = " ".join(f"{a},{b}" for a, b in zip(x.tolist(), place(error), strict=True))
    edge = [*zip(x.tolist(), place(high), strict=True), *zip(x[::-1].tolist(), place(low)[::-1], strict=True)]
    band = " ".join(f"{a},{b}" for a, b in edge)
    n_steps = round(top / step)
    y_ticks = tuple(Tick(round(height * i / n_steps, 1), _whole(i * step)) for i in range(n_steps + 1))
    x_ticks = tuple(Tick(width * i / 4, f"{25 * i}%") for i in range(5))
    return RiskPlot(width, height, line, band, x_ticks, y_ticks)


def _whole(share: float) -> str:
    return f"{100 * share:.1f}".rstrip("0").rstrip(".") + "%"


@dataclass(frozen=True, slots=True)
class Scale:
    """Shares to places on a strip, in percent of its width."""

    start: float
    stop: float

    def place(self, share: float) -> float:
        """Return where `share` lies, in [0, 100]."""
        return round(100 * min(1.0, max(0.0, (share - self.start) / (self.stop - self.start))), 2)


def scale_for(lows: list[float], highs: list[float]) -> Scale:
    """Choose a strip's ends, multiples of 5%, so that all intervals fit.

    Examples
    --------
    >>> scale_for([0.83, 0.87], [0.91, 0.93])
    Scale(start=0.8, stop=0.95)
    >>> scale_for([1.0], [1.0])
    Scale(start=0.95, stop=1.0)
    """
    if not lows:
        return Scale(0.0, 1.0)
    start = min(19, max(0, math.floor(20 * min(lows))))  # in twentieths
    stop = min(20, math.ceil(20 * max(highs)))
    return Scale(start / 20, max(stop, start + 1) / 20)


def share_ticks(scale: Scale, height: float) -> list[Tick]:
    """Return marks at round percentages on an axis of that height.

    Examples
    --------
    >>> [(tick.at, tick.text) for tick in share_ticks(Scale(0.8, 0.95), 150)]
    [(0.0, '80%'), (50.0, '85%'), (100.0, '90%'), (150.0, '95%')]
    """
    length = scale.stop - scale.start
    step = 0.05 if length <= 0.25 + 1e-9 else 0.1 if length <= 0.5 + 1e-9 else 0.2
    first = math.ceil(scale.start / step - 1e-9)
    shares = [i * step for i in range(first, math.floor(scale.stop / step + 1e-9) + 1)]
    return [
        Tick(round(height * (share - scale.start) / length, 1), f"{100 * share:.0f}%") for share in shares
    ]
