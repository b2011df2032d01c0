"""Several heads' calibrated probabilities, averaged with weights: as they are, or their logarithms."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from genus.classify.bench import Floats
from genus.classify.head import Head, probabilities, require_two_classes
from genus.classify.lda import LDAHead
from genus.classify.logistic import LogisticHead
from genus.errors import ParameterError
from genus.graph import GraphBuilder
from genus.normalize import checked_examples, checked_rows

POOLS = ("linear", "logarithmic")
_FLOOR = np.float32(1e-12)  # keeps the logarithm of a mixture finite


class EnsembleHead(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Mixture of heads: `sum_i weights[i] * softmax(logits_i / temperatures[i])`.

    With several labels a row (see `Head`), sigmoids take the place of the softmax, and `biases[i]` are added first.
    A logarithmic pool averages the logits themselves: a class is probable if all members say so, not if one does.

    Parameters
    ----------
    heads : sequence of heads or None
        The members; None means logistic regression and discriminant analysis.
    weights : sequence of float or None
        Share of each member, scaled to sum to one; None means equal shares.
    temperatures : sequence of (float or (n_classes,) array), or None
        Calibration of each member; None means 1.
    biases : sequence of (float or (n_classes,) array), or None
        The other half of it, where there may be several labels a row; None means 0.
    pool : {"linear", "logarithmic"}
        What is averaged: probabilities, or logits.

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

    References
    ----------
    Genest and Zidek (1986), "Combining probability distributions: a critique and an annotated bibliography",
    Statistical Science.
    """

    def __init__(
        self,
        heads: Sequence[Any] | None = None,
        weights: Sequence[float] | None = None,
        temperatures: Sequence[Any] | None = None,
        biases: Sequence[Any] | None = None,
        pool: str = "linear",
    ) -> None:
        self.heads = heads
        self.weights = weights
        self.temperatures = temperatures
        self.biases = biases
        self.pool = pool

    @property
    def n_stored_examples(self) -> int:
        """Training rows held by all members together."""
        return sum(head.n_stored_examples for head in getattr(self, "heads_", ()))

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit every member on features `X (n, d)`, labels `y (n,)` or (n, c), and optional weights `(n,)`."""
        members = self._members()
        self._shares(len(members))
        targets = np.asarray(y)
        self.multilabel_ = targets.ndim == 2 and targets.shape[1] > 1
        if self.multilabel_:
            self.heads_ = tuple(clone(head).fit(X, targets, sample_weight=sample_weight) for head in members)
            self.classes_, self.n_features_in_ = np.arange(targets.shape[1]), self.heads_[0].n_features_in_
            return self
        rows, labels = checked_examples(self, X, y)
        weights = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
        self.classes_ = np.unique(labels[weights > 0])
        require_two_classes(self.classes_)
        self.heads_ = tuple(clone(head).fit(rows, labels, sample_weight=weights) for head in members)
        return self

    def logits(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the logarithm (or the log-odds) of the mixture, float32 (n, n_classes); of a pool up to a constant."""
        check_is_fitted(self)
        rows = checked_rows(self, X)
        shares, temperatures, biases = self._shares(len(self.heads_))
        parts = zip(self.heads_, temperatures, biases, strict=True)
        calibrated = [head.logits(rows) / temperature + bias for head, temperature, bias in parts]
        return mixture_logits(calibrated, shares, several=self.multilabel_, pool=self.pool)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the mixture, float32 (n, n_classes)."""
        proba: NDArray[np.float32] = probabilities(self.logits(X), several=self.multilabel_)
        return proba

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable class label of each row, (n,), or an indicator matrix of the likely labels."""
        logits = self.logits(X)
        if self.multilabel_:
            return np.asarray(logits > 0, np.int8)
        labels: NDArray[Any] = self.classes_[logits.argmax(axis=1)]
        return labels

    def export(self, graph: GraphBuilder, x: str) -> str:
        """Add all members and their mixture to `graph`; returns the name of the logits [N, C]."""
        check_is_fitted(self)
        total = ""
        for head, share, temperature, bias in zip(self.heads_, *self._shares(len(self.heads_)), strict=True):
            part = graph.op("Div", head.export(graph, x), graph.constant(temperature))
            if self.multilabel_:
                part = graph.op("Add", part, graph.constant(bias))
            if self.pool == "linear":
                part = graph.op("Sigmoid", part) if self.multilabel_ else graph.op("Softmax", part, axis=1)
            part = graph.op("Mul", part, graph.constant(np.array(share, np.float32)))
            total = graph.op("Add", total, part) if total else part
        if self.pool == "logarithmic":
            return total
        floor = graph.constant(np.array(_FLOOR))
        if not self.multilabel_:
            return graph.op("Log", graph.op("Max", total, floor))
        rest = graph.op("Sub", graph.constant(np.array(1, np.float32)), total)
        return graph.op("Log", graph.op("Div", graph.op("Max", total, floor), graph.op("Max", rest, floor)))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "heads_")

    def _members(self) -> Sequence[Head]:
        members = [LogisticHead(), LDAHead()] if self.heads is None else list(self.heads)
        if not members:
            raise ParameterError("heads=[]: expected at least one member.")
        return members

    def _shares(self, n: int) -> tuple[list[float], list[NDArray[np.float32]], list[NDArray[np.float32]]]:
        if self.pool not in POOLS:
            raise ParameterError(f"pool={self.pool!r}: expected one of {', '.join(POOLS)}.")
        weights = [1.0] * n if self.weights is None else [float(w) for w in self.weights]
        temperatures = _float_arrays([1.0] * n if self.temperatures is None else self.temperatures)
        biases = _float_arrays([0.0] * n if self.biases is None else self.biases)
        fits = len(weights) == len(temperatures) == len(biases) == n
        if not fits or min(weights) < 0 or sum(weights) <= 0:
            raise ParameterError(
                f"weights={self.weights!r}, temperatures={self.temperatures!r}: expected one for each of the "
                f"{n} members, weights at least 0."
            )
        return [w / sum(weights) for w in weights], temperatures, biases


def mixture_logits(
    logits: Sequence[Floats], shares: Sequence[float], *, several: bool = False, pool: str = "linear"
) -> NDArray[np.float32]:
    """Return the logarithm (with several labels a row: the log-odds) of a mixture of probabilities.

    Parameters
    ----------
    logits : sequence of (n, n_classes) arrays
        Calibrated.
    shares : sequence of float
        One each, with the sum 1.
    several : bool
        See `genus.classify.head.probabilities`.
    pool : {"linear", "logarithmic"}
        Of a logarithmic pool it is the weighted mean of the logits.

    Examples
    --------
    >>> mixture_logits([np.float32([[2, 0]]), np.float32([[0, 1]])], [0.5, 0.5], pool="logarithmic")
    array([[1. , 0.5]], dtype=float32)
    """
    parts = [one.astype(np.float32, copy=False) for one in logits]
    if pool == "linear":
        parts = [probabilities(one, several=several) for one in parts]
    weighted = [np.float32(share) * one for one, share in zip(parts, shares, strict=True)]
    total: NDArray[np.float32] = np.sum(weighted, axis=0, dtype=np.float32)
    if pool == "logarithmic":
        return total
    mixed: NDArray[np.float32] = np.log(np.maximum(total, _FLOOR))
    return mixed - np.log(np.maximum(np.float32(1) - total, _FLOOR)) if several else mixed


def _float_arrays(values: Sequence[Any]) -> list[NDArray[np.float32]]:
    return [np.asarray(value, np.float32) for value in values]


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
