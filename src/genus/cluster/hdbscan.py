"""HDBSCAN: groups are where rows are dense; what lies between is noise. Finds their number itself."""

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN as Engine

from genus.cluster.clusterer import NOISE, Clusterer, Grouping
from genus.cluster.prototypes import nearest_rows

_MAX_ROWS = 5000  # looked at; the others join the group of their nearest neighbour among these
_MIN_SHARE = 0.01

Floats = NDArray[np.float32]


class Hdbscan(Clusterer):
    """Groups as dense regions of any shape; rows in thin regions are noise (-1).

    Parameters
    ----------
    min_cluster_size : int or None
        The least size of a group; None takes a hundredth of the rows, 5 at least.
    min_samples : int, default 5
        How many neighbours make a region dense; more means more noise.
    random_state : int or None
        Seed of the sample, for more than 5,000 rows.

    Notes
    -----
    scikit-learn's HDBSCAN, O(n^2). Campello, Moulavi and Sander (2013), "Density-based clustering based on
    hierarchical density estimates", PAKDD. Needs few dimensions: in many, no region is dense.

    Examples
    --------
    >>> X = np.float32([[i / 10] for i in range(20)] + [[50 + i / 10] for i in range(10)] + [[900]])
    >>> Hdbscan(min_cluster_size=5).fit_predict(X)[[0, -2, -1]]
    array([ 0,  1, -1])
    """

    def __init__(
        self, min_cluster_size: int | None = None, *, min_samples: int = 5, random_state: int | None = None
    ) -> None:
        self.min_cluster_size = min_cluster_size
        self.min_samples = min_samples
        self.random_state = random_state

    def _group(self, X: Floats, rng: np.random.Generator) -> Grouping:
        rows = np.arange(len(X)) if len(X) <= _MAX_ROWS else rng.choice(len(X), _MAX_ROWS, replace=False)
        sample = X[rows]
        size = self.min_cluster_size or max(5, round(_MIN_SHARE * len(sample)))
        if len(sample) <= max(size, self.min_samples):
            return Grouping(np.zeros(len(X), np.int64))
        engine = Engine(
            min_cluster_size=max(2, size), min_samples=min(self.min_samples, len(sample) - 1), copy=True
        )
        found = engine.fit_predict(sample).astype(np.int64)
        if len(rows) == len(X):
            return Grouping(found)
        return Grouping(self._spread(X, sample, found))

    def _spread(self, X: Floats, sample: Floats, found: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give all rows the label of their nearest sampled row."""
        labels = found[nearest_rows(X, sample)[0]]
        return np.where(labels >= 0, labels, NOISE)
