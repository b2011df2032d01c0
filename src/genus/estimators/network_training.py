"""Training a network beside the heads on frozen features: the steps in order."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genus.classify.scores import gain
from genus.estimators.contest import Contest
from genus.estimators.few_training import has_few
from genus.estimators.learned import Learned
from genus.estimators.network_contest import (
    FROZEN,
    NETWORK,
    best_way,
    contestants,
    leaderboard_row,
    validation_folds,
    ways_to_classify,
    with_network,
    won_contest,
)
from genus.estimators.network_features import NetworkFeatures, fits_beside, network_features
from genus.estimators.network_options import NetworkOptions
from genus.estimators.network_plan import plan_network
from genus.estimators.network_result import NetworkResult
from genus.estimators.network_trainer import NetworkTrainer, TrainedNetwork
from genus.estimators.parity import N_IMAGES
from genus.features.feature_set import FeatureSet
from genus.features.runtime import Runtime
from genus.progress import Progress

if TYPE_CHECKING:
    from genus.cnn.processes import Team

Rows = NDArray[np.int64]
Seconds = Callable[[], float | None]

_WORSE = 1.25  # times the judged network's loss, above which one that learned again is not taken


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

    Raises
    ------
    MissingExtraError
        PyTorch is not installed.
    """
    from genus.cnn.networks import require_torch

    require_torch("Training a network")
    if has_few(contest.learned):
        note = "no network was trained: that takes more than a handful of images a class"
        return replace(contest, notes=(*contest.notes, note))
    learned, metric = contest.learned, contest.selection.metric
    validation, rows = divided(learned, contest.rows, contest.folds)
    trainer = make_trainer(learned, contest.feature_set, wish)
    trained = trainer.train(rows, validation, metric=metric, seconds=first_seconds(wish))
    entered = _judged(contest, trainer, trained, validation, wish)
    if not (entered.network_won and wish.refit):
        trainer.team.from_leader(None)  # nobody has to learn again
    said = [f"the network: {text}" for text in trained.history.notes]
    return replace(entered, notes=(*entered.notes, *said))


def first_seconds(wish: NetworkTraining) -> float | None:
    """Return the time for the first training, if there is a limit: half of what is left where a second one follows."""
    left = wish.seconds()
    return left / 2 if left is not None and wish.refit else left


def divided(learned: Learned, rows: Rows, folds: NDArray[np.int64]) -> tuple[Rows, Rows]:
    """Return the images that validate a network, one fold, and the training images that it learns from."""
    first = int(folds[folds >= 0].min())
    validation = rows[np.isin(rows, learned.train[folds == first])]
    return validation, learned.train[~np.isin(learned.train, validation)]


def make_trainer(learned: Learned, feature_set: FeatureSet, wish: NetworkTraining) -> NetworkTrainer:
    """Settle what is done with a network, and where."""
    from genus.cnn.devices import choose_place
    from genus.cnn.processes import Team

    options = wish.options
    place = choose_place(options.device, options.precision)  # type: ignore[arg-type]  # checked there
    plan = plan_network(options, learned, feature_set, on_processor=place.device.type == "cpu")
    return NetworkTrainer(
        learned,
        plan,
        options,
        feature_set,
        wish.runtime,
        seed=wish.random_state or 0,
        place=place,
        team=wish.team or Team(),
        progress=wish.progress,
    )


def _judged(
    contest: Contest,
    trainer: NetworkTrainer,
    trained: TrainedNetwork,
    validation: Rows,
    wish: NetworkTraining,
) -> Contest:
    learned, metric = contest.learned, contest.selection.metric
    truth, fold = learned.truth(validation), validation_folds(learned, validation, wish.random_state)
    alone, beside = _features(contest, trainer, trained, np.concatenate([validation, learned.test]), wish)
    ways = ways_to_classify(contest, trained, alone, beside, validation, fold)
    best = best_way(ways, truth, metric)
    rows = {
        way.name: leaderboard_row(
            way,
            trainer.plan,
            truth,
            fold,
            metric,
            seconds=trained.history.seconds,
            speed=alone.images_per_second,
        )
        for way in ways
        if way.name != FROZEN
    }
    every = (*contest.selection.leaderboard, *rows.values())
    board = tuple(sorted(every, key=lambda row: -gain(metric, row.score)))
    result = NetworkResult(
        name=trainer.plan.network,
        how=trainer.plan.how,
        size=trainer.plan.size,
        n_validation=len(validation),
        contestants=contestants(ways, truth, metric),
        chosen=best.name,
        history=trained.history.to_dict(),
        recipe=trainer.plan.recipe.to_dict(),
        images_per_second=alone.images_per_second,
    )
    if best.name == FROZEN:
        selection = replace(contest.selection, leaderboard=board)
        return replace(contest, selection=selection, network=result)

    def again(rows: Rows) -> Contest:
        return _trained_again(won, trainer, trained, rows, wish, alone=best.name == NETWORK, before=contest)

    won = won_contest(
        contest, best, board, rows[best.name], validation, fold, calibration=wish.calibration, again=again
    )
    return replace(won, network=result)


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


def _trained_again(
    won: Contest,
    trainer: NetworkTrainer,
    judged: TrainedNetwork,
    rows: Rows,
    wish: NetworkTraining,
    *,
    alone: bool,
    before: Contest,
) -> Contest:
    """Let the network learn from all images that may be learned from, by the recipe that was judged."""
    epochs = max(1, judged.history.best)
    trainer.team.from_leader((rows, epochs))
    trained = train_on_all(trainer, rows, epochs, won.selection.metric, seconds=wish.seconds())
    if not _is_as_good(trained, judged):
        note = "the network that was judged is kept: learning again from all images did not go as well"
        return replace(won, notes=(*won.notes, note))
    learned = before.learned
    some = np.concatenate([learned.test, learned.train])[:N_IMAGES]
    found = network_features(
        trainer.plan.network,
        trained,
        learned,
        some,
        beside=None if alone else before.feature_set,
        runtime=wish.runtime,
        progress=wish.progress,
    )
    return replace(
        won,
        learned=found.learned,
        feature_set=found.feature_set,
        selection=with_network(won.selection, trained),
    )


def train_on_all(
    trainer: NetworkTrainer, rows: Rows, epochs: int, metric: str, *, seconds: float | None
) -> TrainedNetwork:
    """Train on all images that may be learned from, for so many epochs; nothing is left to validate on."""
    nothing = np.zeros(0, np.int64)
    return trainer.train(rows, nothing, metric=metric, seconds=seconds, epochs=epochs, name=".all")


def _is_as_good(trained: TrainedNetwork, judged: TrainedNetwork) -> bool:
    """Say whether a second training went as the first one did."""
    if not trained.history.epochs or trained.history.stopped == "not finite":
        return False
    return trained.history.epochs[-1].loss <= _WORSE * judged.history.epochs[-1].loss
