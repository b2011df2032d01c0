"""Images unlike those a model has learned from: from which novelty on to say so, and how well that works.

NumPy only: `genus.predictor` imports it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.errors import DataError, ParameterError
from genus.metrics.intervals import normal_quantile, wilson

USUAL_SHARE = 0.05
"""The share of known images that `reject="auto"` gives up."""
_MAX_SCORES = 2_000  # more would move the threshold by less than a few tenths of a percent of the images
_DIGITS = 4

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class KnownScores:
    """How novel images of known classes look to models that have not seen them.

    Attributes
    ----------
    values : (n,) float64
        Novelty of each, ascending.

    Notes
    -----
    The threshold is that of a conformal test of "this image is like the others" (Vovk, Gammerman and Shafer, 2005;
    Bates et al., 2023, "Testing for outliers with conformal p-values", Annals of Statistics): for scores of images that
    no part of the model has seen, at most the share asked for of new images of the same kind lies above it, on average.
    Scores of cross-validation, as training uses them, are those of models that learned from fewer images than the final
    one, which makes the promise an expectation.

    Examples
    --------
    >>> known = KnownScores.of(np.arange(99) / 100)
    >>> known.threshold(0.05)
    0.94
    """

    values: Floats

    @classmethod
    def of(cls, novelty: ArrayLike) -> Self:
        """Keep the scores (n,) of images of known classes, at most some thousand.

        Raises
        ------
        DataError
            A score is not a finite number.
        """
        values = np.asarray(novelty, np.float64)
        if values.ndim != 1 or not np.isfinite(values).all():
            raise DataError("novelty scores must be one finite number an image.")
        if len(values) > _MAX_SCORES:
            values = np.random.default_rng(0).permutation(values)[:_MAX_SCORES]
        return cls(np.sort(np.round(values, _DIGITS)))

    @property
    def least_share(self) -> float:
        """The smallest share of known images that there are enough scores to give up, in (0, 1]."""
        return 1 / (1 + len(self.values))

    def threshold(self, share: float | str = "auto") -> float:
        """Return the novelty above which images are rejected, so that this share of known ones is.

        "auto" stands for `USUAL_SHARE`, or for the smallest share possible where that is larger.

        Raises
        ------
        ParameterError
            `share` is not between 0 and 1, or there are too few scores for it.
        """
        wanted = check_reject(share)
        if wanted < self.least_share:
            if share != "auto":
                raise ParameterError(
                    f"reject={wanted:g}: the model was trained on too few images to give up so small a share of known "
                    f"ones; {self.least_share:.3g} is the least."
                )
            wanted = self.least_share
        n = len(self.values)
        if not n:
            raise ParameterError("reject: the model was trained on too few images to tell unknown ones.")
        return float(self.values[int(np.ceil((n + 1) * (1 - wanted) - 1e-9)) - 1])

    def to_list(self) -> list[float]:
        """Return plain values for JSON."""
        found: list[float] = self.values.tolist()
        return found

    @classmethod
    def from_list(cls, known: Any) -> Self:
        """Read what `to_list` returned.

        Raises
        ------
        DataError
            It is something else.
        """
        try:
            return cls.of(np.array(known, np.float64))
        except (TypeError, ValueError) as error:
            raise DataError("the scores of known images cannot be read.") from error


def check_reject(share: Any) -> float:
    """Return the share of known images to give up; "auto" is `USUAL_SHARE`.

    Raises
    ------
    ParameterError
        It is neither "auto" nor a number between 0 and 1.
    """
    if isinstance(share, str) and share == "auto":
        return USUAL_SHARE
    if (
        isinstance(share, (str, bool))
        or not isinstance(share, (int, float, np.floating))
        or not 0 < share < 1
    ):
        raise ParameterError(
            f"reject must be the share of known images that may be called unknown, between 0 and 1, such as 0.05, "
            f'or "auto", not {share!r}.'
        )
    return float(share)


@dataclass(frozen=True, slots=True)
class Auroc:
    """How well a score tells unknown images from known ones.

    Attributes
    ----------
    value : float in [0, 1]
        How often a random unknown image scores higher than a random known one; equals count half.
    low, high : float in [0, 1]
        95% interval.
    n_known, n_unknown : int
    """

    value: float
    low: float
    high: float
    n_known: int
    n_unknown: int


def auroc(known: ArrayLike, unknown: ArrayLike, confidence: float = 0.95) -> Auroc:
    """Measure how well a score tells unknown from known images: the area under the ROC curve.

    Parameters
    ----------
    known, unknown : (n,), (m,) float
        Scores, higher for less like the training images.
    confidence : float in (0, 1), default 0.95
        How often the interval should hold the true value.

    Raises
    ------
    DataError
        There are none of a kind, or a score is no number.

    Notes
    -----
    The interval is method 5 of Newcombe (2006), "Confidence intervals for an effect size measure based on the
    Mann-Whitney statistic. Part 2", Statistics in Medicine: like Wilson's for shares, it is sensible for few images
    and for perfect separation. O(n log n).

    Examples
    --------
    >>> found = auroc([0.1, 0.2, 0.3, 0.4], [0.35, 0.5, 0.6])
    >>> print(f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})")
    0.92 (0.46 to 0.99)
    """
    a, b = np.asarray(known, np.float64), np.asarray(unknown, np.float64)
    if not len(a) or not len(b):
        raise DataError(f"telling {len(a)} known from {len(b)} unknown images says nothing.")
    if np.isnan(a).any() or np.isnan(b).any():
        raise DataError("some scores are no numbers.")
    ranked = np.sort(a)
    below = np.searchsorted(ranked, b, "left") + np.searchsorted(ranked, b, "right")
    value = float(below.mean() / (2 * len(a)))
    low, high = _mann_whitney_interval(value, len(a), len(b), normal_quantile(confidence))
    return Auroc(value, low, high, len(a), len(b))


def _mann_whitney_interval(value: float, n: int, m: int, z: float) -> tuple[float, float]:
    """Solve Newcombe's equation by bisection, on either side of the value."""
    others = (n + m) / 2 - 1

    def reach(theta: float) -> float:
        spread = 1 + others * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return z * float(np.sqrt(theta * (1 - theta) * spread / (n * m)))

    def solve(outer: float) -> float:
        inner = value
        for _ in range(50):
            middle = (inner + outer) / 2
            inner, outer = (middle, outer) if abs(value - middle) <= reach(middle) else (inner, middle)
        return (inner + outer) / 2

    return solve(0.0), solve(1.0)


@dataclass(frozen=True, slots=True)
class Rejection:
    """How rejecting did on labelled images.

    Attributes
    ----------
    asked : float
        The share of known images that was to be given up.
    threshold : float
        The novelty above which images were rejected.
    known, known_low, known_high : float
        The share of images of known classes that was rejected, with its 95% interval.
    n_known : int
    n_unknown : int
        Images of classes that the model does not know; all below is None where there are none.
    caught, caught_low, caught_high : float or None
        The share of these that was rejected, with its 95% interval.
    auroc, auroc_low, auroc_high : float or None
        How well novelty tells them from known ones, whatever the threshold, with its 95% interval.
    """

    asked: float
    threshold: float
    known: float
    known_low: float
    known_high: float
    n_known: int
    n_unknown: int = 0
    caught: float | None = None
    caught_low: float | None = None
    caught_high: float | None = None
    auroc: float | None = None
    auroc_low: float | None = None
    auroc_high: float | None = None


def measure_rejection(
    novelty: ArrayLike, is_known: ArrayLike, scores: KnownScores, asked: float | str = "auto"
) -> Rejection:
    """Hold rejection against the truth.

    Parameters
    ----------
    novelty : (n,) float
    is_known : (n,) bool
        Whether the image's class is one of the model's.
    scores : KnownScores
        The model's.
    asked : float or "auto"
        The share of known images to give up.

    Raises
    ------
    DataError
        No image is of a known class.
    ParameterError
        See `KnownScores.threshold`.
    """
    found, known = np.asarray(novelty, np.float64), np.asarray(is_known, np.bool_)
    if found.shape != known.shape or not known.any():
        raise DataError("rejection is measured on images of known classes; there are none.")
    limit = scores.threshold(asked)
    share, low, high = _share(found[known] > limit)
    basis: Mapping[str, Any] = {
        "asked": max(check_reject(asked), scores.least_share),
        "threshold": limit,
        "known": share,
        "known_low": low,
        "known_high": high,
        "n_known": int(known.sum()),
    }
    if known.all():
        return Rejection(**basis)
    told = auroc(found[known], found[~known])
    caught, caught_low, caught_high = _share(found[~known] > limit)
    return Rejection(
        **basis,
        n_unknown=int((~known).sum()),
        caught=caught,
        caught_low=caught_low,
        caught_high=caught_high,
        auroc=told.value,
        auroc_low=told.low,
        auroc_high=told.high,
    )


def _share(hits: NDArray[np.bool_]) -> tuple[float, float, float]:
    low, high = wilson(hits.sum(), len(hits))
    return float(hits.mean()), float(low), float(high)
