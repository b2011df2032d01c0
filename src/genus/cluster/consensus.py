"""One clustering out of many: rows that most clusterings put together belong together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.metrics import adjusted_rand_score

from genus.cluster.kmeans import k_means

_N_INIT = 10

Labels = NDArray[np.int64]


def agreement_matrix(clusterings: Sequence[Labels]) -> NDArray[np.float64]:
    """Return the adjusted Rand index of each pair of clusterings, float64 (m, m), zero on the diagonal."""
    m = len(clusterings)
    found = np.zeros((m, m))
    for i in range(m):
        for j in range(i):
            found[i, j] = found[j, i] = adjusted_rand_score(clusterings[i], clusterings[j])
    return found


def mean_agreement(clusterings: Sequence[Labels]) -> NDArray[np.float64]:
    """Return how well each clustering agrees with the others on average, float64 (m,)."""
    means: NDArray[np.float64] = agreement_matrix(clusterings).sum(axis=1) / max(1, len(clusterings) - 1)
    return means


def consensus(
    clusterings: Sequence[Labels],
    n_clusters: int,
    rng: np.random.Generator,
    weights: NDArray[np.float64] | None = None,
) -> Labels:
    """Group rows by which other rows the clusterings put them with.

    Parameters
    ----------
    clusterings : sequence of (n,) int64
        -1 is noise: together with nobody.
    n_clusters : int
    rng : Generator
    weights : (m,) float64 or None
        How much each clustering counts. None takes the square of its mean agreement with the others, and leaves
        out the half that agrees least.

    Returns
    -------
    (n,) int64

    Notes
    -----
    Spectral clustering of the co-association matrix, which is never formed: its leading eigenvectors are those of
    the groups' indicator columns. O(n m) for n rows and m clusterings, whatever n. Strehl and Ghosh (2002), "Cluster
    ensembles", JMLR; Fred and Jain (2005), "Combining multiple clusterings using evidence accumulation", TPAMI.

    Examples
    --------
    >>> votes = [np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]), np.array([0, 0, 0, 1])]
    >>> found = consensus(votes, 2, np.random.default_rng(0), np.ones(3))
    >>> bool(found[0] == found[1] != found[2] == found[3])
    True
    """
    if weights is None:
        agreement = mean_agreement(clusterings)
        weights = np.where(agreement >= np.median(agreement), agreement.clip(min=0) ** 2, 0.0)
    if not (weights > 0).any():
        weights = np.ones(len(clusterings))
    columns = hstack(
        [_indicators(labels, w) for labels, w in zip(clusterings, weights, strict=True) if w > 0]
    ).tocsr()
    values, vectors = np.linalg.eigh((columns.T @ columns).toarray())
    n_kept = min(n_clusters, columns.shape[1])
    kept = vectors[:, ::-1][:, :n_kept] / np.sqrt(values[::-1][:n_kept].clip(min=1e-12))
    embedded = columns @ kept
    embedded /= np.maximum(np.linalg.norm(embedded, axis=1, keepdims=True), 1e-12)
    return k_means(embedded.astype(np.float32), n_clusters, rng, n_init=_N_INIT).labels


def _indicators(labels: Labels, weight: float) -> csr_matrix:
    """Return one column a group, 1 where a row belongs to it, scaled by its size and the clustering's weight."""
    rows = np.flatnonzero(labels >= 0)
    _, codes, counts = np.unique(labels[rows], return_inverse=True, return_counts=True)
    values = np.sqrt(weight / counts)[codes]
    return csr_matrix((values, (rows, codes)), shape=(len(labels), len(counts)))
