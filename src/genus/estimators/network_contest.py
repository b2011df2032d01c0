"""A network against the heads on frozen features, on images that neither has learned from; and both together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.classify.calibrated_head import CalibratedHead
from genus.classify.calibration_choice import LEAST_ROWS, choose_calibration
from genus.classify.ensemble import EnsembleHead
from genus.classify.few import NEVER
from genus.classify.given_head import GivenLinearHead
from genus.classify.leaderboard import LeaderboardRow, Selection
from genus.classify.mixing import LEAST_SHARE, mix
from genus.classify.scores import gain
from genus.classify.truth import ABSENT, Scaling, Truth
from genus.data.splits import stratified_folds
from genus.estimators.contest import Contest
from genus.estimators.learned import Learned
from genus.estimators.network_features import NetworkFeatures
from genus.estimators.network_result import BOTH, FROZEN, NETWORK, Contestant, NetworkResult
from genus.estimators.network_trainer import TrainedNetwork

_FOLDS = 5  # of the validation images, for calibration and shares
_CLEARLY = 2.0  # standard errors
_ROW_NAMES = {FROZEN: "", NETWORK: "network", BOTH: "network and features"}

Rows = NDArray[np.int64]
Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Judges:
    """The validation images, on which the ways are compared.

    Attributes
    ----------
    rows : (m,) int64
    truth : Truth
        Of these images.
    fold : (m,) int64
        What is fitted for an image's sake is fitted on the other folds.
    metric : str
    """

    rows: Rows
    truth: Truth
    fold: NDArray[np.intp]
    metric: str

    @classmethod
    def of(cls, learned: Learned, rows: Rows, metric: str, random_state: int | None) -> "Judges":
        """Deal the images into folds; groups are torn apart only where there is a single one."""
        keys, groups = [learned.table.content_hashes[i] for i in rows], learned.division.groups[rows]
        if len(np.unique(groups)) == 1:
            groups = np.arange(len(rows))
        n_folds = min(_FOLDS, max(2, len(np.unique(groups))))
        fold = stratified_folds(learned.y[rows], keys, groups, n_folds=n_folds, random_state=random_state)
        return cls(rows, learned.truth(rows), np.asarray(fold, np.intp), metric)

    def scaling(self, raw: Logits) -> Scaling:
        """Return what turns a network's scores into calibrated logits; of few images nothing can be learned."""
        return self.truth.scaling(raw) if len(self.truth) >= LEAST_ROWS else Scaling(1.0)

    def scaled(self, raw: Logits) -> Logits:
        """Return calibrated logits, those of an image by what the other folds say."""
        if len(self.truth) < LEAST_ROWS:
            return raw
        scaled = np.empty_like(raw)
        for f in np.unique(self.fold):
            rows = self.fold == f
            scaled[rows] = self.truth.take(~rows).scaling(raw[~rows]).apply(raw[rows])
        return scaled

    def score(self, logits: Logits) -> float:
        """Return the metric."""
        return self.truth.score(self.metric, logits)


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """One way to classify, as it did on the validation images.

    Attributes
    ----------
    name : str
        `FROZEN`, `NETWORK` or `BOTH`.
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

    @property
    def row_name(self) -> str:
        """What its row on the leaderboard is called."""
        return _ROW_NAMES[self.name]


def ways_to_classify(
    contest: Contest,
    trained: TrainedNetwork,
    alone: NetworkFeatures,
    beside: NetworkFeatures | None,
    judges: Judges,
) -> list[Way]:
    """List the frozen features' winner, the network, and a pool of both where that is a way of its own."""
    selection = contest.selection
    frozen = np.full((len(judges.rows), len(contest.learned.classes)), ABSENT, np.float32)
    frozen[:, selection.classes] = selection.logits[np.isin(contest.rows, judges.rows)]
    raw = _raw(trained, alone, judges.rows)
    network = GivenLinearHead(trained.coef, trained.intercept, alone.start)
    ways = [
        Way(FROZEN, selection.winner, frozen, frozen),
        Way(NETWORK, network, raw, judges.scaled(raw), alone),
    ]
    if beside is not None:
        ways += _both(contest, trained, frozen, beside, judges)
    return ways


def _both(
    contest: Contest, trained: TrainedNetwork, frozen: Logits, beside: NetworkFeatures, judges: Judges
) -> list[Way]:
    """Return the way of both together; none where one of the two would have next to no share in it."""
    selection, truth = contest.selection, judges.truth
    raw = _raw(trained, beside, judges.rows)
    columns, n_classes = np.asarray(selection.classes), len(contest.learned.classes)
    network = judges.scaled(raw)
    pair = [_completed(frozen, network, columns, several=truth.several), network]
    pooled, weights = mix(pair, truth, judges.fold, "logarithmic")
    shares = weights * [_spread(logits, several=truth.several) for logits in pair]
    shares /= shares.sum()
    if shares.min() < LEAST_SHARE:
        return []
    mapping, scaling = selection.calibration.mapping, judges.scaling(raw)
    if len(columns) < n_classes:  # some classes were too rare to be compared on
        mapping = mapping.widened(columns, n_classes)
    head = EnsembleHead(
        heads=[
            CalibratedHead(selection.winner, mapping, beside.start),
            GivenLinearHead(trained.coef, trained.intercept, beside.start),
        ],
        weights=weights.tolist(),
        temperatures=[1.0, 1 / scaling.scale],
        biases=[0.0, scaling.bias] if truth.several else None,
        pool="logarithmic",
    )
    return [Way(BOTH, head, pooled, judges.scaled(pooled), beside, tuple(shares.tolist()))]


def _spread(logits: Logits, *, several: bool) -> float:
    """Return how much logits differ from image to image: those of a network that knows nothing are all alike."""
    own = logits if several else logits - logits.mean(axis=1, keepdims=True)
    return float((own - own.mean(axis=0)).std()) + 1e-9


def _completed(frozen: Logits, network: Logits, columns: NDArray[np.intp], *, several: bool) -> Logits:
    """Let the network say how probable the classes are that no head on frozen features was compared on."""
    rare = np.setdiff1d(np.arange(frozen.shape[1]), columns)
    if not len(rare):
        return frozen
    complete, other = (
        logits if several else logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        for logits in (frozen, network)
    )
    complete = complete.copy()
    complete[:, rare] = other[:, rare]
    return complete


def best_way(ways: Sequence[Way], judges: Judges) -> Way:
    """Return the one with the least log-loss of those that are not clearly worse than the best by the metric.

    Clearly: by more than two standard errors of the difference, image by image. The metric of a few hundred images
    says little about ways that differ in a few of their answers; how sure they are of all says more. A network alone
    must in any case be no worse than the frozen features; a pool has these in it.
    """
    truth, metric = judges.truth, judges.metric
    gains = [truth.gains(metric, way.logits) for way in ways]
    first = int(np.argmax([gain(metric, judges.score(way.logits)) for way in ways]))
    close = []
    for way, own in zip(ways, gains, strict=True):
        behind, before = gains[first] - own, gains[0] - own  # the frozen features come first
        if way.name == NETWORK and before.mean() > 0:
            continue
        if behind.mean() <= _CLEARLY * behind.std() / np.sqrt(len(behind)):
            close.append(way)
    return min(close, key=lambda way: truth.log_loss(way.logits))


def won_contest(
    contest: Contest,
    way: Way,
    features: NetworkFeatures,
    row: LeaderboardRow,
    judges: Judges,
    calibration: str,
) -> Contest:
    """Return the contest that a way with a network has won, but for `again` (see `Contest`)."""
    chosen, calibrated = choose_calibration(way.raw, judges.truth, judges.fold, calibration)
    folds = np.full(len(contest.folds), NEVER, np.int64)
    folds[np.isin(contest.learned.train, judges.rows)] = judges.fold
    selection = replace(
        contest.selection,
        winner=way.head,
        winner_row=row,
        classes=np.arange(len(contest.learned.classes)),
        logits=calibrated,
        calibration=chosen,
        score_nested=row.score,
    )
    return replace(
        contest,
        learned=features.learned,
        feature_set=features.feature_set,
        selection=selection,
        rows=judges.rows,
        folds=folds,
        own_folds=contest.folds,
    )


def with_network(selection: Selection, trained: TrainedNetwork) -> Selection:
    """Return a selection whose winner contains another training of its network."""

    def exchanged(head: Any) -> Any:
        if isinstance(head, GivenLinearHead):
            return GivenLinearHead(trained.coef, trained.intercept, head.start)
        return head

    winner = selection.winner
    if isinstance(winner, EnsembleHead):
        parts = [exchanged(head) for head in winner.heads or ()]
        return replace(selection, winner=EnsembleHead(**{**winner.get_params(deep=False), "heads": parts}))
    return replace(selection, winner=exchanged(winner))


def contestant(way: Way, judges: Judges) -> Contestant:
    """Return the figures of a way."""
    return Contestant(way.name, judges.score(way.logits), judges.truth.log_loss(way.logits), way.shares)


def leaderboard_row(way: Way, judges: Judges, result: NetworkResult) -> LeaderboardRow:
    """Return the row of a way with a network; its spread is that of scores on as many images as judged it."""
    truth, gains = judges.truth, judges.truth.gains(judges.metric, way.logits)
    return LeaderboardRow(
        name=way.row_name,
        params={"network": result.name, "size": result.size},
        score=judges.score(way.logits),
        spread=float(gains.std() / np.sqrt(len(gains))),
        log_loss=truth.log_loss(way.logits),
        fit_seconds=result.seconds,
        predict_images_per_second=result.images_per_second,
        n_fits=1,
        note=f"on {result.n_validation:,} validation images",
        **truth.figures(way.logits),
    )


def _raw(trained: TrainedNetwork, features: NetworkFeatures, rows: Rows) -> Logits:
    X = features.learned.table.X[rows, features.start :]
    return np.asarray(X @ trained.coef.T + trained.intercept, np.float32)
