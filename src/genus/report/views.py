"""The parts of a report, worked out so that the templates need no arithmetic."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.errors import ParameterError
from genus.metrics.evaluation import ClassRow, Evaluation, Figure
from genus.report.charts import HeatPath, Scale, heat_paths, scale_for, shades
from genus.report.content import ClassCount, LeaderboardRow, PredictionRow, ReportContent
from genus.report.words import MEANINGS

MAX_MATRIX = 25  # classes; beyond that a table of cells does not fit a screen, and a heat map takes over
MAX_PAIRS = 20
MAX_PAIRS_BESIDE_MATRIX = 8
MAX_ROWS = 1500
MAX_MISTAKES = 24
FIRST_MISTAKES = 10
"""Mistakes that are shown at once; the others when asked for."""
MAX_EXAMPLES = 6
MAX_SKIPPED = 500
_DATA_URI = re.compile(r"data:image/(?:jpeg|png|webp|gif);base64,[A-Za-z0-9+/]+={0,2}\Z")


@dataclass(frozen=True, slots=True)
class ScoreView:
    """A figure with its meaning."""

    figure: Figure
    meaning: str


def scores(evaluation: Evaluation) -> tuple[ScoreView, ...]:
    """Return the figures that people read, in reading order."""
    known = {figure.name: figure for figure in evaluation.metrics}
    return tuple(ScoreView(known[name], meaning) for name, meaning in MEANINGS.items() if name in known)


@dataclass(frozen=True, slots=True)
class LeaderView:
    """The leaderboard with a common scale for its strips."""

    rows: tuple[LeaderboardRow, ...]
    scale: Scale


def leaders(rows: tuple[LeaderboardRow, ...]) -> LeaderView:
    """Find the scale on which all candidates' spreads fit."""
    lows = [x for row in rows for x in (row.low, row.score) if x is not None]
    highs = [x for row in rows for x in (row.high, row.score) if x is not None]
    return LeaderView(rows, scale_for(lows, highs))


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the confusion matrix."""

    true: int
    predicted: int
    n: int
    shade: int


@dataclass(frozen=True, slots=True)
class PairView:
    """One kind of mistake."""

    true: int
    predicted: int
    n: int
    n_true: int
    share: float


@dataclass(frozen=True, slots=True)
class ConfusionView:
    """Who was taken for whom.

    Attributes
    ----------
    rows : tuple of tuple of Cell
        The whole matrix; empty where there are too many classes for a table.
    heat : tuple of HeatPath
        The heat map instead.
    pairs : tuple of PairView
        The most frequent mistakes.
    n_pairs : int
        How many kinds of mistake there are.
    """

    rows: tuple[tuple[Cell, ...], ...]
    heat: tuple[HeatPath, ...]
    pairs: tuple[PairView, ...]
    n_pairs: int


def confusion_view(evaluation: Evaluation) -> ConfusionView:
    """Prepare the confusion matrix, as a table if it is small enough, else as a heat map."""
    counts, n_true = evaluation.confusion, evaluation.confusion.sum(1).tolist()
    pairs = evaluation.confused_pairs()
    small = len(evaluation.classes) <= MAX_MATRIX
    limit = MAX_PAIRS_BESIDE_MATRIX if small else MAX_PAIRS
    return ConfusionView(
        rows=_cells(counts) if small else (),
        heat=() if small else heat_paths(counts),
        pairs=tuple(PairView(p.true, p.predicted, p.n, n_true[p.true], p.share) for p in pairs[:limit]),
        n_pairs=len(pairs),
    )


def _cells(counts: NDArray[np.int64]) -> tuple[tuple[Cell, ...], ...]:
    shade = shades(counts).tolist()
    return tuple(
        tuple(Cell(i, j, n, shade[i][j]) for j, n in enumerate(row)) for i, row in enumerate(counts.tolist())
    )


@dataclass(frozen=True, slots=True)
class Picture:
    """A prediction with its place among those on the page."""

    at: int
    row: PredictionRow


@dataclass(frozen=True, slots=True)
class Examples:
    """Some images of one class that are right."""

    name: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class PicturesView:
    """The predictions on the page and where each is shown.

    Attributes
    ----------
    rows : tuple of PredictionRow
        All on the page; others only count.
    mistakes : tuple of Picture
        The surest mistakes.
    examples : tuple of Examples
        By class.
    n_first : int
        How many of the mistakes are shown at once.
    """

    rows: tuple[PredictionRow, ...]
    mistakes: tuple[Picture, ...]
    examples: tuple[Examples, ...]
    n_first: int = FIRST_MISTAKES


def pictures_view(predictions: tuple[PredictionRow, ...], classes: tuple[str, ...]) -> PicturesView:
    """Choose what is shown where; each thumbnail stands in the page once.

    Raises
    ------
    ParameterError
        A thumbnail is not a data URI of an image: the page must hold all it shows.
    """
    # Mistakes and pictures first: a page of 60,000 names helps nobody.
    ordered = sorted(
        checked_thumbnails(predictions), key=lambda r: (r.is_right, r.thumbnail is None, -r.confidence)
    )
    rows = tuple(ordered[:MAX_ROWS])
    pictures = [Picture(i, row) for i, row in enumerate(rows)]
    mistakes = sorted((p for p in pictures if not p.row.is_right), key=lambda p: -p.row.confidence)
    right: dict[str, list[Picture]] = {name: [] for name in classes}
    for picture in pictures:
        if picture.row.is_right and picture.row.thumbnail and picture.row.true in right:
            right[picture.row.true].append(picture)
    examples = tuple(Examples(name, tuple(found[:MAX_EXAMPLES])) for name, found in right.items() if found)
    return PicturesView(rows, tuple(mistakes[:MAX_MISTAKES]), examples)


def checked_thumbnails(predictions: tuple[PredictionRow, ...]) -> tuple[PredictionRow, ...]:
    """Return `predictions`, whose thumbnails are data URIs.

    Raises
    ------
    ParameterError
        One is not: the page must hold all it shows.
    """
    for row in predictions:
        for picture in (row.thumbnail, row.evidence):
            if picture is not None and not _DATA_URI.match(picture):
                raise ParameterError(
                    f"the thumbnail of {row.name!r} must be a data URI (data:image/jpeg;base64,...), "
                    f"not {picture[:40]!r}."
                )
    return predictions


def page_data(content: ReportContent, view: PicturesView) -> dict[str, Any]:
    """Return what the page's script needs: class names, cells, and predictions as short rows.

    A row is [name, true, predicted, confidence, thumbnail]: classes as codes or, unknown to the model, as names;
    the thumbnail null where the page shows it already, under the id `picture-<row>`.
    """
    evaluation = content.evaluation
    code: dict[str, int] = {name: i for i, name in enumerate(evaluation.classes)}
    shown = {p.at for p in view.mistakes} | {p.at for e in view.examples for p in e.pictures}
    rows = [
        [
            row.name,
            code.get(row.true, row.true),
            code.get(row.predicted, row.predicted),
            round(row.confidence, 4),
            None if i in shown else row.thumbnail,
        ]
        for i, row in enumerate(view.rows)
    ]
    cells = evaluation.to_dict()["confusion"]
    return {"classes": list(evaluation.classes), "cells": cells, "rows": rows}


@dataclass(frozen=True, slots=True)
class ClassesView:
    """The table of classes with a common scale for its strips."""

    rows: tuple[ClassRow, ...]
    scale: Scale
    is_long: bool


def classes_view(evaluation: Evaluation) -> ClassesView:
    """Return the classes, the hardest to find first."""
    order = sorted(evaluation.per_class, key=lambda row: (row.f1 is None, row.f1))
    scored = [row for row in order if row.f1 is not None]
    scale = scale_for([row.f1_low for row in scored], [row.f1_high for row in scored])
    return ClassesView(tuple(order), scale, len(order) > MAX_MATRIX)


@dataclass(frozen=True, slots=True)
class CountsView:
    """Images a class, with the largest for scale."""

    rows: tuple[ClassCount, ...]
    largest: int
    n_train: int
    n_test: int


def counts_view(content: ReportContent) -> CountsView:
    """Return the counts of the data, or those of the test images where no others are known."""
    rows = content.class_counts or tuple(ClassCount(r.name, 0, r.n) for r in content.evaluation.per_class)
    return CountsView(
        rows=rows,
        largest=max([r.n_train + r.n_test for r in rows] + [1]),
        n_train=sum(r.n_train for r in rows),
        n_test=sum(r.n_test for r in rows),
    )
