"""Mini-Batch K-Means: one small batch at a time, in memory that does not grow with the number of images."""

from collections.abc import Iterable
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans as Engine

from genus.cluster.clusterer import Clusterer, Grouping
from genus.cluster.prototypes import nearest_rows
from genus.errors import DataError

_BATCH = 2048
_PATIENCE = 10  # batches without gain

Floats = NDArray[np.float32]


class MiniBatchKMeans(Clusterer):
    """K-Means from small batches: a little less exact, for more images than memory holds.

    Parameters
    ----------
    n_clusters : int, default 8
    random_state : int or None

    Notes
    -----
    scikit-learn's `MiniBatchKMeans`. Sculley (2010), "Web-scale k-means clustering", WWW.

    Examples
    --------
    >>> X = np.float32([[0.0], [0.1], [5.0], [5.1], [5.2]])
    >>> MiniBatchKMeans(2, random_state=0).fit_predict(X)
    array([1, 1, 0, 0, 0])
    """

    def __init__(self, n_clusters: int = 8, *, random_state: int | None = None) -> None:
        self.n_clusters = n_clusters
        self.random_state = random_state

    def fit_batches(self, batches: Iterable[Floats]) -> Self:
        """Learn from batches of rows (b, d) that are never in memory together; `labels_` stays empty.

        Raises
        ------
        DataError
            The first batch has fewer rows than there are groups.
        """
        engine = self._engine(np.random.default_rng(self.random_state))
        counts = np.zeros(self.n_clusters, np.int64)
        for batch in batches:
            if not hasattr(engine, "cluster_centers_") and len(batch) < self.n_clusters:
                raise DataError(
                    f"{self.n_clusters} groups need as many rows in the first batch; there are {len(batch)}."
                )
            engine.partial_fit(np.ascontiguousarray(batch, np.float32))
            counts += np.bincount(engine.labels_, minlength=self.n_clusters)
        order = np.argsort(-counts, kind="stable")
        self.labels_ = np.empty(0, np.int64)
        self.n_clusters_ = self.n_clusters
        self.cluster_centers_ = engine.cluster_centers_[order].astype(np.float32)
        self.prototypes_, self.prototype_labels_ = self.cluster_centers_, np.arange(self.n_clusters)
        self.radius_, self.tree_, self.n_features_in_ = np.inf, None, self.cluster_centers_.shape[1]
        return self

    def _group(self, X: Floats, rng: np.random.Generator) -> Grouping:
        engine = self._engine(rng).fit(X)
        centers = engine.cluster_centers_.astype(np.float32)
        return Grouping(nearest_rows(X, centers)[0], centers, np.arange(len(centers)))

    def _engine(self, rng: np.random.Generator) -> Engine:
        return Engine(
            self.n_clusters,
            batch_size=_BATCH,
            n_init=3,
            max_no_improvement=_PATIENCE,
            random_state=int(rng.integers(2**31)),
        )
