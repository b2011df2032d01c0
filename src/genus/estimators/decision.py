"""How probabilities become names, learned from out-of-fold predictions; and how the test images judge that."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.classify.fitted import FittedHead
from genus.estimators.contest import Contest
from genus.estimators.learned import Learned
from genus.estimators.taxonomy_training import find_tree
from genus.estimators.training_options import TrainingOptions
from genus.estimators.unknown_training import UnknownTraining, learn_unknown
from genus.judgement import EvaluationResult, evaluate_label_sets, evaluate_predictions
from genus.metrics.conformal import ConformalScores
from genus.metrics.costs import Costs
from genus.metrics.label_conformal import LabelScores
from genus.metrics.sure import SureTaxa
from genus.metrics.thresholds import Thresholds, tune_thresholds


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What turns probabilities into names, learned from out-of-fold predictions."""

    scores: ConformalScores | LabelScores
    thresholds: Thresholds | None = None
    sure: SureTaxa | None = None
    reading: str = ""
    notes: tuple[str, ...] = ()
    costs: Costs | None = None
    unknown: UnknownTraining | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what the model file keeps of it."""
        found: dict[str, Any] = {"conformal": self.scores.to_dict()}
        if self.costs is not None:
            found |= self.costs.to_dict()
        if self.sure is not None:
            found["taxonomy"] = {**self.sure.to_dict(), "reading": self.reading}
        if self.thresholds is not None:
            found |= {"multilabel": True, "thresholds": self.thresholds.to_dict()}
        return found


def decide(contest: Contest, frozen: Learned, costs: Costs | None, options: TrainingOptions) -> Decision:
    """Score the out-of-fold predictions, for sets of names; with several labels an image, tune the thresholds."""
    learned, selection, rows = contest.learned, contest.selection, contest.rows
    tree, notes = find_tree(options.taxonomy, learned)
    unknown = _unknown(contest, frozen) if options.memory else None
    if learned.values is not None:
        truth = learned.values[rows]
        thresholds = tune_thresholds(selection.proba, truth, learned.classes, options.aim)
        return Decision(LabelScores.of(selection.proba, truth), thresholds, unknown=unknown)
    proba = np.zeros((len(rows), len(learned.classes)), np.float32)
    proba[:, selection.classes] = selection.proba
    sure = None if tree is None else SureTaxa.of(tree, proba, learned.codes[rows])
    scores = ConformalScores.of(proba, learned.codes[rows])
    known = None if costs is None else costs.only(learned.classes)
    return Decision(
        scores, sure=sure, reading=options.taxonomy.reading, notes=notes, costs=known, unknown=unknown
    )


def _unknown(contest: Contest, frozen: Learned) -> UnknownTraining | None:
    """Learn to tell images of no known class, by frozen features: a network has seen its training images."""
    if not _keeps_frozen_features(contest):
        return None
    return learn_unknown(frozen, contest.frozen_folds)


def _keeps_frozen_features(contest: Contest) -> bool:
    """Say whether the winner reads frozen features; they are its first columns."""
    return not contest.network_won or len(contest.feature_set.branches) > 1


def judge(
    learned: Learned, head: FittedHead, decision: Decision, options: TrainingOptions
) -> tuple[EvaluationResult, tuple[str, ...]]:
    """Evaluate on the test images, and say what duplicates among the training images did to the figure."""
    rows, start = learned.test, time.perf_counter()
    proba = head.predict_proba(learned.table.X[rows])
    seconds = time.perf_counter() - start
    result = _judged(learned, rows, proba, decision, seconds, options)
    leaked = learned.division.leaked[rows]
    if not leaked.any() or leaked.all():
        return result, ()
    clean = _judged(learned, rows[~leaked], proba[~leaked], decision, 0.0, options).evaluation.metrics[0]
    return result, (
        f"{int(leaked.sum())} test images have a duplicate among the training images (or share its group); "
        f"without them the {clean.label.lower()} is {clean.value:.1%}",
    )


def _judged(
    learned: Learned,
    rows: NDArray[np.int64],
    proba: NDArray[np.float32],
    decision: Decision,
    seconds: float,
    options: TrainingOptions,
) -> EvaluationResult:
    data, seed = learned.data.take(rows), options.random_state
    if isinstance(decision.scores, LabelScores) and decision.thresholds is not None:
        result = evaluate_label_sets(
            data, proba, decision.thresholds, seconds=seconds, random_state=seed, scores=decision.scores
        )
    else:
        scores = decision.scores if isinstance(decision.scores, ConformalScores) else None
        result = evaluate_predictions(
            data,
            proba,
            learned.classes,
            seconds=seconds,
            random_state=seed,
            scores=scores,
            sure=decision.sure,
            costs=decision.costs,
        )
    return (
        result if decision.unknown is None else decision.unknown.judged(result, learned, rows, decision.sure)
    )
