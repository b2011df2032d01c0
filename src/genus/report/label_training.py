"""Reports on several labels an image: results in, page content out."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.errors import DataError
from genus.estimators.result import TrainingResult
from genus.images.source import ImageSource
from genus.judgement import EvaluationResult
from genus.metrics.label_evaluation import LabelEvaluation
from genus.report.content import ClassCount, PredictionRow
from genus.report.label_content import LabelReportContent

_MISTAKES = 24
_RIGHT = 12
_EACH_SET = 3  # right examples of one and the same set of labels
_NOTHING = "nothing"

FindPicture = Callable[[str, Mapping[str, ImageSource] | None], str | None]


def label_training_content(
    result: TrainingResult,
    shared: Mapping[str, Any],
    find: FindPicture,
    sources: Mapping[str, ImageSource] | None,
) -> LabelReportContent:
    """Lay out a training run; `shared` holds what it has in common with one class an image."""
    tested = (result.test.true == 1).sum(axis=0)
    counts = tuple(
        ClassCount(name, n_train=result.counts[name] - int(n), n_test=int(n))
        for name, n in zip(result.classes, tested, strict=True)
    )
    return LabelReportContent(
        evaluation=evaluation_of(result.test),
        kind="training",
        aim=_aim(result.test),
        predictions=_pictures(result.test, find, sources),
        label_counts=counts,
        n_train=result.n_train,
        n_test=result.n_test,
        coverages=result.test.coverages,
        **shared,
    )


def label_evaluation_content(
    result: EvaluationResult,
    shared: Mapping[str, Any],
    find: FindPicture,
    sources: Mapping[str, ImageSource] | None,
) -> LabelReportContent:
    """Lay out how a model did on one labelled data set; `shared` as for `label_training_content`."""
    return LabelReportContent(
        evaluation=evaluation_of(result),
        kind="evaluation",
        aim=_aim(result),
        predictions=_pictures(result, find, sources),
        n_test=len(result.names),
        coverages=result.coverages,
        **shared,
    )


def evaluation_of(result: EvaluationResult) -> LabelEvaluation:
    """Return the figures of several labels an image.

    Raises
    ------
    DataError
        They are of one class an image.
    """
    if not isinstance(result.evaluation, LabelEvaluation):
        raise DataError("this evaluation is of one class an image, not of several labels.")
    return result.evaluation


def _aim(result: EvaluationResult) -> str:
    return "f1" if result.thresholds is None else result.thresholds.aim


def _pictures(
    result: EvaluationResult, find: FindPicture, sources: Mapping[str, ImageSource] | None
) -> tuple[PredictionRow, ...]:
    """Return the images with the surest wrong decision, and some whose set is entirely right."""
    if result.thresholds is None:
        return ()
    named = result.thresholds.apply(result.proba)
    there = result.true == 1
    wrong = (named != there) & (result.true >= 0)
    # how sure it was of the answer it gave: of a name its probability, of silence what is left
    sure = np.where(named, result.proba, 1 - result.proba)
    wrongly = np.where(wrong, sure, -1)
    surest, about = wrongly.max(axis=1), wrongly.argmax(axis=1)
    mistakes = [int(i) for i in np.argsort(-surest, kind="stable")[:_MISTAKES] if surest[i] >= 0]
    rows = [*((i, float(surest[i])) for i in mistakes)]
    rows += [(i, float(sure[i].min())) for i in _right(named, wrong)]
    return tuple(
        PredictionRow(
            name=result.names[i],
            true=_said(there[i], result.classes),
            predicted=_said(np.where(result.true[i] >= 0, named[i], there[i]), result.classes),
            confidence=confidence,
            thumbnail=find(result.names[i], sources),
            about=result.classes[about[i]] if surest[i] >= 0 else None,
            missed=bool(surest[i] >= 0 and not named[i, about[i]]),
        )
        for i, confidence in rows
    )


def _right(named: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> list[int]:
    """Choose images whose set is right, of different sets."""
    seen: dict[bytes, int] = {}
    chosen = []
    for i in np.flatnonzero(~wrong.any(axis=1)):
        key = named[i].tobytes()
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= _EACH_SET:
            chosen.append(int(i))
        if len(chosen) == _RIGHT:
            break
    return chosen


def _said(has: NDArray[np.bool_], classes: tuple[str, ...]) -> str:
    return ", ".join(classes[label] for label in np.flatnonzero(has)) or _NOTHING
