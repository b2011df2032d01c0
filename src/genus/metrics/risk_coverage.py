"""Answering only when sure: how often a model is wrong on the images it is surest of, for any share of them.

NumPy only: `genus.predictor` may import it.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.errors import DataError, ParameterError
from genus.metrics.intervals import wilson

SHARES = (0.5, 0.8, 0.9, 0.95, 1.0)
"""The shares of images that summaries name."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SurestShare:
    """How a model does on the images it is surest of.

    Attributes
    ----------
    share : float in (0, 1]
        Of all images, how many it answers; the others are left to somebody else.
    n : int
        Number of these images.
    confidence : float in [0, 1]
        The least confidence among them.
    accuracy, low, high : float in [0, 1]
        Share of them that are right, with its 95% interval (Wilson).
    """

    share: float
    n: int
    confidence: float
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class RiskCoverage:
    """The error among the surest images, from one image to all of them.

    Attributes
    ----------
    confidence : (n,) float64
        Of each image, the surest first.
    wrong : (n,) float64
        Expected number of mistakes among the first 1, 2 ... n images. Images of equal confidence come in no
        particular order, so each counts as the mean of its equals.
    area : float in [0, 1]
        The mean error over all shares: 0 would be a model that is never wrong.
    ideal_area : float in [0, 1]
        The area if every mistake were less sure than every right answer: no ordering of the same answers does better.

    Notes
    -----
    El-Yaniv and Wiener (2010), "On the foundations of noise-free selective classification", JMLR; the area: Geifman,
    Uziel and El-Yaniv (2019), "Bias-reduced uncertainty estimation for deep neural classifiers", ICLR. O(n log n).
    """

    confidence: Floats
    wrong: Floats
    area: float
    ideal_area: float

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.wrong)

    @property
    def coverage(self) -> Floats:
        """The share of images that is answered, (n,)."""
        return np.arange(1, self.n + 1) / self.n

    @property
    def error(self) -> Floats:
        """The share of the answered that is wrong, (n,)."""
        return np.asarray(self.wrong / np.arange(1, self.n + 1))

    def band(self) -> tuple[Floats, Floats]:
        """Return the 95% interval of each error, two (n,): point by point, not of the curve as a whole."""
        return wilson(self.wrong, np.arange(1, self.n + 1))

    def at(self, share: float) -> SurestShare:
        """Say how the model does if it answers this share of images.

        Raises
        ------
        ParameterError
            `share` is not above 0 and at most 1.
        """
        if not isinstance(share, (int, float, np.floating)) or not 0 < share <= 1:
            raise ParameterError(
                f"the share of images to answer must be above 0 and at most 1, not {share!r}."
            )
        k = max(1, int(np.floor(share * self.n + 1e-9)))
        low, high = wilson(k - self.wrong[k - 1], k)
        accuracy = 1 - float(self.wrong[k - 1]) / k
        return SurestShare(float(share), k, float(self.confidence[k - 1]), accuracy, float(low), float(high))

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain values for JSON: the shares of `SHARES` and the areas."""
        return {
            "area": self.area,
            "ideal_area": self.ideal_area,
            "surest": [asdict(self.at(share)) for share in SHARES],
        }


def risk_coverage(confidence: ArrayLike, right: ArrayLike) -> RiskCoverage:
    """Put images in order of confidence and count the mistakes.

    Parameters
    ----------
    confidence : (n,) float
        How sure the model was, of images that it had not learned from.
    right : (n,) bool
        Whether it was right.

    Raises
    ------
    DataError
        There is nothing to order, the lengths differ, or a confidence is no number.

    Examples
    --------
    >>> curve = risk_coverage([0.9, 0.8, 0.7, 0.6], [True, True, False, True])
    >>> curve.error.tolist()
    [0.0, 0.0, 0.3333333333333333, 0.25]
    >>> print(f"{curve.at(0.5).accuracy:.0%}")
    100%
    """
    sure, ok = np.asarray(confidence, np.float64), np.asarray(right, np.bool_)
    if sure.ndim != 1 or sure.shape != ok.shape or not len(sure):
        raise DataError(
            f"a risk-coverage curve needs one confidence and one verdict an image, of at least one image; "
            f"got arrays of shapes {sure.shape} and {ok.shape}."
        )
    if np.isnan(sure).any():
        raise DataError(f"{int(np.isnan(sure).sum())} of {len(sure)} confidences are no numbers.")
    order = np.argsort(-sure, kind="stable")
    ranked = sure[order]
    _, tie, size = np.unique(-ranked, return_inverse=True, return_counts=True)
    mistakes = np.bincount(tie, ~ok[order]) / size
    wrong = np.cumsum(mistakes[tie])
    return RiskCoverage(ranked, wrong, _area(wrong), _area(np.cumsum(np.sort(~ok))))


def _area(wrong: NDArray[Any]) -> float:
    return float(np.mean(wrong / np.arange(1, len(wrong) + 1)))
