"""How far each labelled row reaches along a graph of nearest neighbours: what spreads labels to unlabelled rows.

Shared by groups that hold to a few given labels (`genus.cluster.spreading`) and by training on few images beside a
pile of unlabelled ones (`genus.classify.few`).
"""

import numpy as np
from numpy.typing import NDArray

_NEIGHBORS = 10
_SHARPNESS = 3  # links weigh the cosine to this power
_ALPHA = 0.95  # how far labels travel: the share that a row takes from its neighbours
_NOTHING = 1e-12


def label_reach(X: NDArray[np.float32], known: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how much of each known row's label arrives at each row.

    Parameters
    ----------
    X : (n, d) float32
        Rows of unit length; at least two.
    known : (m,) int64
        The rows whose label is known.

    Returns
    -------
    (n, m) float64
        0 or more; 0 where no chain of neighbours leads to the known row.

    Notes
    -----
    Zhou, Bousquet, Lal, Weston and Schoelkopf (2004), "Learning with local and global consistency", NIPS: with the
    normalised graph S, labels Y become (I - alpha S)^-1 Y. Takes n^2 d steps and one sparse factorisation.

    Examples
    --------
    >>> angles = np.r_[0:1:20j, 2:3:20j]
    >>> X = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    >>> reach = label_reach(X, np.array([0, 25]))
    >>> reach.argmax(axis=1).tolist() == [0] * 20 + [1] * 20
    True
    """
    from scipy.sparse import csr_matrix, diags
    from scipy.sparse.linalg import splu
    from sklearn.neighbors import kneighbors_graph

    n = len(X)
    graph = kneighbors_graph(X, min(_NEIGHBORS, n - 1), include_self=False).tocoo()
    cosines = (X[graph.row] * X[graph.col]).sum(axis=1, dtype=np.float64)
    links = csr_matrix((cosines.clip(min=_NOTHING) ** _SHARPNESS, (graph.row, graph.col)), shape=(n, n))
    links = links + links.T
    scale = diags(1 / np.sqrt(np.maximum(np.asarray(links.sum(axis=1)).ravel(), _NOTHING)))
    system = diags(np.ones(n)) - _ALPHA * (scale @ links @ scale)
    sources = np.zeros((n, len(known)))
    sources[known, np.arange(len(known))] = 1
    reached: NDArray[np.float64] = splu(system.tocsc()).solve(sources)
    return reached.clip(min=0)
