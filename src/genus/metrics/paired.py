"""Whether one model is better than another on the same test images."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.errors import DataError
from genus.metrics.intervals import normal_quantile


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """Two models on one set of test images.

    Attributes
    ----------
    n : int
        Number of test images.
    both_right, only_first, only_second, both_wrong : int
        Images by who was right; they add up to `n`.
    difference : float in [-1, 1]
        Accuracy of the first minus accuracy of the second.
    low, high : float in [-1, 1]
        95% interval of the difference (Tango 1998).
    p_value : float in (0, 1]
        Chance of a difference at least this large between two equally good models (exact McNemar test).
    """

    n: int
    both_right: int
    only_first: int
    only_second: int
    both_wrong: int
    difference: float
    low: float
    high: float
    p_value: float

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as plain values."""
        return asdict(self)


def compare_models(
    y_true: NDArray[Any], first: NDArray[Any], second: NDArray[Any], *, confidence: float = 0.95
) -> PairedComparison:
    """Compare the predictions of two models on the same test images.

    Parameters
    ----------
    y_true, first, second : arrays (n,)
        True classes and the two models' predictions, as codes or as names.
    confidence : float in (0, 1), default 0.95
        How often the interval should hold the true difference.

    Returns
    -------
    PairedComparison

    Raises
    ------
    DataError
        There are no images, or the lengths differ.

    Notes
    -----
    Images on which both are right, or both wrong, say nothing about which is better; so this is far sharper
    than looking whether two intervals overlap. Interval: the score interval of Tango (1998), "Equivalence test
    and confidence interval for the difference in proportions for the paired-sample design". Test: McNemar's,
    exact (binomial).

    Examples
    --------
    >>> y = np.zeros(50, int)
    >>> a, b = y.copy(), y.copy()
    >>> a[:2], b[2:14] = 1, 1  # the first model is wrong on 2 images, the second on 12 others
    >>> found = compare_models(y, a, b)
    >>> print(f"{found.difference:+.0%} ({found.low:+.1%} to {found.high:+.1%}), p = {found.p_value:.3f}")
    +20% (+6.1% to +34.5%), p = 0.013
    """
    y_true, first, second = np.asarray(y_true), np.asarray(first), np.asarray(second)
    if not y_true.shape == first.shape == second.shape or y_true.ndim != 1:
        raise DataError(
            f"comparing two models needs one label and two predictions an image; got arrays of shapes "
            f"{y_true.shape}, {first.shape} and {second.shape}."
        )
    if len(y_true) == 0:
        raise DataError("comparing two models needs at least one test image; got none.")
    a, b = first == y_true, second == y_true
    n, only_first, only_second = len(a), int(np.sum(a & ~b)), int(np.sum(b & ~a))
    low, high = tango_interval(only_first, only_second, n, confidence)
    return PairedComparison(
        n=n,
        both_right=int(np.sum(a & b)),
        only_first=only_first,
        only_second=only_second,
        both_wrong=int(np.sum(~a & ~b)),
        difference=(only_first - only_second) / n,
        low=low,
        high=high,
        p_value=mcnemar_exact(only_first, only_second),
    )


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided exact McNemar test.

    Parameters
    ----------
    only_first, only_second : int
        Images that only the one, or only the other, model got right.

    Returns
    -------
    float in (0, 1]

    Examples
    --------
    >>> round(mcnemar_exact(12, 2), 5)
    0.01294
    """
    from scipy.special import bdtr

    n = only_first + only_second
    return float(min(1.0, 2 * bdtr(min(only_first, only_second), n, 0.5))) if n else 1.0


def tango_interval(
    only_first: int, only_second: int, n: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Score interval of the difference of two paired proportions (Tango 1998).

    Parameters
    ----------
    only_first, only_second : int
        Images that only the one, or only the other, model got right.
    n : int >= 1
        All images.
    confidence : float in (0, 1), default 0.95
        How often the interval should hold the true difference.

    Returns
    -------
    low, high : float in [-1, 1]
    """
    z = normal_quantile(confidence)
    difference = (only_first - only_second) / n
    low = _root(lambda d: _score(only_first, only_second, n, d) - z, -1.0, difference)
    high = _root(lambda d: _score(only_first, only_second, n, d) + z, difference, 1.0)
    return low, high


def _score(b: int, c: int, n: int, difference: float) -> float:
    """Tango's statistic: how many standard errors the data lie above a true difference."""
    linear = (2 * n - b + c) * difference - b - c
    constant = -c * difference * (1 - difference)
    # The likeliest share of images that only the second gets right, given the difference.
    share = (np.sqrt(max(0.0, linear**2 - 8 * n * constant)) - linear) / (4 * n)
    variance = n * (2 * share + difference * (1 - difference))
    distance = b - c - n * difference
    if variance <= 1e-15:
        return float(np.sign(distance) * np.inf) if abs(distance) > 1e-12 else 0.0
    return float(distance / np.sqrt(variance))


def _root(function: Any, low: float, high: float) -> float:
    """Bisect a falling function; the end that it does not reach zero before, if so."""
    for _ in range(60):
        middle = (low + high) / 2
        if function(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
