"""Where things lie in the chart of a learning curve: images a class on a logarithmic axis, accuracy above it."""

import math
from dataclasses import dataclass

from genus.classify.learning_curve import LearningCurve
from genus.report.charts import Point, Tick, scale_for, share_ticks

_ROUND = tuple(m * 10**k for k in range(7) for m in (1, 2, 5))


@dataclass(frozen=True, slots=True)
class CurvePlot:
    """A learning curve in plot coordinates; y grows downward.

    Attributes
    ----------
    width, height : float
    points : tuple of Point
        What was measured.
    line, ahead : str
        What was measured and what is forecast, as points of SVG polylines.
    band : str
        The forecast's 90% intervals, as points of a polygon.
    x_ticks, y_ticks : tuple of Tick
        Distances from the left and from the bottom.
    """

    width: float
    height: float
    points: tuple[Point, ...]
    line: str
    ahead: str
    band: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def curve_plot(curve: LearningCurve, width: float = 320.0, height: float = 190.0) -> CurvePlot:
    """Lay out a learning curve and its forecast."""
    last = curve.points[-1]
    steps = [step for step in curve.forecasts if curve.now + step.more > last.per_class]
    sizes = [point.per_class for point in curve.points] + [curve.now + step.more for step in steps]
    first, decades = math.log(sizes[0]), math.log(max(sizes) / sizes[0])
    highs = [point.high for point in curve.points] + [step.accuracy + step.high - step.gain for step in steps]
    scale = scale_for([point.low for point in curve.points], highs)

    def x(size: float) -> float:
        return round(width * (math.log(size) - first) / decades, 1)

    def y(share: float) -> float:
        return round(height * (1 - scale.place(share) / 100), 1)

    ahead = [(x(curve.now + s.more), s) for s in steps]
    upper = [f"{at},{y(s.accuracy + s.high - s.gain)}" for at, s in ahead]
    lower = [f"{at},{y(s.accuracy + s.low - s.gain)}" for at, s in ahead]
    return CurvePlot(
        width=width,
        height=height,
        points=tuple(
            Point(
                x(p.per_class),
                y(p.accuracy),
                y(p.high),
                y(p.low),
                f"{p.per_class:.3g} images a class: {p.accuracy:.1%} ({100 * p.low:.0f}–{100 * p.high:.0f})",
            )
            for p in curve.points
        ),
        line=" ".join(f"{x(p.per_class)},{y(p.accuracy)}" for p in curve.points),
        ahead=" ".join(f"{at},{y(s.accuracy)}" for at, s in ahead),
        band=" ".join([*upper, *lower[::-1]]),
        x_ticks=tuple(Tick(x(n), f"{n:,}") for n in _ROUND if sizes[0] <= n <= max(sizes)),
        y_ticks=tuple(share_ticks(scale, height)),
    )
