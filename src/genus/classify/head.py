"""What a head is: a scikit-learn classifier on features that can write itself as plain ONNX nodes."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from genus.classify.bench import Bench, Floats, working_dtype
from genus.errors import DataError, ParameterError
from genus.graph import GraphBuilder
from genus.normalize import (
    checked_examples,
    checked_rows,
    chosen_blocks,
    export_normalized,
    normalize_blocks,
    require_finite,
)


class Head(ClassifierMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """Base of the built-in heads: checks, labels, weights, normalisation; the learning is in the subclasses.

    A subclass stores its parameters, among them `power`, `blocks`, `use` (see `BlockNormalizer`) and
    `class_weight`, and fills in `_learn`, `_score` and `_export_scores`; `SharesWork` is optional.

    Attributes
    ----------
    classes_ : (n_classes,) array
        The class labels, in the order of the columns of `logits` and `predict_proba`.
    n_features_in_ : int
        Number of feature columns.
    n_stored_examples : int
        How many training rows the fitted head holds, and an exported file would embed; 0 for most heads.
    learns_label_sets : bool
        Whether `y` may also be an indicator matrix (n, c) of 1 (has the label), 0 (has it not) and -1 (unknown).
    weighs_labels : bool
        Whether it then heeds `class_weight`.
    multilabel_ : bool
        Whether it was: then each column of the logits is a label's log-odds, and `predict` returns such a matrix.
    """

    learns_label_sets: bool = False
    weighs_labels: bool = False
    power: float
    blocks: Any
    use: Any
    class_weight: Any
    n_stored_examples: int = 0

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from features `X (n, d)`, labels `y (n,)` and optional weights `(n,)`.

        Raises
        ------
        DataError
            Rows hold NaN or infinity, or `y` has fewer than two classes.
        ParameterError
            `y` is an indicator matrix, and this head learns one class a row only.
        """
        targets = np.asarray(y)
        self.multilabel_ = targets.ndim == 2 and targets.shape[1] > 1
        if self.multilabel_:
            return self._fit_label_sets(X, targets, sample_weight)
        rows, labels = checked_examples(self, X, y)
        weights = row_weights(rows, labels, sample_weight, self.class_weight)
        counted = weights > 0
        if not counted.all():
            rows, labels, weights = rows[counted], labels[counted], weights[counted]
        self.classes_, codes = np.unique(labels, return_inverse=True)
        require_two_classes(self.classes_)
        Z: Floats = self._normalized(rows)
        Z = Z.astype(working_dtype(Z.size), copy=False)
        self._learn(Bench(Z, codes, weights.astype(Z.dtype), len(self.classes_)))
        return self

    def logits(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return unnormalised log-probabilities, float32 (n, n_classes), columns in `classes_` order."""
        check_is_fitted(self)
        return self._score(self._normalized(checked_rows(self, X))).astype(np.float32, copy=False)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return `softmax(logits(X))`, or with several labels a row `sigmoid(logits(X))`, float32 (n, n_classes)."""
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
        """Add this head to `graph`: from the features' tensor `x` [N, d] to logits [N, C]; returns their name."""
        check_is_fitted(self)
        bounds = chosen_blocks(self.blocks, self.use, self.n_features_in_)
        return self._export_scores(
            graph, export_normalized(graph, x, bounds, self.power, self.n_features_in_)
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "classes_")

    def _fit_label_sets(self, X: ArrayLike, y: NDArray[Any], sample_weight: ArrayLike | None) -> Self:
        if not self.learns_label_sets:
            raise ParameterError(
                f"{type(self).__name__} learns one class an image, not several labels. "
                "For several labels take logistic, linear_svm, knn or rbf."
            )
        rows: NDArray[np.float32] = validate_data(self, X, dtype=np.float32, ensure_all_finite=False)
        require_finite(rows)
        if len(y) != len(rows) or not np.isin(y, (-1, 0, 1)).all():
            raise DataError(
                f"expected labels (n, c) of 1 (has it), 0 (has it not) or -1 (unknown), got {y.dtype} {y.shape}."
            )
        weights = row_weights(rows, y, sample_weight, None)
        counted = weights > 0
        values = y[counted].astype(np.int8)
        self.classes_ = np.arange(y.shape[1])
        Z: Floats = self._normalized(rows[counted])
        Z = Z.astype(working_dtype(Z.size), copy=False)
        self._learn(label_bench(Z, values, weights[counted].astype(Z.dtype), self.class_weight))
        return self

    @abstractmethod
    def _learn(self, bench: Bench) -> None:
        """Fit on the normalised rows of `bench`."""

    @abstractmethod
    def _score(self, Z: NDArray[np.float32]) -> Floats:
        """Return logits for normalised rows."""

    @abstractmethod
    def _export_scores(self, graph: GraphBuilder, z: str) -> str:
        """Write `_score` as ONNX nodes."""

    def _normalized(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        return normalize_blocks(X, chosen_blocks(self.blocks, self.use, X.shape[1]), self.power)


@runtime_checkable
class SharesWork(Protocol):
    """A head that cross-validates many settings for little more than the price of one.

    Optional: heads without it are fitted once a fold and setting.
    """

    def cv_logits(self, bench: Bench, grid: Sequence[Mapping[str, Any]]) -> Iterator[Floats]:
        """Yield out-of-fold logits (n, n_classes) for each setting in `grid`.

        `bench` holds normalised rows; a setting overrides this head's parameters.
        """
        ...


class LinearHead(Head):
    """A head whose logits are `z @ coef_.T + intercept_` on normalised rows `z`.

    Attributes
    ----------
    coef_ : (n_classes, w) float32 array
    intercept_ : (n_classes,) float32 array
    """

    @abstractmethod
    def _path(
        self, bench: Bench, grid: Sequence[Mapping[str, Any]], *, final: bool
    ) -> Iterator[tuple[Floats, Floats]]:
        """Yield `coef (n_folds, n_classes, w)` and `intercept (n_folds, n_classes)` for each setting."""

    def cv_logits(self, bench: Bench, grid: Sequence[Mapping[str, Any]]) -> Iterator[Floats]:
        """Yield out-of-fold logits for each setting; see `SharesWork.cv_logits`."""
        rotated = bench.rotated()
        for coef, intercept in self._path(rotated, grid, final=False):
            logits = np.empty((len(bench.Z), bench.n_classes), bench.Z.dtype)
            for f, rows in bench.held_out():
                logits[rows] = rotated.Z[rows] @ coef[f].T + intercept[f]
            yield logits

    def _learn(self, bench: Bench) -> None:
        coef, intercept = next(self._path(bench.rotated(), [self.get_params(deep=False)], final=True))
        self.coef_ = bench.unrotate(coef[0]).astype(np.float32)
        self.intercept_ = intercept[0].astype(np.float32)

    def _score(self, Z: NDArray[np.float32]) -> Floats:
        scores: Floats = Z @ self.coef_.T + self.intercept_
        return scores

    def _export_scores(self, graph: GraphBuilder, z: str) -> str:
        scores = graph.op("MatMul", z, graph.constant(np.ascontiguousarray(self.coef_.T)))
        return graph.op("Add", scores, graph.constant(self.intercept_))


def softmax(logits: Floats) -> Floats:
    """Return row-wise softmax of `logits (n, n_classes)`, same dtype."""
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    total: Floats = exp / exp.sum(axis=1, keepdims=True)
    return total


def probabilities(logits: Floats, *, several: bool) -> Floats:
    """Return class probabilities (n, n_classes): rows sum to one, unless there may be several labels a row."""
    if not several:
        return softmax(logits)
    faded = np.exp(-np.abs(logits))  # never overflows
    proba: Floats = np.where(logits >= 0, 1, faded) / (1 + faded)
    return proba.astype(logits.dtype, copy=False)


def label_bench(
    Z: Floats,
    values: NDArray[np.int8],
    weights: Floats,
    class_weight: Any = None,
    fold: NDArray[np.intp] | None = None,
    n_folds: int = 1,
) -> Bench:
    """Return a bench of normalised rows with several labels each, `values (n, c)`: 1, 0 or -1 (unknown)."""
    cells = balanced_cells(values).astype(Z.dtype) if class_weight == "balanced" else None
    codes = np.zeros(len(Z), np.intp)
    return Bench(Z, codes, weights, values.shape[1], fold, n_folds, labels=values, cells=cells)


def balanced_cells(values: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return weights (n, c) that let a label's presence and its absence count the same in all; 0 where unknown."""
    known = (values >= 0).sum(axis=0)
    cells = np.zeros(values.shape)
    for side in (0, 1):
        members = values == side
        cells += members * (known / (2 * np.maximum(members.sum(axis=0), 1)))
    return cells


def row_weights(
    X: NDArray[Any], y: NDArray[Any], sample_weight: ArrayLike | None, class_weight: Any
) -> NDArray[np.float64]:
    """Return sample weight times class weight, float64 (n,)."""
    weights: NDArray[np.float64] = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    if class_weight is not None and (weights > 0).any():
        counted = weights > 0
        # weighted like repeated rows: a class's balanced weight goes by the weight it has, not by its row count
        weights = weights.copy()
        weights[counted] *= _class_weights(class_weight, y[counted], weights[counted])
    return weights


def require_two_classes(classes: NDArray[Any]) -> None:
    """Raise a DataError if there are fewer than two classes."""
    if len(classes) < 2:
        found = f": {str(classes[0])!r}" if len(classes) else ""
        raise DataError(
            f"expected labels of at least 2 classes, got {len(classes)} class{found}. "
            "Add examples of another class."
        )


def _class_weights(class_weight: Any, y: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    if class_weight != "balanced":
        return np.asarray(compute_sample_weight(class_weight, y), dtype=np.float64)
    _, codes = np.unique(y, return_inverse=True)
    masses = np.bincount(codes, weights)
    return np.asarray((weights.sum() / (len(masses) * masses))[codes])
