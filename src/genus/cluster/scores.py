"""How good a clustering is, judged from the rows alone."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

_MAX_ROWS = 2000  # the silhouette compares all pairs of

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


def silhouette(X: Floats, labels: Labels, random_state: int = 0) -> float:
    """Return how much nearer rows are to their own group than to the next, -1 to 1; on a sample of at most 2,000.

    Rousseeuw (1987), "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis". Noise
    is left out; nan for fewer than two groups.
    """

    def score(rows: Floats, codes: Labels) -> float:
        if len(rows) > _MAX_ROWS:
            kept = np.random.default_rng(random_state).choice(len(rows), _MAX_ROWS, replace=False)
            rows, codes = rows[kept], codes[kept]
        n_groups = len(np.unique(codes))
        return float(silhouette_score(rows, codes)) if 2 <= n_groups < len(rows) else float("nan")

    return _of_groups(score, X, labels)


def calinski_harabasz(X: Floats, labels: Labels) -> float:
    """Return the spread between groups over the spread within, higher is better (Calinski and Harabasz, 1974)."""
    return _of_groups(calinski_harabasz_score, X, labels)


def davies_bouldin(X: Floats, labels: Labels) -> float:
    """Return how alike each group is to the one most like it, lower is better (Davies and Bouldin, 1979)."""
    return _of_groups(davies_bouldin_score, X, labels)


def balance(labels: Labels) -> float:
    """Return how even the sizes of the groups are: 1 if all are equal, near 0 if one has nearly everything.

    The entropy of the sizes over its maximum; noise is left out.

    Examples
    --------
    >>> balance(np.array([0, 0, 1, 1])), round(balance(np.array([0] * 99 + [1])), 2)
    (1.0, 0.08)
    """
    shares = np.bincount(labels[labels >= 0]) / max(1, int((labels >= 0).sum()))
    shares = shares[shares > 0]
    if len(shares) < 2:
        return 0.0
    return float(-(shares * np.log(shares)).sum() / np.log(len(shares)))


def _of_groups(score: Callable[[Floats, Labels], float], X: Floats, labels: Labels) -> float:
    member = labels >= 0
    rows, codes = X[member], labels[member]
    n_groups = len(np.unique(codes))
    if not 2 <= n_groups < len(rows):
        return float("nan")
    return float(score(rows, codes))
