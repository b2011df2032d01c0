"""A head, the columns it reads and what its logits are calibrated by, as one head: a member of a mixture."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted

from genus.classify.calibration import LogitMap
from genus.classify.head import probabilities
from genus.classify.workshop import logits_of
from genus.graph import GraphBuilder, take_columns


class CalibratedHead(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A head whose logits are calibrated by a mapping that is given.

    Parameters
    ----------
    head : head
        Unfitted.
    mapping : LogitMap
        Applied to its logits.
    n_columns : int or None, default None
        It sees the first so many features only; None: all.

    Attributes
    ----------
    head_ : head
        Fitted.
    classes_ : (c,) array
    n_features_in_ : int
        How many features there are, those that it does not see counted in.

    Examples
    --------
    >>> from genus.classify.calibration import Temperature
    >>> from genus.classify.logistic import LogisticHead
    >>> X = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.2, 0.8]]
    >>> plain = LogisticHead().fit(X, ["cat", "cat", "dog", "dog"])
    >>> calm = CalibratedHead(LogisticHead(), Temperature(2.0)).fit(X, ["cat", "cat", "dog", "dog"])
    >>> np.allclose(calm.logits(X), plain.logits(X) / 2)
    True
    """

    def __init__(self, head: Any, mapping: LogitMap, n_columns: int | None = None) -> None:
        self.head = head
        self.mapping = mapping
        self.n_columns = n_columns

    @property
    def n_stored_examples(self) -> int:
        """Training rows that the head holds."""
        return int(getattr(getattr(self, "head_", None), "n_stored_examples", 0))

    @property
    def multilabel_(self) -> bool:
        """Whether an image may have several labels."""
        return bool(getattr(self.head_, "multilabel_", False))

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the head; the mapping stays as it is."""
        known = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.n_features_in_ = np.shape(X)[1]
        self.head_ = clone(self.head).fit(self._seen(X), y, **known)
        self.classes_ = self.head_.classes_
        return self

    def logits(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the calibrated logits, float32 (n, c)."""
        check_is_fitted(self)
        return np.asarray(self.mapping.apply(logits_of(self.head_, self._seen(X))), np.float32)

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
        """Add head and mapping to `graph`; returns the name of the logits [N, C]."""
        seen = x
        if self.n_columns is not None:
            seen = take_columns(graph, x, 0, self.n_columns, of=self.n_features_in_)
        return self.mapping.export(graph, self.head_.export(graph, seen))

    def _seen(self, X: ArrayLike) -> NDArray[np.float32]:
        return np.asarray(X, np.float32)[:, : self.n_columns]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "head_")
