"""Many L2-penalised linear classifiers at once, by batched and preconditioned L-BFGS.

The problems (one a fold) share their rows, so one matrix product serves them all, and their curvature, so one
whitening of the rows makes every one of them well conditioned.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from genus.classify.bench import Bench, Floats

Loss = Literal["softmax", "sigmoid", "squared_hinge"]

# Curvature of the loss that the whitening assumes, as a share of the rows' second moment. Small, because the
# curvature p (1 - p) of a fitted softmax is; measured on CNN features: 3 to 10 times fewer steps than without.
_CURVATURE = 0.01
_MEMORY = 8
_LEAST_STEPS, _MAX_STEPS = 2, 300
_MANY = 64  # problems from which on it pays to go on without those that have arrived
_AT_REST = 3  # steps without a gain after which a problem has


@dataclass(frozen=True, slots=True, eq=False)
class Whitened:
    """Rows `x` turned into `(x - mean) L^-T`, where `L L^T = curvature * covariance + ridge * I`.

    Parameters
    ----------
    columns : (w, n) array
        The whitened rows, transposed.
    factor : (w, w) array
        `L`, lower triangular.
    mean : (w,) array
        The rows' mean.
    ridge : float
        The penalty per unit of weight for which the whitening is exact.
    """

    columns: Floats
    factor: Floats
    mean: Floats
    ridge: float


def whiten(bench: Bench, ridge: float) -> Whitened:
    """Whiten the rows of `bench`; cost O(n w^2 + w^3 / 3)."""
    from scipy.linalg import cholesky, solve_triangular

    centred = bench.Z - bench.mean
    hessian = centred.T @ centred
    hessian *= _CURVATURE / len(centred)
    hessian[np.diag_indices_from(hessian)] += ridge
    factor = cholesky(hessian, lower=True, check_finite=False, overwrite_a=True)
    columns = solve_triangular(factor, centred.T, lower=True, check_finite=False)
    return Whitened(np.ascontiguousarray(columns), factor, bench.mean, ridge)


def linear_path(bench: Bench, Cs: Sequence[float], loss: Loss, tol: float) -> Iterator[tuple[Floats, Floats]]:
    """Fit every problem of `bench` for each `C`, starting each from the one before.

    Minimises `C * sum(weight * loss) + |coef|^2 / 2` with an unpenalised intercept, as scikit-learn does.

    Parameters
    ----------
    bench : Bench
        Rows, labels, weights and folds.
    Cs : sequence of float
        Inverse penalties, best in ascending order.
    loss : {"softmax", "sigmoid", "squared_hinge"}
        Multinomial logistic loss, the logistic loss of each label by itself (several labels a row), or the
        one-against-rest squared hinge of L2-loss support vector machines.
    tol : float
        Stop once a step lowers every problem's objective by less than this share of it.

    Yields
    ------
    coef : (n_folds, n_classes, w) array
    intercept : (n_folds, n_classes) array

    Notes
    -----
    O(n w n_folds n_classes) a step, about ten steps a `C`. L-BFGS: Nocedal and Wright (2006), "Numerical
    Optimization", algorithm 7.4; a fixed bound on the curvature: Boehning (1992), "Multinomial logistic
    regression algorithm".
    """
    from scipy.linalg import solve_triangular

    middle = float(np.exp(np.mean(np.log(Cs))))
    ridge = 1.0 / (middle * float(bench.problem_weights().sum(axis=0).mean()))
    design = bench.share(f"whitened {ridge:.6g}", lambda: whiten(bench, ridge))
    targets, weights = _problems(bench)
    V = _start(bench, loss)
    for C in Cs:
        V = minimize(_Objective(design, C, targets, weights, loss), V, tol)
        coef = solve_triangular(design.factor, V[:-1], lower=True, trans="T", check_finite=False)
        intercept = V[-1] / np.sqrt(_CURVATURE) - design.mean @ coef
        by_problem = coef.T.reshape(bench.n_folds, bench.n_classes, -1)
        yield np.ascontiguousarray(by_problem), intercept.reshape(bench.n_folds, bench.n_classes)


class _Objective:
    """The objectives of all problems, in whitened coordinates, each divided by its total weight.

    The penalty needs no product of its own: in whitened coordinates it is
    `ridge * |coef|^2 = |V|^2 - curvature / n * |columns^T V|^2`, and `columns^T V` are the scores.

    Parameters
    ----------
    columns, ridge
        See `Whitened`.
    C : float
    targets : (n, n_problems or 1, n_classes) array
        Class indicators.
    weights : (n, n_problems) array
    loss : Loss
    offset : (n, n_problems, n_classes) array or None
        Added to the scores, as it is.
    """

    def __init__(
        self,
        design: Whitened,
        C: float,
        targets: Floats,
        weights: Floats,
        loss: Loss,
        offset: Floats | None = None,
    ) -> None:
        dtype = design.columns.dtype
        totals = np.maximum(weights.sum(axis=0), np.finfo(np.float32).tiny)
        self.columns = design.columns
        self.n_problems, self.n_classes = weights.shape[1], targets.shape[2]
        self.weights = (weights / totals).astype(dtype)
        self.penalty = (1.0 / (C * totals * design.ridge)).astype(dtype)
        self.targets, self.offset = targets, offset
        self.loss = _LOSSES[loss]
        self.share = dtype.type(_CURVATURE / design.columns.shape[1])
        self.intercept = dtype.type(1 / np.sqrt(_CURVATURE))

    def __call__(self, V: Floats) -> tuple[Floats, Floats]:
        """Return each problem's value (n_problems,) and the gradient, shaped like `V`."""
        scores = self.columns.T @ V[:-1]
        shaped = (scores + V[-1] * self.intercept).reshape(len(scores), self.n_problems, self.n_classes)
        if self.offset is not None:
            shaped += self.offset
        value, slope = self.loss(shaped, self.targets, self.weights)
        slope = slope.reshape(scores.shape)
        value = value + 0.5 * self.penalty * (
            self.dots(V[:-1], V[:-1]) - self.share * self.dots(scores, scores)
        )
        gradient = np.empty_like(V)
        gradient[-1] = slope.sum(axis=0) * self.intercept
        scores *= self.spread(self.penalty) * self.share
        slope -= scores
        np.matmul(self.columns, slope, out=gradient[:-1])
        gradient[:-1] += V[:-1] * self.spread(self.penalty)
        return value, gradient

    def only(self, problems: NDArray[np.intp]) -> "_Objective":
        """Return the objective of some of the problems."""
        if len(problems) == self.n_problems:
            return self
        some = copy(self)
        some.n_problems = len(problems)
        some.weights, some.penalty = self.weights[:, problems], self.penalty[problems]
        if self.targets.shape[1] > 1:  # else they share one
            some.targets = self.targets[:, problems]
        if self.offset is not None:
            some.offset = self.offset[:, problems]
        return some

    def dots(self, a: Floats, b: Floats) -> Floats:
        """Inner product of each problem's columns, (n_problems,)."""
        products: Floats = np.einsum("ij,ij->j", a, b).reshape(self.n_problems, -1).sum(axis=1)
        return products

    def spread(self, per_problem: Floats) -> Floats:
        """Repeat a value a problem over its columns."""
        return np.repeat(per_problem, self.n_classes).astype(self.columns.dtype)


def softmax_loss(scores: Floats, targets: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Weighted multinomial log-loss of each problem, and its slope by the scores (n, n_problems, n_classes)."""
    scores = scores - scores.max(axis=2, keepdims=True)
    own = np.einsum("ijk,ik->ij", scores, targets[:, 0])
    np.exp(scores, out=scores)
    total = scores.sum(axis=2)
    value = ((np.log(total) - own) * weights).sum(axis=0)
    scores /= total[:, :, None]
    scores -= targets
    scores *= weights[:, :, None]
    return value, scores


def sigmoid_loss(scores: Floats, targets: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Weighted log-loss of each class by itself, summed a problem, and its slope by the scores."""
    faded = np.exp(-np.abs(scores))  # never overflows
    losses = np.maximum(scores, 0) + np.log1p(faded) - targets * scores
    value = (losses.sum(axis=2) * weights).sum(axis=0)
    proba = np.where(scores >= 0, 1, faded) / (1 + faded)
    return value, (proba - targets) * weights[:, :, None]


def squared_hinge_loss(scores: Floats, targets: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Weighted one-against-rest squared hinge of each problem, and its slope by the scores."""
    side = 2 * targets - 1
    short = np.maximum(0, 1 - side * scores)
    value = (np.einsum("ijk,ijk->ij", short, short) * weights).sum(axis=0)
    return value, (-2 * side * short) * weights[:, :, None]


_LOSSES: dict[str, Callable[[Floats, Floats, Floats], tuple[Floats, Floats]]] = {
    "softmax": softmax_loss,
    "sigmoid": sigmoid_loss,
    "squared_hinge": squared_hinge_loss,
}


def minimize(objective: _Objective, V: Floats, tol: float) -> Floats:
    """Minimise all problems together; of many, those that have arrived are taken out, so that stragglers are cheap."""
    V = V.copy()
    active = np.arange(objective.n_problems)
    while len(active):
        columns = (active[:, None] * objective.n_classes + np.arange(objective.n_classes)).ravel()
        V[:, columns], moving = _descend(objective.only(active), V[:, columns], tol)
        active = active[moving]
    return V


def _descend(objective: _Objective, V: Floats, tol: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Run L-BFGS on all problems together, each with its own curvature pairs and step length.

    Returns where they are when all have arrived, or all but few of many, and which of them still move.
    """
    value, gradient = objective(V)
    pairs: list[tuple[Floats, Floats, Floats]] = []
    resolution = 10 * float(np.finfo(V.dtype).eps)
    few = objective.n_problems // 2 if objective.n_problems >= _MANY else 0
    rests = np.zeros(objective.n_problems, np.int64)  # steps since it last moved
    for n_steps in range(_MAX_STEPS):
        direction = _direction(objective, gradient, pairs)
        slope = objective.dots(gradient, direction)
        step, (new, new_value, new_gradient) = np.ones(objective.n_problems), (V, value, gradient)
        for _ in range(12):
            new = V - direction * objective.spread(step)
            new_value, new_gradient = objective(new)
            high = new_value > value - 1e-4 * step * slope + resolution * np.abs(value)
            if not high.any():
                break
            step = np.where(high, step * 0.4, step)
        stuck = new_value > value + resolution * np.abs(value)
        if stuck.any():  # no descent left at this precision: keep the point these problems had
            new = np.where(objective.spread(stuck.astype(V.dtype)) > 0, V, new)
            new_value, new_gradient = objective(new)
        moved, turned = new - V, new_gradient - gradient
        bend = objective.dots(moved, turned)
        inverse = np.where(bend > 1e-30, 1 / np.maximum(bend, 1e-30), 0)
        pairs = [*pairs[-_MEMORY + 1 :], (moved, turned, inverse)]
        rests = np.where(value - new_value <= tol * np.maximum(np.abs(new_value), 1e-3), rests + 1, 0)
        V, value, gradient = new, new_value, new_gradient
        if n_steps >= _LEAST_STEPS and (np.all(rests > 0) or (rests < _AT_REST).sum() <= few):
            return V, (rests < _AT_REST) & ~np.all(rests > 0)
    return V, np.zeros(objective.n_problems, np.bool_)


def _direction(
    objective: _Objective, gradient: Floats, pairs: Sequence[tuple[Floats, Floats, Floats]]
) -> Floats:
    if not pairs:
        return gradient * gradient.dtype.type(
            4 * _CURVATURE
        )  # 1 / (4 curvature) bounds the bend of both losses
    direction = gradient.copy()
    shares: list[Any] = []
    for moved, turned, inverse in reversed(pairs):
        share = inverse * objective.dots(moved, direction)
        direction -= turned * objective.spread(share)
        shares.append(share)
    moved, turned, _ = pairs[-1]
    bend, size = objective.dots(moved, turned), objective.dots(turned, turned)
    direction *= objective.spread(np.where((bend > 0) & (size > 0), bend / np.maximum(size, 1e-30), 1.0))
    for (moved, turned, inverse), share in zip(pairs, reversed(shares), strict=True):
        direction += moved * objective.spread(share - inverse * objective.dots(turned, direction))
    return direction


def _problems(bench: Bench) -> tuple[Floats, Floats]:
    """Return the class indicators and weights of every problem.

    Classes that exclude one another are one problem a fold. Labels that do not are one each, with the rows where
    they are known and a step length of their own.
    """
    by_fold = bench.problem_weights()
    if bench.labels is None:
        return bench.one_hot[:, None, :], by_fold
    cells = bench.knowns if bench.cells is None else bench.cells
    weights = (by_fold[:, :, None] * cells[:, None, :]).reshape(len(cells), -1)
    return np.tile(bench.one_hot, bench.n_folds)[:, :, None], weights


def _start(bench: Bench, loss: Loss) -> NDArray[np.floating[Any]]:
    """Zero coefficients and the intercepts that fit the class frequencies."""
    V = np.zeros((bench.Z.shape[1] + 1, bench.n_folds * bench.n_classes), bench.Z.dtype)
    if bench.labels is None:
        shares = (bench.masses + 1e-3) / (bench.masses + 1e-3).sum(axis=1, keepdims=True)
    else:
        targets, weights = _problems(bench)
        shares = ((targets[:, :, 0] * weights).sum(axis=0) + 0.1) / (weights.sum(axis=0) + 0.2)
    if loss == "squared_hinge":
        start = 2 * shares - 1
    else:
        start = np.log(shares) if loss == "softmax" else np.log(shares / (1 - shares))
    V[-1] = start.ravel() * np.sqrt(_CURVATURE)
    return V
