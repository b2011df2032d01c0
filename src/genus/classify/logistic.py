"""Multinomial logistic regression: the plain, strong baseline."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from genus.classify.bench import Bench, Floats
from genus.classify.head import LinearHead
from genus.classify.linear_solver import Loss, linear_path
from genus.errors import ParameterError

SCREEN_TOL = 1e-3  # accuracies stop changing here; probabilities in their third digit


class LogisticHead(LinearHead):
    """L2-penalised multinomial logistic regression; with several labels a row, one binary regression a label.

    Parameters
    ----------
    C : float, default 30.0
        Inverse strength of the penalty, as in scikit-learn; on unit-length rows 5 to 300 is the useful range.
    power, blocks, use
        Normalisation of the features; see `BlockNormalizer`.
    class_weight : None, "balanced" or dict
        "balanced" gives every class the same total weight.

    Attributes
    ----------
    coef_ : (n_classes, w) float32 array
    intercept_ : (n_classes,) float32 array
    classes_ : (n_classes,) array
    n_features_in_ : int

    Notes
    -----
    O(n d n_classes) a step, ten to thirty steps, and O(n d^2) once; with fewer rows than columns, in n dimensions.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.2, 0.8]])
    >>> LogisticHead().fit(X, ["cat", "cat", "dog", "dog"]).predict([[1.0, 0.2]])
    array(['cat'], dtype='<U3')
    """

    learns_label_sets = True
    weighs_labels = True

    def __init__(
        self,
        C: float = 30.0,
        *,
        power: float = 0.5,
        blocks: Sequence[tuple[int, int]] | None = None,
        use: Sequence[int] | None = None,
        class_weight: Any = None,
    ) -> None:
        self.C = C
        self.power = power
        self.blocks = blocks
        self.use = use
        self.class_weight = class_weight

    def _path(
        self, bench: Bench, grid: Sequence[Mapping[str, Any]], *, final: bool
    ) -> Iterator[tuple[Floats, Floats]]:
        loss: Loss = "softmax" if bench.labels is None else "sigmoid"
        return linear_path(bench, penalties(grid, self.C), loss, tolerance(bench, final))


def penalties(grid: Sequence[Mapping[str, Any]], default: float) -> list[float]:
    """Return the `C` of every setting, checked."""
    Cs = [float(setting.get("C", default)) for setting in grid]
    for C in Cs:
        if not 0 < C < np.inf:
            raise ParameterError(f"C={C!r}: expected a positive number.")
    return Cs


def tolerance(bench: Bench, final: bool) -> float:
    """Return the relative gain below which a fit ends: coarse for comparing, fine for the fit that is kept."""
    if not final:
        return SCREEN_TOL
    return 1e-13 if bench.Z.dtype == np.float64 else 1e-6
