"""Honest probabilities: what a head's scores become, and what that changed. The choice is in `calibration_choice`."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from genus.classify.bench import Floats
from genus.graph import GraphBuilder
from genus.metrics.calibration import ReliabilityBin

_LOG_RANGE = (-6.0, 3.0)  # scores of least squares live in [0, 1] and need temperatures far below 1


class LogitMap(Protocol):
    """Turns a head's logits into calibrated ones; softmax (sigmoid, with several labels) follows."""

    def apply(self, logits: Floats) -> Floats:
        """Return calibrated logits, same shape and dtype."""
        ...

    def export(self, graph: GraphBuilder, logits: str) -> str:
        """Add the arithmetic to `graph`; returns the name of the calibrated logits."""
        ...

    def widened(self, columns: NDArray[np.intp], n_columns: int) -> "LogitMap":
        """Return the mapping for logits with more columns, of which `columns` are those it was fitted on."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return what was fitted as JSON-able values."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """Logits stay as they are."""

    def apply(self, logits: Floats) -> Floats:
        """Return `logits`."""
        return logits

    def export(self, graph: GraphBuilder, logits: str) -> str:
        """Add nothing; returns `logits`."""
        return logits

    def widened(self, columns: NDArray[np.intp], n_columns: int) -> "Identity":
        """Return the same."""
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return nothing: nothing was fitted."""
        return {}


@dataclass(frozen=True, slots=True)
class Temperature:
    """Logits are divided by one number before the softmax: no answer changes, only how sure it is.

    Parameters
    ----------
    temperature : float
        Above 1 the probabilities become more cautious, below 1 more decided.

    Notes
    -----
    Guo et al. (2017), "On calibration of modern neural networks", ICML.
    """

    temperature: float

    @classmethod
    def fit(cls, logits: Floats, codes: NDArray[np.intp]) -> "Temperature":
        """Find the temperature with the least log-loss.

        Parameters
        ----------
        logits : (n, n_classes) array
            Of rows that the head producing them was not fitted on.
        codes : (n,) int array
            True class of each row, as a column of `logits`.

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> codes = rng.integers(0, 2, 500)
        >>> sure = np.where(np.eye(2)[codes] == (rng.random((500, 1)) < 0.8), 5.0, -5.0)  # right 4 times in 5
        >>> round(Temperature.fit(sure, codes).temperature, 1)
        7.0
        """
        return cls(best_temperature(logits, codes))

    def apply(self, logits: Floats) -> Floats:
        """Return calibrated logits, same shape and dtype."""
        return logits / logits.dtype.type(self.temperature)

    def export(self, graph: GraphBuilder, logits: str) -> str:
        """Add the division to `graph`; returns the name of the calibrated logits."""
        return graph.op("Div", logits, graph.constant(np.array(self.temperature, np.float32)))

    def widened(self, columns: NDArray[np.intp], n_columns: int) -> "Temperature":
        """Return the same: one temperature serves any number of columns."""
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return the temperature."""
        return {"temperature": self.temperature}


@dataclass(frozen=True, slots=True)
class Calibration:
    """The mapping that was chosen, and what it changed on rows that it was not fitted on.

    Parameters
    ----------
    method : {"none", "temperature", "platt", "isotonic"}
        What was chosen.
    mapping : LogitMap
        Fitted on all rows.
    n : int
        Number of rows it was fitted on.
    log_loss_before, log_loss_after : float
        Mean negative log-probability of the truth; after, each row by a mapping fitted on the other folds.
    ece_before, ece_after : float
        Expected calibration error over the bins below, 0 to 1.
    tried : dict of str to float
        The cross-validated log-loss of each method, the simplest first.
    before, after : tuple of ReliabilityBin
        The reliability diagram on the same rows.
    note : str
        Why nothing was fitted, or what was not tried, where that is so.
    """

    method: str = "none"
    mapping: LogitMap = field(default_factory=Identity)
    n: int = 0
    log_loss_before: float = float("nan")
    log_loss_after: float = float("nan")
    ece_before: float = float("nan")
    ece_after: float = float("nan")
    tried: dict[str, float] = field(default_factory=dict)
    before: tuple[ReliabilityBin, ...] = ()
    after: tuple[ReliabilityBin, ...] = ()
    note: str = ""

    def apply(self, logits: Floats) -> Floats:
        """Return calibrated logits, same shape and dtype."""
        return self.mapping.apply(logits)

    def export(self, graph: GraphBuilder, logits: str) -> str:
        """Add the mapping to `graph`; returns the name of the calibrated logits."""
        return self.mapping.export(graph, logits)

    def widened(self, columns: NDArray[np.intp], n_columns: int) -> "Calibration":
        """Return the calibration of a head that knows more classes than there was something to calibrate with."""
        return replace(self, mapping=self.mapping.widened(columns, n_columns))

    def to_dict(self) -> dict[str, Any]:
        """Return the figures and what was fitted as JSON-able values; unknown figures are None."""
        figures = {
            name: None if (value := getattr(self, name)) != value else value
            for name in ("log_loss_before", "log_loss_after", "ece_before", "ece_after")
        }
        return {
            "method": self.method,
            **self.mapping.to_dict(),
            "n": self.n,
            **figures,
            "tried": dict(self.tried),
            "before": [asdict(b) for b in self.before],
            "after": [asdict(b) for b in self.after],
            "note": self.note,
        }


def best_temperature(logits: Floats, codes: NDArray[np.intp]) -> float:
    """Return the temperature with the least log-loss, between 0.0025 and 20, if one more row had been wrong.

    The log-loss is convex in the inverse temperature, so a bounded scalar search finds the optimum. Rows that are all
    right would have none, and make every answer certain; so Platt's softened targets (1999, "Probabilistic outputs for
    support vector machines") leave a part of each row to its likeliest wrong class, in all as much as one row.
    """
    from scipy.optimize import minimize_scalar

    # differences to the true class's logit: their scaled soft-maximum is the loss
    gaps = logits - logits[np.arange(len(logits)), codes][:, None]
    gaps = gaps.astype(np.float32)
    wrong = gaps.copy()
    wrong[np.arange(len(logits)), codes] = -np.inf
    left = float(wrong.max(axis=1).mean(dtype=np.float64)) / (len(gaps) + 2) if gaps.shape[1] > 1 else 0.0

    def loss(log_temperature: float) -> float:
        scaled = gaps / np.float32(np.exp(log_temperature))
        top = scaled.max(axis=1)
        total = np.exp(scaled - top[:, None]).sum(axis=1)
        return float((top + np.log(total)).mean(dtype=np.float64)) - left / float(np.exp(log_temperature))

    return float(
        np.exp(minimize_scalar(loss, bounds=_LOG_RANGE, method="bounded", options={"xatol": 5e-3}).x)
    )
