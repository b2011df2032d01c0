"""Spectral clustering: groups of any shape, along a graph of nearest neighbours."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.manifold import spectral_embedding
from sklearn.neighbors import kneighbors_graph

from genus.cluster.agglomerative import micro_clusters
from genus.cluster.clusterer import Clusterer, Grouping
from genus.cluster.kmeans import k_means
from genus.cluster.prototypes import nearest_rows

_MAX_POINTS = 3000
_FAINT = 0.1  # of a full link

Floats = NDArray[np.float32]


class Spectral(Clusterer):
    """Cut the graph of nearest neighbours where it is thinnest.

    Parameters
    ----------
    n_clusters : int, default 8
    n_neighbors : int, default 10
    random_state : int or None

    Notes
    -----
    More than 3,000 rows are represented by micro-clusters. scikit-learn's `spectral_embedding`, then K-Means.
    Ng, Jordan and Weiss (2001), "On spectral clustering: analysis and an algorithm", NIPS; von Luxburg (2007).

    Examples
    --------
    >>> X = np.float32([[i] for i in range(8)] + [[50 + i] for i in range(6)])
    >>> Spectral(2, n_neighbors=3, random_state=0).fit_predict(X)
    array([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    """

    def __init__(
        self, n_clusters: int = 8, *, n_neighbors: int = 10, random_state: int | None = None
    ) -> None:
        self.n_clusters = n_clusters
        self.n_neighbors = n_neighbors
        self.random_state = random_state

    def _group(self, X: Floats, rng: np.random.Generator) -> Grouping:
        points, masses, members = micro_clusters(X, rng, _MAX_POINTS)
        k = min(self.n_clusters, len(points))
        if len(points) <= max(k + 1, 3):
            labels = k_means(points, k, rng).labels
            return Grouping(labels[members])
        axes = spectral_rows(points, k, rng, self.n_neighbors)
        embedded = axes / np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), 1e-12)
        found = k_means(embedded, k, rng, weights=masses.astype(np.float32), n_init=5)
        return Grouping(found.labels[members])


def spectral_rows(X: Floats, n_axes: int, rng: np.random.Generator, n_neighbors: int = 10) -> Floats:
    """Return rows (n, n_axes) that lie together where the graph of nearest neighbours holds together.

    The leading eigenvectors of the normalised graph, the constant one included; fewer axes are its first columns.
    """
    graph = kneighbors_graph(X, min(n_neighbors, len(X) - 1), include_self=True)
    affinity = _joined(0.5 * (graph + graph.T), X)
    seed = int(rng.integers(2**31))
    axes = spectral_embedding(affinity, n_components=n_axes, random_state=seed, drop_first=False)
    return np.ascontiguousarray(axes, np.float32)


def _joined(affinity: csr_matrix, points: Floats) -> csr_matrix:
    """Tie the pieces of a graph together by faint links between their nearest points: one whole is wanted."""
    n_pieces, piece = connected_components(affinity, directed=False)
    if n_pieces == 1:
        return affinity
    largest = np.bincount(piece).argmax()
    rows, columns = [], []
    for other in np.setdiff1d(np.arange(n_pieces), largest):
        inside, outside = np.flatnonzero(piece == other), np.flatnonzero(piece != other)
        place, squared = nearest_rows(points[inside], points[outside])
        best = int(squared.argmin())
        rows.append(inside[best])
        columns.append(outside[place[best]])
    links = csr_matrix((np.full(len(rows), _FAINT), (rows, columns)), shape=affinity.shape)
    return _joined((affinity + links + links.T).tocsr(), points)
