"""Nearest class mean: the head for a handful of examples a class."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from genus.classify.bench import Bench, Floats
from genus.classify.head import LinearHead
from genus.errors import ParameterError

_NO_MASS = 1e-12


class PrototypeHead(LinearHead):
    """Cosine to the mean of each class, divided by a temperature, plus the log of the class's share.

    Parameters
    ----------
    temperature : float, default 0.05
        Scale of the cosines: smaller gives more decided probabilities.
    power, blocks, use
        Normalisation of the features; see `BlockNormalizer`.
    class_weight : None, "balanced" or dict
        "balanced" makes all classes equally likely beforehand.

    Attributes
    ----------
    coef_ : (n_classes, w) float32 array
        Unit-length class means over `temperature`.
    intercept_ : (n_classes,) float32 array
    classes_ : (n_classes,) array
    n_features_in_ : int

    Notes
    -----
    O(n d). Mensink et al. (2013), "Distance-based image classification: generalizing to new classes at near-zero
    cost", TPAMI.

    Examples
    --------
    >>> X = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.2, 0.8]]
    >>> PrototypeHead().fit(X, ["cat", "cat", "dog", "dog"]).predict([[1.0, 0.2]])
    array(['cat'], dtype='<U3')
    """

    def __init__(
        self,
        temperature: float = 0.05,
        *,
        power: float = 0.5,
        blocks: Sequence[tuple[int, int]] | None = None,
        use: Sequence[int] | None = None,
        class_weight: Any = None,
    ) -> None:
        self.temperature = temperature
        self.power = power
        self.blocks = blocks
        self.use = use
        self.class_weight = class_weight

    def _path(
        self, bench: Bench, grid: Sequence[Mapping[str, Any]], *, final: bool
    ) -> Iterator[tuple[Floats, Floats]]:
        masses = np.maximum(bench.masses, _NO_MASS)
        means = bench.sums / masses[:, :, None] + bench.mean
        means = means / np.maximum(np.linalg.norm(means, axis=2, keepdims=True), _NO_MASS)
        intercept = np.log(masses / masses.sum(axis=1, keepdims=True))
        for setting in grid:
            temperature = float(setting.get("temperature", self.temperature))
            if not 0 < temperature < np.inf:
                raise ParameterError(f"temperature={temperature!r}: expected a positive number.")
            yield (means / temperature).astype(bench.Z.dtype), intercept
