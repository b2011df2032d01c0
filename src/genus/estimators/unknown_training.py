"""What training learns about images of no known class: how novel known ones look, and how a new class would show."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.classify.novelty import LeftOut, Novelty, OutOfFold, spread_rows
from genus.estimators.learned import Learned
from genus.features.comparable import last_layers
from genus.judgement import EvaluationResult
from genus.judgement_of_unknown import with_rejection
from genus.metrics.sure import SureTaxa
from genus.metrics.unknown import KnownScores


@dataclass(frozen=True, slots=True, eq=False)
class UnknownTraining:
    """How to tell images of no known class.

    Attributes
    ----------
    novelty : Novelty
        Of the training images.
    scores : KnownScores
        How novel images of known classes are to a model that has not seen them.
    left_out : tuple of LeftOut
        For each class how its images would stand out if it were unknown.
    """

    novelty: Novelty
    scores: KnownScores
    left_out: tuple[LeftOut, ...]

    def judged(
        self, result: EvaluationResult, learned: Learned, rows: NDArray[np.int64], sure: SureTaxa | None
    ) -> EvaluationResult:
        """Add to the result on images `rows` how rejecting some of them did."""
        novelty = self.novelty.score(learned.table.X[rows])
        return with_rejection(result, learned.data.take(rows), novelty, self.scores, learned.classes, sure)

    def finished(self, learned: Learned, rows: NDArray[np.int64]) -> Novelty:
        """Return what goes into the file of a model that learned from images `rows`."""
        return Novelty.of(learned.table.X[rows[spread_rows(_kinds(learned, rows))]], self.novelty.blocks)

    def to_dict(self, n_stored: int) -> dict[str, Any]:
        """Return the detail `unknown` of the model file."""
        return {
            "scores": self.scores.to_list(),
            "n_stored_images": n_stored,
            "left_out": [row.to_dict() for row in self.left_out],
        }


def learn_unknown(learned: Learned, folds: NDArray[np.int64]) -> UnknownTraining | None:
    """Learn how novel images of known classes are; None where there are too few to tell.

    Parameters
    ----------
    learned : Learned
    folds : (n_train,) int64
        Of each training image; negative: never out of fold.
    """
    rows = learned.train
    X = learned.table.X[rows]
    blocks = last_layers(learned.table.blocks)
    stored = spread_rows(_kinds(learned, rows))
    novelty = Novelty.of(X[stored], blocks)
    apart = OutOfFold.of(novelty, X, stored, folds)
    if not len(apart.novelty):
        return None
    members = _members(learned, rows)
    return UnknownTraining(novelty, KnownScores.of(apart.novelty), apart.left_out(members, learned.classes))


def _members(learned: Learned, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    if learned.values is not None:
        return np.asarray(learned.values[rows] == 1, np.bool_)
    return np.asarray(learned.codes[rows][:, None] == np.arange(len(learned.classes)), np.bool_)


def _kinds(learned: Learned, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the class of each image; of several labels the rarest, and -1 where there is none."""
    if learned.values is None:
        return learned.codes[rows]
    has = learned.values[rows] == 1
    rarity = np.where(has, has.sum(axis=0), len(has) + 1)
    return np.where(has.any(axis=1), rarity.argmin(axis=1), -1)
