"""What a comparison of methods ended with, and all that the winner needs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genus.classify.leaderboard import Selection
from genus.estimators.learned import Learned
from genus.features.feature_set import FeatureSet

if TYPE_CHECKING:
    from genus.estimators.network_result import NetworkResult


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """Who won.

    Attributes
    ----------
    learned : Learned
        With the features that the winner reads.
    feature_set : FeatureSet
        What computes them.
    selection : Selection
        The leaderboard and the winner.
    rows : (k,) int64
        The images that judged: those of `selection.logits`.
    folds : (n_train,) int64
        The fold of each training image; negative for those that did not take part.
    notes : tuple of str
    network : NetworkResult or None
        What became of the network, where one was trained.
    own_folds : (n_train,) int64 or None
        The folds of the frozen features, where those of the network are others.
    again : callable or None
        Where a network has won: from this contest and the images that may be learned from in the end to a contest whose
        network has learned from all of them.
    """

    learned: Learned
    feature_set: FeatureSet
    selection: Selection
    rows: NDArray[np.int64]
    folds: NDArray[np.int64]
    notes: tuple[str, ...]
    network: "NetworkResult | None" = None
    own_folds: NDArray[np.int64] | None = None
    again: "Callable[[Contest, NDArray[np.int64]], Contest] | None" = field(default=None, repr=False)

    @property
    def frozen_folds(self) -> NDArray[np.int64]:
        """The folds in which the frozen features were judged."""
        return self.folds if self.own_folds is None else self.own_folds

    @property
    def network_won(self) -> bool:
        """Whether the winner contains a network that was trained."""
        return self.again is not None
