"""A few labels carried on to all rows, along a graph of nearest neighbours."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genus.cluster.prototypes import nearest_rows
from genus.propagation import label_reach

_NOTHING = 1e-12

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


def spread_labels(X: Floats, parts: Sequence[Labels]) -> tuple[Labels, Labels]:
    """Carry the labels of a few rows on to all.

    Parameters
    ----------
    X : (n, d) float32
        Rows of unit length.
    parts : sequence of k arrays of int64
        The rows that are known to be in group 0, 1 ... k - 1.

    Returns
    -------
    (n,) int64
        The group of each row; known rows stay in theirs.
    (m,) int64
        The group that each known row would get if it alone were not known, in the order of the parts: what the
        answer for the others is worth.

    Notes
    -----
    Labels travel as `genus.propagation.label_reach` says. The groups' shares are then divided by their sums, so that
    much-connected groups do not swallow others (class mass normalisation, Zhu, Ghahramani and Lafferty, 2003).

    Examples
    --------
    >>> angles = np.r_[0:1:20j, 2:3:20j]
    >>> X = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    >>> labels, held_out = spread_labels(X, [np.array([0, 9]), np.array([25, 30])])
    >>> labels.tolist() == [0] * 20 + [1] * 20, held_out.tolist()
    (True, [0, 0, 1, 1])
    """
    known = np.concatenate(list(parts))
    groups = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    reach = label_reach(X, known)  # (n, m): how much of each known row's label arrives where
    shares = _summed(reach, groups, len(parts))
    masses = np.maximum(shares.sum(axis=0), _NOTHING)
    labels = (shares / masses).argmax(axis=1)
    cut_off = shares.sum(axis=1) < _NOTHING
    if cut_off.any():  # no chain of neighbours leads to a known row
        labels[cut_off] = groups[nearest_rows(X[cut_off], X[known])[0]]
    labels[known] = groups
    own = np.zeros((len(known), len(parts)))
    own[np.arange(len(known)), groups] = reach[known, np.arange(len(known))]
    held_out = ((shares[known] - own) / masses).argmax(axis=1)
    return labels.astype(np.int64), held_out.astype(np.int64)


def _summed(reach: NDArray[np.float64], groups: Labels, k: int) -> NDArray[np.float64]:
    return reach @ np.eye(k)[groups]
