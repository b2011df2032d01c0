"""Gaussian mixture: groups of different size, spread and shape."""

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Engine

from genus.cluster.clusterer import Clusterer, Grouping
from genus.cluster.kmeans import k_means

_MAX_ROWS = 10_000  # fitted on; all are assigned
_CHUNK = 8192

Floats = NDArray[np.float32]


class GaussianMixture(Clusterer):
    """Each group a normal distribution with its own share and its own spread in each direction.

    Parameters
    ----------
    n_clusters : int, default 8
    random_state : int or None

    Notes
    -----
    scikit-learn's `GaussianMixture` with diagonal covariances, started from K-Means; O(n d k) an iteration.
    Dempster, Laird and Rubin (1977), "Maximum likelihood from incomplete data via the EM algorithm".

    Examples
    --------
    >>> X = np.float32([[0.0], [0.1], [0.2], [5.0], [5.1]])
    >>> GaussianMixture(2, random_state=0).fit_predict(X)
    array([0, 0, 0, 1, 1])
    """

    def __init__(self, n_clusters: int = 8, *, random_state: int | None = None) -> None:
        self.n_clusters = n_clusters
        self.random_state = random_state

    def _group(self, X: Floats, rng: np.random.Generator) -> Grouping:
        k = self.n_clusters
        rows = np.arange(len(X)) if len(X) <= _MAX_ROWS else rng.choice(len(X), _MAX_ROWS, replace=False)
        if len(rows) < max(2, k + 1):  # nothing to measure a spread on
            found = k_means(X, k, rng)
            return Grouping(found.labels, found.centers, np.arange(k))
        sample = X[rows].astype(np.float64)
        start = k_means(X[rows], k, rng).centers.astype(np.float64)
        floor = 1e-3 * float(sample.var(axis=0).mean()) + 1e-12
        engine = Engine(k, covariance_type="diag", means_init=start, reg_covar=floor, max_iter=50, tol=1e-2)
        engine.set_params(random_state=int(rng.integers(2**31)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # 50 steps are near enough
            engine.fit(sample)
        parts = [engine.predict(X[i : i + _CHUNK].astype(np.float64)) for i in range(0, len(X), _CHUNK)]
        return Grouping(np.concatenate(parts).astype(np.int64))
