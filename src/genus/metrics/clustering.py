"""Clusterings held against known classes."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, v_measure_score
from sklearn.metrics.cluster import contingency_matrix

from genus.errors import DataError


@dataclass(frozen=True, slots=True)
class ClusterAgreement:
    """How well groups match known classes; all are 1 for a perfect match.

    Attributes
    ----------
    adjusted_rand : float
        Share of pairs of rows on which both say the same, corrected for chance: 0 is what chance gives (Hubert and
        Arabie, 1985).
    normalized_mutual_info : float
        What the groups tell of the classes, over the mean of what there is to tell (Strehl and Ghosh, 2002).
    v_measure : float
        Harmonic mean of homogeneity and completeness (Rosenberg and Hirschberg, 2007).
    hungarian_accuracy : float
        Share of rows that are right when each class is matched with one group, as well as can be (Kuhn, 1955).
    majority_accuracy : float
        Share of rows that are right when each group is named after its most frequent class.
    n : int
        Rows with a known class.
    """

    adjusted_rand: float
    normalized_mutual_info: float
    v_measure: float
    hungarian_accuracy: float
    majority_accuracy: float
    n: int

    def to_dict(self) -> dict[str, float]:
        """Return plain values for JSON."""
        return asdict(self)


def cluster_agreement(y_true: ArrayLike, labels: ArrayLike) -> ClusterAgreement:
    """Hold a clustering against known classes.

    Parameters
    ----------
    y_true : (n,) array
        Classes.
    labels : (n,) int array
        Groups. Each row of noise (-1) counts as a group of its own.

    Raises
    ------
    DataError
        The lengths differ, or there are no rows.

    Examples
    --------
    >>> found = cluster_agreement(["a", "a", "b", "b"], [1, 1, 0, 2])
    >>> found.hungarian_accuracy, found.majority_accuracy, round(found.adjusted_rand, 2)
    (0.75, 1.0, 0.57)
    """
    codes = np.unique(np.asarray(y_true), return_inverse=True)[1]
    groups = np.asarray(labels, np.int64)
    if codes.shape != groups.shape or not len(codes):
        raise DataError(
            f"expected as many classes as groups, one of each at least, got {len(codes)} and {len(groups)}."
        )
    alone = _noise_alone(groups)
    table = contingency_matrix(codes, alone)
    matched = linear_sum_assignment(table, maximize=True)
    return ClusterAgreement(
        adjusted_rand=float(adjusted_rand_score(codes, alone)),
        normalized_mutual_info=float(normalized_mutual_info_score(codes, alone)),
        v_measure=float(v_measure_score(codes, alone)),
        hungarian_accuracy=float(table[matched].sum() / len(codes)),
        majority_accuracy=float(table[:, _group_columns(alone, groups)].max(axis=0).sum() / len(codes)),
        n=len(codes),
    )


def _noise_alone(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give each row of noise a group of its own."""
    noise = groups < 0
    alone = groups.copy()
    alone[noise] = groups.max(initial=0) + 1 + np.arange(int(noise.sum()))
    return alone


def _group_columns(alone: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the columns of the table that are groups, not rows of noise, which nobody names."""
    return np.flatnonzero(np.unique(alone) <= groups.max(initial=-1))
