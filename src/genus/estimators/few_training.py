"""Training on a handful of images a class: every image is learned from, and each is judged in turn."""

import time

import numpy as np
from numpy.typing import NDArray

from genus.classify.few import NEVER, few_shot_head, is_few, judge_beforehand
from genus.classify.leaderboard import Selection
from genus.classify.logistic import LogisticHead
from genus.classify.spreading_head import MAX_PILE, MOST_HELPED, SpreadingHead
from genus.data.dataset import Dataset
from genus.data.splits import stratified_folds
from genus.estimators.learned import Learned
from genus.estimators.result import IN_TURN
from genus.features.feature_set import FeatureSet
from genus.features.runtime import Runtime
from genus.features.stream import extract
from genus.judgement import EvaluationResult, evaluate_predictions
from genus.metrics.costs import Costs
from genus.metrics.evaluation import unmeasured
from genus.metrics.sure import SureTaxa
from genus.progress import Progress
from genus.wording import count

_MOST_FOLDS = 10


def has_few(learned: Learned) -> bool:
    """Say whether there are too few training images to compare classifiers on."""
    if learned.multilabel:
        return False
    return is_few(learned.codes[learned.train], learned.division.groups[learned.train])


def select_few(
    learned: Learned,
    metric: str,
    random_state: int | None,
    pile: NDArray[np.float32] | None = None,
    calibration: str = "auto",
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
    head = few_shot_head(learned.table.blocks)
    notes = [
        "few images a class: no classifiers were compared; this one was chosen beforehand, on other data"
    ]
    if pile is not None and len(pile):
        head, said = _with_pile(head, pile, codes, groups)
        notes.append(said)
    if calibration in ("platt", "isotonic"):
        notes.append(
            f"too few images a class to calibrate by {calibration}: one temperature is fitted instead"
        )
    selection = judge_beforehand(
        head, learned.table.X[train], codes, folds, metric=metric, calibration=calibration
    )
    judged = folds != NEVER
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


def pile_of(
    learned: Learned,
    unlabelled: Dataset | None,
    feature_set: FeatureSet,
    runtime: Runtime,
    progress: Progress,
) -> NDArray[np.float32] | None:
    """Return the features of images without labels, of many a sample; those of the training images are left out."""
    if unlabelled is None:
        return None
    sources = unlabelled.sources
    if len(sources) > MAX_PILE:
        kept = np.random.default_rng(0).choice(len(sources), MAX_PILE, replace=False)
        sources = tuple(sources[i] for i in np.sort(kept))
    table = extract(sources, feature_set, runtime=runtime, progress=progress)
    known = set(learned.table.content_hashes)
    return table.X[[content not in known for content in table.content_hashes]]


def _with_pile(
    head: LogisticHead, pile: NDArray[np.float32], codes: NDArray[np.int64], groups: NDArray[np.int64]
) -> tuple[LogisticHead, str]:
    """Return the head that also learns from the pile, where that helps, and what to say."""
    n_units = len(np.unique(np.column_stack([codes, groups]), axis=0)) / (codes.max() + 1)
    if n_units > MOST_HELPED:
        return head, (
            f"{count(len(pile), 'unlabelled image')} not used: with more than {MOST_HELPED} images a class they do harm"
        )
    return SpreadingHead(
        **head.get_params(), pile=pile
    ), f"labels were spread to {count(len(pile), 'unlabelled image')}"


def judge_in_turn(
    learned: Learned,
    selection: Selection,
    rows: NDArray[np.int64],
    *,
    costs: Costs | None,
    sure: SureTaxa | None,
    random_state: int | None,
) -> EvaluationResult:
    """Evaluate the predictions that were made for each image without it; nothing is measured where there are none."""
    proba, begun = selection.proba, time.perf_counter()
    if not len(rows):
        reason = "no class has two different images, so that one could judge what was learned from the other"
        nothing = unmeasured(learned.classes, reason)
        return EvaluationResult(nothing, (), np.zeros(0, str), proba, learned.classes, (), (), 0.0)
    data = learned.data.take(rows)
    seconds = time.perf_counter() - begun
    return evaluate_predictions(
        data, proba, learned.classes, seconds=seconds, random_state=random_state, costs=costs, sure=sure
    )


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
