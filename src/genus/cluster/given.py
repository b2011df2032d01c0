"""A grouping from elsewhere, as a clusterer."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.cluster.clusterer import Clusterer, Grouping, group_means

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


class Given(Clusterer):
    """A grouping that is known already: gives it centres, prototypes and the power to predict.

    Parameters
    ----------
    labels : (n,) int array
        The group of each row to come; -1 for noise.
    """

    random_state = 0

    def __init__(self, labels: ArrayLike) -> None:
        self.labels = labels

    @classmethod
    def restored(
        cls, labels: Labels, X: Floats, prototypes: Floats, prototype_labels: Labels, radius: float
    ) -> Self:
        """Return a fitted clusterer from what was kept of one: all but the rows' centres, which follow."""
        made = cls(labels)
        made.labels_, made.n_clusters_ = labels, int(labels.max()) + 1
        member = labels >= 0
        made.cluster_centers_ = group_means(X[member], labels[member], made.n_clusters_)
        made.prototypes_, made.prototype_labels_ = prototypes, prototype_labels
        made.radius_, made.tree_, made.n_features_in_ = radius, None, X.shape[1]
        return made

    def _group(self, X: Floats, rng: np.random.Generator) -> Grouping:
        return Grouping(np.asarray(self.labels, np.int64))
