"""Linear discriminant analysis with a shrunk covariance."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from genus.classify.bench import Bench, Floats
from genus.classify.head import LinearHead
from genus.errors import ParameterError

_NO_MASS = 1e-12


class LDAHead(LinearHead):
    """Gaussian classes with one shared covariance, shrunk towards a multiple of the identity.

    Closed form, so the cheapest head that takes correlations between features into account.

    Parameters
    ----------
    shrinkage : float in (0, 1] or "auto", default 0.3
        Share of the identity. "auto" is the oracle-approximating estimate, which shrinks too little for
        classification on most CNN features.
    power, blocks, use
        Normalisation of the features; see `BlockNormalizer`.
    class_weight : None, "balanced" or dict
        "balanced" gives every class the same weight in the covariance and the same prior.

    Attributes
    ----------
    coef_ : (n_classes, w) float32 array
    intercept_ : (n_classes,) float32 array
    classes_ : (n_classes,) array
    n_features_in_ : int

    Notes
    -----
    O(n d^2 + d^3 / 3). Hastie, Tibshirani and Friedman (2009), "The elements of statistical learning", 4.3; "auto"
    is Chen et al. (2010), "Shrinkage algorithms for MMSE covariance estimation", IEEE TSP.

    Examples
    --------
    >>> X = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.2, 0.8]]
    >>> LDAHead().fit(X, ["cat", "cat", "dog", "dog"]).predict([[1.0, 0.2]])
    array(['cat'], dtype='<U3')
    """

    def __init__(
        self,
        shrinkage: float | str = 0.3,
        *,
        power: float = 0.5,
        blocks: Sequence[tuple[int, int]] | None = None,
        use: Sequence[int] | None = None,
        class_weight: Any = None,
    ) -> None:
        self.shrinkage = shrinkage
        self.power = power
        self.blocks = blocks
        self.use = use
        self.class_weight = class_weight

    def _path(
        self, bench: Bench, grid: Sequence[Mapping[str, Any]], *, final: bool
    ) -> Iterator[tuple[Floats, Floats]]:
        settings = [_checked(setting.get("shrinkage", self.shrinkage)) for setting in grid]
        by_fold = [_discriminants(bench, f, settings) for f in range(bench.n_folds)]
        for fits in zip(*by_fold, strict=True):
            yield np.stack([coef for coef, _ in fits]), np.stack([intercept for _, intercept in fits])


def _checked(shrinkage: float | str) -> float | str:
    if shrinkage == "auto" or (not isinstance(shrinkage, str) and 0 < shrinkage <= 1):
        return shrinkage
    raise ParameterError(f'shrinkage={shrinkage!r}: expected a number above 0 and at most 1, or "auto".')


def _discriminants(bench: Bench, f: int, settings: Sequence[float | str]) -> list[tuple[Floats, Floats]]:
    """Return `coef (n_classes, w)` and `intercept (n_classes,)` of problem `f` for each shrinkage."""
    masses = np.maximum(bench.masses[f], _NO_MASS)
    means = bench.sums[f] / masses[:, None]
    within = bench.gram(f) - (means * masses[:, None]).T @ means
    within /= masses.sum()
    n_true = bench.dimension or len(within)  # a rotation keeps the trace but not the number of columns
    average = np.trace(within) / n_true
    prior = np.log(masses / masses.sum())
    fits = []
    for setting in settings:
        shrinkage = setting
        if isinstance(shrinkage, str):
            shrinkage = _oracle_shrinkage(within, average, n_true, int(bench.train(f).sum()))
        coef = _solve_shrunk(within, means, shrinkage, average)
        # `means` are measured from the rows' mean, so the logits are, too
        intercept = prior - 0.5 * np.einsum("wc,cw->c", coef, means) - bench.mean @ coef
        fits.append((coef.T.astype(within.dtype), intercept.astype(within.dtype)))
    return fits


def _solve_shrunk(within: Floats, means: Floats, shrinkage: float, average: Any) -> Floats:
    """Return `((1 - shrinkage) within + shrinkage * average * I)^-1 means^T`, (w, n_classes)."""
    from scipy.linalg.lapack import get_lapack_funcs

    shrunk = within * within.dtype.type(1 - shrinkage)
    # the least there is where every class has one row: its square still leaves float32 room for the scores
    shrunk[np.diag_indices_from(shrunk)] += shrinkage * average + np.finfo(within.dtype).eps ** 2
    solve = get_lapack_funcs(("posv",), (shrunk,))[0]
    _, coef, info = solve(shrunk.T, means.T, lower=True, overwrite_a=True)
    if info != 0:  # all rows of a class alike, or next to no shrinkage: only the means are left to go by
        coef = means.T / max(float(average), float(np.finfo(within.dtype).eps))
    return np.asarray(coef)


def _oracle_shrinkage(covariance: Floats, average: float, n_features: int, n: int) -> float:
    """Chen et al. (2010), equation 23."""
    moment = float(np.einsum("ij,ij->", covariance, covariance)) / n_features**2
    excess = (n + 1) * (moment - average**2 / n_features)
    return float(np.clip((moment + average**2) / excess, 1e-3, 1.0)) if excess > 0 else 1.0
