"""A weighted mixture of several heads' calibrated probabilities."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from genus.classify.bench import Floats
from genus.classify.head import Head, require_two_classes, softmax
from genus.classify.lda import LDAHead
from genus.classify.logistic import LogisticHead
from genus.errors import ParameterError
from genus.graph import GraphBuilder
from genus.normalize import checked_examples, checked_rows

_FLOOR = np.float32(1e-12)  # keeps the logarithm of a mixture finite


class EnsembleHead(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Mixture of heads: `sum_i weights[i] * softmax(logits_i / temperatures[i])`.

    Parameters
    ----------
    heads : sequence of heads or None
        The members; None means logistic regression and discriminant analysis.
    weights : sequence of float or None
        Share of each member, scaled to sum to one; None means equal shares.
    temperatures : sequence of float or None
        Calibration of each member; None means 1.

    Attributes
    ----------
    heads_ : tuple of heads
        The fitted members.
    n_stored_examples : int
        Training rows held by all members together.
    classes_ : (n_classes,) array
    n_features_in_ : int

    Examples
    --------
    >>> X = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.2, 0.8]]
    >>> EnsembleHead().fit(X, ["cat", "cat", "dog", "dog"]).predict([[1.0, 0.2]])
    array(['cat'], dtype='<U3')
    """

    def __init__(
        self,
        heads: Sequence[Any] | None = None,
        weights: Sequence[float] | None = None,
        temperatures: Sequence[float] | None = None,
    ) -> None:
        self.heads = heads
        self.weights = weights
        self.temperatures = temperatures

    @property
    def n_stored_examples(self) -> int:
        """Training rows held by all members together."""
        return sum(head.n_stored_examples for head in getattr(self, "heads_", ()))

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit every member on features `X (n, d)`, labels `y (n,)` and optional weights `(n,)`."""
        rows, labels = checked_examples(self, X, y)
        weights = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
        members = self._members()
        self._shares(len(members))
        self.classes_ = np.unique(labels[weights > 0])
        require_two_classes(self.classes_)
        self.heads_ = tuple(clone(head).fit(rows, labels, sample_weight=weights) for head in members)
        return self

    def logits(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the logarithm of the mixture, float32 (n, n_classes)."""
        check_is_fitted(self)
        rows = checked_rows(self, X)
        shares, temperatures = self._shares(len(self.heads_))
        return mixture_logits([head.logits(rows) for head in self.heads_], shares, temperatures)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the mixture, float32 (n, n_classes)."""
        proba: NDArray[np.float32] = softmax(self.logits(X))
        return proba

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable class label of each row, (n,)."""
        columns = self.logits(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[columns]
        return labels

    def export(self, graph: GraphBuilder, x: str) -> str:
        """Add all members and their mixture to `graph`; returns the name of the logits [N, C]."""
        check_is_fitted(self)
        total = ""
        for head, share, temperature in zip(self.heads_, *self._shares(len(self.heads_)), strict=True):
            scaled = graph.op("Div", head.export(graph, x), graph.constant(np.array(temperature, np.float32)))
            part = graph.op(
                "Mul", graph.op("Softmax", scaled, axis=1), graph.constant(np.array(share, np.float32))
            )
            total = graph.op("Add", total, part) if total else part
        return graph.op("Log", graph.op("Max", total, graph.constant(np.array(_FLOOR))))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "heads_")

    def _members(self) -> Sequence[Head]:
        members = [LogisticHead(), LDAHead()] if self.heads is None else list(self.heads)
        if not members:
            raise ParameterError("heads=[]: expected at least one member.")
        return members

    def _shares(self, n: int) -> tuple[list[float], list[float]]:
        weights = [1.0] * n if self.weights is None else [float(w) for w in self.weights]
        temperatures = [1.0] * n if self.temperatures is None else [float(t) for t in self.temperatures]
        if len(weights) != n or len(temperatures) != n or min(weights) < 0 or sum(weights) <= 0:
            raise ParameterError(
                f"weights={self.weights!r}, temperatures={self.temperatures!r}: expected one for each of the "
                f"{n} members, weights at least 0."
            )
        return [w / sum(weights) for w in weights], temperatures


def mixture_logits(
    logits: Sequence[Floats], shares: Sequence[float], temperatures: Sequence[float]
) -> NDArray[np.float32]:
    """Return the logarithm of a mixture of calibrated probabilities, float32 (n, n_classes)."""
    parts = [
        np.float32(share) * softmax(one.astype(np.float32, copy=False) / np.float32(temperature))
        for one, share, temperature in zip(logits, shares, temperatures, strict=True)
    ]
    mixed: NDArray[np.float32] = np.log(np.maximum(np.sum(parts, axis=0, dtype=np.float32), _FLOOR))
    return mixed


def greedy_shares(true_class: NDArray[np.floating[Any]], n_steps: int = 20) -> NDArray[np.float64]:
    """Choose mixture weights by forward selection with replacement.

    Parameters
    ----------
    true_class : (n_members, n) array
        Each member's out-of-fold probability of the true class.
    n_steps : int, default 20
        How many times a member is added; weights are multiples of its inverse.

    Returns
    -------
    (n_members,) float64 array
        Weights that sum to one and lower the log-loss.

    Notes
    -----
    Caruana et al. (2004), "Ensemble selection from libraries of models", ICML.

    Examples
    --------
    >>> greedy_shares(np.array([[0.9, 0.1], [0.1, 0.9], [0.2, 0.2]]), n_steps=4)
    array([0.5, 0.5, 0. ])
    """
    counts = np.zeros(len(true_class))
    mixture = np.zeros(true_class.shape[1])
    for step in range(1, n_steps + 1):
        losses = -np.log(np.maximum((mixture + true_class) / step, _FLOOR)).sum(axis=1)
        best = int(losses.argmin())
        counts[best] += 1
        mixture = mixture + true_class[best]
    return counts / n_steps
