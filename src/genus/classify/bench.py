"""The work bench that heads share: normalised rows, labels, weights, folds, and what is expensive to compute.

Fitting one head, and cross-validating many settings of it, are the same computation on a bench: without folds
there is one problem that sees all rows; with folds there is one problem a fold, which sees the other rows. What
does not depend on the setting (Gram matrices, similarities, a rotation) is computed once and shared.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
T = TypeVar("T")

_LARGEST_RIDGE = 1e-2  # rows have length one
_ROTATE_BELOW = 0.8  # rows per column under which n-dimensional rows pay for the rotation
_EXACT_BELOW = 500_000  # cells under which float64 costs nothing noticeable and makes results exact


@dataclass(slots=True, eq=False)
class Bench:
    """Rows ready for fitting, with what heads share.

    Parameters
    ----------
    Z : (n, w) array
        Normalised rows; float32, or float64 where the data is small.
    codes : (n,) int array
        Class of each row, 0 to `n_classes - 1`.
    weights : (n,) array
        Positive weight of each row: sample weight times class weight.
    n_classes : int
        Number of classes.
    fold : (n,) int array or None
        The fold that holds a row out, 0 to `n_folds - 1`; None to fit on all rows.
    n_folds : int
        Number of problems: 1 without folds.
    dimension : int
        Number of columns before any rotation; 0 stands for the width of `Z`.
    labels : (n, n_classes) int8 array or None
        With several labels a row: 1 has it, 0 has it not, -1 unknown; `codes` then mean nothing.
    cells : (n, n_classes) array or None
        With several labels a row: what each cell counts, beside its row's weight; 0 where unknown. None: 1 each.
    """

    Z: Floats
    codes: NDArray[np.intp]
    weights: Floats
    n_classes: int
    fold: NDArray[np.intp] | None = None
    n_folds: int = 1
    dimension: int = 0
    labels: NDArray[np.int8] | None = None
    cells: Floats | None = None
    _shared: dict[str, Future[Any]] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.Lock)

    def share(self, name: str, compute: Callable[[], T]) -> T:
        """Return the result of `compute`, made at most once for this bench under `name`.

        Threads that want different things do not wait for one another.
        """
        with self._lock:
            mine = name not in self._shared
            promise: Future[T] = self._shared.setdefault(name, Future())
        if mine:
            try:
                promise.set_result(compute())
            except BaseException as error:
                promise.set_exception(error)
        return promise.result()

    def with_weights(self, weights: Floats, cells: Floats | None = None) -> "Bench":
        """Return a bench on the same rows with other weights; what does not depend on weights stays shared."""
        kept = {k: v for k, v in self._shared.items() if not k.startswith("weighted ")}
        if "rotated" in kept:
            kept["rotated"] = _done(kept["rotated"].result().with_weights(weights, cells))
        return replace(self, weights=weights, cells=cells, _shared=kept, _lock=threading.Lock())

    def train(self, f: int) -> NDArray[np.bool_]:
        """Rows that problem `f` learns from."""
        return np.ones(len(self.Z), bool) if self.fold is None else self.fold != f

    def held_out(self) -> Iterator[tuple[int, NDArray[np.intp]]]:
        """Yield each fold with the rows it holds out."""
        for f in range(self.n_folds):
            yield f, np.flatnonzero(self.fold == f)

    def problem_weights(self) -> Floats:
        """Weights (n, n_folds) of the rows in each problem; 0 where a row is held out."""
        if self.fold is None:
            return self.weights[:, None]
        return np.where(self.fold[:, None] != np.arange(self.n_folds), self.weights[:, None], 0)

    @property
    def mean(self) -> Floats:
        """Mean row (w,)."""
        return self.share("mean", lambda: self.Z.mean(axis=0))

    @property
    def one_hot(self) -> Floats:
        """Class indicators (n, n_classes); an unknown label stands at its label's mean, which pulls nowhere."""
        return self.share("one hot", self._indicators)

    @property
    def knowns(self) -> Floats:
        """With several labels a row: 1 where a label is known, else 0, (n, n_classes)."""
        return self.share("knowns", lambda: np.asarray(np.asarray(self.labels) >= 0, self.Z.dtype))

    @property
    def similarity(self) -> Floats:
        """Inner products of all rows (n, n)."""
        return self.share("similarity", lambda: self.Z @ self.Z.T)

    @property
    def masses(self) -> Floats:
        """Weight of each class in each problem (n_folds, n_classes)."""
        return self.share("weighted masses", lambda: (self.one_hot.T @ self.problem_weights()).T)

    @property
    def sums(self) -> Floats:
        """Weighted sum of the centred rows of each class in each problem (n_folds, n_classes, w)."""
        return self.share("weighted sums", self._class_sums)

    def gram(self, f: int) -> Floats:
        """Weighted second moments `sum w z z^T` (w, w) of the centred rows of problem `f`."""
        total = self.share("weighted gram", lambda: self._second_moments(np.arange(len(self.Z))))
        return (
            total - self._second_moments(np.flatnonzero(self.fold == f)) if self.fold is not None else total
        )

    def rotated(self) -> "Bench":
        """Return this bench in n dimensions where rows are few, else itself.

        An L2-penalised linear model, discriminant analysis and every kernel depend on the rows through their inner
        products only, so the rows `L` of the Cholesky factor `Z Z^T = L L^T` serve exactly as well.
        """
        n, width = self.Z.shape
        return self if n >= _ROTATE_BELOW * width else self.share("rotated", self._rotate)

    def unrotate(self, coef: Floats) -> Floats:
        """Turn coefficients (..., n) fitted on `rotated()` into coefficients (..., w) for the rows themselves."""
        rotated = self.rotated()
        if rotated is self:
            return coef
        from scipy.linalg import solve_triangular

        dual = solve_triangular(
            rotated._shared["factor"].result(), coef.T, lower=True, trans="T", check_finite=False
        )
        return np.asarray(dual.T @ self.Z, self.Z.dtype)

    def _indicators(self) -> Floats:
        if self.labels is None:
            return np.eye(self.n_classes, dtype=self.Z.dtype)[self.codes]
        has = (self.labels == 1).astype(self.Z.dtype)
        share = has.sum(axis=0) / np.maximum(self.knowns.sum(axis=0), 1)
        return np.asarray(np.where(self.knowns > 0, has, share), self.Z.dtype)

    def _rotate(self) -> "Bench":
        factor = _cholesky(self.similarity.astype(np.float64), 1e-6 if self.Z.dtype == np.float32 else 1e-10)
        rows = np.ascontiguousarray(factor.astype(self.Z.dtype))
        shared = {"factor": _done(factor), "similarity": _done(self.similarity)}
        return replace(self, Z=rows, dimension=self.Z.shape[1], _shared=shared, _lock=threading.Lock())

    def _class_sums(self) -> Floats:
        centred = self.Z - self.mean
        weights = self.problem_weights()
        by_problem = [self.one_hot * weights[:, f : f + 1] for f in range(self.n_folds)]
        return np.stack([members.T.astype(self.Z.dtype) @ centred for members in by_problem])

    def _second_moments(self, rows: NDArray[np.intp]) -> Floats:
        scaled = (self.Z[rows] - self.mean) * np.sqrt(self.weights[rows])[:, None].astype(self.Z.dtype)
        moments: Floats = scaled.T @ scaled
        return moments


def _cholesky(inner: Floats, ridge: float) -> Floats:
    """Factorise a matrix of inner products, made regular.

    Duplicate rows make it singular, and rounding then tips it over by an amount that grows with its size: the
    ridge, which gives each row a private direction of length 1e-3 or so, is raised until it holds.
    """
    diagonal = np.diag_indices_from(inner)
    while True:
        inner[diagonal] += ridge
        try:
            return np.linalg.cholesky(inner)
        except np.linalg.LinAlgError:
            if ridge > _LARGEST_RIDGE:
                raise
            ridge *= 10


def _done(result: Any) -> Future[Any]:
    promise: Future[Any] = Future()
    promise.set_result(result)
    return promise


def working_dtype(n_cells: int) -> type[np.float32] | type[np.float64]:
    """Return float64 for small data, where exactness is free, else float32."""
    return np.float64 if n_cells <= _EXACT_BELOW else np.float32
