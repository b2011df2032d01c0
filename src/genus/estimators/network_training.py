"""Training a network beside the heads on frozen features: the steps in order."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genus.classify.scores import gain
from genus.estimators.contest import Contest
from genus.estimators.few_training import has_few
from genus.estimators.learned import Learned
from genus.estimators.network_contest import (
    Judges,
    Way,
    best_way,
    contestant,
    leaderboard_row,
    ways_to_classify,
    with_network,
    won_contest,
)
from genus.estimators.network_features import NetworkFeatures, fits_beside, network_features
from genus.estimators.network_options import NetworkOptions
from genus.estimators.network_plan import Material, plan_network
from genus.estimators.network_result import FROZEN, NetworkResult
from genus.estimators.network_trainer import NetworkTrainer, TrainedNetwork
from genus.estimators.parity import N_IMAGES
from genus.features.feature_set import FeatureSet
from genus.features.runtime import Runtime
from genus.progress import Progress

if TYPE_CHECKING:
    from genus.cnn.processes import Team

Rows = NDArray[np.int64]
Seconds = Callable[[], float | None]

_WORSE = 1.25  # times the judged network's loss, above which one that went on is not taken


@dataclass(frozen=True, slots=True, eq=False)
class NetworkTraining:
    """What training a network needs to know, beside the contest that it enters."""

    options: NetworkOptions
    runtime: Runtime
    calibration: str
    random_state: int | None
    refit: bool
    seconds: Seconds
    progress: Progress
    team: "Team | None" = None
    class_weight: str | None = None


def enter_network(contest: Contest, wish: NetworkTraining) -> Contest:
    """Train a network and see whether it is better than the frozen features, alone or with them.

    Parameters
    ----------
    contest : Contest
        Among heads on frozen features.
    wish : NetworkTraining

    Returns
    -------
    Contest
        With the network on the leaderboard; the frozen features' winner stays if nothing is better.
    """
    if has_few(contest.learned):
        return _noted(contest, "no network was trained: that takes more than a handful of images a class")
    left = seconds_for_network(wish)
    if left is not None and left <= 0:
        return _noted(contest, "no network was trained: the time budget left nothing for it")
    begun = time.perf_counter()
    rows, validation = divided(contest.learned, contest.rows, contest.folds)
    trainer = make_trainer(contest.learned, contest.feature_set, wish)
    trained = trainer.train(rows, validation, metric=contest.selection.metric, seconds=left)
    seconds = time.perf_counter() - begun
    if trained.history.epochs:
        contest = _judged(contest, trainer, trained, rows, validation, wish, seconds)
    if not (contest.network_won and wish.refit):
        trainer.team.from_leader(None)  # nobody has to learn again
    return _noted(contest, *(f"the network: {text}" for text in (*trainer.notes, *trained.history.notes)))


def seconds_for_network(wish: NetworkTraining) -> float | None:
    """Return the time for the first training by the leader's clock: half of what is left where a second one follows.

    None if there is no limit.
    """
    left = wish.seconds()
    return own_team(wish).from_leader(left / 2 if left is not None and wish.refit else left)  # type: ignore[no-any-return]


def own_team(wish: NetworkTraining) -> "Team":
    """Return the processes that train together: most often this one alone."""
    from genus.cnn.processes import Team

    return wish.team or Team()


def divided(learned: Learned, rows: Rows, folds: NDArray[np.int64]) -> tuple[Rows, Rows]:
    """Return the training images that a network learns from, and one fold of those that are compared on to judge it.

    It is the fold with the most classes, or labels, in it; of such folds the one nearest to the usual size.
    """
    y, own = learned.y[rows], folds[folds >= 0]
    has = y == 1 if learned.multilabel else y[:, None] == np.unique(y)
    numbers = np.unique(own)
    usual = len(rows) / len(numbers)

    def merit(f: int) -> tuple[int, float]:
        return int(has[own == f].any(axis=0).sum()), -abs(int((own == f).sum()) - usual)

    validation = rows[own == max(numbers.tolist(), key=merit)]
    groups = learned.division.groups
    return learned.train[~np.isin(groups[learned.train], groups[validation])], validation


def make_trainer(learned: Learned, feature_set: FeatureSet, wish: NetworkTraining) -> NetworkTrainer:
    """Settle what is done with a network, and where."""
    options = wish.options
    place = options.place()
    material = Material.of(
        learned.table.infos,
        n_images=len(learned.train),
        n_classes=len(learned.classes),
        frozen_side=feature_set.size,
    )
    plan = plan_network(options, material, on_processor=place.device.type == "cpu")
    if wish.class_weight == "balanced":
        plan = replace(plan, recipe=replace(plan.recipe, class_weight="balanced"))
    return NetworkTrainer(
        learned,
        plan,
        options,
        feature_set,
        wish.runtime,
        seed=wish.random_state or 0,
        place=place,
        team=own_team(wish),
        progress=wish.progress,
    )


def _judged(
    contest: Contest,
    trainer: NetworkTrainer,
    trained: TrainedNetwork,
    rows: Rows,
    validation: Rows,
    wish: NetworkTraining,
    seconds: float,
) -> Contest:
    """Compare the ways; returns the contest with the network on the leaderboard, and as the winner if it is better."""
    learned, metric, plan = contest.learned, contest.selection.metric, trainer.plan
    judges = Judges.of(learned, validation, metric, wish.random_state)
    alone, beside = _features(
        contest, trainer, trained, np.concatenate([validation, _judging(learned)]), wish
    )
    ways = ways_to_classify(contest, trained, alone, beside, judges)
    best = best_way(ways, judges)
    is_deeper = trainer.prefix is not None and trained.backbone.prefix is None
    result = NetworkResult(
        name=plan.network,
        how=f"{plan.how}, then all of it" if is_deeper else plan.how,
        size=plan.size,
        metric=metric,
        head=contest.selection.winner_row.name,
        n_train=len(rows),
        n_validation=len(validation),
        contestants=tuple(contestant(way, judges) for way in ways),
        chosen=best.name,
        history=trained.history.to_dict(),
        recipe=plan.recipe.to_dict(),
        n_views=plan.n_views,
        seconds=round(seconds, 3),
        images_per_second=round(alone.images_per_second, 3),
    )
    contest = _on_the_board(replace(contest, network=result), ways, judges)
    if best.features is None:
        return contest
    row = next(row for row in contest.selection.leaderboard if row.name == best.row_name)
    won = won_contest(contest, best, best.features, row, judges, wish.calibration)
    again = partial(_learned_again, trainer=trainer, judged=trained, wish=wish, before=contest)
    return replace(won, again=again)


def _on_the_board(contest: Contest, ways: Sequence[Way], judges: Judges) -> Contest:
    """Return the contest with the ways that have a network on its leaderboard."""
    result, selection = contest.network, contest.selection
    if result is None:
        return contest
    rows = [leaderboard_row(way, judges, result) for way in ways if way.name != FROZEN]
    board = sorted((*selection.leaderboard, *rows), key=lambda row: -gain(judges.metric, row.score))
    return replace(contest, selection=replace(selection, leaderboard=tuple(board)))


def _judging(learned: Learned) -> Rows:
    """Return the images whose features the judgement, and a look at the finished file, need."""
    return np.union1d(learned.test, np.concatenate([learned.test, learned.train])[:N_IMAGES])


def _features(
    contest: Contest, trainer: NetworkTrainer, trained: TrainedNetwork, rows: Rows, wish: NetworkTraining
) -> tuple[NetworkFeatures, NetworkFeatures | None]:
    """Compute a network's embeddings of some images: by itself, and from the picture of the frozen networks."""

    def computed(beside: FeatureSet | None) -> NetworkFeatures:
        return network_features(
            trainer.plan.network,
            trained,
            contest.learned,
            rows,
            beside=beside,
            runtime=wish.runtime,
            progress=wish.progress,
        )

    frozen = contest.feature_set
    return computed(None), computed(frozen) if fits_beside(trained, frozen) else None


def _learned_again(
    won: Contest,
    rows: Rows,
    *,
    trainer: NetworkTrainer,
    judged: TrainedNetwork,
    wish: NetworkTraining,
    before: Contest,
) -> Contest:
    """Let the network go on with all images that may be learned from: those that have judged it among them."""
    n_epochs = judged.history.best
    trainer.team.from_leader((rows, n_epochs))
    metric = won.selection.metric
    trained = trainer.go_on(rows, metric=metric, n_epochs=n_epochs, seconds=wish.seconds())
    if not _is_as_good(trained, judged):
        return _noted(won, "the network that was judged is kept: going on with all images did not go as well")
    found = network_features(
        trainer.plan.network,
        trained,
        before.learned,
        _judging(before.learned),
        beside=before.feature_set if len(won.feature_set.branches) > 1 else None,
        runtime=wish.runtime,
        progress=wish.progress,
    )
    return replace(
        won,
        learned=found.learned,
        feature_set=found.feature_set,
        selection=with_network(won.selection, trained),
    )


def _is_as_good(trained: TrainedNetwork, judged: TrainedNetwork) -> bool:
    """Say whether going on went on from where the first training ended."""
    taken = judged.history.taken
    if taken is None or not trained.history.epochs or trained.history.stopped == "not finite":
        return False
    return trained.history.epochs[-1].loss <= _WORSE * taken.loss


def _noted(contest: Contest, *notes: str) -> Contest:
    return replace(contest, notes=(*contest.notes, *notes))
