"""Labels that come together: what one label's probability says about another's."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted

from genus.classify.bench import Floats
from genus.classify.head import probabilities
from genus.classify.label_scores import Labels
from genus.errors import ParameterError
from genus.graph import GraphBuilder
from genus.normalize import checked_rows

_STEPS = 8  # of Newton's method: the penalty makes it converge in half as many
_SMALLEST_BEND = 1e-4


class CooccurrenceHead(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A head for several labels a row, whose log-odds are moved by the probabilities of the other labels.

    With `order` None, all at once: `z + sigmoid(z) @ coef.T + intercept`, where `z = scale * logits + bias`. With
    an order it is a classifier chain: label after label, each moved by those before it.

    Parameters
    ----------
    head : head
        What makes the logits; unfitted.
    scale, bias : (c,) arrays
        Its calibration.
    coef : (c, c) array
        How much (column) a label's probability adds to another's (row) log-odds; 0 on the diagonal.
    intercept : (c,) array
    order : sequence of int or None
        The chain.

    Attributes
    ----------
    head_ : head
        Fitted.
    classes_ : (c,) array
    multilabel_ : bool
        Always true.

    Notes
    -----
    The coefficients come out of a search (see `add_cooccurrence`), since they need out-of-fold logits. Godbole and
    Sarawagi (2004), "Discriminative methods for multi-labeled classification", PAKDD; chains: Read et al. (2011),
    "Classifier chains for multi-label classification", Machine Learning 85.

    Examples
    --------
    >>> from genus.classify.logistic import LogisticHead
    >>> X, y = np.eye(4), np.array([[1, 1], [1, 1], [0, 0], [0, 0]])
    >>> drawn = np.array([[0.0, 0.0], [2.0, 0.0]])  # the first label makes the second likelier
    >>> head = CooccurrenceHead(LogisticHead(), np.ones(2), np.zeros(2), drawn, np.zeros(2)).fit(X, y)
    >>> bool((head.logits(X) >= head.head_.logits(X)).all())
    True
    """

    def __init__(
        self,
        head: Any,
        scale: ArrayLike,
        bias: ArrayLike,
        coef: ArrayLike,
        intercept: ArrayLike,
        order: Sequence[int] | None = None,
    ) -> None:
        self.head = head
        self.scale = scale
        self.bias = bias
        self.coef = coef
        self.intercept = intercept
        self.order = order

    @property
    def n_stored_examples(self) -> int:
        """Training rows that the fitted head holds."""
        return int(getattr(getattr(self, "head_", None), "n_stored_examples", 0))

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the head on features `X (n, d)` and labels `y (n, c)`; the rest is given."""
        targets = np.asarray(y)
        if targets.ndim != 2 or np.shape(self.coef) != (targets.shape[1],) * 2:
            raise ParameterError(f"expected labels (n, c) and coef (c, c), got {targets.shape}.")
        self.head_ = clone(self.head).fit(X, targets, sample_weight=sample_weight)
        self.classes_, self.multilabel_ = np.arange(targets.shape[1]), True
        self.n_features_in_ = self.head_.n_features_in_
        return self

    def logits(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return log-odds, float32 (n, c)."""
        check_is_fitted(self)
        own = self.head_.logits(checked_rows(self, X)) * np.asarray(self.scale) + np.asarray(self.bias)
        return moved(own, np.asarray(self.coef), np.asarray(self.intercept), self.order)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return probabilities, float32 (n, c)."""
        return np.asarray(probabilities(self.logits(X), several=True), np.float32)

    def predict(self, X: ArrayLike) -> NDArray[np.int8]:
        """Return an indicator matrix of the likely labels, (n, c)."""
        return np.asarray(self.logits(X) > 0, np.int8)

    def export(self, graph: GraphBuilder, x: str) -> str:
        """Add head and coefficients to `graph`; returns the name of the log-odds [N, C]."""
        check_is_fitted(self)
        scaled = graph.op("Mul", self.head_.export(graph, x), _constant(graph, self.scale))
        own = graph.op("Add", scaled, _constant(graph, np.asarray(self.bias) + np.asarray(self.intercept)))
        coef = np.asarray(self.coef)
        if self.order is None:
            plain = graph.op("Sub", own, _constant(graph, self.intercept))
            return graph.op(
                "Add", own, graph.op("MatMul", graph.op("Sigmoid", plain), _constant(graph, coef.T))
            )
        for label in self.order[:-1]:  # what a label is worth to those after it is added when it is settled
            at = graph.constant(np.array([label], np.int64))
            proba = graph.op("Sigmoid", graph.op("Gather", own, at, axis=1))
            own = graph.op("Add", own, graph.op("MatMul", proba, _constant(graph, coef[:, [label]].T)))
        return own

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "head_")


def moved(
    logits: Floats, coef: Floats, intercept: Floats, order: Sequence[int] | None
) -> NDArray[np.float32]:
    """Return log-odds (n, c) moved by the other labels' probabilities; see `CooccurrenceHead`."""
    if order is None:
        return np.asarray(logits + probabilities(logits, several=True) @ coef.T + intercept, np.float32)
    settled = logits + intercept
    for label in order[:-1]:
        settled = settled + probabilities(settled[:, [label]], several=True) * coef[:, label]
    return np.asarray(settled, np.float32)


def fit_cooccurrence(
    logits: Floats, values: Labels, ridge: float, order: Sequence[int] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Learn what labels say about one another.

    Parameters
    ----------
    logits : (n, c) array
        Calibrated log-odds of rows that the head was not fitted on.
    values : (n, c) int8
        1, 0 and -1 (unknown).
    ridge : float
        Penalty on the squared coefficients.
    order : sequence of int or None
        The chain: a label learns from the true values of those before it (their probability where unknown).

    Returns
    -------
    coef (c, c), intercept (c,) : float32 arrays

    Notes
    -----
    O(n c^3) a step of Newton's method.
    """
    proba = probabilities(logits.astype(np.float64), several=True)
    n_labels = values.shape[1]
    coef, intercept = np.zeros((n_labels, n_labels)), np.zeros(n_labels)
    place = None if order is None else np.argsort(order)
    for label in range(n_labels):
        others = np.arange(n_labels) != label if place is None else place < place[label]
        seen = proba if place is None else np.where(values >= 0, values, proba)
        rows = values[:, label] >= 0
        if not others.any() or len(np.unique(values[rows, label])) < 2:
            continue
        features = np.column_stack([seen[rows][:, others], np.ones(int(rows.sum()))])
        found = _newton(features, logits[rows, label], values[rows, label] == 1, ridge)
        coef[label, others], intercept[label] = found[:-1], found[-1]
    return coef.astype(np.float32), intercept.astype(np.float32)


def _newton(features: Floats, offset: Floats, has: NDArray[np.bool_], ridge: float) -> Floats:
    """Logistic regression beside an offset; the last column is an intercept, all but free of penalty."""
    penalty = np.full(features.shape[1], ridge)
    penalty[-1] = 1.0
    found: Floats = np.zeros(features.shape[1])
    for _ in range(_STEPS):
        proba = probabilities(offset + features @ found, several=True)
        bend = np.maximum(proba * (1 - proba), _SMALLEST_BEND)
        slope = features.T @ (proba - has) + penalty * found
        hessian = (features * bend[:, None]).T @ features + np.diag(penalty)
        step = np.linalg.solve(hessian, slope)
        found = found - step
        if np.abs(step).max() < 1e-4:
            break
    return found


def _constant(graph: GraphBuilder, values: ArrayLike) -> str:
    return graph.constant(np.ascontiguousarray(np.asarray(values, np.float32)))
