"""A deterministic model of what a head costs: it orders candidates and says beforehand how long a search takes.

Seconds are those of one typical core; only ratios matter for the order. The clock plays no part here.
"""

from collections.abc import Callable
from typing import Any

_PRODUCTS = 45e9  # floating-point operations a second in large float32 matrix products
_FACTORS = 40e9  # ... and in Cholesky factorisations and triangular solves
_STEPS = 12  # of an iterative solver, a setting
_OVERHEAD = 0.002  # seconds a setting, whatever its size
_EPOCHS = 20

Cost = Callable[[int, int, int, int, int], float]


def cv_seconds(name: str, n: int, d: int, n_classes: int, n_folds: int, n_settings: int) -> float:
    """Return the expected seconds of cross-validating `n_settings` settings of the head called `name`.

    Examples
    --------
    >>> cv_seconds("prototype", 1000, 1280, 10, 5, 1) < cv_seconds("mlp", 1000, 1280, 10, 5, 1)
    True
    """
    model = _MODELS.get(name, _unknown)
    return model(n, d, n_classes, n_folds, n_settings) + _OVERHEAD * n_settings


def rows_per_second(head: Any, n: int, d: int, n_classes: int) -> float:
    """Return how many rows of `d` features a second `head`, fitted on `n` rows, classifies on one core."""
    if getattr(head, "heads", None):  # a mixture asks every member
        return 1 / sum(1 / rows_per_second(member, n, d, n_classes) for member in head.heads)
    if getattr(head, "head", None) is not None:  # what labels say about one another costs next to nothing
        return rows_per_second(head.head, n, d, n_classes)
    stored = min(n, getattr(head, "max_centers", 0) or getattr(head, "max_stored", 0))
    inner = stored or getattr(head, "hidden", 0)
    return _PRODUCTS / (2.0 * d * (inner or n_classes) + 2.0 * inner * n_classes + 20.0 * d)


def _linear(n: int, d: int, n_classes: int, n_folds: int, n_settings: int) -> float:
    d = min(n, d)
    whitening = 2 * n * d * d / _PRODUCTS + (d**3 / 3 + n * d * d) / _FACTORS
    return whitening + n_settings * _STEPS * 4 * n * d * n_classes * n_folds / _PRODUCTS


def _lda(n: int, d: int, n_classes: int, n_folds: int, n_settings: int) -> float:
    d = min(n, d)
    return 4 * n * d * d / _PRODUCTS + n_folds * n_settings * (d**3 / 3 + 2 * d * d * n_classes) / _FACTORS


def _prototype(n: int, d: int, n_classes: int, n_folds: int, n_settings: int) -> float:
    return 2 * n * d * n_classes * n_folds / _PRODUCTS


def _knn(n: int, d: int, n_classes: int, n_folds: int, n_settings: int) -> float:
    return 2 * n * min(n, 4096) * d / _PRODUCTS + 2e-8 * n * min(n, 4096)


def _rbf(n: int, d: int, n_classes: int, n_folds: int, n_settings: int) -> float:
    m = min(n, 2500)
    similarity = 2 * n * m * d / _PRODUCTS
    if n * (n_folds - 1) <= m * n_folds:
        return similarity + n_settings * (n**3 + n_folds * (n / n_folds) ** 3 / 3) / _FACTORS
    return similarity + 3 * n * m * m / _FACTORS + n_settings * n_folds * m**3 / 3 / (_FACTORS / 2)


def _mlp(n: int, d: int, n_classes: int, n_folds: int, n_settings: int) -> float:
    return n_settings * n_folds * _EPOCHS * 6 * n * d * 128 / (_PRODUCTS / 3)


def _unknown(n: int, d: int, n_classes: int, n_folds: int, n_settings: int) -> float:
    return 10 * _linear(n, d, n_classes, n_folds, n_settings)


_MODELS: dict[str, Cost] = {
    "logistic": _linear,
    "linear_svm": _linear,
    "lda": _lda,
    "prototype": _prototype,
    "knn": _knn,
    "rbf": _rbf,
    "mlp": _mlp,
}
