"""Calibration by a rising curve for each class or label."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.classify.bench import Floats
from genus.classify.head import probabilities
from genus.classify.label_scores import Labels
from genus.classify.platt import Platt
from genus.graph import GraphBuilder

MAX_KNOTS = 32  # a class, with both ends
# Rows' worth of belief in the probabilities as they are, added to each step of the curve. Measured as `_PULL` of
# `genus.classify.platt`: 1, 3, 10 and 30 give log-losses of 0.321, 0.320, 0.319 and 0.318, and calibration errors of
# 3.1, 3.1, 3.0 and 3.2%.
_BELIEF = 10.0
# The most that a curve's value changes when its probability does by a part of itself: float32 holds that to 6e-8, and
# engines should agree.
_STEEPEST = 30.0
_SMALLEST = 1e-12
_LARGEST = 1 - 1e-6

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True, eq=False)
class Isotonic:
    """Each class's probability after Platt's scaling goes through a rising curve of straight pieces.

    With one class a row, the results are made to sum to one. A piece is a ramp: `slope * clip(p - start, 0, width)`,
    and the curve is their sum, which needs plain operators only.

    Parameters
    ----------
    platt : Platt
        Applied first.
    start, width, slope : (c, k) float32
        The ramps of each class; k is 31 at most.
    several : bool
        Whether a row may have several labels.

    Notes
    -----
    Zadrozny and Elkan (2002), "Transforming classifier scores into accurate multiclass probability estimates",
    KDD: a rising step function for each class, by pooling adjacent violators. Here its steps are drawn to the
    probabilities that were there before, and joined by lines, so that no probability is 0, and rows that differed
    still do. With a temperature before them instead of Platt's scaling, the log-loss on held-out
    images is 2% higher.
    """

    platt: Platt
    start: NDArray[np.float32]
    width: NDArray[np.float32]
    slope: NDArray[np.float32]
    several: bool = False

    @classmethod
    def fit(cls, logits: Floats, codes: NDArray[np.intp]) -> "Isotonic":
        """Fit to `logits (n, c)` of rows that the head was not fitted on, and their true columns `codes (n,)`."""
        platt = Platt.fit(logits, codes)
        proba = probabilities(platt.apply(np.asarray(logits, np.float64)), several=False)
        return cls._of(platt, [curve(p, codes == c) for c, p in enumerate(proba.T)], several=False)

    @classmethod
    def fit_labels(cls, logits: Floats, values: Labels) -> "Isotonic":
        """Fit to log-odds (n, c) and `values (n, c)` of 1, 0 and -1 (unknown)."""
        platt = Platt.fit_labels(logits, values)
        proba = probabilities(platt.apply(np.asarray(logits, np.float64)), several=True)
        pairs = [(p[known := own >= 0], own[known] == 1) for p, own in zip(proba.T, values.T, strict=True)]
        return cls._of(platt, [curve(p, has) for p, has in pairs], several=True)

    @classmethod
    def _of(cls, platt: Platt, curves: list[Curve], *, several: bool) -> "Isotonic":
        n_ramps = max(len(x) for x, _ in curves) - 1
        start, width, slope = np.zeros((3, len(curves), n_ramps), np.float32)
        for c, (x, y) in enumerate(curves):
            here = slice(len(x) - 1)
            start[c, here], width[c, here], slope[c, here] = x[:-1], np.diff(x), np.diff(y) / np.diff(x)
        return cls(platt, start, width, slope, several)

    def apply(self, logits: Floats) -> Floats:
        """Return calibrated logits, same shape and dtype."""
        proba = probabilities(self.platt.apply(logits), several=self.several)
        curved = np.zeros_like(proba)
        for start, width, slope in zip(self.start.T, self.width.T, self.slope.T, strict=True):
            curved += slope * np.clip(proba - start, 0, width)
        curved = np.maximum(curved, _SMALLEST)
        if not self.several:
            return np.asarray(np.log(curved), logits.dtype)
        curved = np.minimum(curved, _LARGEST)
        return np.asarray(np.log(curved) - np.log(1 - curved), logits.dtype)

    def export(self, graph: GraphBuilder, logits: str) -> str:
        """Add the curves to `graph`; returns the name of the calibrated logits."""

        def number(value: float) -> str:
            return graph.constant(np.array(value, np.float32))

        scaled = self.platt.export(graph, logits)
        proba = graph.op("Sigmoid", scaled) if self.several else graph.op("Softmax", scaled, axis=1)
        last = graph.constant(np.array([2], np.int64))
        inside = graph.op("Sub", graph.op("Unsqueeze", proba, last), graph.constant(self.start))  # (n, c, k)
        inside = graph.op("Min", graph.op("Relu", inside), graph.constant(self.width))
        parts = graph.op("Mul", inside, graph.constant(self.slope))
        curved = graph.op("Max", graph.op("ReduceSum", parts, last, keepdims=0), number(_SMALLEST))
        if not self.several:
            return graph.op("Log", curved)
        curved = graph.op("Min", curved, number(_LARGEST))
        return graph.op("Sub", graph.op("Log", curved), graph.op("Log", graph.op("Sub", number(1.0), curved)))

    def widened(self, columns: NDArray[np.intp], n_columns: int) -> "Isotonic":
        """Return the mapping for more columns; the others get the diagonal for a curve."""
        shape = n_columns, self.start.shape[1]
        start, width, slope = (np.zeros(shape, np.float32) for _ in range(3))
        width[:, 0] = slope[:, 0] = 1.0
        start[columns], width[columns], slope[columns] = self.start, self.width, self.slope
        return Isotonic(self.platt.widened(columns, n_columns), start, width, slope, self.several)

    def to_dict(self) -> dict[str, Any]:
        """Return how many pieces the curves have, class by class, and the scaling before them."""
        return {**self.platt.to_dict(), "pieces": (self.width > 0).sum(axis=1).tolist()}


def curve(proba: Floats, has: NDArray[np.bool_]) -> Curve:
    """Return the knots (x, y) of a rising curve from probabilities (n,) to how often they come true.

    Parameters
    ----------
    proba : (n,) array
        Between 0 and 1.
    has : (n,) bool
        Whether it came true. If that is the same for all, nothing is learned and the curve is the diagonal.

    Returns
    -------
    x, y : (k,) float64
        Both rise strictly, from (0, 0) to 1 or nearly; 2 to 32 of them.

    Examples
    --------
    >>> x, y = curve(np.full(190, 0.5), np.arange(190) < 57)  # says 50%, is right 30% of the time
    >>> x.tolist(), y.round(2).tolist()
    ([0.0, 0.5, 1.0], [0.0, 0.31, 1.0])
    """
    if has.all() or not has.any():
        return np.array([0.0, 1.0]), np.array([0.0, 1.0])
    x, place, n = np.unique(np.asarray(proba, np.float64), return_inverse=True, return_counts=True)
    x, y = _steps(x, n, np.bincount(place, has))
    inside = (x > _SMALLEST) & (x < 1)
    return _flattened(np.concatenate([[0.0], x[inside], [1.0]]), np.concatenate([[0.0], y[inside], [1.0]]))


def _steps(proba: Floats, n: NDArray[Any], hits: NDArray[Any]) -> Curve:
    """Return the middle and height of each step of the isotonic fit, both strictly rising.

    `proba` rises; `n` rows had each of them, and `hits` of these came true.
    """
    starts = _few(n, hits, _rises(_pooled(hits / n, n)))
    total, n, hits = (np.add.reduceat(part, starts) for part in (proba * n, n, hits))
    believed = _pooled((hits + _BELIEF * total / n) / (n + _BELIEF), n + _BELIEF)
    again = _rises(believed)  # drawing them to the diagonal can join steps
    return np.add.reduceat(total, again) / np.add.reduceat(n, again), believed[again]


def _few(n: NDArray[Any], hits: NDArray[Any], starts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Join steps until there are few enough, most where least can be known of them."""
    n, hits = np.add.reduceat(n, starts), np.add.reduceat(hits, starts)
    knowledge = np.cumsum(n * np.maximum(hits / n * (1 - hits / n), 1e-3))
    bins = (knowledge / knowledge[-1] * (MAX_KNOTS - 3)).astype(int)
    few: NDArray[np.intp] = starts[np.append(True, np.diff(bins) > 0)]
    return few


def _flattened(x: NDArray[np.float64], y: NDArray[np.float64]) -> Curve:
    """Lower what would rise too steeply."""
    most = _STEEPEST * np.diff(x) / x[1:]
    for i, rise in enumerate(most):
        y[i + 1] = min(y[i + 1], y[i] + rise)
    return x, y


def _pooled(values: Floats, weights: Floats) -> NDArray[np.float64]:
    from sklearn.isotonic import isotonic_regression

    pooled: Callable[..., Any] = isotonic_regression
    return np.asarray(pooled(values, sample_weight=weights), np.float64)


def _rises(values: Floats) -> NDArray[np.intp]:
    """Return where a rising sequence takes a new value."""
    rises: NDArray[np.intp] = np.flatnonzero(np.append(True, np.diff(values) > 0))
    return rises
