"""What a clusterer is: a scikit-learn clusterer on features that also assigns rows it has never seen."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_is_fitted

from genus.cluster.prototypes import group_distances, nearest_rows, prototypes_of
from genus.cluster.tree import MergeTree
from genus.errors import DataError, ParameterError
from genus.normalize import checked_rows

NOISE = -1  # the label of rows that belong to no group

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """What an algorithm found.

    Attributes
    ----------
    labels : (n,) int64
        Any numbers; -1 for noise.
    prototypes : (m, d) float32 or None
        Points that stand for the groups: a row belongs to the group of its nearest. None lets them be chosen among
        the rows' local means.
    prototype_labels : (m,) int64 or None
        The group of each.
    tree : MergeTree or None
        How groups join to larger ones, where the algorithm knows.
    """

    labels: Labels
    prototypes: Floats | None = None
    prototype_labels: Labels | None = None
    tree: MergeTree | None = None


class Clusterer(ClusterMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """Base of the built-in clusterers: checks, numbering by size, assignment; the grouping is in the subclasses.

    Attributes
    ----------
    labels_ : (n,) int64
        Group of each row: 0 is the largest, -1 is noise.
    n_clusters_ : int
        How many groups there are; an algorithm may find fewer than it was asked for.
    cluster_centers_ : (n_clusters_, d) float32
        Mean of each group's rows.
    prototypes_ : (m, d) float32
        What new rows are compared with.
    prototype_labels_ : (m,) int64
        The group of each prototype.
    radius_ : float
        Rows farther than this from every prototype are noise; infinite where there is no noise.
    tree_ : MergeTree or None
        How groups join, for algorithms that know.
    n_features_in_ : int
    """

    random_state: int | None

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Group rows `X (n, d)`; `y` is ignored.

        Raises
        ------
        DataError
            Rows hold NaN or infinity, or there are fewer rows than groups.
        ParameterError
            The number of groups cannot be.
        """
        rows = checked_rows(self, X, reset=True)
        n_clusters = getattr(self, "n_clusters", None)
        if n_clusters is not None and (not isinstance(n_clusters, (int, np.integer)) or n_clusters < 1):
            raise ParameterError(f"n_clusters must be a whole number above 0, not {n_clusters!r}.")
        if n_clusters is not None and n_clusters > len(rows):
            raise DataError(f"{n_clusters} groups need as many rows at least; there are {len(rows)}.")
        rng = np.random.default_rng(self.random_state)
        self._describe(rows, self._group(rows, rng), rng)
        return self

    def predict(self, X: ArrayLike) -> Labels:
        """Return the group of each row, int64 (n,): that of its nearest prototype; -1 for noise."""
        check_is_fitted(self)
        return self._assign(checked_rows(self, X))

    def distances(self, X: ArrayLike) -> Floats:
        """Return each row's distance to each group (to its nearest prototype), float32 (n, n_clusters_)."""
        check_is_fitted(self)
        rows = checked_rows(self, X)
        return group_distances(rows, self.prototypes_, self.prototype_labels_, self.n_clusters_)

    def squared_distances(self, X: ArrayLike) -> Floats:
        """Return `distances(X) ** 2`; where there is noise, with one more column that stands for it.

        A row is noise where that last column, `radius_ ** 2`, is the least.
        """
        squared = self.distances(X) ** 2
        if np.isinf(self.radius_):
            return squared
        return np.column_stack([squared, np.full(len(squared), self.radius_**2, np.float32)])

    @abstractmethod
    def _group(self, X: Floats, rng: np.random.Generator) -> Grouping:
        """Find the groups of checked rows."""

    def _assign(self, X: Floats) -> Labels:
        place, squared = nearest_rows(X, self.prototypes_)
        return np.where(squared <= self.radius_**2, self.prototype_labels_[place], NOISE)

    def _describe(self, X: Floats, found: Grouping, rng: np.random.Generator) -> None:
        """Number the groups by size and fill in what prediction needs."""
        numbers, counts = np.unique(found.labels[found.labels >= 0], return_counts=True)
        if not len(numbers):  # all of it noise: one group says as much, and can be predicted
            numbers, counts = np.array([0]), np.array([len(X)])
            found = Grouping(np.zeros(len(X), np.int64))
        self.n_clusters_ = len(numbers)
        place = np.full(int(numbers.max()) + 1, NOISE)
        place[numbers[np.argsort(-counts, kind="stable")]] = np.arange(len(numbers))
        self.labels_ = np.where(found.labels >= 0, place[found.labels], NOISE)
        member = self.labels_ >= 0
        self.cluster_centers_ = group_means(X[member], self.labels_[member], self.n_clusters_)
        if found.prototypes is None or found.prototype_labels is None:
            self.prototypes_, self.prototype_labels_ = prototypes_of(X[member], self.labels_[member], rng)
        else:
            used = np.isin(found.prototype_labels, numbers)
            self.prototypes_ = found.prototypes[used]
            self.prototype_labels_ = place[found.prototype_labels[used]]
        self.radius_ = np.inf if member.all() else self._radius(X[member])
        self.tree_ = found.tree

    def _radius(self, members: Floats) -> float:
        return float(np.sqrt(np.quantile(nearest_rows(members, self.prototypes_)[1], 0.99)))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "prototypes_")


def group_means(X: Floats, labels: Labels, n_groups: int) -> Floats:
    """Return the mean row of each group, float32 (n_groups, d)."""
    members = csr_matrix((np.ones(len(X), np.float32), (labels, np.arange(len(X)))), shape=(n_groups, len(X)))
    means: Floats = (members @ X) / np.bincount(labels, minlength=n_groups)[:, None].astype(np.float32)
    return means
