"""How accuracy grows with the number of images, measured on parts of the data, and how it may go on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.metrics.intervals import wilson

_LEAST_PER_CLASS = 1.0
_LEAST_POINTS = 3
_PARTS = (1 / 8, 1 / 4, 1 / 2)
_MAX_FIT = 5000  # rows; larger parts are left out
_ENOUGH_JUDGES = 400  # rows; more folds than these take would cost more than they tell
_LADDER = tuple(m * 10**k for k in range(6) for m in (1, 2, 3, 4, 5, 7))

# Fitted to curves of five sets and three heads, on which the second half of each curve was forecast from the first
# (`benchmarks/learning_curve.py`).
_EXPONENTS = np.linspace(0.1, 0.6, 11)
_STAYING = np.linspace(0.0, 0.5, 21)  # share of the present error that no number of images would take away
_SHARED = (
    0.5  # share of a point's sampling variance that the others do not have: all are judged on the same images
)
_WOBBLE = 0.015  # what the choice of the part's images does
_LUCK = 0.12  # what the choice of the images to come does: times sqrt(a (1 - a) / images a class)
_NINETY = 1.645  # standard deviations between which 90% of a normal distribution lie

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Accuracy with so many images a class (on average), on images not learned from, with its 95% interval."""

    per_class: float
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What `more` images a class should add to the accuracy.

    Attributes
    ----------
    more : int
    gain, low, high : float
        What is added, in [0, 1], and between which bounds it should lie 9 times in 10.
    accuracy : float
        What it should be then.
    """

    more: int
    gain: float
    low: float
    high: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Measured accuracies and forecasts.

    Attributes
    ----------
    now : float
        Images a class, on average, that the final model learned from.
    n : int
        How many images each point was judged on.
    points : tuple of CurvePoint
        By rising number of images.
    forecasts : tuple of Forecast
        By rising number; empty where there are fewer than three points.
    """

    now: float
    n: int
    points: tuple[CurvePoint, ...]
    forecasts: tuple[Forecast, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> "LearningCurve":
        """Read what `to_dict` returned."""
        points = tuple(CurvePoint(**row) for row in known["points"])
        return cls(known["now"], known["n"], points, tuple(Forecast(**row) for row in known["forecasts"]))


def learning_curve(
    head: Any,
    X: NDArray[np.float32],
    codes: NDArray[np.int64],
    folds: NDArray[np.int64],
    logits: NDArray[np.float32],
    *,
    now: float,
    random_state: int | None = 0,
) -> LearningCurve | None:
    """Fit `head` on an eighth, a quarter and a half of each fold's training rows and judge it on the held-out ones.

    Parameters
    ----------
    head : head
        Unfitted: the winner of a search.
    X : (n, d) float32 array
    codes : (n,) int64 array
        Class codes, 0 to c - 1.
    folds : (n,) int64 array
        The fold that holds each row out; -1 for rows that are always learned from.
    logits : (n, c) float32 array
        Out-of-fold logits of this head with all training rows: the last point. Rows of fold -1 are not looked at.
    now : float
        Images a class of the final model, from where forecasts count.
    random_state : int or None
        The seed of the parts, which are nested.

    Returns
    -------
    LearningCurve, or None where even the whole of the rows gives no two points

    Notes
    -----
    One fit a fold and part, of at most 5,000 rows. Each class keeps its share in the parts.

    Examples
    --------
    >>> from genus.classify.prototype import PrototypeHead
    >>> rng = np.random.default_rng(0)
    >>> codes = np.repeat([0, 1], 40)
    >>> X = (rng.normal(size=(80, 8)) + codes[:, None]).astype(np.float32)
    >>> out = np.eye(2, dtype=np.float32)[codes]
    >>> curve = learning_curve(PrototypeHead(), X, codes, np.arange(80) % 5, out, now=40)
    >>> [point.per_class for point in curve.points], len(curve.forecasts) > 0
    ([4.0, 8.0, 16.0, 32.0], True)
    """
    rng = np.random.default_rng(random_state)
    judges = _judges(folds, rng)
    n_classes = logits.shape[1]
    order = _places(codes, rng)
    whole = float(np.mean([(folds != f).sum() for f in np.unique(folds[judges])])) / n_classes
    points = []
    for part in _PARTS:
        if whole * part < _LEAST_PER_CLASS or whole * part * n_classes > _MAX_FIT:
            continue
        right, sizes = 0, []
        for f in np.unique(folds[judges]):
            held, learned = np.flatnonzero(judges & (folds == f)), folds != f
            learned &= order <= part
            right += _n_right(head, X, codes, learned, held, n_classes)
            sizes.append(int(learned.sum()))
        points.append(_point(float(np.mean(sizes)) / n_classes, right, int(judges.sum())))
    hits = int((logits[judges].argmax(axis=1) == codes[judges]).sum())
    points.append(_point(whole, hits, int(judges.sum())))
    if len(points) < 2:
        return None
    return LearningCurve(now, int(judges.sum()), tuple(points), forecasts(points, int(judges.sum()), now))


def forecasts(points: Sequence[CurvePoint], n: int, now: float) -> tuple[Forecast, ...]:
    """Forecast what more images a class would add to the accuracy at `now` images a class.

    Parameters
    ----------
    points : sequence of CurvePoint
        By rising number of images.
    n : int
        How many images each was judged on.
    now : float
        Images a class.

    Returns
    -------
    tuple of Forecast
        For round numbers up to three times `now`; empty for fewer than three points.

    Notes
    -----
    Accuracy is taken to follow `a - b n^-c` (Cortes et al., 1994, "Learning curves: asymptotic values and rate of
    convergence"; Figueroa et al., 2012, "Predicting sample size required for classification performance"). Three or
    four points cannot fix three numbers, so all curves that never fall, stay below 100%, have an exponent c of 0.1 to
    0.6 and lose at least half of the present error in the end are weighed by how well they agree with the points;
    the forecast is their median. The interval holds 90% of their weight, and leaves room for the luck of which images
    come: it may begin below zero.

    Examples
    --------
    >>> points = [CurvePoint(m, 1 - 0.6 * m**-0.4, 0, 1) for m in (5, 10, 20, 40)]
    >>> found = forecasts(points, 1000, 40)[-1]
    >>> found.more, bool(0.04 < found.gain < 0.07)
    (100, True)
    """
    if len(points) < _LEAST_POINTS or not now > 0:
        return ()
    present, staying, exponents, weights = _likely_curves(points, n)
    size = points[-1].per_class
    now = max(now, size)  # backwards the curve says less than the points do

    def lost(per_class: float) -> Floats:
        return np.asarray((1 - present) * (1 - staying) * (per_class / size) ** -exponents)

    _, reached, _ = _quantiles(1 - staying * (1 - present) - lost(now), weights)
    luck = _NINETY * _LUCK * (points[-1].accuracy * (1 - points[-1].accuracy) / now) ** 0.5
    found = []
    for more in (m for m in _LADDER if m <= 3 * now):
        low, gain, high = _quantiles(lost(now) - lost(now + more), weights)
        low, high = gain - ((gain - low) ** 2 + luck**2) ** 0.5, gain + ((high - gain) ** 2 + luck**2) ** 0.5
        found.append(Forecast(more, gain, low, high, accuracy=reached + gain))
    return tuple(found)


def _likely_curves(points: Sequence[CurvePoint], n: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Return a grid of curves: accuracy at the last point, share of the error that stays, exponent, and weight."""
    sizes = np.array([point.per_class for point in points])
    seen = np.array([point.accuracy for point in points])
    error = np.sqrt(_SHARED * np.maximum(seen * (1 - seen), 0.5 / n) / n + _WOBBLE**2)
    near = np.clip(seen[-1] + 3 * error[-1] * np.linspace(-1, 1, 31), 0.0, 1 - 1e-6)
    present, staying, exponents = (g.ravel() for g in np.meshgrid(near, _STAYING, _EXPONENTS, indexing="ij"))
    top = 1 - staying * (1 - present)
    score = np.zeros_like(top)
    for size, accuracy, spread in zip(sizes, seen, error, strict=True):
        curve = top - (top - present) * (size / sizes[-1]) ** -exponents
        score -= 0.5 * ((curve - accuracy) / spread) ** 2
    weights = np.exp(score - score.max())
    return present, staying, exponents, weights / weights.sum()


def _quantiles(values: Floats, weights: Floats) -> tuple[float, float, float]:
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    at = np.minimum(np.searchsorted(below, (0.05, 0.5, 0.95)), len(values) - 1)
    low, middle, high = values[order][at].tolist()
    return low, middle, high


def _judges(folds: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which rows judge: whole folds, as many as are needed, and of large ones a part."""
    names, counts = np.unique(folds[folds >= 0], return_counts=True)
    enough = int(np.searchsorted(np.cumsum(counts), _ENOUGH_JUDGES)) + 1
    judges = np.isin(folds, names[:enough])
    if judges.sum() > 5 * _ENOUGH_JUDGES:
        kept = rng.choice(np.flatnonzero(judges), 5 * _ENOUGH_JUDGES, replace=False)
        judges = np.isin(np.arange(len(folds)), kept)
    return np.asarray(judges, np.bool_)


def _places(codes: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Return each row's place in its class, in (0, 1]: rows up to 1/4 are a quarter of every class, one at least."""
    places = np.empty(len(codes))
    for c in np.unique(codes):
        members = rng.permutation(np.flatnonzero(codes == c))
        places[members] = (np.arange(len(members)) + 0.5) / len(members)
        places[members[0]] = 0.0
    return places


def _n_right(
    head: Any,
    X: NDArray[np.float32],
    codes: NDArray[np.int64],
    learned: NDArray[np.bool_],
    held: NDArray[np.int64],
    n_classes: int,
) -> int:
    """Return how many of the rows `held` a head fitted on the rows `learned` gets right."""
    from sklearn.base import clone

    from genus.classify.truth import ABSENT
    from genus.classify.workshop import logits_of

    seen = np.unique(codes[learned])
    if len(seen) < 2:
        return int(np.isin(codes[held], seen).sum())
    fitted = clone(head).fit(X[learned], codes[learned])
    logits = np.full((len(held), n_classes), ABSENT, np.float32)
    logits[:, seen] = logits_of(fitted, X[held])
    return int((codes[held] == logits.argmax(axis=1)).sum())


def _point(per_class: float, hits: int, n: int) -> CurvePoint:
    low, high = wilson(hits, n)
    return CurvePoint(round(per_class, 2), hits / n, float(low), float(high))
