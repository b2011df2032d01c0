"""What a report shows: plain frozen values that an estimator fills in and the templates lay out."""

from dataclasses import dataclass
from typing import Literal

from genus.classify.learning_curve import LearningCurve
from genus.estimators.network_result import NetworkResult
from genus.metrics.conformal import Coverage
from genus.metrics.evaluation import Evaluation
from genus.metrics.risk_coverage import RiskCoverage
from genus.metrics.taxa import TaxonomyEvaluation
from genus.report.calibration import CalibrationContent
from genus.report.unknown import UnknownView


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a list of facts: "Time" -- "7.2 s"."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class LeaderboardRow:
    """One candidate of the model selection.

    Attributes
    ----------
    name : str
        What it is: "logistic regression on Lite2 @320".
    score, low, high : float or None
        Its score in [0, 1] with its spread; None if it was not tried.
    fit_seconds : float or None
        What trying it cost.
    images_per_second : float or None
        How fast it predicts.
    is_winner : bool
        Whether it was chosen.
    note : str
        Anything worth saying: "not tried: the time was up".
    elsewhere : bool
        Whether its score stands on other images than those of the others; the note says on which.
    """

    name: str
    score: float | None = None
    low: float | None = None
    high: float | None = None
    fit_seconds: float | None = None
    images_per_second: float | None = None
    is_winner: bool = False
    note: str = ""
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class PredictionRow:
    """What the model said of one test image.

    Attributes
    ----------
    name : str
        How the user knows the image.
    true : str
        Its true class; one that the evaluation does not list is a class the model does not know.
    predicted : str
        The predicted class.
    confidence : float in [0, 1]
        The probability of the predicted class.
    thumbnail : str or None
        A small copy as `data:image/jpeg;base64,...` (`genus.images.thumbnail`); None shows the name alone.
    evidence : str or None
        The same with the evidence for `explained` in colour.
    about : str or None
        Where an image may have several labels: the one that the model was wrong about, and surest.
    missed : bool
        Whether the model was sure that this label is not there.
    """

    name: str
    true: str
    predicted: str
    confidence: float
    thumbnail: str | None = None
    evidence: str | None = None
    about: str | None = None
    missed: bool = False

    @property
    def explained(self) -> str:
        """The class whose evidence is shown."""
        return self.predicted if self.about is None else self.about

    @property
    def is_right(self) -> bool:
        """Whether the prediction is the true class."""
        return self.true == self.predicted


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How many images of a class there were."""

    name: str
    n_train: int = 0
    n_test: int = 0


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """An image that was left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reproduce:
    """How to get the same result again.

    Attributes
    ----------
    commands : tuple of str
        Command lines that do it.
    facts : tuple of Fact
        Seed, versions, data hash ...
    """

    commands: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportContent:
    """All that one report page shows; empty parts are left out of the page.

    Attributes
    ----------
    title : str
        What the report is about, in a word or two: the name of the data or of the model.
    evaluation : Evaluation
        The figures.
    kind : "training" or "evaluation"
        A training report tells how the model came to be; an evaluation report how it did on one data set.
    tested_on : str
        Which images the figures come from, as the end of the sentence "Measured on ...". Empty: says how many.
    facts : tuple of Fact
        The summary beside the headline: model, time, file ...; four to eight of them look best.
    leaderboard : tuple of LeaderboardRow
        Candidates, best first.
    score_label : str
        What the leaderboard's scores are: "accuracy in 5-fold cross-validation".
    predictions : tuple of PredictionRow
        Test images to show; choose those that deserve a picture with `choose_pictures`.
    class_counts : tuple of ClassCount
        Images a class.
    coverages : tuple of Coverage
        How sets of names did.
    surest : RiskCoverage or None
        How often the surest images are right.
    taxa : TaxonomyEvaluation or None
        How the classes fare as a tree.
    calibration : CalibrationContent or None
        What calibration did, where that is known.
    learning_curve : LearningCurve or None
        Accuracy against images a class.
    unknown : UnknownView or None
        How well images of no known class are told.
    network : NetworkResult or None
        What became of a network that was trained.
    skipped : tuple of SkippedRow
        Images left out.
    notes : tuple of str
        Decisions taken and things worth knowing; the evaluation's own notes are shown too.
    reproduce : Reproduce or None
        How to get the same result again.
    created : str
        When and by what version, for the foot of the page.
    """

    title: str
    evaluation: Evaluation
    kind: Literal["training", "evaluation"] = "training"
    tested_on: str = ""
    facts: tuple[Fact, ...] = ()
    leaderboard: tuple[LeaderboardRow, ...] = ()
    score_label: str = "accuracy in cross-validation"
    predictions: tuple[PredictionRow, ...] = ()
    class_counts: tuple[ClassCount, ...] = ()
    coverages: tuple[Coverage, ...] = ()
    surest: RiskCoverage | None = None
    taxa: TaxonomyEvaluation | None = None
    calibration: CalibrationContent | None = None
    learning_curve: LearningCurve | None = None
    unknown: UnknownView | None = None
    network: NetworkResult | None = None
    skipped: tuple[SkippedRow, ...] = ()
    notes: tuple[str, ...] = ()
    reproduce: Reproduce | None = None
    created: str = ""
