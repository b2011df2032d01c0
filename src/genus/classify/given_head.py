"""A linear classifier that was learned elsewhere: the last layer of a network, as a head like the others."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from genus.classify.head import probabilities
from genus.errors import DataError
from genus.graph import GraphBuilder, take_columns
from genus.normalize import checked_rows


class GivenLinearHead(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Logits `X[:, start:] @ coef.T + intercept` with given numbers; nothing is learned from rows.

    Parameters
    ----------
    coef : (c, e) float32 array
    intercept : (c,) float32 array
    start : int, default 0
        Its first column; it reads e from there.

    Attributes
    ----------
    classes_ : (c,) array
        The labels that `fit` was given, in their order.

    Examples
    --------
    >>> head = GivenLinearHead(np.eye(2, dtype=np.float32), np.zeros(2, np.float32), start=1)
    >>> head.fit([[9, 1, 0], [9, 0, 1]], ["cat", "dog"]).predict([[9, 0.2, 0.1]])
    array(['cat'], dtype='<U3')
    """

    n_stored_examples = 0

    def __init__(self, coef: NDArray[np.float32], intercept: NDArray[np.float32], start: int = 0) -> None:
        self.coef = coef
        self.intercept = intercept
        self.start = start

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Take note of what the columns are called.

        Raises
        ------
        DataError
            `y` has not as many classes, or labels, as there are rows of `coef`.
        """
        targets = np.asarray(y)
        self.multilabel_ = targets.ndim == 2 and targets.shape[1] > 1
        self.classes_ = np.arange(targets.shape[1]) if self.multilabel_ else np.unique(targets)
        self.n_features_in_ = np.shape(X)[1]
        if len(self.classes_) != len(self.coef):
            raise DataError(f"a classifier of {len(self.coef)} classes was given {len(self.classes_)}.")
        return self

    def logits(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the logits, float32 (n, c)."""
        check_is_fitted(self)
        rows = checked_rows(self, X)[:, self.start : self.start + self.coef.shape[1]]
        return np.asarray(rows @ self.coef.T + self.intercept, np.float32)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return probabilities, float32 (n, c)."""
        proba: NDArray[np.float32] = probabilities(self.logits(X), several=self.multilabel_)
        return proba

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable label of each row, (n,), or an indicator matrix of the likely labels."""
        logits = self.logits(X)
        if self.multilabel_:
            return np.asarray(logits > 0, np.int8)
        labels: NDArray[Any] = self.classes_[logits.argmax(axis=1)]
        return labels

    def export(self, graph: GraphBuilder, x: str) -> str:
        """Add the arithmetic to `graph`, from features `x` [N, d] to logits [N, c]; returns their name."""
        stop = self.start + self.coef.shape[1]
        own = take_columns(graph, x, self.start, stop, of=self.n_features_in_)
        weights = np.ascontiguousarray(self.coef.T, np.float32)
        scores = graph.op("MatMul", own, graph.constant(weights))
        return graph.op("Add", scores, graph.constant(np.asarray(self.intercept, np.float32)))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "classes_")
