"""One algorithm tried on one preparation of the rows: fitted, scored, and how it is ranked."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score

from genus.cluster.clusterer import Clusterer
from genus.cluster.clusterers import CLUSTERERS
from genus.cluster.constraints import Constraints
from genus.cluster.given import Given
from genus.cluster.scores import balance, calinski_harabasz, davies_bouldin, silhouette
from genus.cluster.spreading import spread_labels
from genus.cluster.views import Views
from genus.metrics.clustering import ClusterAgreement
from genus.progress import Progress

CONSENSUS = "consensus"
SEEDED = "seeded K-Means"
SPREAD = "label spreading"
ALGORITHMS: dict[str, tuple[str, dict[str, Any]]] = {
    "K-Means": ("kmeans", {}),
    "Mini-Batch K-Means": ("minibatch", {}),
    "Ward": ("agglomerative", {"linkage": "ward"}),
    "average linkage": ("agglomerative", {"linkage": "average"}),
    "complete linkage": ("agglomerative", {"linkage": "complete"}),
    "single linkage": ("agglomerative", {"linkage": "single"}),
    "BIRCH": ("birch", {}),
    "Gaussian mixture": ("mixture", {}),
    "spectral": ("spectral", {}),
    "HDBSCAN": ("hdbscan", {}),
}
"""What is tried: a part of `CLUSTERERS` and its parameters. Constraints add a K-Means that starts from them and, where
they name all groups, label spreading.

Other parts of `CLUSTERERS`, such as those of other packages, are tried where they are named."""

METRICS = {
    "agreement": True,
    "silhouette": True,
    "calinski_harabasz": True,
    "davies_bouldin": False,
    "stability": True,
    "adjusted_rand": True,
}
"""What groupings may be ranked by, and whether higher is better."""

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One algorithm on one preparation, and how it did.

    Attributes
    ----------
    name : str
        "K-Means", or "consensus".
    preparation : str
        "plain" or "evened"; see `PREPARATIONS`.
    n_clusters : int
        How many groups it found.
    agreement : float
        Mean adjusted Rand index with all others in the table.
    silhouette, calinski_harabasz, davies_bouldin : float
        On the plain rows; nan for fewer than two groups.
    stability : float
        Adjusted Rand index of what it makes of two halves of the rows; nan for the consensus.
    balance : float
        How even the sizes are, 0 to 1.
    noise : float
        Share of rows that it left out.
    seconds : float
        What the grouping took.
    constraints : float
        Share of the constraints that it met by itself, 0 to 1; nan where there are none. For label spreading, of
        what it says of known rows when they are left out.
    truth : ClusterAgreement or None
        How it matches the labels that are known.
    labels : (m,) int64
        The groups of the rows that were compared on.
    """

    name: str
    preparation: str
    n_clusters: int
    agreement: float
    silhouette: float
    calinski_harabasz: float
    davies_bouldin: float
    stability: float
    balance: float
    noise: float
    seconds: float
    constraints: float
    truth: ClusterAgreement | None
    labels: Labels

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: the figures, not the groups."""
        values = {name: getattr(self, name) for name in self.__slots__ if name not in ("truth", "labels")}
        return {**values, "truth": None if self.truth is None else self.truth.to_dict()}

    def value(self, metric: str) -> float:
        """Return the value of a metric, turned so that higher is better; -inf if there is none.

        Where there are constraints, the share that was met is added to the agreement: both are at most 1.
        """
        met = 0.0 if np.isnan(self.constraints) else self.constraints
        if metric == "agreement":
            return self.agreement + met
        found = self.truth.adjusted_rand if metric == "adjusted_rand" and self.truth else None
        raw = getattr(self, metric, float("nan")) if found is None else found
        return -np.inf if np.isnan(raw) else float(raw) if METRICS[metric] else -float(raw)


def algorithm_names() -> list[str]:
    """Name what can be tried: the built-in algorithms, and clusterers that other packages have registered.

    Examples
    --------
    >>> algorithm_names()[:3]
    ['K-Means', 'Mini-Batch K-Means', 'Ward']
    """
    built_in = {part for part, _ in ALGORITHMS.values()}
    return [*ALGORITHMS, *(name for name in CLUSTERERS if name not in built_in)]


def try_all(
    names: Sequence[str],
    views: Views,
    k: int,
    constraints: Constraints,
    rng: np.random.Generator,
    progress: Progress,
) -> dict[tuple[str, str], tuple[Clusterer, Trial]]:
    """Fit every algorithm on every view, and score what it makes."""
    tried = {}
    names = [*names, SEEDED] if constraints and len(constraints.known_parts()) else list(names)
    spreads = constraints.name_all(k)
    with progress.task("algorithms", total=(len(names) + spreads) * len(views.rows)) as task:
        for name in names:
            for view, rows in views.rows.items():
                template = make_template(name, k, rng, rows, constraints)
                start = time.perf_counter()
                fitted = clone(template).fit(rows)
                seconds = time.perf_counter() - start
                stability = float("nan") if name == SEEDED else _stability(template, rows, rng)
                trial = score(name, view, fitted.labels_, views, constraints, seconds, stability)
                tried[name, view] = fitted, trial
                task.advance()
        for view in views.rows if spreads else ():
            tried[SPREAD, view] = _spread(view, views, constraints)
            task.advance()
    return tried


def _spread(view: str, views: Views, constraints: Constraints) -> tuple[Clusterer, Trial]:
    """Carry the known labels on; how far constraints are met is judged on known rows that were left out."""
    start = time.perf_counter()
    parts, rows = constraints.known_parts(), views.rows[view]
    labels, held_out = spread_labels(rows, parts)
    fitted = Given(labels).fit(rows)
    trial = score(SPREAD, view, fitted.labels_, views, constraints, time.perf_counter() - start)
    judged = labels.copy()
    judged[np.concatenate(parts)] = held_out
    return fitted, replace(trial, constraints=constraints.share_met(judged))


def make_template(
    name: str, k: int, rng: np.random.Generator, rows: Floats, constraints: Constraints
) -> Clusterer:
    """Return the algorithm of that name, not yet fitted."""
    seed = int(rng.integers(2**31))
    if name == SEEDED:
        starts = [rows[part].mean(axis=0) for part in constraints.known_parts()[:k]]
        seeded: Clusterer = CLUSTERERS.get("kmeans")(k, init=np.stack(starts), random_state=seed)
        return seeded
    part, parameters = ALGORITHMS.get(name, (name, {}))
    made: Clusterer = CLUSTERERS.get(part)(**parameters, random_state=seed)
    return made.set_params(n_clusters=k) if "n_clusters" in made.get_params() else made


def score(
    name: str,
    preparation: str,
    labels: Labels,
    views: Views,
    constraints: Constraints,
    seconds: float,
    stability: float = float("nan"),
) -> Trial:
    """Score a grouping of all rows of the views."""
    return Trial(
        name=name,
        preparation=preparation,
        n_clusters=len(np.unique(labels[labels >= 0])),
        agreement=0.0,
        silhouette=silhouette(views.plain, labels),
        calinski_harabasz=calinski_harabasz(views.plain, labels),
        davies_bouldin=davies_bouldin(views.plain, labels),
        stability=stability,
        balance=balance(labels),
        noise=float((labels < 0).mean()),
        seconds=seconds,
        constraints=constraints.share_met(labels),
        truth=None,
        labels=labels,
    )


def _stability(template: Clusterer, X: Floats, rng: np.random.Generator) -> float:
    """Fit on two halves of the rows and let both say what they make of all."""
    half = len(X) // 2
    if half < max(4, getattr(template, "n_clusters", 0)):
        return float("nan")
    order = rng.permutation(len(X))
    one, other = (clone(template).fit(X[part]).predict(X) for part in (order[:half], order[half:]))
    return float(adjusted_rand_score(one, other))
