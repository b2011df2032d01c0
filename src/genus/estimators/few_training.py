"""Training on a handful of images a class: every image is learned from, and each is judged in turn."""

import time

import numpy as np
from numpy.typing import NDArray

from genus.classify.few import NEVER, few_shot_head, is_few, judge_beforehand
from genus.classify.leaderboard import Selection
from genus.data.splits import stratified_folds
from genus.estimators.division import IN_TURN
from genus.estimators.learned import Learned
from genus.judgement import EvaluationResult, evaluate_predictions
from genus.metrics.costs import Costs
from genus.metrics.evaluation import unmeasured

_MOST_FOLDS = 10


def has_few(learned: Learned) -> bool:
    """Say whether there are too few training images to compare classifiers on."""
    if learned.multilabel:
        return False
    return is_few(learned.codes[learned.train], learned.division.groups[learned.train])


def select_few(
    learned: Learned, metric: str, random_state: int | None
) -> tuple[Selection, NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Take the classifier chosen beforehand, and judge each image by one that learned from the others.

    Returns
    -------
    selection : Selection
    rows : (k,) int64
        The images that were judged, in the order of `selection.logits`: all but those of classes with a single one.
    folds : (n_train,) int64
        The fold of each training image, `NEVER` for those that were not judged.
    notes : list of str
    """
    train = learned.train
    codes, groups = learned.codes[train], learned.division.groups[train]
    folds = _folds(learned, random_state)
    blocks = learned.table.blocks
    selection = judge_beforehand(few_shot_head(blocks), learned.table.X[train], codes, folds, metric=metric)
    judged = folds != NEVER
    notes = [
        "few images a class: no classifiers were compared; this one was chosen beforehand, on other data"
    ]
    if judged.any():
        per_fold = [len(np.unique(groups[folds != f])) for f in np.unique(folds[judged])]
        share = float(np.mean(per_fold)) / len(np.unique(groups))
        notes.append(
            f"the classifiers that judged learned from {share:.0%} of the images; the model has learned from all, "
            "so expect it to be as good or better"
        )
    alone = sorted(set(codes[~judged].tolist()))
    if alone and judged.any():
        names = ", ".join(learned.classes[c] for c in alone)
        notes.append(f"classes with a single image are learned but could not be judged: {names}")
    return selection, train[judged], folds, notes


def judge_in_turn(
    learned: Learned, selection: Selection, rows: NDArray[np.int64], costs: Costs | None, seed: int | None
) -> EvaluationResult:
    """Evaluate the predictions that were made for each image without it; nothing is measured where there are none."""
    proba, begun = selection.proba, time.perf_counter()
    if not len(rows):
        reason = "no class has two different images, so that one could judge what was learned from the other"
        nothing = unmeasured(learned.classes, reason)
        return EvaluationResult(nothing, (), np.zeros(0, str), proba, learned.classes, (), (), 0.0)
    data = learned.data.take(rows)
    seconds = time.perf_counter() - begun
    return evaluate_predictions(data, proba, learned.classes, seconds=seconds, random_state=seed, costs=costs)


def is_judged_in_turn(learned: Learned) -> bool:
    """Say whether no images were set aside."""
    return learned.division.kind == IN_TURN


def _folds(learned: Learned, random_state: int | None) -> NDArray[np.int64]:
    """Deal the training images into folds; those of classes with a single one are always learned from."""
    train = learned.train
    codes, groups = learned.codes[train], learned.division.groups[train]
    folds = np.full(len(train), NEVER, np.int64)
    n_units = np.array([len(np.unique(groups[codes == c])) for c in range(len(learned.classes))])
    several = n_units >= 2
    if not several.any():
        return folds
    rows = np.flatnonzero(several[codes])
    keys = [learned.table.content_hashes[i] for i in train[rows]]
    n_folds = int(np.clip(np.median(n_units[several]), 2, _MOST_FOLDS))
    folds[rows] = stratified_folds(
        codes[rows], keys, groups[rows], n_folds=n_folds, random_state=random_state
    )
    return folds
