"""How many groups there are: each number is judged by what several algorithms make of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import adjusted_rand_score

from genus.cluster.consensus import consensus
from genus.cluster.constraints import Constraints
from genus.cluster.kmeans import KMeans, k_means
from genus.cluster.scores import silhouette
from genus.cluster.spectral import spectral_rows
from genus.cluster.tree import build_tree
from genus.cluster.views import Views
from genus.progress import SILENT, Progress

_MAX_ROWS = 1500
_HALVES = 4
_LARGEST = 40
_ROWS_PER_GROUP = 10  # a group needs so many, on average, to be looked for
_LINKAGES = ("ward", "average")

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NumberRow:
    """What speaks for one number of groups.

    Attributes
    ----------
    n_clusters : int
    silhouettes : tuple of float
        Of the consensus of all algorithms, in each view of the rows.
    stability : float
        Mean adjusted Rand index of K-Means learned from different halves of the rows.
    agreement : float
        Mean adjusted Rand index of the consensus with the clusterings it is made of.
    constraints : float or None
        Share of the constraints that the consensus meets; None where there are none.
    points : float
        Mean of the ranks by these, 0 to 1: the highest number of points wins.
    """

    n_clusters: int
    silhouettes: tuple[float, ...]
    stability: float
    agreement: float
    constraints: float | None
    points: float

    def to_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return asdict(self)


def candidate_numbers(n_rows: int, lowest: int = 2, highest: int | None = None) -> tuple[int, ...]:
    """Return the numbers to try: all up to 10, then about a sixth more each time.

    Examples
    --------
    >>> candidate_numbers(1000)
    (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 19, 22, 26, 30, 35, 40)
    """
    if highest is None:
        highest = max(lowest, min(_LARGEST, n_rows // _ROWS_PER_GROUP))
    numbers = [lowest]
    while numbers[-1] < highest:
        numbers.append(min(max(numbers[-1] + 1, round(numbers[-1] * 7 / 6)), highest))
    return tuple(numbers)


def search_number(
    views: Views,
    numbers: Sequence[int],
    rng: np.random.Generator,
    constraints: Constraints | None = None,
    progress: Progress = SILENT,
) -> tuple[NumberRow, ...]:
    """Judge numbers of groups.

    Parameters
    ----------
    views : Views
        More than 1,500 rows are sampled.
    numbers : sequence of int
        Ascending, each at most the number of rows.
    rng : Generator
    constraints : Constraints or None
        How far each number's consensus meets them is one more criterion.
    progress : Progress

    Returns
    -------
    tuple of NumberRow
        In the order of `numbers`; the best is the one with the most points.

    Notes
    -----
    Each criterion alone is misled by some data: silhouettes favour two groups, or very many; stability favours few.
    Their ranks are averaged (Borda, 1781), so that none has to be put on another's scale.
    """
    n = len(views)
    rows = np.arange(n) if n <= _MAX_ROWS else np.sort(rng.choice(n, _MAX_ROWS, replace=False))
    samples = list(views.take(rows).rows.values())
    known = (constraints or Constraints.of(n)).take(rows)
    trees = [build_tree(view, np.ones(len(view)), linkage) for view in samples for linkage in _LINKAGES]  # type: ignore[arg-type]
    n_axes = min(max(numbers), len(rows) - 1)
    axes = [spectral_rows(view, n_axes, rng) for view in samples]
    found = []
    with progress.task("numbers of groups", total=len(numbers)) as task:
        for k in numbers:
            votes = [tree.cut(k) for tree in trees]
            votes += [k_means(view, k, rng, n_init=2).labels for view in samples]
            votes += [_on_sphere(rows_, k, rng) for rows_ in axes]
            found.append(_judge(samples, votes, k, rng, known))
            task.advance()
    return _with_points(numbers, found)


def _on_sphere(axes: Floats, k: int, rng: np.random.Generator) -> Labels:
    leading = axes[:, :k]
    length = np.maximum(np.linalg.norm(leading, axis=1, keepdims=True), 1e-12)
    return k_means(np.ascontiguousarray(leading / length), k, rng, n_init=2).labels


def _judge(
    views: Sequence[Floats],
    votes: Sequence[Labels],
    k: int,
    rng: np.random.Generator,
    known: Constraints,
) -> tuple[float, ...]:
    """Return the criteria, higher is better: silhouettes of the consensus, stability, agreement, constraints."""
    together = consensus(votes, k, rng)
    silhouettes = [silhouette(view, together) for view in views]
    agreement = float(np.mean([adjusted_rand_score(together, vote) for vote in votes]))
    return (*silhouettes, _stability(views[0], k, rng), agreement, known.share_met(together))


def _stability(X: Floats, k: int, rng: np.random.Generator) -> float:
    half = max(k, len(X) // 2)
    found = []
    for _ in range(_HALVES):
        rows = rng.choice(len(X), half, replace=False)
        fitted = KMeans(k, random_state=int(rng.integers(2**31))).fit(X[rows])
        found.append(fitted.predict(X))
    return float(np.mean([adjusted_rand_score(one, other) for one, other in combinations(found, 2)]))


def _with_points(numbers: Sequence[int], found: Sequence[tuple[float, ...]]) -> tuple[NumberRow, ...]:
    criteria = np.array(found)  # (numbers, criteria)
    criteria = np.nan_to_num(criteria[:, ~np.isnan(criteria).all(axis=0)], nan=-1.0)
    ranks = rankdata(criteria, axis=0) - 1  # equal values share their ranks
    points = (ranks / max(1, len(numbers) - 1)).mean(axis=1) if criteria.size else np.zeros(len(numbers))
    return tuple(
        NumberRow(int(k), values[:-3], values[-3], values[-2], _or_none(values[-1]), float(p))
        for k, values, p in zip(numbers, found, points, strict=True)
    )


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
