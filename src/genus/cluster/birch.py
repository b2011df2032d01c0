"""BIRCH: one pass over the rows builds a tree of small clusters, which are then joined."""

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import Birch as Engine

from genus.cluster.clusterer import Clusterer, Grouping
from genus.cluster.prototypes import nearest_rows
from genus.cluster.tree import build_tree

_MAX_DIMENSIONS = 12  # beyond that every row is far from every other, and each becomes a cluster of its own
_MAX_SUBCLUSTERS = 2000
_SAMPLE = 500
_GROWTH = 1.5  # of the threshold, when there are too many

Floats = NDArray[np.float32]


class Birch(Clusterer):
    """Collect rows into many small clusters in one pass, then join these by Ward's rule.

    Parameters
    ----------
    n_clusters : int, default 8
    threshold : float or None
        The radius of a small cluster; None starts from the distances of neighbours in a sample and grows it until
        there are at most 2,000.
    random_state : int or None
        Seed of that sample.

    Notes
    -----
    Works on the leading 12 principal directions of the rows. Zhang, Ramakrishnan and Livny (1996), "BIRCH: an
    efficient data clustering method for very large databases", SIGMOD; scikit-learn's tree.

    Examples
    --------
    >>> X = np.float32([[0], [1], [90], [91], [92]])
    >>> Birch(2, random_state=0).fit_predict(X)
    array([1, 1, 0, 0, 0])
    """

    def __init__(
        self, n_clusters: int = 8, *, threshold: float | None = None, random_state: int | None = None
    ) -> None:
        self.n_clusters = n_clusters
        self.threshold = threshold
        self.random_state = random_state

    def _group(self, X: Floats, rng: np.random.Generator) -> Grouping:
        low = _leading(X, rng)
        threshold = self.threshold or _neighbour_distance(low, rng)
        while True:
            engine = Engine(threshold=threshold, n_clusters=None).fit(low)
            centers = engine.subcluster_centers_.astype(np.float32)
            if len(centers) <= max(_MAX_SUBCLUSTERS, self.n_clusters) or self.threshold:
                break
            threshold *= _GROWTH
        place = nearest_rows(low, centers)[0]
        used, members = np.unique(place, return_inverse=True)
        masses = np.bincount(members).astype(np.float64)
        tree = build_tree(centers[used], masses, "ward", members.astype(np.int64))
        return Grouping(tree.cut(self.n_clusters), tree=tree)


def _leading(X: Floats, rng: np.random.Generator) -> Floats:
    """Project onto the leading principal directions, found on a sample."""
    if X.shape[1] <= _MAX_DIMENSIONS:
        return X
    sample = X[rng.choice(len(X), min(len(X), 20 * _SAMPLE), replace=False)]
    values, vectors = np.linalg.eigh(np.cov(sample, rowvar=False))
    return np.ascontiguousarray(X @ vectors[:, -_MAX_DIMENSIONS:].astype(np.float32))


def _neighbour_distance(X: Floats, rng: np.random.Generator) -> float:
    """Half the median distance from a row to its nearest neighbour, in a sample; never 0."""
    sample = X[rng.choice(len(X), min(len(X), _SAMPLE), replace=False)]
    squared = ((sample[:, None] - sample) ** 2).sum(2)
    np.fill_diagonal(squared, np.inf)
    near = float(np.sqrt(np.median(squared.min(1)))) / 2 if len(sample) > 1 else 0.0
    return near or 1e-6
