"""Try clustering algorithms on the same rows, and find the grouping that fits them best."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.cluster.clusterer import Clusterer
from genus.cluster.confidence import fit_temperature, vote_shares
from genus.cluster.consensus import agreement_matrix, consensus
from genus.cluster.constraints import Constraints
from genus.cluster.given import Given
from genus.cluster.number_search import NumberRow, candidate_numbers, search_number
from genus.cluster.preparation import Preparation
from genus.cluster.trials import (
    ALGORITHMS,
    CONSENSUS,
    METRICS,
    SPREAD,
    Trial,
    algorithm_names,
    make_template,
    score,
    try_all,
)
from genus.cluster.views import Views, fit_preparations, make_views
from genus.errors import DataError, ParameterError
from genus.metrics.clustering import cluster_agreement
from genus.normalize import Bounds
from genus.progress import SILENT, Progress
from genus.wording import count

_MAX_ROWS = 3000  # compared on; the others are assigned
_ENOUGH_SEEDS = 5  # of each group, for label spreading to beat what is found without labels (`--only seeds`)

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What was tried, and what won.

    Attributes
    ----------
    rows : tuple of Trial
        Best first.
    metric : str
        What they were ranked by.
    numbers : tuple of NumberRow
        The search for the number of groups; empty where it was given.
    n_clusters : int
        The number that was given or found.
    preparation : Preparation
        The winner's, fitted.
    clusterer : Clusterer
        The winner, fitted on all rows: `labels_` and `predict` are its.
    temperature : float
        Turns squared distances to groups into confidences (see `genus.cluster.confidence`).
    notes : tuple of str
    seconds : float
    """

    rows: tuple[Trial, ...]
    metric: str
    numbers: tuple[NumberRow, ...]
    n_clusters: int
    preparation: Preparation
    clusterer: Clusterer
    temperature: float
    notes: tuple[str, ...]
    seconds: float

    @property
    def winner(self) -> Trial:
        """The first row."""
        return self.rows[0]


def compare(
    X: ArrayLike,
    *,
    n_components: int | None = None,
    blocks: Sequence[Bounds] | None = None,
    use: Sequence[int] | None = None,
    random_state: int | None = 0,
    **options: Any,
) -> Comparison:
    """Group rows in many ways and keep the way that the others agree with most.

    Parameters
    ----------
    X : (n, d) array
        Features.
    n_components, blocks, use
        See `fit_preparations`.
    random_state : int or None
    **options
        See `compare_views`, which also says how the choice is made.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.repeat(np.eye(3, 12), 30, axis=0) * 4 + rng.normal(0, 0.5, (90, 12))
    >>> found = compare(X)
    >>> found.n_clusters, found.clusterer.labels_.shape
    (3, (90,))
    """
    rows = np.asarray(X, np.float32)
    made = fit_preparations(
        rows, n_components=n_components, blocks=blocks, use=use, random_state=random_state
    )
    views = make_views(made, [(np.arange(len(rows)), rows)], len(rows))
    return compare_views(views, random_state=random_state, **options)


def compare_views(
    views: Views,
    *,
    n_clusters: int | tuple[int, int] | None = None,
    algorithms: Sequence[str] | None = None,
    metric: str = "agreement",
    y: Sequence[str | None] | None = None,
    constraints: Constraints | None = None,
    random_state: int | None = 0,
    progress: Progress = SILENT,
) -> Comparison:
    """Group prepared rows in many ways and keep the way that the others agree with most.

    Parameters
    ----------
    views : Views
    n_clusters : int, (int, int) or None
        The number of groups, a range to search, or None to search from 2 to 40.
    algorithms : sequence of str or None
        Names from `genus.cluster.trials.algorithm_names()`; None tries the built-in ones.
    metric : str, default "agreement"
        What groupings are ranked by; see `METRICS`.
    y : sequence of n str or None, or None
        Labels, as far as they are known: shown beside the groups, and used by `metric="adjusted_rand"` only.
    constraints : Constraints or None
        What is known beforehand. It takes part in the search for the number and in the ranking, and what the
        winner does not meet by itself is put right in the end.
    random_state : int or None
    progress : Progress

    Returns
    -------
    Comparison

    Raises
    ------
    DataError
        Rows hold NaN or infinity, or there are fewer of them than groups.
    ParameterError
        An unknown algorithm or metric, or a range that cannot be.

    Notes
    -----
    The rule: first the number of groups (`search_number`), then every algorithm on every preparation of the rows,
    and the consensus of them all; the grouping with the highest mean adjusted Rand index with the others is chosen.
    Algorithms err in different ways, so what they agree on is seldom an error. Where constraints name five rows of
    every group, what these labels become when they are spread to all rows comes before what is found without. More
    than 3,000 rows are represented by a sample; the consensus is taken of all rows.
    """
    start = time.perf_counter()
    names = checked_algorithms(algorithms, metric, has_labels=y is not None and any(y))
    rng = np.random.default_rng(random_state)
    known = constraints or Constraints.of(len(views))
    sample = _sample(known, rng)
    part, part_known = (
        (views, known) if len(sample) == len(views) else (views.take(sample), known.take(sample))
    )
    numbers, k = _number(part, n_clusters, len(views), part_known, rng, progress)
    tried = try_all(names, part, k, part_known, rng, progress)
    fitted = {key: clusterer for key, (clusterer, _) in tried.items()}
    rows = _with_consensus([trial for _, trial in tried.values()], part, k, part_known, rng)
    truth = None if y is None else np.asarray([label or "" for label in y])[sample]
    rows = [_with_truth(row, truth) for row in _with_agreement(rows)]
    ranked = _ranked(rows, metric, part_known)
    clusterer = _on_all_rows(ranked[0], fitted, views, k, known, rng)
    clusterer, notes = _constrained(clusterer, views.rows[ranked[0].preparation], known)
    return Comparison(
        rows=ranked,
        metric=metric,
        numbers=numbers,
        n_clusters=k,
        preparation=views.preparations[ranked[0].preparation],
        clusterer=clusterer,
        temperature=_temperature(clusterer, part.rows[ranked[0].preparation], sample, ranked),
        notes=(*_sample_note(len(views), len(sample)), *notes),
        seconds=time.perf_counter() - start,
    )


def checked_algorithms(algorithms: Sequence[str] | None, metric: str, *, has_labels: bool) -> tuple[str, ...]:
    """Return the algorithms to try; raise a ParameterError for an unknown one, or a metric that cannot be."""
    names = tuple(ALGORITHMS) if algorithms is None else tuple(algorithms)
    known = algorithm_names()
    if unknown := [name for name in names if name not in known]:
        raise ParameterError(f"no algorithm named {unknown[0]!r}. There are: {', '.join(known)}.")
    if not names:
        raise ParameterError(f"no algorithm to try. There are: {', '.join(known)}.")
    if metric not in METRICS:
        raise ParameterError(f"no metric named {metric!r}. There are: {', '.join(METRICS)}.")
    if metric == "adjusted_rand" and not has_labels:
        raise ParameterError("metric='adjusted_rand' needs labels, and none are known.")
    return names


def _sample(known: Constraints, rng: np.random.Generator) -> Labels:
    """Return the rows to compare on: those that something is known of first."""
    n = len(known.part)
    if n <= _MAX_ROWS:
        return np.arange(n)
    order = rng.permutation(n)
    order = order[np.argsort(~known.known[order], kind="stable")]
    return np.sort(order[:_MAX_ROWS])


def _number(
    views: Views,
    wanted: int | tuple[int, int] | None,
    n: int,
    known: Constraints,
    rng: np.random.Generator,
    progress: Progress,
) -> tuple[tuple[NumberRow, ...], int]:
    if isinstance(wanted, (int, np.integer)):
        if not 1 <= wanted <= n:
            raise DataError(f"{wanted} groups need as many rows at least; there are {n}.")
        return (), int(wanted)
    if n < 4:
        return (), 1 if wanted is None else min(wanted[0], n)
    low, high = (max(2, min(known.n_seeds, n - 1)), None) if wanted is None else wanted
    if low < 2 or (high is not None and not low <= high < n):
        raise ParameterError(f"n_clusters={wanted!r}: expected a range within 2 and {n - 1}.")
    found = search_number(views, candidate_numbers(n, low, high), rng, known, progress)
    return found, max(found, key=lambda row: row.points).n_clusters


def _with_consensus(
    rows: list[Trial], views: Views, k: int, known: Constraints, rng: np.random.Generator
) -> list[Trial]:
    """Add the consensus of all groupings, where there are at least three."""
    if len(rows) < 3 or k < 2:
        return rows
    start = time.perf_counter()
    labels = consensus([row.labels for row in rows], k, rng)
    seconds = time.perf_counter() - start
    return [*rows, score(CONSENSUS, next(iter(views.rows)), labels, views, known, seconds)]


def _with_agreement(rows: list[Trial]) -> list[Trial]:
    matrix = agreement_matrix([row.labels for row in rows])
    means = matrix.sum(axis=1) / max(1, len(rows) - 1)
    return [replace(row, agreement=float(mean)) for row, mean in zip(rows, means, strict=True)]


def _ranked(rows: Sequence[Trial], metric: str, known: Constraints) -> tuple[Trial, ...]:
    """Order by the metric; by the usual one, label spreading comes first where it has enough to go by."""
    has_enough = metric == "agreement" and min(map(len, known.known_parts()), default=0) >= _ENOUGH_SEEDS
    return tuple(
        sorted(rows, key=lambda row: (has_enough and row.name == SPREAD, row.value(metric)), reverse=True)
    )


def _with_truth(row: Trial, truth: NDArray[np.str_] | None) -> Trial:
    if truth is None or not (truth != "").any():
        return row
    has = truth != ""
    return replace(row, truth=cluster_agreement(truth[has], row.labels[has]))


def _on_all_rows(
    winner: Trial,
    fitted: dict[tuple[str, str], Clusterer],
    views: Views,
    k: int,
    known: Constraints,
    rng: np.random.Generator,
) -> Clusterer:
    """Fit the winner on all rows."""
    view = views.rows[winner.preparation]
    if winner.name == CONSENSUS:
        if len(view) == len(winner.labels):
            return Given(winner.labels).fit(view)
        votes = [clusterer.predict(views.rows[name]) for (_, name), clusterer in fitted.items()]
        return Given(consensus(votes, k, rng)).fit(view)
    if winner.name == SPREAD and len(view) > len(winner.labels):
        return Given(fitted[winner.name, winner.preparation].predict(view)).fit(view)
    if len(view) == len(winner.labels):
        return fitted[winner.name, winner.preparation]
    return make_template(winner.name, k, rng, view, known).fit(view)


def _constrained(clusterer: Clusterer, view: Floats, known: Constraints) -> tuple[Clusterer, tuple[str, ...]]:
    """Put right what the winner does not meet by itself, and say what cannot be met."""
    if not known or known.share_met(clusterer.labels_) == 1:
        return clusterer, ()
    rows = np.flatnonzero(known.known)
    distances = np.full((len(view), clusterer.n_clusters_), np.inf, np.float32)
    distances[rows] = clusterer.distances(view[rows])
    labels = known.enforce(clusterer.labels_, distances)
    moved = int((labels != clusterer.labels_).sum())
    notes = [f"{count(moved, 'image')} went to another group than they lie in, because it was asked for"]
    if (met := known.share_met(labels)) < 1:
        notes.append(f"with so few groups only {met:.0%} of what was asked for can be met")
    return Given(labels).fit(view), tuple(notes)


def _temperature(clusterer: Clusterer, rows: Floats, sample: Labels, trials: Sequence[Trial]) -> float:
    """Fit how sure to be to how far the other groupings agree."""
    squared = clusterer.squared_distances(rows)
    n_groups = squared.shape[1]
    labels = clusterer.labels_[sample]
    weights = [max(trial.agreement, 0.0) ** 2 + 1e-9 for trial in trials]
    votes = [trial.labels for trial in trials]
    codes = np.where(labels >= 0, labels, n_groups - 1)
    return fit_temperature(squared, vote_shares(codes, n_groups, votes, weights))


def _sample_note(n: int, n_sample: int) -> tuple[str, ...]:
    if n == n_sample:
        return ()
    return (f"the algorithms were compared on {n_sample:,} of the {n:,} images, drawn at random",)
