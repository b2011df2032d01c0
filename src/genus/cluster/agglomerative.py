"""Agglomerative clustering that does not freeze: on many rows it joins micro-clusters of known weight."""

import numpy as np
from numpy.typing import NDArray

from genus.cluster.clusterer import Clusterer, Grouping
from genus.cluster.kmeans import k_means
from genus.cluster.tree import LINKAGES, Linkage, build_tree
from genus.errors import ParameterError

MAX_POINTS = 4000  # joined exactly; 64 MB of distances

Floats = NDArray[np.float32]


def micro_clusters(
    X: Floats, rng: np.random.Generator, max_points: int = MAX_POINTS
) -> tuple[Floats, NDArray[np.float64], NDArray[np.int64]]:
    """Stand in for many rows with a few weighted points.

    Returns
    -------
    (m, d) float32
        At most `max_points` means of rows that lie close together; the rows themselves if they are so few.
    (m,) float64
        How many rows each stands for.
    (n,) int64
        The point of each row.
    """
    if len(X) <= max_points:
        return X, np.ones(len(X)), np.arange(len(X))
    found = k_means(X, max_points // 2, rng, max_iterations=5)
    used, members = np.unique(found.labels, return_inverse=True)
    return found.centers[used], np.bincount(members).astype(np.float64), members.astype(np.int64)


class Agglomerative(Clusterer):
    """Join the two nearest groups, again and again: a tree, cut where it has as many branches as wanted.

    Parameters
    ----------
    n_clusters : int, default 8
    linkage : {"ward", "average", "complete", "single"}, default "ward"
        What is near: the least growth in the sum of squares, the mean, the greatest, the least distance of rows.
    max_points : int, default 4000
        Up to so many rows are joined exactly; of more, half as many micro-clusters are.
    random_state : int or None
        Seed of the micro-clusters.

    Attributes
    ----------
    tree_ : MergeTree
        To cut at other numbers of groups, and to draw.

    Notes
    -----
    Exact: O(n^2) time and 4 n^2 bytes. With micro-clusters: O(n d max_points) time, 4 max_points^2 bytes for any n.

    Examples
    --------
    >>> X = np.float32([[0], [1], [9], [10], [11]])
    >>> Agglomerative(2).fit_predict(X)
    array([1, 1, 0, 0, 0])
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        linkage: Linkage = "ward",
        max_points: int = MAX_POINTS,
        random_state: int | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.linkage = linkage
        self.max_points = max_points
        self.random_state = random_state

    def _group(self, X: Floats, rng: np.random.Generator) -> Grouping:
        if self.linkage not in LINKAGES:
            raise ParameterError(f"linkage must be one of {', '.join(LINKAGES)}, not {self.linkage!r}.")
        points, masses, members = micro_clusters(X, rng, self.max_points)
        tree = build_tree(points, masses, self.linkage, members)
        return Grouping(tree.cut(self.n_clusters), tree=tree)
