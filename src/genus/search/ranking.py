"""What becomes of a list of similar rows: one query of several examples, variety, copies put together."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from genus.search.storage import Rows

Places = NDArray[np.int64]

_AGAINST = 0.5  # the weight of negative examples: Rocchio's, between 0.15 and 1 in the literature


def joint_query(positive: Rows, negative: Rows | None = None) -> Rows:
    """Make one query of examples.

    Parameters
    ----------
    positive : (p, d) float32
        Unit rows of what is looked for; at least one.
    negative : (m, d) float32 or None
        Unit rows of what it shall be unlike.

    Returns
    -------
    (d,) float32
        Its inner product with a row is the mean cosine to the positive examples, less half of that to the negative.

    Notes
    -----
    Rocchio (1971), "Relevance feedback in information retrieval".

    Examples
    --------
    >>> joint_query(np.float32([[1, 0], [0, 1]]), np.float32([[0, 1]])).tolist()
    [0.5, 0.0]
    """
    query = positive.mean(axis=0)
    if negative is not None and len(negative):
        query = query - _AGAINST * negative.mean(axis=0)
    return np.asarray(query, np.float32)


def diverse(scores: Rows, rows: Rows, k: int, diversity: float) -> NDArray[np.int64]:
    """Choose `k` of some rows so that they are like the query and unlike each other.

    Parameters
    ----------
    scores : (n,) float32
        How like the query each is, falling.
    rows : (n, d) float32
        Unit rows.
    k : int
    diversity : float in [0, 1]
        0 leaves the order alone; 1 looks at the query for the first one only.

    Returns
    -------
    (min(k, n),) int64
        The chosen ones, in the order in which they were.

    Notes
    -----
    Maximal marginal relevance: Carbonell and Goldstein (1998), "The use of MMR, diversity-based reranking", SIGIR.

    Examples
    --------
    >>> rows = np.float32([[1, 0], [1, 0], [0.6, 0.8]])
    >>> diverse(np.float32([0.9, 0.9, 0.7]), rows, 2, 0.5).tolist()
    [0, 2]
    """
    if diversity == 0:
        return np.arange(min(k, len(scores)))
    chosen: list[int] = []
    taken = np.zeros(len(scores), bool)
    likest = np.full(len(scores), -np.inf, np.float32)  # to any that was chosen
    for _ in range(min(k, len(scores))):
        worth = scores if not chosen else (1 - diversity) * scores - diversity * likest
        chosen.append(int(np.where(taken, -np.inf, worth).argmax()))
        taken[chosen[-1]] = True
        likest = np.maximum(likest, rows @ rows[chosen[-1]])
    return np.array(chosen, np.int64)


def fold(n: int, same: Callable[[int, Places], NDArray[np.bool_]], most: int) -> list[list[int]]:
    """Put the places of one picture together: each to the first before it that it is a copy of.

    Parameters
    ----------
    n : int
        Places, the best first.
    same : callable
        Of a place and those behind it that are left: which of these are copies of it.
    most : int
        How many pictures are wanted; what comes after them and is a copy of none is left out.

    Notes
    -----
    O(n most): each of the pictures is compared with all that is left, and copies not with each other.

    Examples
    --------
    >>> groups = np.array([7, 3, 7, 1])
    >>> fold(4, lambda one, others: groups[others] == groups[one], 2)
    [[0, 2], [1]]
    """
    left, stacks = np.arange(n), list[list[int]]()
    while len(left) and len(stacks) < most:
        one, others = int(left[0]), left[1:]
        copies = same(one, others)
        stacks.append([one, *others[copies].tolist()])
        left = others[~copies]
    return stacks
