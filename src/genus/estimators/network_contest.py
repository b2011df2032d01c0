"""A network against the heads on frozen features, on images that neither has learned from; and both together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.classify.calibrated_head import CalibratedHead
from genus.classify.calibration_choice import choose_calibration
from genus.classify.ensemble import EnsembleHead
from genus.classify.given_head import GivenLinearHead
from genus.classify.leaderboard import LeaderboardRow, Selection
from genus.classify.mixing import mix
from genus.classify.scores import gain
from genus.classify.truth import ABSENT, Truth
from genus.data.splits import stratified_folds
from genus.estimators.contest import Contest
from genus.estimators.learned import Learned
from genus.estimators.network_features import NetworkFeatures
from genus.estimators.network_plan import NetworkPlan
from genus.estimators.network_result import Contestant
from genus.estimators.network_trainer import TrainedNetwork

FROZEN, NETWORK, BOTH = "frozen features", "network", "both"
_FOLDS = 5  # of the validation images, for calibration and shares
_CLEARLY = 2.0  # standard errors
_LEAST_A_CLASS = 5  # images, for a calibration of each class by itself

Rows = NDArray[np.int64]
Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """One way to classify, as it did on the validation images.

    Attributes
    ----------
    name : str
        "frozen features", "network" or "both".
    head : head
        Unfitted; what makes the logits.
    raw : (m, c) float32
        The head's logits.
    logits : (m, c) float32
        Calibrated.
    features : NetworkFeatures or None
        What it reads; None for the frozen features.
    shares : tuple of float
        Of the mixture, where it is one.
    """

    name: str
    head: Any
    raw: Logits
    logits: Logits
    features: NetworkFeatures | None = None
    shares: tuple[float, ...] = ()


def ways_to_classify(
    contest: Contest,
    trained: TrainedNetwork,
    alone: NetworkFeatures,
    beside: NetworkFeatures | None,
    validation: Rows,
    fold: NDArray[np.int64],
) -> list[Way]:
    """List the frozen features' winner, the network, and a mixture of both where one is possible."""
    learned, selection = contest.learned, contest.selection
    truth = learned.truth(validation)
    judged = np.isin(contest.rows, validation)
    frozen = np.full((len(validation), len(learned.classes)), ABSENT, np.float32)
    frozen[:, selection.classes] = selection.logits[judged]
    ways = [Way(FROZEN, selection.winner, frozen, frozen)]
    raw = _raw(trained, alone, validation)
    network = GivenLinearHead(trained.coef, trained.intercept, alone.start)
    ways.append(Way(NETWORK, network, raw, truth.scaling(raw).apply(raw), alone))
    if beside is None:
        return ways
    raw = _raw(trained, beside, validation)
    scaling = truth.scaling(raw)
    mixed, shares = mix([frozen, scaling.apply(raw)], truth, fold)
    columns, n_classes = np.asarray(selection.classes), len(learned.classes)
    mapping = selection.calibration.mapping
    if len(columns) < n_classes:
        mapping = mapping.widened(columns, n_classes)
    members = [
        CalibratedHead(selection.winner, mapping),
        GivenLinearHead(trained.coef, trained.intercept, beside.start),
    ]
    both = EnsembleHead(
        heads=members,
        weights=shares.tolist(),
        temperatures=[1.0, 1 / scaling.scale],
        biases=[0.0, scaling.bias] if truth.several else None,
    )
    return [*ways, Way(BOTH, both, mixed, mixed, beside, tuple(shares.tolist()))]


def best_way(ways: Sequence[Way], truth: Truth, metric: str) -> Way:
    """Return the one with the least log-loss of those that are not clearly worse than the best by the metric.

    Clearly: by more than two standard errors of the difference, image by image. The metric of a few hundred images
    says little about ways that differ in a few of their answers; how sure they are of all says more.
    """
    gains = [truth.gains(metric, way.logits) for way in ways]
    first = int(np.argmax([gain(metric, truth.score(metric, way.logits)) for way in ways]))
    close = []
    for way, own in zip(ways, gains, strict=True):
        behind = gains[first] - own
        if behind.mean() <= _CLEARLY * behind.std() / np.sqrt(len(behind)):
            close.append(way)
    return min(close, key=lambda way: truth.log_loss(way.logits))


def won_contest(
    contest: Contest,
    way: Way,
    board: tuple[LeaderboardRow, ...],
    row: LeaderboardRow,
    validation: Rows,
    fold: NDArray[np.int64],
    *,
    calibration: str,
    again: Callable[[Rows], Contest],
) -> Contest:
    """Return the contest that a way with a network has won."""
    learned = contest.learned
    if way.features is None:
        return contest
    truth = learned.truth(validation)
    chosen, calibrated = choose_calibration(
        way.raw, truth, np.asarray(fold, np.intp), _possible(calibration, truth, len(learned.classes))
    )
    folds = np.full(len(contest.folds), -1, np.int64)
    folds[np.isin(learned.train, validation)] = fold
    selection = replace(
        contest.selection,
        leaderboard=board,
        winner=way.head,
        winner_row=row,
        classes=np.arange(len(learned.classes)),
        logits=calibrated,
        calibration=chosen,
        score_nested=row.score,
    )
    return Contest(
        way.features.learned,
        way.features.feature_set,
        selection,
        validation,
        folds,
        contest.notes,
        own_folds=contest.folds,
        again=again,
    )


def with_network(selection: Selection, trained: TrainedNetwork) -> Selection:
    """Return a selection whose winner contains another training of its network."""

    def exchanged(head: Any) -> Any:
        if isinstance(head, GivenLinearHead):
            return GivenLinearHead(trained.coef, trained.intercept, head.start)
        return head

    winner = selection.winner
    if isinstance(winner, EnsembleHead):
        parameters = winner.get_params(deep=False)
        return replace(
            selection,
            winner=EnsembleHead(**{**parameters, "heads": [exchanged(one) for one in winner.heads or ()]}),
        )
    return replace(selection, winner=exchanged(winner))


def validation_folds(learned: Learned, validation: Rows, random_state: int | None) -> NDArray[np.int64]:
    """Deal the validation images into folds."""
    keys = [learned.table.content_hashes[i] for i in validation]
    groups = learned.division.groups[validation]
    n_folds = min(_FOLDS, max(2, len(np.unique(groups)) // 2))
    return stratified_folds(learned.y[validation], keys, groups, n_folds=n_folds, random_state=random_state)


def contestants(ways: Sequence[Way], truth: Truth, metric: str) -> tuple[Contestant, ...]:
    """Return the figures of each way."""
    return tuple(
        Contestant(way.name, truth.score(metric, way.logits), truth.log_loss(way.logits), way.shares)
        for way in ways
    )


def leaderboard_row(
    way: Way,
    plan: NetworkPlan,
    truth: Truth,
    fold: NDArray[np.int64],
    metric: str,
    *,
    seconds: float,
    speed: float,
) -> LeaderboardRow:
    """Return the row of a way with a network."""
    scores = [truth.take(fold == f).score(metric, way.logits[fold == f]) for f in np.unique(fold)]
    mixed = " + ".join(
        f"{share:.2f} {name}" for share, name in zip(way.shares, (FROZEN, NETWORK), strict=False)
    )
    note = f"judged on {len(truth)} validation images"
    return LeaderboardRow(
        name="network" if way.name == NETWORK else "network and features",
        params={"network": plan.network, "size": plan.size},
        score=truth.score(metric, way.logits),
        spread=float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0,
        log_loss=truth.log_loss(way.logits),
        fit_seconds=seconds,
        predict_images_per_second=speed,
        n_fits=1,
        note=f"{note}; {mixed}" if mixed else note,
        **truth.figures(way.logits),
    )


def _raw(trained: TrainedNetwork, features: NetworkFeatures, rows: Rows) -> Logits:
    X = features.learned.table.X[rows, features.start :]
    return np.asarray(X @ trained.coef.T + trained.intercept, np.float32)


def _possible(calibration: str, truth: Truth, n_classes: int) -> str:
    """Return the calibration for so few images: of rare classes nothing can be fitted for each by itself."""
    if calibration != "auto" or truth.several:
        return calibration
    counts = np.bincount(truth.y, minlength=n_classes)
    return "auto" if counts.min() >= _LEAST_A_CLASS else "temperature"
