"""Whether 90% confidence means right nine times out of ten."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genus.metrics.intervals import Floats, normal_quantile, wilson

N_BINS = 15
MIN_PER_BIN = 10
_N_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Images of similar confidence.

    Attributes
    ----------
    start, stop : float in [0, 1]
        Lowest and highest confidence among them.
    n : int
        How many they are.
    confidence : float in [0, 1]
        Their mean confidence.
    accuracy : float in [0, 1]
        The share of them that is right.
    low, high : float in [0, 1]
        Wilson's 95% interval of the accuracy.
    """

    start: float
    stop: float
    n: int
    confidence: float
    accuracy: float
    low: float
    high: float


def reliability_bins(
    confidence: Floats, correct: NDArray[np.bool_], n_bins: int | None = None
) -> tuple[ReliabilityBin, ...]:
    """Sort images into bins of equal number by their confidence.

    Parameters
    ----------
    confidence : float64 (n,)
        The probability of the predicted class.
    correct : bool (n,)
        Whether that class is the true one.
    n_bins : int or None
        Number of bins. None: 15, or as many as leave each at least 10 images. There are fewer where many images
        have equal confidence, for those stay together.

    Returns
    -------
    tuple of ReliabilityBin
        By rising confidence; none is empty.

    Notes
    -----
    Bins of equal mass, not of equal width: a good model is nearly always sure, so most bins of equal width would
    hold a handful of images and the last one nearly all (Nixon et al. 2019).

    Examples
    --------
    >>> bins = reliability_bins(np.array([0.6, 0.7, 0.9, 0.9]), np.array([False, True, True, True]), n_bins=2)
    >>> [(b.n, round(b.confidence, 2), b.accuracy) for b in bins]
    [(2, 0.65, 0.5), (2, 0.9, 1.0)]
    """
    if len(confidence) == 0:
        return ()
    if n_bins is None:
        n_bins = min(N_BINS, max(1, len(confidence) // MIN_PER_BIN))
    order = np.argsort(confidence, kind="stable")
    sure, right = confidence[order], correct[order]
    cuts = np.arange(1, n_bins) * len(sure) // n_bins
    starts = np.unique(np.append(0, np.searchsorted(sure, sure[cuts])))
    stops = np.append(starts[1:], len(sure))
    n, hits = stops - starts, np.add.reduceat(right.astype(np.int64), starts)
    mean, (low, high) = np.add.reduceat(sure, starts) / n, wilson(hits, n)
    return tuple(
        ReliabilityBin(
            start=float(sure[starts[i]]),
            stop=float(sure[stops[i] - 1]),
            n=int(n[i]),
            confidence=float(mean[i]),
            accuracy=float(hits[i] / n[i]),
            low=float(low[i]),
            high=float(high[i]),
        )
        for i in range(len(starts))
    )


def calibration_error(
    bins: tuple[ReliabilityBin, ...], *, random_state: int | None = 0, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Expected calibration error: how far confidence is from accuracy, on average over images.

    Parameters
    ----------
    bins : tuple of ReliabilityBin
        At least one (see `reliability_bins`).
    random_state : int or None, default 0
        Seed of the interval's draws.
    confidence : float in (0, 1), default 0.95
        How often the interval should hold the true error.

    Returns
    -------
    value, low, high : float in [0, 1]

    Notes
    -----
    Naeini et al. (2015), "Obtaining well calibrated probabilities using Bayesian binning". Chance alone pushes
    the value up, since gaps of either sign count as error: even a perfectly calibrated model shows some. A
    bootstrap would push it up once more, so the interval inverts a test instead: it holds the errors under which
    a value like this one is not unusual, with gaps shaped as observed but larger or smaller. The value
    therefore often lies near its upper end. In simulations 90-100% of these intervals hold the truth.

    Examples
    --------
    >>> sure = np.linspace(0.5, 1, 1000)
    >>> bins = reliability_bins(sure, np.arange(1000) % 4 > 0)  # always right 3 times of 4
    >>> print("{:.3f} ({:.3f} to {:.3f})".format(*calibration_error(bins)))
    0.124 (0.096 to 0.149)
    """
    n = np.array([b.n for b in bins], np.float64)
    gap = np.array([b.accuracy - b.confidence for b in bins])
    # Half an imaginary hit and miss: a bin that is all right does not make its accuracy certain.
    likely = (np.array([b.accuracy for b in bins]) * n + 0.5) / (n + 1)
    spread = np.sqrt(likely * (1 - likely) / n)
    weights = n / n.sum()
    value = float(weights @ np.abs(gap))
    shape = np.where(gap < 0, -1.0, 1.0) * np.hypot(gap, spread)
    scales = np.linspace(0.0, 3.0, 31)
    noise = spread * np.random.default_rng(random_state).standard_normal((_N_DRAWS, len(bins)))
    drawn = np.abs(scales[:, None, None] * shape + noise) @ weights  # (scales, draws)
    tail = (1 - confidence) / 2
    lowest, highest = np.quantile(drawn, [tail, 1 - tail], axis=1)
    unit = float(weights @ np.abs(shape))
    low, high = np.interp(value, highest, scales) * unit, np.interp(value, lowest, scales) * unit
    return value, min(value, float(low)), min(1.0, max(value, float(high)))


def overconfidence(bins: tuple[ReliabilityBin, ...], confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean confidence minus accuracy: above 0 the model is too sure of itself, below 0 too modest.

    Parameters
    ----------
    bins : tuple of ReliabilityBin
        At least one.
    confidence : float in (0, 1), default 0.95
        How often the interval should hold the truth.

    Returns
    -------
    value, low, high : float in [-1, 1]
        With a normal interval.

    Examples
    --------
    >>> bins = reliability_bins(np.full(100, 0.9), np.arange(100) < 75)
    >>> print("{:.2f} ({:.2f} to {:.2f})".format(*overconfidence(bins)))
    0.15 (0.06 to 0.24)
    """
    n = np.array([b.n for b in bins], np.float64)
    accuracy = np.array([b.accuracy for b in bins])
    likely = (accuracy * n + 0.5) / (n + 1)
    value = float(n @ (np.array([b.confidence for b in bins]) - accuracy) / n.sum())
    half = normal_quantile(confidence) * float(np.sqrt(np.sum(n * likely * (1 - likely))) / n.sum())
    return value, max(-1.0, value - half), min(1.0, value + half)
