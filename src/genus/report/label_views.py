"""The parts of a report on several labels an image, worked out so that the template needs no arithmetic."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from genus.metrics.intervals import wilson
from genus.metrics.label_evaluation import LabelCurve, LabelEvaluation, LabelRow
from genus.report.charts import (
    N_SHADES,
    Dot,
    Scale,
    hundred_dots,
    scale_for,
)
from genus.report.content import ClassCount
from genus.report.label_content import LabelReportContent
from genus.report.views import (
    MAX_EXAMPLES,
    MAX_MATRIX,
    CountsView,
    Examples,
    Picture,
    PicturesView,
    ScoreView,
    checked_thumbnails,
)
from genus.report.words import LABEL_MEANINGS

MAX_CURVES = 60  # cards; beyond that nobody looks
MAX_TOGETHER = 40  # labels in the matrix of those that go together
_MAX_MISTAKES = 24


@dataclass(frozen=True, slots=True)
class CurveView:
    """One label's curve on a square of 100 by 100; y grows downward.

    Attributes
    ----------
    name : str
    row : LabelRow
    line : str
        The curve as points of an SVG polyline: recall to the right, precision upward.
    at : int
        The point of the tuned threshold, or -1 where it names nothing.
    n_points : int
    x, y : float
        That point.
    """

    name: str
    row: LabelRow
    line: str
    at: int
    n_points: int
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class TogetherCell:
    """How many images have two labels, and what share of those that have the row's label."""

    n: int
    share: float
    shade: int
    same: bool


@dataclass(frozen=True, slots=True)
class TogetherView:
    """The matrix of labels that go together, the most frequent first."""

    names: tuple[str, ...]
    rows: tuple[tuple[TogetherCell, ...], ...]
    n_left_out: int


def label_scores(evaluation: LabelEvaluation) -> tuple[ScoreView, ...]:
    """Return the figures that people read, in reading order."""
    known = {figure.name: figure for figure in evaluation.metrics}
    return tuple(ScoreView(known[name], meaning) for name, meaning in LABEL_MEANINGS.items() if name in known)


def found_dots(evaluation: LabelEvaluation) -> tuple[Dot, ...]:
    """Draw the share of labels that are found as a hundred dots."""
    n = sum(row.n for row in evaluation.per_label)
    hits = sum(round((row.recall or 0.0) * row.n) for row in evaluation.per_label)
    low, high = wilson(hits, n)
    return hundred_dots(hits / max(n, 1), float(low), float(high))


def curves_view(evaluation: LabelEvaluation) -> tuple[CurveView, ...]:
    """Return the curves of the most frequent labels that have one."""
    pairs = zip(evaluation.per_label, evaluation.curves, strict=True)
    shown = [(row, curve) for row, curve in pairs if curve.threshold]
    shown.sort(key=lambda pair: -pair[0].n)
    return tuple(_curve(row, curve) for row, curve in shown[:MAX_CURVES])


def curve_data(views: tuple[CurveView, ...], evaluation: LabelEvaluation) -> list[dict[str, Any]]:
    """Return what the page's script needs: for each curve its name and its points in the order of `views`."""
    curves = {row.name: curve for row, curve in zip(evaluation.per_label, evaluation.curves, strict=True)}
    return [
        {
            "name": view.name,
            "points": [
                [round(t, 4), round(p, 3), round(r, 3), n]
                for t, p, r, n in zip(
                    curves[view.name].threshold,
                    curves[view.name].precision,
                    curves[view.name].recall,
                    curves[view.name].n_predicted,
                    strict=True,
                )
            ],
        }
        for view in views
    ]


def _curve(row: LabelRow, curve: LabelCurve) -> CurveView:
    points = [
        (round(100 * r, 1), round(100 - 100 * p, 1))
        for r, p in zip(curve.recall, curve.precision, strict=True)
    ]
    named = [i for i, threshold in enumerate(curve.threshold) if threshold >= row.threshold]
    at = named[-1] if named else -1
    x, y = points[max(at, 0)]
    line = " ".join(f"{x},{y}" for x, y in [(0.0, points[0][1]), *points])
    return CurveView(row.name, row, line, at, len(points), x, y)


def together_view(evaluation: LabelEvaluation) -> TogetherView:
    """Return which labels go together, as shares of the row's images."""
    counts = evaluation.cooccurrence
    order = np.argsort(-np.diag(counts), kind="stable")
    order = order[np.diag(counts)[order] > 0][:MAX_TOGETHER]
    chosen = counts[np.ix_(order, order)]
    each = np.maximum(np.diag(chosen), 1)
    shade = np.where(chosen > 0, np.clip(np.ceil(N_SHADES * np.sqrt(chosen / each[:, None])), 1, N_SHADES), 0)
    rows = tuple(
        tuple(TogetherCell(int(n), float(n / each[i]), int(shade[i, j]), i == j) for j, n in enumerate(row))
        for i, row in enumerate(chosen)
    )
    names = tuple(evaluation.classes[i] for i in order)
    return TogetherView(names, rows, len(evaluation.classes) - len(names))


@dataclass(frozen=True, slots=True)
class LabelsView:
    """The table of labels with a common scale for its strips."""

    rows: tuple[LabelRow, ...]
    scale: Scale
    is_long: bool


def labels_view(evaluation: LabelEvaluation) -> LabelsView:
    """Return the labels, the hardest first."""
    order = sorted(evaluation.per_label, key=lambda row: (row.f1 is None, row.f1))
    scored = [row for row in order if row.f1 is not None]
    scale = scale_for([row.f1_low for row in scored], [row.f1_high for row in scored])
    return LabelsView(tuple(order), scale, len(order) > MAX_MATRIX)


def label_pictures(content: LabelReportContent) -> PicturesView:
    """Part the pictures into the surest mistakes and sets that are entirely right."""
    rows = checked_thumbnails(content.predictions)
    pictures = [Picture(i, row) for i, row in enumerate(rows)]
    mistakes = [picture for picture in pictures if not picture.row.is_right]
    mistakes.sort(key=lambda picture: -picture.row.confidence)
    right = [picture for picture in pictures if picture.row.is_right and picture.row.thumbnail]
    by_set: dict[str, list[Picture]] = {}
    for picture in right:
        by_set.setdefault(picture.row.true, []).append(picture)
    examples = tuple(Examples(name, tuple(found[:MAX_EXAMPLES])) for name, found in by_set.items())
    return PicturesView(rows, tuple(mistakes[:_MAX_MISTAKES]), examples)


def label_counts(content: LabelReportContent) -> CountsView:
    """Return the images that have each label; their sums are not those of the images."""
    rows = content.label_counts or tuple(
        ClassCount(row.name, 0, row.n) for row in content.evaluation.per_label
    )
    largest = max([row.n_train + row.n_test for row in rows] + [1])
    return CountsView(rows, largest, content.n_train, content.n_test or content.evaluation.n)
