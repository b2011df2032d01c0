"""How good retrieval is: mean average precision, recall at k."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.search.storage import Rows

RECALL_AT = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How well images of the same class are found.

    Attributes
    ----------
    mean_average_precision : float in [0, 1]
        For one query the mean, over all images of its class, of the share of that class among all that come no later.
    recall_at_1, recall_at_5, recall_at_10 : float in [0, 1]
        Share of the queries with an image of their class among so many.
    n_queries : int
    """

    mean_average_precision: float
    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    n_queries: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def query_figures(scores: Rows, same: NDArray[np.bool_], usable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return for each query its average precision and its hits at 1, 5 and 10.

    Parameters
    ----------
    scores : (m, n) float32
        How like each stored row each query is.
    same : (m, n) bool
        Whether they are of the same class.
    usable : (m, n) bool
        What counts; copies of the query do not.

    Returns
    -------
    (q, 4) float64
        For the queries with an image of their class among what counts.

    Examples
    --------
    >>> scores = np.float32([[0.9, 0.8, 0.7]])
    >>> query_figures(scores, np.array([[True, False, True]]), np.ones((1, 3), bool)).round(3).tolist()
    [[0.833, 1.0, 1.0, 1.0]]
    """
    order = np.argsort(np.where(usable, -scores, np.inf), axis=1, kind="stable")
    right = np.take_along_axis(same & usable, order, axis=1)
    n_right = right.sum(axis=1)
    right, n_right = right[n_right > 0], n_right[n_right > 0]
    if not len(right):
        return np.empty((0, 1 + len(RECALL_AT)))
    precision = np.cumsum(right, axis=1) / np.arange(1, right.shape[1] + 1)
    average = (precision * right).sum(axis=1) / n_right
    return np.column_stack([average, *(right[:, :k].any(axis=1) for k in RECALL_AT)])


def retrieval_of(figures: NDArray[np.float64]) -> Retrieval:
    """Average the figures of queries; NaN where there are none."""
    mean, at_1, at_5, at_10 = (
        float(figures[:, i].mean()) if len(figures) else float("nan") for i in range(4)
    )
    return Retrieval(mean, at_1, at_5, at_10, len(figures))
