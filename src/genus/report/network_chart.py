"""Where things lie in the charts of a training: epochs to the right, a loss or a score upward."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from genus.report.charts import Point, Tick, scale_for, share_ticks

_MAX_POINTS = 200  # of a line; more than a screen can show
_MAX_DOTS = 40  # epochs that are dots with words, too
_STEPS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_ROUND = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
_N_TICKS = 6

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class EpochLine:
    """One curve: its kind, "training" or "validation", as points of an SVG polyline, and its epochs as dots."""

    kind: str
    line: str
    dots: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class EpochPlot:
    """Curves over the epochs in plot coordinates; y grows downward.

    Attributes
    ----------
    width, height : float
    lines : tuple of EpochLine
    rate : str
        The learning rate, as points of an SVG polygon; empty where it is not shown.
    taken : float
        Where the epoch is whose weights were taken.
    level : float or None
        The height of a line to hold the curve against.
    x_ticks, y_ticks : tuple of Tick
        Distances from the left and from the bottom.
    """

    width: float
    height: float
    lines: tuple[EpochLine, ...]
    rate: str
    taken: float
    level: float | None
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class _Frame:
    """The width and height of a plot, and the epochs that it shows."""

    width: float
    height: float
    last: int

    def x(self, number: int) -> float:
        """Return where an epoch lies; a single one lies in the middle."""
        share = 0.5 if self.last == 1 else (number - 1) / (self.last - 1)
        return round(self.width * share, 1)

    def line(
        self, kind: str, rows: Rows, name: str, y: Callable[[float], float], text: Callable[[float], str]
    ) -> EpochLine:
        """Return the curve of one of the figures of each epoch, where it is known."""
        known = [(int(row["number"]), float(row[name])) for row in _thinned(rows) if row[name] is not None]
        points = [
            Point(self.x(number), y(value), 0.0, 0.0, f"epoch {number}: {text(value)}")
            for number, value in known
        ]
        return EpochLine(
            kind,
            " ".join(f"{point.x},{point.y}" for point in points),
            tuple(points) if len(rows) <= _MAX_DOTS else (),
        )

    def x_ticks(self) -> tuple[Tick, ...]:
        """Return marks at whole epochs."""
        step = next((n for n in _ROUND if self.last / n <= _N_TICKS), _ROUND[-1])
        numbers = sorted({1, *range(step, self.last + 1, step)})
        return tuple(Tick(self.x(n), f"{n:,}") for n in numbers if n in (1, self.last) or n - 1 >= step / 2)


def loss_plot(rows: Rows, best: int, width: float = 320.0, height: float = 190.0) -> EpochPlot:
    """Lay out the loss in training and on the validation images.

    Parameters
    ----------
    rows : sequence of dict
        Epochs as `genus.cnn.history.History.to_dict` writes them; at least one.
    best : int
        The number of the epoch whose weights were taken.
    width, height : float
    """
    frame = _Frame(width, height, len(rows))
    names = ("loss", "validation_loss")
    values = [float(row[name]) for row in rows for name in names if row[name] is not None]
    step = next((s for s in _STEPS if s * _N_TICKS >= max(values)), _STEPS[-1])
    top = step * max(1, math.ceil(max(values) / step - 1e-9))

    def y(loss: float) -> float:
        return float(round(height * (1 - min(loss, top) / top), 1))

    def text(kind: str) -> Callable[[float], str]:
        return lambda loss: f"{kind} loss {loss:.3f}"

    return EpochPlot(
        width,
        height,
        (
            frame.line("training", rows, "loss", y, text("training")),
            frame.line("validation", rows, "validation_loss", y, text("validation")),
        ),
        _rate(rows, frame),
        frame.x(best),
        None,
        frame.x_ticks(),
        tuple(Tick(round(height * i * step / top, 1), f"{i * step:g}") for i in range(round(top / step) + 1)),
    )


def score_plot(
    rows: Rows, best: int, level: float, width: float = 320.0, height: float = 190.0
) -> EpochPlot | None:
    """Lay out the score on the validation images, beside the `level` of the frozen features.

    None where the validation images were not looked at.
    """
    scores = [row["validation_score"] for row in rows if row["validation_score"] is not None]
    if not scores:
        return None
    frame, scale = _Frame(width, height, len(rows)), scale_for([*scores, level], [*scores, level])

    def y(score: float) -> float:
        return round(height * (1 - scale.place(score) / 100), 1)

    return EpochPlot(
        width,
        height,
        (frame.line("validation", rows, "validation_score", y, "{:.1%}".format),),
        "",
        frame.x(best),
        y(level),
        frame.x_ticks(),
        tuple(share_ticks(scale, height)),
    )


def _rate(rows: Rows, frame: _Frame) -> str:
    """Return the learning rate as an area; none where an epoch alone would be no area."""
    highest = max(float(row["rate"]) for row in rows)
    if len(rows) == 1 or highest <= 0:
        return ""
    points = [
        f"{frame.x(int(row['number']))},{round(frame.height * (1 - float(row['rate']) / highest), 1)}"
        for row in _thinned(rows)
    ]
    return " ".join([*points, f"{frame.width},{frame.height}", f"0.0,{frame.height}"])


def _thinned(rows: Rows) -> Rows:
    """Return as many epochs as can be told apart, the last one among them."""
    step = math.ceil(len(rows) / _MAX_POINTS)
    return rows[(len(rows) - 1) % step :: step]
