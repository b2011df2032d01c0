"""Predictions held against what people say of the images.

No scikit-learn is imported here, for the same reason as in `genus.predictor`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import Dataset, SkippedImage
from genus.data.label_sets import LabelSets
from genus.errors import DataError
from genus.judgement_in_tree import JudgedInTree, judge_in_tree
from genus.metrics.conformal import ConformalScores, Coverage, measure_coverage
from genus.metrics.costs import CostFigures, Costs, measure_costs
from genus.metrics.label_conformal import LabelScores, measure_label_coverage
from genus.metrics.risk_coverage import RiskCoverage, risk_coverage
from genus.metrics.sure import SureTaxa
from genus.metrics.thresholds import Thresholds
from genus.metrics.unknown import Rejection

if TYPE_CHECKING:
    from genus.metrics.evaluation import Evaluation
    from genus.metrics.label_evaluation import LabelEvaluation
    from genus.metrics.taxa import TaxonomyEvaluation

COVERAGES = (0.8, 0.9, 0.95, 0.99)
"""What sets of names are measured for."""


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationResult:
    """How a model did on labelled images.

    Attributes
    ----------
    evaluation : Evaluation, or LabelEvaluation where an image may have several labels
        The figures.
    names : tuple of n str
        The images that could be read.
    true : (n,) str, or (n, c) int8
        Their labels; where an image may have several: 1 has it, 0 has it not, -1 unknown.
    proba : (n, c) float32
        The model's probabilities, columns as in `classes`.
    classes : tuple of c str
        The model's classes.
    skipped : tuple of SkippedImage
        The images that could not be read.
    notes : tuple of str
        What the reader of the figures should know.
    seconds : float
    coverages : tuple of Coverage
        How sets of names did, for several coverages; empty where the model cannot make any.
    thresholds : Thresholds or None
        Where an image may have several labels: from which probability on each is named.
    taxa : TaxonomyEvaluation or None
        Where the classes form a tree: how good the predictions are in it.
    costs : CostFigures or None
        What mistakes cost, where the model knows; all other figures are about the most probable class.
    rejection : Rejection or None
        How saying "unknown" does, where the model can; no other figure heeds it.
    """

    evaluation: "Evaluation | LabelEvaluation"
    names: tuple[str, ...]
    true: NDArray[Any]
    proba: NDArray[np.float32]
    classes: tuple[str, ...]
    skipped: tuple[SkippedImage, ...]
    notes: tuple[str, ...]
    seconds: float
    coverages: tuple[Coverage, ...] = ()
    thresholds: Thresholds | None = None
    taxa: "TaxonomyEvaluation | None" = None
    costs: CostFigures | None = None
    rejection: Rejection | None = None

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which images are right, (n,): the most probable class is the true one, or the whole set of labels is."""
        if self.thresholds is None:
            return np.asarray(np.asarray(self.classes)[self.proba.argmax(axis=1)] == self.true, np.bool_)
        agree = self.thresholds.apply(self.proba) == (self.true == 1)
        return np.asarray((agree | (self.true < 0)).all(axis=1), np.bool_)

    @property
    def risk_coverage(self) -> RiskCoverage | None:
        """How often the surest images are right, for any share of them; None with several labels an image."""
        known = np.isin(self.true, self.classes) if self.thresholds is None else np.zeros(0, bool)
        if not known.any():
            return None
        return risk_coverage(self.proba[known].max(axis=1), self.right[known])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: the figures, not the single predictions."""
        surest = self.risk_coverage
        return {
            "evaluation": self.evaluation.to_dict(),
            "n_images": len(self.names),
            "skipped": [{"source": s.source, "reason": s.reason} for s in self.skipped],
            "notes": list(self.notes),
            "seconds": self.seconds,
            "coverages": [asdict(row) for row in self.coverages],
            **({} if self.costs is None else {"costs": asdict(self.costs)}),
            "risk_coverage": None if surest is None else surest.to_dict(),
            **({} if self.thresholds is None else {"thresholds": self.thresholds.to_dict()}),
            **({} if self.taxa is None else {"taxonomy": self.taxa.to_dict()}),
            **({} if self.rejection is None else {"rejection": asdict(self.rejection)}),
        }


def name_sets(
    proba: NDArray[np.float32], chosen: NDArray[np.bool_], classes: Sequence[str]
) -> NDArray[np.object_]:
    """Return the chosen classes of each image as a tuple of names, the most probable first; (n,) object."""
    order = np.argsort(-proba, axis=1, kind="stable")
    found = np.empty(len(proba), object)
    for i, (codes, row) in enumerate(zip(order.tolist(), chosen, strict=True)):
        found[i] = tuple(classes[code] for code in codes if row[code])
    return found


def evaluate_predictions(
    data: Dataset,
    proba: NDArray[np.float32],
    classes: tuple[str, ...],
    *,
    skipped: tuple[SkippedImage, ...] = (),
    seconds: float = 0.0,
    random_state: int | None = 0,
    scores: ConformalScores | None = None,
    n_seen: int = 0,
    sure: SureTaxa | None = None,
    costs: Costs | None = None,
) -> EvaluationResult:
    """Hold probabilities against the labels of a data set (all labelled).

    Images of a class that the model does not know are left out of all figures but `accuracy_with_unknown`; the
    notes name the classes. `scores` are what sets of names are made with, `n_seen` is how many of the images the model
    learned from, `sure` is the tree that the classes form.
    """
    from genus.metrics.evaluate import evaluate

    if sure is not None:
        judged = judge_in_tree(data, proba, classes, sure)
        result = evaluate_predictions(
            judged.data,
            judged.proba,
            judged.classes,
            skipped=skipped,
            seconds=seconds,
            random_state=random_state,
            scores=scores if judged.classes == classes else None,
            n_seen=n_seen,
            costs=costs if judged.classes == classes else None,
        )
        return _with_taxa(result, judged)
    labels = np.asarray([label or "" for label in data.labels or ()])
    code = {name: i for i, name in enumerate(classes)}
    y_true = np.array([code.get(label, -1) for label in labels], np.int64)
    if (y_true < 0).all():
        known, found = ", ".join(classes[:5]), ", ".join(data.classes[:5])
        raise DataError(
            f"{data.origin}: none of its classes is one of the model's. The model knows {known} ...; found {found} ..."
        )
    evaluation = replace(evaluate(y_true, proba, classes, random_state=random_state or 0), n_seen=n_seen)
    notes = [*data.notes]
    if unknown := sorted(set(labels[y_true < 0])):
        notes.append(f"classes that the model does not know: {', '.join(unknown[:10])}")
    return EvaluationResult(
        evaluation,
        data.names,
        labels,
        proba,
        classes,
        skipped,
        tuple(notes),
        seconds,
        () if scores is None else _coverages(scores, proba, y_true),
        costs=None if costs is None else measure_costs(costs, proba[y_true >= 0], y_true[y_true >= 0]),
    )


def _with_taxa(found: EvaluationResult, judged: JudgedInTree) -> EvaluationResult:
    if judged.taxa is None:
        return found
    figures = (*found.evaluation.metrics, *judged.taxa.figures)
    evaluation = replace(found.evaluation, metrics=figures)
    return replace(found, evaluation=evaluation, taxa=judged.taxa, notes=(*found.notes, *judged.notes))


def evaluate_label_sets(
    data: Dataset,
    proba: NDArray[np.float32],
    thresholds: Thresholds,
    *,
    skipped: tuple[SkippedImage, ...] = (),
    seconds: float = 0.0,
    random_state: int | None = 0,
    scores: LabelScores | None = None,
    n_seen: int = 0,
) -> EvaluationResult:
    """Hold probabilities against label sets; the model's labels are the thresholds' names.

    Labels that the data does not speak of are unknown, and labels that the model does not know are left out and named.
    """
    from genus.metrics.labels import evaluate_labels

    names, found = thresholds.names, as_label_sets(data)
    truth = found.aligned(names)
    if not (truth >= 0).any():
        raise DataError(
            f"{data.origin}: none of its labels is one of the model's. The model knows {', '.join(names[:5])} ...; "
            f"found {', '.join(found.names[:5])} ..."
        )
    evaluation = evaluate_labels(
        truth, proba, names, np.asarray(thresholds.values), random_state=random_state
    )
    notes = [*data.notes]
    if unknown := [name for name in found.names if name not in names]:
        notes.append(f"labels that the model does not know: {', '.join(unknown[:10])}")
    if missing := [name for name in names if name not in found.names]:
        notes.append(f"labels of the model that the data says nothing about: {', '.join(missing[:10])}")
    coverages: tuple[Coverage, ...] = ()
    if scores is not None and (truth == 1).any():
        coverages = tuple(
            measure_label_coverage(
                scores.sets(proba, asked), truth, asked, unpromised=scores.n_unpromised(asked)
            )
            for asked in COVERAGES
        )
    return EvaluationResult(
        replace(evaluation, n_seen=n_seen),
        data.names,
        truth,
        proba,
        names,
        skipped,
        tuple(notes),
        seconds,
        coverages,
        thresholds,
    )


def as_label_sets(data: Dataset) -> LabelSets:
    """Return the labels as sets, one name each where an image has one class."""
    if data.label_sets is not None:
        return data.label_sets
    return LabelSets.of([None if label is None else (label,) for label in data.labels or ()])


def _coverages(
    scores: ConformalScores, proba: NDArray[np.float32], codes: NDArray[np.int64]
) -> tuple[Coverage, ...]:
    """Measure sets of names on the images whose class the model knows."""
    known = codes >= 0
    return tuple(
        measure_coverage(scores.sets(proba[known], asked), codes[known], asked) for asked in COVERAGES
    )
