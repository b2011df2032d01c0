"""What a report on several labels an image shows: plain frozen values for the template."""

from dataclasses import dataclass
from typing import Literal

from genus.estimators.network_result import NetworkResult
from genus.metrics.conformal import Coverage
from genus.metrics.label_evaluation import LabelEvaluation
from genus.report.calibration import CalibrationContent
from genus.report.content import (
    ClassCount,
    Fact,
    LeaderboardRow,
    PredictionRow,
    Reproduce,
    SkippedRow,
)
from genus.report.unknown import UnknownView


@dataclass(frozen=True, slots=True)
class LabelReportContent:
    """All that one report page shows; empty parts are left out of the page.

    Attributes
    ----------
    title, evaluation, kind, tested_on, facts, leaderboard, score_label, coverages, unknown, network, \
skipped, notes, reproduce, created
        See `ReportContent`.
    aim : str
        What the thresholds were tuned for.
    model : str
        The model file's name, for the commands on the page.
    predictions : tuple of PredictionRow
        Test images to show, the surest mistakes first; `true` and `predicted` are sets of labels in words, and
        `confidence` how sure the model was of what it got wrong.
    label_counts : tuple of ClassCount
        Images that have each label.
    n_train, n_test : int
        Images in all.
    calibration : CalibrationContent or None
        What calibration did, where that is known.
    """

    title: str
    evaluation: LabelEvaluation
    kind: Literal["training", "evaluation"] = "training"
    tested_on: str = ""
    aim: str = "f1"
    model: str = ""
    facts: tuple[Fact, ...] = ()
    leaderboard: tuple[LeaderboardRow, ...] = ()
    score_label: str = "mean average precision in cross-validation"
    predictions: tuple[PredictionRow, ...] = ()
    label_counts: tuple[ClassCount, ...] = ()
    n_train: int = 0
    n_test: int = 0
    coverages: tuple[Coverage, ...] = ()
    unknown: UnknownView | None = None
    network: NetworkResult | None = None
    calibration: CalibrationContent | None = None
    skipped: tuple[SkippedRow, ...] = ()
    notes: tuple[str, ...] = ()
    reproduce: Reproduce | None = None
    created: str = ""
