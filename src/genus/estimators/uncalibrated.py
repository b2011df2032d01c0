"""What calibration was for: the reliability of a classifier without it."""

import numpy as np

from genus.classify.fitted import FittedHead
from genus.classify.truth import LabelSetsTruth, OneClass
from genus.estimators.learned import Learned
from genus.metrics.calibration import ReliabilityBin, reliability_bins


def uncalibrated_bins(learned: Learned, head: FittedHead) -> tuple[ReliabilityBin, ...]:
    """Return the reliability diagram of a head's own probabilities on the test images of known classes.

    Parameters
    ----------
    learned : Learned
    head : FittedHead
        Fitted on the training images.
    """
    rows = learned.test
    if learned.values is None:
        rows = rows[learned.codes[rows] >= 0]
    if len(rows) == 0:
        return ()
    logits = head.uncalibrated_logits(learned.table.X[rows])
    if learned.values is not None:
        return reliability_bins(*LabelSetsTruth(learned.values[rows]).confidence(logits))
    every = np.full((len(rows), len(learned.classes)), -np.inf, np.float32)
    every[:, head.classes_] = logits
    return reliability_bins(*OneClass(learned.codes[rows]).confidence(every))
