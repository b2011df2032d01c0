"""From pairs of images that show the same picture to groups of them."""

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]


def joined(n: int, pairs: NDArray[np.int64]) -> Codes:
    """Number the groups that pairs make: whoever is in a pair, and in a pair with one of those, and so on.

    Parameters
    ----------
    n : int
        How many there are.
    pairs : (m, 2) int64

    Returns
    -------
    (n,) int64
        Group numbers from 0, by first occurrence; whoever is in no pair has a group of its own.

    Examples
    --------
    >>> joined(5, np.array([[0, 3], [3, 4]])).tolist()
    [0, 1, 2, 0, 0]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs), np.int8)
    graph = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, groups = connected_components(graph, directed=False)
    _, first, codes = np.unique(groups, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[codes], np.int64)
