"""Honest probabilities for several labels a row: a scale and a bias for each label."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.classify.bench import Floats
from genus.classify.label_scores import Labels, fit_affine, label_log_loss
from genus.graph import GraphBuilder

_LEAST_ROWS = 20  # below, a fit says more about the noise than about the head


@dataclass(frozen=True, slots=True, eq=False)
class LabelCalibration:
    """Logits become `scale * logits + bias`, label by label (Platt 1999).

    Parameters
    ----------
    scale, bias : (c,) float32
    n : int
        Number of rows they were fitted on.
    log_loss_before, log_loss_after : float
        Mean negative log-probability of the truth on those rows.
    note : str
        Why nothing was fitted, where that is so.
    """

    scale: NDArray[np.float32]
    bias: NDArray[np.float32]
    n: int
    log_loss_before: float
    log_loss_after: float
    note: str = ""

    @classmethod
    def fit(cls, logits: Floats, values: Labels) -> "LabelCalibration":
        """Fit on out-of-fold logits (n, c) and `values (n, c)` of 1, 0 and -1 (unknown)."""
        n, n_labels = values.shape
        before = label_log_loss(logits, values)
        if n < _LEAST_ROWS:
            note = f"fewer than {_LEAST_ROWS} rows"
            return cls(np.ones(n_labels, np.float32), np.zeros(n_labels, np.float32), n, before, before, note)
        scale, bias = fit_affine(logits, values)
        return cls(scale, bias, n, before, label_log_loss(logits * scale + bias, values))

    def apply(self, logits: Floats) -> NDArray[np.float32]:
        """Return calibrated log-odds."""
        return np.asarray(logits * self.scale + self.bias, np.float32)

    def export(self, graph: GraphBuilder, logits: str) -> str:
        """Add the arithmetic to `graph`; returns the name of the calibrated log-odds."""
        return graph.op("Add", graph.op("Mul", logits, graph.constant(self.scale)), graph.constant(self.bias))

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON-able values."""
        return {
            "method": "platt",
            "n": self.n,
            "log_loss_before": self.log_loss_before,
            "log_loss_after": self.log_loss_after,
            "note": self.note,
        }
