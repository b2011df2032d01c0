"""What becomes of a list of similar rows: one query of several examples, variety, copies put together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genus.search.storage import Rows

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
    likest = np.full(len(scores), -np.inf, np.float32)  # to any that was chosen
    for _ in range(min(k, len(scores))):
        worth = scores if not chosen else (1 - diversity) * scores - diversity * likest
        worth = np.where(np.isin(np.arange(len(scores)), chosen), -np.inf, worth)
        chosen.append(int(worth.argmax()))
        likest = np.maximum(likest, rows @ rows[chosen[-1]])
    return np.array(chosen, np.int64)


def fold(groups: Sequence[int]) -> list[list[int]]:
    """Put the places of equal groups together, in the order in which each group comes first.

    Examples
    --------
    >>> fold([7, 3, 7, 1])
    [[0, 2], [1], [3]]
    """
    found: dict[int, list[int]] = {}
    for place, group in enumerate(groups):
        found.setdefault(group, []).append(place)
    return list(found.values())
