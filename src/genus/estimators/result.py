"""What training found out, as plain values that the command line, the report and Python users share."""

from dataclasses import asdict, dataclass, field
from typing import Any

from genus.classify.calibration import Calibration
from genus.classify.fitted import FittedHead
from genus.classify.leaderboard import LeaderboardRow
from genus.classify.learning_curve import LearningCurve
from genus.classify.novelty import LeftOut
from genus.data.dataset import SkippedImage
from genus.estimators.network_result import NetworkResult
from genus.judgement import EvaluationResult
from genus.metrics.calibration import ReliabilityBin
from genus.metrics.evaluation import Evaluation
from genus.metrics.label_evaluation import LabelEvaluation

IN_TURN = "each in turn"
"""The `test_kind` where nothing was set aside: each image was judged by what was learned from the others."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingResult:
    """Everything worth knowing about one training run.

    Attributes
    ----------
    origin : str
        What was read.
    n_images : int
        Labelled images that could be read.
    classes : tuple of str
    counts : dict of str to int
        Images a class.
    n_train, n_test : int
        Images used to choose and fit, and images kept for the honest figure.
    test_kind : str
        "held out": cut off before anything else; "given": marked by the user; "each in turn": of a handful of
        images, each was judged by a classifier that learned from the others.
    metric : str
        What the candidates were compared by.
    leaderboard : tuple of LeaderboardRow
        Best first, from cross-validation on the training images.
    winner : LeaderboardRow
    not_tried : tuple of str
        Candidates that the time budget left out.
    test : EvaluationResult
        The winner, fitted on the training images only, on the test images.
    skipped : tuple of SkippedImage
    notes : tuple of str
        Decisions taken and things found.
    features : str
        Name of the feature set.
    seconds : dict of str to float
        Time of each stage, and "total".
    provenance : dict
        Versions, data hash, split, seed, command.
    parity : dict of str to float
        For each engine the largest difference in probability between the file and the fitted head.
    calibration : Calibration
        How scores become probabilities, and what that changed in cross-validation.
    uncalibrated : tuple of ReliabilityBin
        The reliability of the winner on the test images, had it not been calibrated.
    learning_curve : LearningCurve or None
        Accuracy against images a class, and what more images should give; None where that was not measured.
    left_out : tuple of LeftOut
        For each class how its images would stand out if the model had never seen it.
    judged : FittedHead or None
        The classifier that the test images judged. It is not the one in the file, which has learned from them since;
        None where each image was judged by another one, or by a network that has learned again since.
    network : NetworkResult or None
        What became of the network that was trained beside the heads, where one was.
    """

    origin: str
    n_images: int
    classes: tuple[str, ...]
    counts: dict[str, int]
    n_train: int
    n_test: int
    test_kind: str
    metric: str
    leaderboard: tuple[LeaderboardRow, ...]
    winner: LeaderboardRow
    not_tried: tuple[str, ...]
    test: EvaluationResult
    skipped: tuple[SkippedImage, ...]
    notes: tuple[str, ...]
    features: str
    seconds: dict[str, float]
    provenance: dict[str, Any]
    parity: dict[str, float]
    calibration: Calibration = Calibration()
    uncalibrated: tuple[ReliabilityBin, ...] = ()
    learning_curve: LearningCurve | None = None
    left_out: tuple[LeftOut, ...] = ()
    judged: FittedHead | None = field(default=None, repr=False)
    network: NetworkResult | None = None

    @property
    def evaluation(self) -> Evaluation | LabelEvaluation:
        """The honest figures."""
        return self.test.evaluation

    @property
    def head(self) -> str:
        """Name of the winning head."""
        return self.winner.name

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "origin": self.origin,
            "n_images": self.n_images,
            "counts": self.counts,
            "n_train": self.n_train,
            "n_test": self.n_test,
            "test_kind": self.test_kind,
            "metric": self.metric,
            "winner": self.winner.to_dict(),
            "leaderboard": [row.to_dict() for row in self.leaderboard],
            "not_tried": list(self.not_tried),
            "evaluation": self.evaluation.to_dict(),
            "coverages": [asdict(row) for row in self.test.coverages],
            **({} if self.test.costs is None else {"costs": asdict(self.test.costs)}),
            "risk_coverage": None if (curve := self.test.risk_coverage) is None else curve.to_dict(),
            **({} if self.test.thresholds is None else {"thresholds": self.test.thresholds.to_dict()}),
            "skipped": [{"source": s.source, "reason": s.reason} for s in self.skipped],
            "notes": list(self.notes),
            "features": self.features,
            "seconds": self.seconds,
            "provenance": self.provenance,
            "parity": self.parity,
            "calibration": self.calibration.to_dict(),
            "learning_curve": None if self.learning_curve is None else self.learning_curve.to_dict(),
            **({} if self.test.rejection is None else {"rejection": asdict(self.test.rejection)}),
            "left_out": [row.to_dict() for row in self.left_out],
            **({} if self.network is None else {"network": self.network.to_dict()}),
        }


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What training would do, and what it would cost.

    Attributes
    ----------
    origin : str
    n_images : int
        Labelled images.
    counts : dict of str to int
        Images a class, or a label, as far as known without opening them.
    multilabel : bool
        Whether an image may have several labels.
    features : str
    n_features : int
    heads : tuple of str
        The candidates, in the order in which they would be tried.
    seconds : dict of str to float
        Expected time of each stage, and "total"; features that are in the cache already make it shorter.
    memory_mb : float
        Expected peak, in megabytes.
    network : dict or None
        Of a network that would be trained beside the heads: `network`, `size`, `how`, `recipe` and `device`.
    """

    origin: str
    n_images: int
    counts: dict[str, int]
    multilabel: bool
    features: str
    n_features: int
    heads: tuple[str, ...]
    seconds: dict[str, float]
    memory_mb: float
    network: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "origin": self.origin,
            "n_images": self.n_images,
            "counts": self.counts,
            "multilabel": self.multilabel,
            "features": self.features,
            "n_features": self.n_features,
            "heads": list(self.heads),
            "seconds": self.seconds,
            "memory_mb": self.memory_mb,
            **({} if self.network is None else {"network": self.network}),
        }
