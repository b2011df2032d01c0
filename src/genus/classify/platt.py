"""Calibration with a scale and a bias for each class or label."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.classify.bench import Floats
from genus.classify.calibration import best_temperature
from genus.classify.head import softmax
from genus.classify.label_scores import Labels, fit_affine
from genus.graph import GraphBuilder

# Curvature that draws each scale to the shared temperature and each bias to 0: about that of this many rows that are
# hard to tell. Measured on five sets and seven heads, held out: 1, 10 and 60 give log-losses of 0.318, 0.318 and 0.322;
# the temperature alone 0.343; one sigmoid a class, made to sum to one, 0.331.
_PULL = 10.0
_SCALES = (1e-3, 50.0)


@dataclass(frozen=True, slots=True, eq=False)
class Platt:
    """Logits become `scale * logits + bias`, column by column.

    Parameters
    ----------
    scale, bias : (c,) float32

    Notes
    -----
    With several labels a row, Platt (1999), "Probabilistic outputs for support vector machines". With one class a
    row, a softmax follows: vector scaling (Guo et al. 2017), which gives better probabilities than one sigmoid a
    class.
    """

    scale: NDArray[np.float32]
    bias: NDArray[np.float32]

    @classmethod
    def fit(cls, logits: Floats, codes: NDArray[np.intp]) -> "Platt":
        """Find the scales and biases with the least log-loss after a softmax.

        Parameters
        ----------
        logits : (n, c) array
            Of rows that the head producing them was not fitted on.
        codes : (n,) int array
            True class of each row, as a column of `logits`. A class without rows keeps about the shared scale.

        Examples
        --------
        >>> logits = np.array([[0.0, 1.0], [1.0, 0.0]] * 50)  # of the first kind, half are wrong
        >>> found = Platt.fit(logits, np.tile([1, 0, 0, 0], 25))
        >>> bool(found.bias[0] > found.bias[1])
        True
        """
        from scipy.optimize import minimize
        from threadpoolctl import threadpool_limits

        temperature = best_temperature(logits, codes)
        scaled = np.asarray(logits, np.float64) / temperature
        n_classes = scaled.shape[1]
        truth = np.eye(n_classes)[codes]

        def loss(parameters: Floats) -> tuple[float, Floats]:
            scale, bias = parameters[:n_classes], parameters[n_classes:]
            proba = softmax(scale * scaled + bias)
            own = proba[np.arange(len(codes)), codes]
            pull = 0.5 * _PULL * (((scale - 1) ** 2).sum() + (bias**2).sum())
            error = proba - truth
            slope = np.concatenate(
                [(error * scaled).sum(axis=0) + _PULL * (scale - 1), error.sum(axis=0) + _PULL * bias]
            )
            return float(pull - np.log(np.maximum(own, 1e-300)).sum()), slope

        start = np.concatenate([np.ones(n_classes), np.zeros(n_classes)])
        bounds = [_SCALES] * n_classes + [(None, None)] * n_classes
        with threadpool_limits(limits=1):  # for a handful of parameters threads cost more than they save
            best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-7}).x
        return cls((best[:n_classes] / temperature).astype(np.float32), best[n_classes:].astype(np.float32))

    @classmethod
    def fit_labels(cls, logits: Floats, values: Labels) -> "Platt":
        """Find each label's scale and bias; `values (n, c)` are 1, 0 and -1 (unknown). See `fit_affine`."""
        scale, bias = fit_affine(logits, values)
        return cls(np.asarray(scale, np.float32), np.asarray(bias, np.float32))

    def apply(self, logits: Floats) -> Floats:
        """Return calibrated logits, same shape and dtype."""
        calibrated: Floats = (logits * self.scale + self.bias).astype(logits.dtype, copy=False)
        return calibrated

    def export(self, graph: GraphBuilder, logits: str) -> str:
        """Add the arithmetic to `graph`; returns the name of the calibrated logits."""
        return graph.op("Add", graph.op("Mul", logits, graph.constant(self.scale)), graph.constant(self.bias))

    def widened(self, columns: NDArray[np.intp], n_columns: int) -> "Platt":
        """Return the mapping for more columns; the others get the middle one of the scales, and no bias."""
        scale = np.full(n_columns, np.median(self.scale), np.float32)
        bias = np.zeros(n_columns, np.float32)
        scale[columns], bias[columns] = self.scale, self.bias
        return Platt(scale, bias)

    def to_dict(self) -> dict[str, Any]:
        """Return the scales and biases."""
        return {
            "scale": [round(float(value), 5) for value in self.scale],
            "bias": [round(float(value), 5) for value in self.bias],
        }
