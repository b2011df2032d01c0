"""Reports of a training run and of an evaluation: results in, page content out."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from genus.classify.leaderboard import LeaderboardRow as Candidate
from genus.estimators.result import IN_TURN, TrainingResult
from genus.images.source import ImageSource
from genus.judgement import EvaluationResult
from genus.metrics.label_evaluation import LabelEvaluation
from genus.report.calibration import CalibrationContent
from genus.report.candidate_words import NAMES, candidate_name
from genus.report.content import (
    ClassCount,
    Fact,
    LeaderboardRow,
    PredictionRow,
    ReportContent,
    Reproduce,
    SkippedRow,
)
from genus.report.label_content import LabelReportContent
from genus.report.label_training import label_evaluation_content, label_training_content
from genus.report.network import elsewhere
from genus.report.pictures import choose_pictures, named_copy
from genus.report.unknown import unknown_view
from genus.report.words import costs_paid

_SIZE = 136  # of a thumbnail, in pixels
_QUALITY = 72

_JUDGED = {"given": "marked as test", IN_TURN: "each by a classifier that learned from the others"}
FindSource = Callable[[str], ImageSource]

_picture = partial(named_copy, size=_SIZE, quality=_QUALITY)


def training_report(
    result: TrainingResult, *, title: str, model: str = "", sources: Mapping[str, ImageSource] | None = None
) -> ReportContent | LabelReportContent:
    """Lay out a training run.

    Parameters
    ----------
    result : TrainingResult
    title : str
        The name of the data.
    model : str
        The model file's name, where it was saved.
    sources : mapping of str to ImageSource, or None
        The images by name, for the pictures; None takes names for paths.
    """
    several = isinstance(result.evaluation, LabelEvaluation)
    kinds = f"with {len(result.classes)} labels" if several else f"in {len(result.classes)} classes"
    facts = [
        Fact("Model", _described(result)),
        Fact("Images", f"{result.n_images:,} {kinds}"),
        Fact("Judged on", f"{result.n_test:,} ({result.test_kind})"),
        Fact("Time", f"{result.seconds['total']:.1f} s"),
    ]
    if model:
        facts.append(Fact("File", model))
    how = _JUDGED.get(result.test_kind, "set aside before anything else")
    shared: dict[str, Any] = {
        "title": title,
        "tested_on": f"{result.n_test:,} images {how}",
        "facts": tuple(facts),
        "leaderboard": tuple(leaderboard(result)),
        "score_label": f"{result.metric.replace('_', ' ')} in cross-validation on the training images",
        "skipped": tuple(SkippedRow(s.source, s.reason) for s in result.skipped),
        "calibration": CalibrationContent(result.calibration, result.uncalibrated),
        "notes": (*_cost_note(result.test), *result.notes),
        "unknown": unknown_view(result.test.rejection, result.left_out),
        "network": result.network,
        "reproduce": _reproduce(result),
        "created": f"{result.provenance['created']} by Genus {result.provenance['genus']}",
    }
    if isinstance(result.evaluation, LabelEvaluation):
        return label_training_content(result, {**shared, "model": model}, _picture, sources)
    return ReportContent(
        evaluation=result.evaluation,
        kind="training",
        predictions=_predictions(result.test, sources),
        class_counts=_class_counts(result),
        coverages=result.test.coverages,
        surest=result.test.risk_coverage,
        taxa=result.test.taxa,
        learning_curve=result.learning_curve,
        **shared,
    )


def evaluation_report(
    result: EvaluationResult,
    *,
    title: str,
    model: str,
    created: str = "",
    head: Mapping[str, Any] | None = None,
    sources: Mapping[str, ImageSource] | None = None,
) -> ReportContent | LabelReportContent:
    """Lay out how a model did on one labelled data set (see `training_report`); `head` is what the file says of it."""
    several = isinstance(result.evaluation, LabelEvaluation)
    names, counts = ((), ()) if several else np.unique(result.true, return_counts=True)
    kinds = f"with {len(result.classes)} labels" if several else f"in {len(names)} classes"
    shared: dict[str, Any] = {
        "title": title,
        "facts": (
            Fact("Model", model),
            *([Fact("Classifier", candidate_name(head["name"], head["params"]))] if head else []),
            Fact("Images", f"{len(result.names):,} {kinds}"),
            Fact("Time", f"{result.seconds:.1f} s"),
        ),
        "skipped": tuple(SkippedRow(s.source, s.reason) for s in result.skipped),
        "notes": (*_cost_note(result), *result.notes),
        "unknown": unknown_view(result.rejection, ()),
        "created": created,
    }
    if isinstance(result.evaluation, LabelEvaluation):
        return label_evaluation_content(result, {**shared, "model": model}, _picture, sources)
    return ReportContent(
        evaluation=result.evaluation,
        kind="evaluation",
        predictions=_predictions(result, sources),
        class_counts=tuple(
            ClassCount(str(name), n_test=int(n)) for name, n in zip(names, counts, strict=True)
        ),
        coverages=result.coverages,
        surest=result.risk_coverage,
        taxa=result.taxa,
        **shared,
    )


def _cost_note(result: EvaluationResult) -> tuple[str, ...]:
    return () if result.costs is None else (costs_paid(result.costs),)


def leaderboard(result: TrainingResult) -> list[LeaderboardRow]:
    """Return the rows of the leaderboard for people: the best setting of each method, in words."""
    shown = _best_of_each(result)
    n_more = len(result.leaderboard) - len(shown)
    rows = [
        LeaderboardRow(
            name=candidate_name(row.name, row.params),
            score=_known(row.score),
            low=_known(row.score - row.spread),
            high=_known(row.score + row.spread),
            fit_seconds=row.fit_seconds,
            images_per_second=row.predict_images_per_second,
            is_winner=row is result.winner,
            note=_note(row, result),
            elsewhere=_is_elsewhere(row),
        )
        for row in shown
    ]
    rows += [LeaderboardRow(name, note="not tried: the time was up") for name in result.not_tried]
    if n_more:
        rows.append(LeaderboardRow(f"and {n_more} other settings of these methods"))
    return rows


def _is_elsewhere(row: Candidate) -> bool:
    """Say whether a score stands on other images than those of cross-validation: that of a network does."""
    return "network" in row.params


def _note(row: Candidate, result: TrainingResult) -> str:
    return elsewhere(result.network) if _is_elsewhere(row) and result.network is not None else row.note


def _known(value: float) -> float | None:
    return None if value != value else value  # NaN: not measured


def _best_of_each(result: TrainingResult) -> list[Candidate]:
    """Return the best setting of each head, best first; the winner stands for its own."""
    best: dict[str, Candidate] = {result.winner.name: result.winner}
    for row in result.leaderboard:
        best.setdefault(row.name, row)
    return sorted(best.values(), key=lambda row: (-row.score, row.log_loss))


def _described(result: TrainingResult) -> str:
    """Say which classifier reads what."""
    winner, features = result.winner, result.features.replace("/middle", "").replace("/mirror", "")
    if "network" in winner.params:
        return candidate_name(winner.name, winner.params)
    return f"{NAMES.get(winner.name, winner.name)} on {features}"


def _predictions(
    result: EvaluationResult, sources: Mapping[str, ImageSource] | None
) -> tuple[PredictionRow, ...]:
    code = {name: i for i, name in enumerate(result.classes)}
    predicted = result.proba.argmax(axis=1)
    confidence = result.proba.max(axis=1)
    y_true = np.array([code.get(str(name), -1) for name in result.true])
    rows = []
    for i in choose_pictures(y_true, predicted, confidence):
        name = result.names[i]
        rows.append(
            PredictionRow(
                name=name,
                true=str(result.true[i]),
                predicted=result.classes[predicted[i]],
                confidence=float(confidence[i]),
                thumbnail=_picture(name, sources),
            )
        )
    return tuple(rows)


def _class_counts(result: TrainingResult) -> tuple[ClassCount, ...]:
    names, counts = np.unique(result.test.true, return_counts=True)
    tested = dict(zip(names.tolist(), counts.tolist(), strict=True)) if result.test_kind != IN_TURN else {}
    return tuple(
        ClassCount(name, n_train=total - tested.get(name, 0), n_test=tested.get(name, 0))
        for name, total in result.counts.items()
    )


def _reproduce(result: TrainingResult) -> Reproduce:
    known = result.provenance
    facts = [
        Fact("Seed", str(known["random_state"])),
        Fact("Data hash", str(known["data_hash"])),
        Fact("Genus", str(known["genus"])),
        Fact("Python", str(known["python"])),
        *(Fact(name, str(found)) for name, found in known["libraries"].items()),
        *(Fact(f"Parity with {engine}", f"{value:.1e}") for engine, value in result.parity.items()),
    ]
    return Reproduce((known["command"],) if known["command"] else (), tuple(facts))
