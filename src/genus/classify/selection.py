"""Choose a head: compare candidates by cross-validation inside a time budget, then fit the winner on all rows."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.classify.calibration_choice import check_calibration, choose_calibration
from genus.classify.candidates import ENSEMBLES, POWERS, Candidate
from genus.classify.cost import cv_seconds, rows_per_second
from genus.classify.leaderboard import LeaderboardRow, Plan, PlannedCandidate, Selection
from genus.classify.many_labels import judge_on_all, some_labels
from genus.classify.mixing import add_cooccurrence, add_mixture
from genus.classify.scores import gain
from genus.classify.task import SearchTask, checked_task
from genus.classify.workshop import Trial, Workshop, available_cores
from genus.progress import SILENT, Progress

_SLACK = 3.0  # a candidate that the cost model puts at more than so many budgets is not begun
# Rows with several labels each from which on fewer blocks are tried. Measured on 96 images with 64 labels: the best of
# eleven subsets by cross-validation ranks held-out images 2 to 4 points worse than all blocks.
_LEAST_FOR_BLOCKS = 1000


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
    calibration: str = "auto",
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
    calibration : {"auto", "none", "temperature", "platt", "isotonic"}, default "auto"
        How the winner's logits become probabilities (see `choose_calibration`).
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
        An unknown head, metric or calibration, or blocks that do not fit.

    Notes
    -----
    Stages: all heads on the square-rooted features; the two best heads on otherwise normalised features; the best
    one on fewer blocks; the best ones with class weights; a mixture of the best. Costly heads are given up after
    one fold if that fold leaves no hope. More than 5,000 (10,000, 20,000) rows are represented by a
    stratified sample in the "fast" ("balanced", "best") list.

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
    task = checked_task(X, y, folds, heads, blocks, metric, class_weight, random_state)
    check_calibration(calibration, several=task.truth.several)
    budget = float("inf") if time_budget is None else time_budget
    shop = compared = _workshop(some := some_labels(task, random_state), metric, budget, n_jobs, start)
    _search(some, compared, progress)
    if some is not task:
        shop = _workshop(task, metric, budget, n_jobs, start)
        judge_on_all(compared, shop, _leaders(compared, 2 if ENSEMBLES[task.level] else 1), progress)
    _mix(task, shop)
    winner = shop.best()
    logits = winner.scaling.undo(winner.logits)
    if len(task.rows) < len(task.X):
        logits = _all_rows(task, shop, winner)
    chosen, calibrated = choose_calibration(logits, task.truth, task.fold, calibration)
    return Selection(
        metric=metric,
        leaderboard=_leaderboard(shop, compared),
        winner=winner.head(),
        winner_row=_row(shop, winner),
        classes=task.classes,
        logits=calibrated,
        calibration=chosen,
        multilabel=task.truth.several,
        score_nested=_nested_score(compared),
        stopped_early=bool(shop.not_tried),
        not_tried=tuple(sorted(set(shop.not_tried))),
        notes=(*some.notes, *_remarks(shop, winner), *filter(None, [chosen.note])),
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
    metric = "accuracy" if np.ndim(y) == 1 else "macro_f1"  # any will do
    task = checked_task(X, y, folds, heads, blocks, metric, class_weight, 0)
    planned = list(task.candidates)
    head = planned[0]
    for more in _variations(task, [head, head], [head.grid[0]] * 2):
        planned += more
    rows = tuple(PlannedCandidate(c.name, c.grid, c.stage, _expected_seconds(task, c)) for c in planned)
    total = sum(row.expected_seconds for row in rows) / (n_jobs or available_cores())
    return Plan(rows, total, len(task.rows))


def _workshop(task: SearchTask, metric: str, budget: float, n_jobs: int | None, start: float) -> Workshop:
    """Return a workshop with the rows that candidates are compared on."""
    return Workshop(
        task.X[task.rows],
        task.truth.take(task.rows),
        task.fold[task.rows],
        metric,
        budget=budget,
        n_cores=n_jobs or available_cores(),
        start=start,
    )


def _search(task: SearchTask, shop: Workshop, progress: Progress) -> None:
    """Run all stages; the results are left in `shop`."""
    first = [replace(task.candidates[0], stage="first"), *task.candidates[1:]]
    _compare(
        task, shop, [c for c in first if hasattr(c.template, "cv_logits") or c.stage == "first"], progress
    )
    # the costly ones after the others, whose results decide whether one fold of them is enough
    _compare(task, shop, [c for c in first[1:] if not hasattr(c.template, "cv_logits")], progress)
    for stage in range(3):
        leaders = _leaders(shop, 2)
        variations = _variations(task, [t.candidate for t in leaders], [t.setting for t in leaders])
        _compare(task, shop, variations[stage], progress)


def _mix(task: SearchTask, shop: Workshop) -> None:
    """Add what builds on the best trials, where the list of candidates and the time allow it."""
    if ENSEMBLES[task.level] and len(shop.trials) > 1 and time.perf_counter() < shop.deadline:
        add_mixture(shop)
    if task.truth.several and ENSEMBLES[task.level]:
        for chain in (False, True) if task.level == "best" else (False,):
            if time.perf_counter() < shop.deadline:
                add_cooccurrence(shop, chain=chain)


def _compare(task: SearchTask, shop: Workshop, candidates: Sequence[Candidate], progress: Progress) -> None:
    """Run candidates: under a time limit the cheap ones first, else the costly ones, which fill all cores best."""
    if not candidates:
        return
    costs = [0.0 if c.stage == "first" else _expected_seconds(task, c) for c in candidates]
    fitting = [i for i in range(len(costs)) if costs[i] <= _SLACK * shop.budget]
    for i in sorted(set(range(len(costs))) - set(fitting)):
        shop.skip(candidates[i], candidates[i].grid)
    limited = shop.deadline < float("inf")
    order = sorted(fitting, key=lambda i: costs[i] if limited else -costs[i])
    shop.run([candidates[i] for i in order], progress)


def _expected_seconds(task: SearchTask, candidate: Candidate) -> float:
    n, d = len(task.rows), task.X.shape[1]
    n_folds = int(task.fold.max()) + 1
    return cv_seconds(candidate.name, n, d, len(task.classes), n_folds, len(candidate.grid))


def _leaders(shop: Workshop, n: int) -> list[Trial]:
    """Return the best trial of each of the `n` best heads."""
    by_name: dict[str, Trial] = {}
    for trial in shop.rank(shop.trials):
        by_name.setdefault(trial.candidate.name, trial)
    return list(by_name.values())[:n]


def _variations(
    task: SearchTask, leaders: Sequence[Candidate], settings: Sequence[Mapping[str, Any]]
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
        for use in _subsets(_n_blocks_tried(task))
        if "use" in leader.template.get_params()
    ]
    weighted = [
        leader.with_features(setting, "class weights", class_weight="balanced")
        for leader, setting in pairs
        if task.weigh and _takes_weights(leader, several=task.truth.several)
    ]
    return powers, subsets, weighted


def _n_blocks_tried(task: SearchTask) -> int:
    """Return how many blocks to try without; labels on a few images each cannot tell, and the best is luck."""
    if task.blocks is None or (task.truth.several and len(task.rows) < _LEAST_FOR_BLOCKS):
        return 0
    return len(task.blocks)


def _takes_weights(leader: Candidate, *, several: bool) -> bool:
    if several and not getattr(leader.template, "weighs_labels", False):
        return False
    return "class_weight" in leader.template.get_params()


def _subsets(n_blocks: int) -> list[tuple[int, ...]]:
    """Return each block alone and all blocks but one, without the whole and without repeats."""
    if n_blocks < 2:
        return []
    alone = [(i,) for i in range(n_blocks)]
    without = [tuple(j for j in range(n_blocks) if j != i) for i in range(n_blocks)]
    return list(dict.fromkeys([*alone, *without]))


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


def _all_rows(task: SearchTask, shop: Workshop, winner: Trial) -> NDArray[np.float32]:
    """Out-of-fold logits of all rows, by the winner fitted on the sampled rows of the other folds."""
    logits = np.empty((len(task.X), len(task.classes)), np.float32)
    for f in range(shop.n_folds):
        rows = task.fold == f
        logits[rows] = shop.fold_logits(winner.head(), f, task.X[rows])
    return logits


def _leaderboard(shop: Workshop, compared: Workshop) -> tuple[LeaderboardRow, ...]:
    """Return the rows of all trials; first those on all labels, where methods were compared on some."""
    rows = [_row(shop, trial) for trial in shop.rank(shop.trials)]
    if compared is not shop:
        again = {(row.name, str(row.params)) for row in rows}
        others = (_row(compared, trial) for trial in compared.rank(compared.trials))
        rows += [
            replace(row, note="; ".join(filter(None, [row.note, f"on {compared.n_classes} labels"])))
            for row in others
            if (row.name, str(row.params)) not in again
        ]
    return tuple(rows)


def _row(shop: Workshop, trial: Trial) -> LeaderboardRow:
    n, d = shop.X.shape
    return LeaderboardRow(
        name=trial.candidate.name,
        params=trial.candidate.describe(trial.setting),
        score=trial.value,
        spread=float(trial.fold_scores.std(ddof=1)),
        log_loss=trial.log_loss,
        fit_seconds=trial.seconds,
        predict_images_per_second=rows_per_second(trial.head(), n, d, shop.n_classes),
        n_fits=trial.n_fits,
        note=trial.note,
        **shop.truth.figures(trial.logits),
    )


def _remarks(shop: Workshop, winner: Trial) -> list[str]:
    remarks = []
    others = [trial for trial in shop.trials if trial.candidate.name != winner.candidate.name]
    if any(gain(shop.metric, trial.value) > gain(shop.metric, winner.value) for trial in others):
        remarks.append(
            "the winner is not the first by score: of those too close to tell apart, it has the least log-loss"
        )
    if winner.candidate.features.get("class_weight") == "balanced":
        remarks.append("classes are weighted equally")
    return remarks
