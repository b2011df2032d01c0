"""How many labels are wrong, and how likely each one is, from probabilities of models that had not seen the image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genus.metrics.intervals import wilson

# Steepness of the curve from log-odds to the probability of being wrong. On CIFAR-10 with labels by people, and with
# noise of 5 to 20%, the best fits are from 0.8 to 1.8.
_STEEP = 1.2
_SUREST = 0.2  # share of images on which models hardly err: what they say against there is noise
_CERTAIN = 3.0  # log-odds at which, with any noise that was tried, more than half of the labels were wrong
_TINY = 1e-9

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NoiseRate:
    """An estimate of the share of wrong labels.

    Attributes
    ----------
    value : float
    low, high : float
        Between which bounds it should lie.
    n : int
        How many labels were judged.
    """

    value: float
    low: float
    high: float
    n: int


def doubt(proba: Floats, codes: Codes) -> Floats:
    """Return the log-odds of the likeliest other class against the given one, (n,): above 0 it is likelier.

    Parameters
    ----------
    proba : (n, c) float64
        Out-of-fold and calibrated; rows sum to one.
    codes : (n,) int64
        The given classes.

    Notes
    -----
    On labels by people this ranks wrong labels better than the margin of probabilities does (average precision 0.56
    instead of 0.44 on the same probabilities of CIFAR-10): a margin of 0.1 is nothing between 0.5 and 0.4, and much
    between 0.1 and 0.0.

    Examples
    --------
    >>> doubt(np.array([[0.8, 0.2], [0.2, 0.8]]), np.array([0, 0])).round(2).tolist()
    [-1.39, 1.39]
    """
    rows = np.arange(len(codes))
    own = proba[rows, codes]
    others = proba.copy()
    others[rows, codes] = -1
    return np.asarray(np.log(np.maximum(others.max(axis=1), _TINY)) - np.log(np.maximum(own, _TINY)))


def noise_rate(proba: Floats, codes: Codes) -> NoiseRate:
    """Estimate how many labels are wrong.

    Notes
    -----
    Two estimates, one from below and one from above. On the fifth of the images that models are surest of they hardly
    err, so what speaks against the labels there is noise; but such images are also labelled with more care. Confident
    learning (Northcutt, Jiang and Chuang, 2021, "Confident learning: estimating uncertainty in dataset labels", JAIR)
    counts images for which another class is more probable than is usual for its own; but some of these are merely hard.
    The value is the mean of both; the interval runs from the lower end of the first to the upper end of the second.

    Examples
    --------
    >>> codes = np.arange(1000) % 2
    >>> proba = np.where(np.eye(2)[codes] > 0, 0.95, 0.05)
    >>> codes[:100] = 1 - codes[:100]  # a tenth is wrong
    >>> rate = noise_rate(proba, codes)
    >>> 0.08 < rate.value < 0.12, rate.low < 0.1 < rate.high
    (True, True)
    """
    n = len(codes)
    sure = _surest(proba)
    n_below = int((proba[sure].argmax(axis=1) != codes[sure]).sum())
    likely = confident_class(proba, codes)
    flagged = float(((likely >= 0) & (likely != codes)).mean())
    above = max(_joint_rate(likely, codes), flagged)
    low, _ = wilson(n_below, len(sure))
    _, high = wilson(above * n, n)
    value = (n_below / len(sure) + flagged) / 2
    return NoiseRate(value, min(float(low), value), max(float(high), value), n)


def confident_class(proba: Floats, codes: Codes) -> Codes:
    """Return for each row the class it confidently belongs to, -1 for none.

    Confidently: it is at least as probable as that class is on average for rows that are labelled so.
    """
    n_classes = proba.shape[1]
    usual = np.array(
        [proba[codes == c, c].mean() if (codes == c).any() else np.inf for c in range(n_classes)]
    )
    above = np.where(proba >= usual, proba, -1.0)
    return np.asarray(np.where(above.max(axis=1) >= 0, above.argmax(axis=1), -1), np.int64)


def probability_wrong(doubts: Floats, rate: float) -> Floats:
    """Turn log-odds into probabilities of being wrong that are about `rate` on average, (n,).

    Examples
    --------
    >>> found = probability_wrong(np.array([-4.0, -2.0, -1.0, 5.0]), 0.25)
    >>> bool(abs(found.mean() - 0.25) < 0.05), bool((np.diff(found) > 0).all())
    (True, True)
    """
    from scipy.optimize import brentq
    from scipy.special import expit

    if not len(doubts):
        return doubts
    rate = float(np.clip(rate, 1 / (2 * len(doubts) + 2), 1 - 1 / (2 * len(doubts) + 2)))

    def excess(shift: float) -> float:
        return float(expit(_STEEP * (doubts - shift)).mean()) - rate

    widest = 50 + float(np.abs(doubts).max())
    # what is likelier right than wrong is never suspected, and what is 20 times likelier wrong always
    shift = float(np.clip(brentq(excess, -widest, widest), 0.0, _CERTAIN))
    return np.asarray(expit(_STEEP * (doubts - shift)))


def _surest(proba: Floats) -> Codes:
    n = max(1, round(_SUREST * len(proba)))
    # among equals chance decides, and not the order of the images, which may be that of the classes
    order = np.random.default_rng(0).permutation(len(proba))
    return order[np.argsort(-proba.max(axis=1)[order], kind="stable")[:n]]


def _joint_rate(likely: Codes, codes: Codes) -> float:
    """Return the share of wrong labels by the confident joint, each class weighted by its size."""
    wrong = 0.0
    for c in np.unique(codes):
        members = codes == c
        counted = members & (likely >= 0)
        if counted.any():
            wrong += members.sum() * float((likely[counted] != c).mean())
    return wrong / max(len(codes), 1)
