"""Choose a head: compare candidates by cross-validation inside a time budget, then fit the winner on all rows."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.classify.calibration import fit_temperature
from genus.classify.candidates import DEFAULT_POWER, ENSEMBLES, POWERS, Candidate, first_candidates
from genus.classify.cost import cv_seconds, rows_per_second
from genus.classify.ensemble import EnsembleHead, greedy_shares, mixture_logits
from genus.classify.head import require_two_classes
from genus.classify.leaderboard import LeaderboardRow, Plan, PlannedCandidate, Selection
from genus.classify.normalize import chosen_blocks, require_finite
from genus.classify.scores import balanced_accuracy, check_metric, gain, log_loss, macro_f1, score
from genus.classify.workshop import Trial, Workshop, available_cores
from genus.errors import DataError
from genus.progress import SILENT, Progress

_MAX_ROWS = 10_000  # more rows cost time without changing which head is best
_UNEVEN = 1.5  # largest over smallest class from which class weights are tried
_MEMBERS = 4
_LEAST_SHARE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """Checked input of a search."""

    X: NDArray[np.float32]
    classes: NDArray[Any]
    codes: NDArray[np.intp]
    fold: NDArray[np.intp]
    rows: NDArray[np.intp]  # those that candidates are compared on
    level: str
    candidates: tuple[Candidate, ...]
    blocks: tuple[tuple[int, int], ...] | None
    weigh: bool
    notes: tuple[str, ...]


def select(
    X: ArrayLike,
    y: ArrayLike,
    folds: ArrayLike,
    *,
    heads: str | Sequence[Any] | None = None,
    blocks: Iterable[Any] | None = None,
    metric: str = "accuracy",
    time_budget: float | None = None,
    class_weight: Literal["auto", "balanced"] | None = "auto",
    random_state: int | None = 0,
    progress: Progress = SILENT,
    n_jobs: int | None = None,
) -> Selection:
    """Find the head, its settings and its features that classify rows best which it was not fitted on.

    Parameters
    ----------
    X : (n, d) array
        Features, made float32.
    y : (n,) array
        Labels of at least two classes.
    folds : (n,) int array
        For each row the fold that holds it out; at least two folds. Rows that belong together share a fold.
    heads : {"fast", "balanced", "best"}, sequence of names and heads, or None
        What to try; None means "balanced". A head given as an object is tried with its own settings.
    blocks : sequence of (start, stop) or of objects with `start` and `stop`, or None
        The columns that each backbone made; which of them to use is part of the search.
    metric : {"accuracy", "balanced_accuracy", "macro_f1", "log_loss"}, default "accuracy"
        What to compare by.
    time_budget : float or None
        Seconds after which nothing new is begun. At least one head is always tried.
    class_weight : {"auto", "balanced"} or None, default "auto"
        "auto" tries balanced weights where the largest class has more than 1.5 times the rows of the smallest, and
        keeps them if the metric improves.
    random_state : int or None, default 0
        Seed of everything random.
    progress : Progress
        Where to report to.
    n_jobs : int or None
        How many candidates to work on at once; None means one a core. Does not change the result.

    Returns
    -------
    Selection

    Raises
    ------
    DataError
        Features with NaN or inf, fewer than two classes or folds, lengths that differ.
    ParameterError
        An unknown head or metric, or blocks that do not fit.

    Notes
    -----
    Stages: all heads on the square-rooted features; the two best heads on otherwise normalised features; the best
    one on fewer blocks; the best ones with class weights; a mixture of the best. Costly heads are given up after
    one fold if that fold leaves no hope. More than 10,000 rows are represented by a stratified sample.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["cat", "dog"], 40)
    >>> X = np.maximum(rng.normal(size=(80, 32)) + (y == "cat")[:, None], 0)
    >>> selection = select(X, y, np.arange(80) % 5, heads="fast")
    >>> selection.winner_row.accuracy > 0.9, selection.logits.shape
    (True, (80, 2))
    """
    start = time.perf_counter()
    task = _checked(X, y, folds, heads, blocks, metric, class_weight, random_state)
    shop = Workshop(
        task.X[task.rows],
        task.codes[task.rows],
        task.fold[task.rows],
        metric,
        float("inf") if time_budget is None else start + time_budget,
        n_jobs or available_cores(),
    )
    _search(task, shop, progress)
    winner = shop.best()
    logits = winner.logits * winner.temperature
    if len(task.rows) < len(task.X):
        logits = _all_rows(task, shop, winner)
    calibration = fit_temperature(logits, task.codes)
    ranked = shop.rank(shop.trials)
    return Selection(
        metric=metric,
        leaderboard=tuple(_row(shop, trial) for trial in ranked),
        winner=winner.head(),
        winner_row=_row(shop, winner),
        classes=task.classes,
        logits=calibration.apply(logits).astype(np.float32),
        calibration=calibration,
        score_nested=_nested_score(shop),
        stopped_early=bool(shop.not_tried),
        not_tried=tuple(sorted(set(shop.not_tried))),
        notes=(*task.notes, *_remarks(winner)),
        seconds=time.perf_counter() - start,
    )


def plan(
    X: ArrayLike,
    y: ArrayLike,
    folds: ArrayLike,
    *,
    heads: str | Sequence[Any] | None = None,
    blocks: Iterable[Any] | None = None,
    class_weight: Literal["auto", "balanced"] | None = "auto",
    n_jobs: int | None = None,
) -> Plan:
    """Say what `select` would try with these arguments and how long that should take; fits nothing.

    Parameters
    ----------
    X, y, folds, heads, blocks, class_weight, n_jobs
        As for `select`.

    Returns
    -------
    Plan
        The candidates in their order. What depends on results is planned for the first heads.
    """
    task = _checked(X, y, folds, heads, blocks, "accuracy", class_weight, 0)
    planned = list(task.candidates)
    head = planned[0]
    for more in _variations(task, [head, head], [head.grid[0]] * 2):
        planned += more
    n, d = len(task.rows), task.X.shape[1]
    n_folds, n_classes = int(task.fold.max()) + 1, len(task.classes)
    rows = tuple(
        PlannedCandidate(c.name, c.grid, c.stage, cv_seconds(c.name, n, d, n_classes, n_folds, len(c.grid)))
        for c in planned
    )
    total = sum(row.expected_seconds for row in rows) / (n_jobs or available_cores())
    return Plan(rows, total, n)


def _search(task: _Task, shop: Workshop, progress: Progress) -> None:
    """Run all stages; the results are left in `shop`."""
    first = [replace(task.candidates[0], stage="first"), *task.candidates[1:]]
    shop.run([c for c in first if hasattr(c.template, "cv_logits") or c.stage == "first"], progress)
    # the costly ones after the others, whose results decide whether one fold of them is enough
    costly = [c for c in first[1:] if not hasattr(c.template, "cv_logits")]
    if costly:
        shop.run(costly, progress)
    for stage in range(3):
        leaders = _leaders(shop, 2)
        candidates = _variations(task, [t.candidate for t in leaders], [t.setting for t in leaders])[stage]
        if candidates:
            shop.run(candidates, progress)
    if ENSEMBLES[task.level] and len(shop.trials) > 1 and time.perf_counter() < shop.deadline:
        _mix(shop)


def _leaders(shop: Workshop, n: int) -> list[Trial]:
    """Return the best trial of each of the `n` best heads."""
    by_name: dict[str, Trial] = {}
    for trial in shop.rank(shop.trials):
        by_name.setdefault(trial.candidate.name, trial)
    return list(by_name.values())[:n]


def _variations(
    task: _Task, leaders: Sequence[Candidate], settings: Sequence[Mapping[str, Any]]
) -> tuple[list[Candidate], list[Candidate], list[Candidate]]:
    """Return the leaders with other normalisation, with fewer blocks (the first only), with class weights."""
    pairs = list(zip(leaders, settings, strict=True))
    powers = [
        leader.with_features(setting, "normalisation", power=power)
        for leader, setting in pairs
        for power in POWERS[task.level]
        if "power" in leader.template.get_params()
    ]
    subsets = [
        leader.with_features(setting, "blocks", use=use)
        for leader, setting in pairs[:1]
        for use in _subsets(0 if task.blocks is None else len(task.blocks))
        if "use" in leader.template.get_params()
    ]
    weighted = [
        leader.with_features(setting, "class weights", class_weight="balanced")
        for leader, setting in pairs
        if task.weigh and "class_weight" in leader.template.get_params()
    ]
    return powers, subsets, weighted


def _subsets(n_blocks: int) -> list[tuple[int, ...]]:
    """Return each block alone and all blocks but one, without the whole and without repeats."""
    if n_blocks < 2:
        return []
    alone = [(i,) for i in range(n_blocks)]
    without = [tuple(j for j in range(n_blocks) if j != i) for i in range(n_blocks)]
    return list(dict.fromkeys([*alone, *without]))


def _mix(shop: Workshop) -> None:
    """Add a mixture of the best trials; its weights for a fold are chosen on the other folds."""
    start = time.perf_counter()
    members = _library(shop)
    own = np.stack([_true_class(trial, shop.codes) for trial in members])
    logits = np.empty_like(members[0].logits)
    ones = [1.0] * len(members)
    for f in range(shop.n_folds):
        rows = shop.fold == f
        shares = _pruned(greedy_shares(own[:, ~rows]))
        logits[rows] = mixture_logits([trial.logits[rows] for trial in members], shares.tolist(), ones)
    shares = _pruned(greedy_shares(own))
    kept = [(trial, float(share)) for trial, share in zip(members, shares, strict=True) if share > 0]
    if len(kept) < 2:
        return
    head = EnsembleHead(
        heads=[trial.head() for trial, _ in kept],
        weights=[share for _, share in kept],
        temperatures=[trial.temperature for trial, _ in kept],
    )
    candidate = Candidate("ensemble", head, ({},), {}, "ensemble")
    note = " + ".join(f"{share:.2f} {trial.candidate.name}" for trial, share in kept)
    seconds = time.perf_counter() - start
    shop.trials.append(shop.trial(candidate, {}, logits, seconds=seconds, n_fits=0, note=note))


def _library(shop: Workshop) -> list[Trial]:
    """Return the trials a mixture may choose from: the best of every head, since like heads add little."""
    by_name: dict[str, Trial] = {}
    finished = [trial for trial in shop.trials if trial.n_fits == shop.n_folds]
    for trial in shop.rank(finished or shop.trials):
        by_name.setdefault(trial.candidate.name, trial)
    return list(by_name.values())


def _true_class(trial: Trial, codes: NDArray[np.intp]) -> NDArray[np.float32]:
    exp = np.exp(trial.logits - trial.logits.max(axis=1, keepdims=True))
    own: NDArray[np.float32] = exp[np.arange(len(codes)), codes] / exp.sum(axis=1)
    return own


def _pruned(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep the few large shares: a member costs a fit and its weights in the file."""
    smallest = max(_LEAST_SHARE, float(np.sort(shares)[-_MEMBERS:].min()))
    kept = np.where(shares >= smallest, shares, 0)
    kept[np.argsort(-kept, kind="stable")[_MEMBERS:]] = 0
    pruned: NDArray[np.float64] = kept / kept.sum()
    return pruned


def _nested_score(shop: Workshop) -> float:
    """Score the predictions of whatever setting is best on the other folds.

    The bias correction of Tibshirani and Tibshirani (2009) in its simplest form: choosing is part of the fitting.
    """
    trials = [trial for trial in shop.trials if trial.n_fits == shop.n_folds] or shop.trials
    per_fold = np.array([[gain(shop.metric, s) for s in trial.fold_scores] for trial in trials])
    values = []
    for f in range(shop.n_folds):
        others = np.delete(per_fold, f, axis=1).mean(axis=1)
        values.append(per_fold[int(others.argmax()), f])
    return gain(shop.metric, float(np.mean(values)))


def _all_rows(task: _Task, shop: Workshop, winner: Trial) -> NDArray[np.float32]:
    """Out-of-fold logits of all rows, by the winner fitted on the sampled rows of the other folds."""
    logits = np.empty((len(task.X), len(task.classes)), np.float32)
    for f in range(shop.n_folds):
        rows = task.fold == f
        logits[rows] = shop.fold_logits(winner.head(), f, task.X[rows])
    return logits


def _row(shop: Workshop, trial: Trial) -> LeaderboardRow:
    n, d = shop.X.shape
    predicted = trial.logits.argmax(axis=1)
    return LeaderboardRow(
        name=trial.candidate.name,
        params=trial.candidate.describe(trial.setting),
        score=trial.value,
        spread=float(trial.fold_scores.std(ddof=1)),
        accuracy=score("accuracy", trial.logits, shop.codes),
        balanced_accuracy=balanced_accuracy(predicted, shop.codes),
        macro_f1=macro_f1(predicted, shop.codes, shop.n_classes),
        log_loss=log_loss(trial.logits, shop.codes),
        fit_seconds=trial.seconds,
        predict_images_per_second=_speed(trial, n, d, shop.n_classes),
        n_fits=trial.n_fits,
        note=trial.note,
    )


def _speed(trial: Trial, n: int, d: int, n_classes: int) -> float:
    head = trial.candidate.template
    if not isinstance(head, EnsembleHead):
        return rows_per_second(trial.candidate.name, trial.head(), n, d, n_classes)
    names = {"LogisticHead": "logistic", "RBFHead": "rbf", "KNNHead": "knn", "MLPHead": "mlp"}
    parts = [rows_per_second(names.get(type(m).__name__, ""), m, n, d, n_classes) for m in head.heads or ()]
    return 1 / sum(1 / part for part in parts)


def _remarks(winner: Trial) -> list[str]:
    features = winner.candidate.features
    remarks = []
    if features.get("class_weight") == "balanced":
        remarks.append("classes are weighted equally")
    if features.get("use") is not None:
        remarks.append(f"uses feature blocks {', '.join(map(str, features['use']))} only")
    return remarks


def _checked(
    X: ArrayLike,
    y: ArrayLike,
    folds: ArrayLike,
    heads: str | Sequence[Any] | None,
    blocks: Iterable[Any] | None,
    metric: str,
    class_weight: str | None,
    random_state: int | None,
) -> _Task:
    check_metric(metric)
    rows = np.ascontiguousarray(X, np.float32)
    labels, fold = np.asarray(y), np.asarray(folds)
    if rows.ndim != 2 or not len(rows) == len(labels) == len(fold):
        raise DataError(
            f"expected X (n, d), y (n,) and folds (n,), got {rows.shape}, {labels.shape} and {fold.shape}."
        )
    require_finite(rows)
    classes, codes = np.unique(labels, return_inverse=True)
    require_two_classes(classes)
    names, fold = np.unique(fold, return_inverse=True)
    if len(names) < 2:
        raise DataError("expected at least 2 folds, got 1: nothing would be held out.")
    bounds = None if blocks is None else tuple(_bounds(block) for block in blocks)
    chosen_blocks(bounds, None, rows.shape[1])
    counts = np.bincount(codes)
    weigh = class_weight == "auto" and counts.max() > _UNEVEN * counts.min()
    features = {
        "power": DEFAULT_POWER,
        "blocks": bounds,
        "use": None,
        "class_weight": "balanced" if class_weight == "balanced" else None,
    }
    level, candidates = first_candidates(heads, features)
    sample = _sample(codes, random_state)
    notes = () if len(sample) == len(rows) else (f"compared on {len(sample)} of {len(rows)} rows",)
    return _Task(rows, classes, codes, fold, sample, level, tuple(candidates), bounds, weigh, notes)


def _bounds(block: Any) -> tuple[int, int]:
    if hasattr(block, "start"):
        return int(block.start), int(block.stop)
    start, stop = block
    return int(start), int(stop)


def _sample(codes: NDArray[np.intp], random_state: int | None) -> NDArray[np.intp]:
    """Return at most about `_MAX_ROWS` rows, every class in its proportion but with all or 50 rows at least."""
    if len(codes) <= _MAX_ROWS:
        return np.arange(len(codes))
    rng = np.random.default_rng(random_state)
    parts = []
    for code, count in enumerate(np.bincount(codes)):
        wanted = min(int(count), max(50, round(count * _MAX_ROWS / len(codes))))
        parts.append(rng.choice(np.flatnonzero(codes == code), wanted, replace=False))
    return np.sort(np.concatenate(parts))
