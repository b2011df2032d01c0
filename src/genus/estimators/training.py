"""Training, step by step: features, division, selection, judgement, refit, model file."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from genus.classify.calibration_choice import check_calibration
from genus.classify.fitted import FittedHead, fit_final
from genus.classify.learning_curve import LearningCurve
from genus.classify.selection import select
from genus.data.dataset import Dataset
from genus.errors import ParameterError
from genus.estimators.contest import Contest
from genus.estimators.curve_training import curve_of, training_folds
from genus.estimators.data_warnings import data_warnings
from genus.estimators.decision import Decision, decide, judge
from genus.estimators.few_training import has_few, is_judged_in_turn, judge_in_turn, pile_of, select_few
from genus.estimators.final_model import refit, write_model
from genus.estimators.label_training import metric_of
from genus.estimators.learned import Learned, folds_of, learn_features
from genus.estimators.network_options import NetworkOptions
from genus.estimators.network_plan import check_network
from genus.estimators.network_team import help_training, team_of
from genus.estimators.network_training import NetworkTraining, enter_network
from genus.estimators.parity import parity_note
from genus.estimators.result import TrainingResult
from genus.estimators.training_options import TrainingOptions
from genus.estimators.uncalibrated import uncalibrated_bins
from genus.features.feature_set import FeatureSet
from genus.judgement import EvaluationResult
from genus.metrics.costs import Costs
from genus.metrics.thresholds import Aim
from genus.model_file import ModelFile
from genus.progress import SILENT, Progress

if TYPE_CHECKING:
    from genus.cnn.processes import Team


_KEPT = 1.1  # of the time budget; beyond that it was not kept


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
    with team_of(options.network) as team:
        if team is None:
            return _train(dataset, options, costs, progress)
        found = None
        if team.leads:
            found = _train(dataset, options, costs, progress, team)
        else:
            _help(dataset, options, team)
        shared: tuple[ModelFile, TrainingResult] = team.from_leader(found)
        return shared


def _train(
    dataset: Dataset,
    options: TrainingOptions,
    costs: Costs | None,
    progress: Progress,
    team: "Team | None" = None,
) -> tuple[ModelFile, TrainingResult]:
    clock = _Clock()
    with clock.stage("features"):
        frozen = _features(dataset, options, progress)
        if team is not None:
            team.wait()  # the others find the features in the cache
    with clock.stage("selection"):
        contest = frozen_contest = _select(frozen, options, clock, progress)
    if options.network is not None:
        with clock.stage("network"):
            contest = enter_network(contest, _network_training(options, clock, progress, team))
    learned, selection = contest.learned, contest.selection
    notes = [*contest.notes, *_features_note(contest), *data_warnings(frozen, frozen_contest)]
    with clock.stage("evaluation"):
        judged = fit_final(selection, learned.table.X[learned.train], learned.y[learned.train])
        decision = decide(contest, frozen, costs, options)
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
            test, more = judge(learned, judged, decision, options)
            notes += more
    with clock.stage("refit"):
        final = refit(contest, judged, options)
    with clock.stage("learning curve"):
        curve = _curve(contest, len(final.rows), options, clock)
    with clock.stage("model file"):
        model, parity = write_model(final, frozen, decision, test, options)
        if curve is not None:
            model = model.with_details(learning_curve=curve.to_dict())
    clock.seconds["total"] = clock.elapsed
    notes = [*learned.notes, *notes, *final.notes, *decision.notes, *parity_note(parity)]
    notes += _time_note(options.time_budget, clock.seconds)
    return model, _result(contest, judged, test, notes, model, clock, curve, decision)


def _time_note(budget: float | None, seconds: dict[str, float]) -> Iterator[str]:
    """Say so where the time budget was not enough for what cannot be left out."""
    total = seconds["total"]
    if budget is None or total < _KEPT * budget + 1:
        return
    longest = max(seconds.keys() - {"total"}, key=lambda stage: seconds[stage])
    yield (
        f"it took {total:.0f} s, not the {budget:g} s that were wanted: no less can be done; {longest} took "
        f"{seconds[longest]:.0f} s"
    )


def _result(
    contest: Contest,
    judged: FittedHead,
    test: EvaluationResult,
    notes: Sequence[str],
    model: ModelFile,
    clock: _Clock,
    curve: LearningCurve | None,
    decision: Decision,
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
        # a network that has won goes on with all images: the file's features are no longer those that were judged
        judged=None if is_judged_in_turn(learned) or contest.network_won else judged,
        network=contest.network,
    )


def _help(dataset: Dataset, options: TrainingOptions, team: "Team") -> None:
    """Do this process's share of another one's training: the network."""
    team.wait()
    clock, learned = _Clock(), _features(dataset, options, SILENT)
    rows, folds, _ = folds_of(learned, options.random_state)
    metric = metric_of(options.metric, multilabel=learned.multilabel)
    wish = _network_training(options, clock, SILENT, team)
    every = training_folds(learned, rows, folds)
    help_training(learned, options.feature_set, rows, every, metric, wish)


def _network_training(
    options: TrainingOptions, clock: _Clock, progress: Progress, team: "Team | None"
) -> NetworkTraining:
    def left() -> float | None:
        return None if options.time_budget is None else options.time_budget - clock.elapsed

    return NetworkTraining(
        options.network or NetworkOptions(),
        options.runtime,
        options.calibration,
        options.random_state,
        options.refit,
        left,
        progress,
        team,
        options.class_weight,
    )


def _check(dataset: Dataset, options: TrainingOptions) -> Costs | None:
    """Check before the work what cannot work; returns the costs."""
    Aim.parse(options.aim)
    check_calibration(options.calibration, several=dataset.is_multilabel)
    if options.network is not None:
        check_network(options.network, len(dataset.classes))
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
    if selection.stopped_early:
        notes.append(f"the time budget left untried: {', '.join(selection.not_tried)}")
    every = training_folds(learned, rows, folds)
    return Contest(learned, options.feature_set, selection, rows, every, tuple(notes))


def _features_note(contest: Contest) -> list[str]:
    """Say which features the winner does without."""
    blocks = [block.name for block in contest.learned.table.blocks]
    use: Sequence[int] | None = contest.selection.winner_row.params.get("use")
    if not use:
        return []
    unused = [name for i, name in enumerate(blocks) if i not in use]
    if len(unused) < len(use):
        return [f"the winner does without the features {', '.join(unused)}"]
    return [f"the winner uses the features {', '.join(blocks[i] for i in use)} only"]


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
