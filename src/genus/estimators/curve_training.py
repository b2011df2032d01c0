"""The learning curve of a training: what more images would give."""

import numpy as np
from numpy.typing import NDArray

from genus.classify.few import NEVER
from genus.classify.leaderboard import Selection
from genus.classify.learning_curve import LearningCurve, learning_curve
from genus.estimators.learned import Learned


def training_folds(learned: Learned, rows: NDArray[np.int64], folds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a fold for every training image: those of `rows` as given, `NEVER` for the others."""
    every = np.full(len(learned.train), NEVER, np.int64)
    every[np.isin(learned.train, rows)] = folds
    return every


def curve_of(
    learned: Learned,
    selection: Selection,
    folds: NDArray[np.int64],
    *,
    n_final: int,
    seconds_left: float,
    random_state: int | None,
) -> LearningCurve | None:
    """Measure the winner on parts of the training images.

    Parameters
    ----------
    learned : Learned
    selection : Selection
        Its logits belong to the images whose fold is 0 or more, in their order.
    folds : (n_train,) int64
        From `training_folds`.
    n_final : int
        How many images the final model learns from.
    seconds_left : float
        Of the time budget; without enough of it nothing is measured.

    Returns
    -------
    LearningCurve, or None where several labels an image, too few images or too little time do not allow one
    """
    judged = folds != NEVER
    if learned.multilabel or not judged.any() or selection.winner_row.fit_seconds > seconds_left:
        return None
    codes, n_classes = learned.codes[learned.train], len(learned.classes)
    logits = np.full((len(folds), n_classes), -np.inf, np.float32)
    logits[np.ix_(judged, selection.classes)] = selection.logits
    return learning_curve(
        selection.winner,
        learned.table.X[learned.train],
        codes,
        folds,
        logits,
        now=n_final / n_classes,
        random_state=random_state,
    )
