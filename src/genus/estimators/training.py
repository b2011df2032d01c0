"""Training, step by step: features, division, selection, judgement, refit, model file."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.classify.calibration_choice import check_calibration
from genus.classify.fitted import FittedHead, fit_final
from genus.classify.learning_curve import LearningCurve
from genus.classify.selection import select
from genus.data.dataset import Dataset
from genus.data.taxonomies import TaxonomyWish
from genus.errors import ParameterError
from genus.estimators.adding import memory_of
from genus.estimators.contest import Contest
from genus.estimators.curve_training import curve_of, training_folds
from genus.estimators.few_training import has_few, is_judged_in_turn, judge_in_turn, pile_of, select_few
from genus.estimators.label_training import metric_of
from genus.estimators.learned import Learned, folds_of, learn_features
from genus.estimators.network_options import NetworkOptions
from genus.estimators.network_training import NetworkTraining, enter_network
from genus.estimators.parity import N_IMAGES, measure_parity, parity_note
from genus.estimators.provenance import data_hash, provenance_of
from genus.estimators.result import TrainingResult
from genus.estimators.taxonomy_training import find_tree
from genus.estimators.uncalibrated import uncalibrated_bins
from genus.estimators.unknown_training import UnknownTraining, learn_unknown
from genus.features.feature_set import FeatureSet
from genus.features.runtime import Runtime
from genus.judgement import EvaluationResult, evaluate_label_sets, evaluate_predictions
from genus.metrics.conformal import ConformalScores
from genus.metrics.costs import Costs
from genus.metrics.label_conformal import LabelScores
from genus.metrics.sure import SureTaxa
from genus.metrics.thresholds import Aim, Thresholds, tune_thresholds
from genus.model_file import ModelFile, build_model_file, image_marks
from genus.progress import SILENT, Progress


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """What training is told, beside the data (see `ImageClassifier`)."""

    feature_set: FeatureSet
    heads: str | Sequence[Any]
    metric: str = "auto"
    aim: str = "f1"
    costs: Any = None
    time_budget: float | None = None
    test_size: float = 0.2
    refit: bool = True
    class_weight: str | None = "auto"
    calibration: str = "auto"
    memory: bool = True
    unlabelled: Dataset | None = None
    runtime: Runtime = field(default_factory=Runtime)
    random_state: int | None = None
    command: str | None = None
    taxonomy: TaxonomyWish = field(default_factory=lambda: TaxonomyWish("auto"))
    network: NetworkOptions | None = None


class _Clock:
    """Adds up the seconds of each stage."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.start


def train(
    dataset: Dataset, options: TrainingOptions, *, progress: Progress = SILENT
) -> tuple[ModelFile, TrainingResult]:
    """Train on a labelled data set.

    Returns
    -------
    ModelFile, TrainingResult

    Raises
    ------
    DataError
        There are too few readable labelled images or classes.
    """
    costs = _check(dataset, options)
    clock = _Clock()
    with clock.stage("features"):
        frozen = _features(dataset, options, progress)
    with clock.stage("selection"):
        contest = _select(frozen, options, clock, progress)
    if options.network is not None:
        with clock.stage("network"):
            contest = enter_network(contest, _network_training(options, clock, progress))
    learned, selection, notes = contest.learned, contest.selection, list(contest.notes)
    with clock.stage("evaluation"):
        judged = fit_final(selection, learned.table.X[learned.train], learned.y[learned.train])
        decision = _decision(contest, frozen, costs, options)
        if is_judged_in_turn(learned):
            test = judge_in_turn(
                learned,
                selection,
                contest.rows,
                costs=costs,
                sure=decision.sure,
                random_state=options.random_state,
            )
        else:
            test, more = _judge(learned, judged, decision, options)
            notes += more
    with clock.stage("refit"):
        final = _refit(contest, judged, options)
    with clock.stage("learning curve"):
        curve = _curve(contest, len(final.rows), options, clock)
    with clock.stage("model file"):
        model, parity = _write(final, frozen, decision, test, options)
        if curve is not None:
            model = model.with_details(learning_curve=curve.to_dict())
    clock.seconds["total"] = clock.elapsed
    notes = [*learned.notes, *notes, *final.notes, *decision.notes, *parity_note(parity)]
    return model, _result(contest, judged, test, notes, model, clock, curve, decision)


def _result(
    contest: Contest,
    judged: FittedHead,
    test: EvaluationResult,
    notes: Sequence[str],
    model: ModelFile,
    clock: _Clock,
    curve: LearningCurve | None,
    decision: "_Decision",
) -> TrainingResult:
    learned, selection = contest.learned, contest.selection
    return TrainingResult(
        origin=learned.data.origin,
        n_images=len(learned.data),
        classes=learned.classes,
        counts=learned.data.counts(),
        n_train=len(learned.train),
        n_test=len(test.names),
        test_kind=learned.division.kind,
        metric=selection.metric,
        leaderboard=selection.leaderboard,
        winner=selection.winner_row,
        not_tried=selection.not_tried,
        test=test,
        skipped=learned.skipped,
        notes=tuple(notes),
        features=FeatureSet.from_dict(dict(model.features)).name,
        seconds={name: round(seconds, 3) for name, seconds in clock.seconds.items()},
        provenance=dict(model.details["provenance"]),
        parity=dict(model.details["parity"]),
        calibration=judged.calibration,
        uncalibrated=uncalibrated_bins(learned, judged),
        learning_curve=curve,
        left_out=() if decision.unknown is None else decision.unknown.left_out,
        network=contest.network,
    )


def _network_training(options: TrainingOptions, clock: _Clock, progress: Progress) -> NetworkTraining:
    def left() -> float | None:
        return None if options.time_budget is None else max(1.0, options.time_budget - clock.elapsed)

    return NetworkTraining(
        options.network or NetworkOptions(),
        options.runtime,
        options.calibration,
        options.random_state,
        options.refit,
        left,
        progress,
    )


def _check(dataset: Dataset, options: TrainingOptions) -> Costs | None:
    """Check before the work what cannot work; returns the costs."""
    Aim.parse(options.aim)
    check_calibration(options.calibration, several=dataset.is_multilabel)
    if options.costs is None:
        return None
    if dataset.is_multilabel:
        raise ParameterError(
            "costs are for one class an image; with several labels use the aim, such as cost=5."
        )
    return Costs.of(options.costs, dataset.classes)


def _features(dataset: Dataset, options: TrainingOptions, progress: Progress) -> Learned:
    return learn_features(
        dataset,
        options.feature_set,
        test_size=options.test_size,
        runtime=options.runtime,
        random_state=options.random_state,
        progress=progress,
        in_turn=isinstance(options.heads, str),  # heads that somebody named are compared
    )


def _select(learned: Learned, options: TrainingOptions, clock: _Clock, progress: Progress) -> Contest:
    """Cross-validate on the training images."""
    metric = metric_of(options.metric, multilabel=learned.multilabel)
    if isinstance(options.heads, str) and has_few(learned):
        pile = pile_of(learned, options.unlabelled, options.feature_set, options.runtime, progress)
        few = select_few(learned, metric, options.random_state, pile, options.calibration)
        return Contest(learned, options.feature_set, *few[:3], tuple(few[3]))
    rows, folds, notes = folds_of(learned, options.random_state)
    budget = None if options.time_budget is None else max(1e-3, options.time_budget - clock.elapsed)
    selection = select(
        learned.table.X[rows],
        learned.y[rows],
        folds,
        heads=options.heads,
        blocks=learned.table.blocks,
        metric=metric,
        time_budget=budget,
        class_weight=options.class_weight,  # type: ignore[arg-type]  # checked there
        calibration=options.calibration,
        random_state=options.random_state,
        progress=progress,
    )
    notes += selection.notes
    if options.unlabelled is not None:
        notes.append("the unlabelled images were not used: they help with up to 5 images a class only")
    if use := selection.winner_row.params.get("use"):
        notes.append(_features_note([block.name for block in learned.table.blocks], use))
    if selection.stopped_early:
        notes.append(f"the time budget left untried: {', '.join(selection.not_tried)}")
    every = training_folds(learned, rows, folds)
    return Contest(learned, options.feature_set, selection, rows, every, tuple(notes))


@dataclass(frozen=True, slots=True, eq=False)
class _Decision:
    """What turns probabilities into names, learned from out-of-fold predictions."""

    scores: ConformalScores | LabelScores
    thresholds: Thresholds | None = None
    sure: SureTaxa | None = None
    reading: str = ""
    notes: tuple[str, ...] = ()
    costs: Costs | None = None
    unknown: UnknownTraining | None = None

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {"conformal": self.scores.to_dict()}
        if self.costs is not None:
            found |= self.costs.to_dict()
        if self.sure is not None:
            found["taxonomy"] = {**self.sure.to_dict(), "reading": self.reading}
        if self.thresholds is not None:
            found |= {"multilabel": True, "thresholds": self.thresholds.to_dict()}
        return found


def _decision(contest: Contest, frozen: Learned, costs: Costs | None, options: TrainingOptions) -> _Decision:
    """Score the out-of-fold predictions, for sets of names; with several labels an image, tune the thresholds."""
    learned, selection, rows = contest.learned, contest.selection, contest.rows
    tree, notes = find_tree(options.taxonomy, learned)
    unknown = _unknown(contest, frozen) if options.memory else None
    if learned.values is not None:
        truth = learned.values[rows]
        thresholds = tune_thresholds(selection.proba, truth, learned.classes, options.aim)
        return _Decision(LabelScores.of(selection.proba, truth), thresholds, unknown=unknown)
    proba = np.zeros((len(rows), len(learned.classes)), np.float32)
    proba[:, selection.classes] = selection.proba
    sure = None if tree is None else SureTaxa.of(tree, proba, learned.codes[rows])
    scores = ConformalScores.of(proba, learned.codes[rows])
    known = None if costs is None else costs.only(learned.classes)
    return _Decision(
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


def _features_note(blocks: Sequence[str], use: Sequence[int]) -> str:
    unused = [name for i, name in enumerate(blocks) if i not in use]
    if len(unused) < len(use):
        return f"the winner does without the features {', '.join(unused)}"
    return f"the winner uses the features {', '.join(blocks[i] for i in use)} only"


def _judge(
    learned: Learned, head: FittedHead, decision: _Decision, options: TrainingOptions
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
    decision: _Decision,
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


@dataclass(frozen=True, slots=True, eq=False)
class _Final:
    """What goes into the file: fitted on `rows`."""

    contest: Contest
    rows: NDArray[np.int64]
    head: FittedHead
    notes: tuple[str, ...] = ()


def _refit(contest: Contest, judged: FittedHead, options: TrainingOptions) -> _Final:
    """Fit the winner on all images that may be learned from."""
    learned = contest.learned
    rows = np.flatnonzero(~learned.division.marked_test) if options.refit else learned.train
    rows = rows[learned.codes[rows] >= 0]
    if contest.again is not None and options.refit:
        known, contest = len(contest.notes), contest.again(rows)
        learned, notes = contest.learned, contest.notes[known:]
        return _Final(
            contest, rows, fit_final(contest.selection, learned.table.X[rows], learned.y[rows]), notes
        )
    if len(rows) == len(learned.train):
        return _Final(contest, rows, judged)
    return _Final(contest, rows, fit_final(contest.selection, learned.table.X[rows], learned.y[rows]))


def _curve(contest: Contest, n_final: int, options: TrainingOptions, clock: _Clock) -> LearningCurve | None:
    """Measure what more images would give; of a network that would take a training for each point."""
    if contest.network_won:
        return None
    left = float("inf") if options.time_budget is None else options.time_budget - clock.elapsed
    return curve_of(
        contest.learned,
        contest.selection,
        contest.folds,
        n_final=n_final,
        seconds_left=left,
        random_state=options.random_state,
    )


def _write(
    final: _Final, frozen: Learned, decision: _Decision, test: EvaluationResult, options: TrainingOptions
) -> tuple[ModelFile, dict[str, float]]:
    contest, head, rows = final.contest, final.head, final.rows
    learned, selection = contest.learned, contest.selection
    contents = learned.table.content_hashes
    details: dict[str, Any] = {
        "head": {
            "name": selection.winner_row.name,
            "params": {k: str(v) for k, v in selection.winner_row.params.items()},
            "n_stored_examples": head.n_stored_examples,
        },
        "metrics": test.evaluation.to_dict(),
        "leaderboard": [row.to_dict() for row in selection.leaderboard],
        "calibration": head.calibration.to_dict(),
        **decision.to_dict(),
        "counts": learned.data.counts(),
        "provenance": _provenance(learned, options),
        "learned_from": image_marks([contents[i] for i in rows]),
    }
    if contest.network is not None:
        details["network"] = contest.network.to_dict()
    if options.memory and not learned.multilabel and not contest.network_won:
        details |= memory_of(learned, rows)
    novelty = None
    if decision.unknown is not None:
        novelty = decision.unknown.finished(frozen, rows)
        details["unknown"] = decision.unknown.to_dict(len(novelty.rows))
    model = build_model_file(contest.feature_set, head, learned.classes, details, novelty)
    some = np.concatenate([learned.test, learned.train])[:N_IMAGES]
    sources = [learned.data.sources[i] for i in some]
    parity = measure_parity(model, head, learned.table.X[some], sources, options.runtime)
    return model.with_details(parity=parity), parity


def _provenance(learned: Learned, options: TrainingOptions) -> dict[str, Any]:
    return {
        **provenance_of(options.command, options.random_state),
        "data": learned.data.origin,
        "data_hash": data_hash(learned.table.content_hashes, learned.data),
        "n_images": len(learned.data),
        "split": {"kind": learned.division.kind, "n_train": len(learned.train), "n_test": len(learned.test)},
        "refit_on_all": options.refit,
    }
