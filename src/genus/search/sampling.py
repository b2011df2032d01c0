"""Which labelled rows are looked at where there are too many: such that images of one class stay together."""

import numpy as np
from numpy.typing import NDArray

_LEAST_EACH = (
    10  # rows of a class, on average, with which a sample of all rows still holds pairs of one class
)
_MOST_OF_ONE = 10  # a class takes no more than one part in so many, where whole classes are taken

Codes = NDArray[np.int64]


def sample_rows(codes: Codes, limit: int, rng: np.random.Generator) -> Codes:
    """Choose at most `limit` of labelled rows: any of them where classes are few, whole classes where they are many.

    Parameters
    ----------
    codes : (n,) int64
        The class of each row.
    limit : int
    rng : Generator

    Returns
    -------
    (min(n, limit),) int64, or a little less
        Ascending.

    Notes
    -----
    Of 10,000 classes of two rows each a plain sample of 3,000 rows holds about 200 pairs of one class; whole classes
    hold 1,500. How often two rows are of one class is then not what it is among all: see `pair_odds`.

    Examples
    --------
    >>> codes = np.arange(100) // 2
    >>> codes[sample_rows(codes, 10, np.random.default_rng(0))].tolist()
    [5, 5, 27, 27, 37, 37, 38, 38, 39, 39]
    """
    mixed = rng.permutation(len(codes))
    if len(codes) <= limit:
        return np.arange(len(codes))
    classes = np.unique(codes, return_inverse=True)[1]
    n_classes = int(classes.max()) + 1
    if n_classes * _LEAST_EACH <= limit:
        return np.sort(mixed[:limit])
    turn = rng.permutation(n_classes)[classes]  # when the row's class comes
    mixed = mixed[np.argsort(turn[mixed], kind="stable")]
    starts = np.searchsorted(turn[mixed], turn[mixed])
    mixed = mixed[np.arange(len(mixed)) - starts < max(2, limit // _MOST_OF_ONE)]
    chosen = mixed[:limit]
    if len(mixed) > limit and turn[mixed[limit]] == turn[chosen[-1]]:  # no class is cut through
        chosen = chosen[turn[chosen] != turn[chosen[-1]]]
    return np.sort(chosen)


def pair_odds(codes: Codes) -> float:
    """Return how many pairs of rows of different classes there are for each pair of one class.

    Examples
    --------
    >>> pair_odds(np.array([0, 0, 1]))
    2.0
    """
    sizes = np.unique(codes, return_counts=True)[1].astype(np.float64)
    same = float((sizes * (sizes - 1)).sum())
    return (len(codes) * (len(codes) - 1.0) - same) / max(1.0, same)
