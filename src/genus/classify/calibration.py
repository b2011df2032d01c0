"""Honest probabilities: one temperature, fitted on logits of rows that the head had not seen."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.classify.bench import Floats
from genus.classify.scores import expected_calibration_error, log_loss
from genus.graph import GraphBuilder

_LEAST_ROWS = 20  # below, a temperature says more about the noise than about the head
_LOG_RANGE = (-6.0, 3.0)  # scores of least squares live in [0, 1] and need temperatures far below 1
_FEW = 1e-4


@dataclass(frozen=True, slots=True)
class Calibration:
    """Logits are divided by `temperature` before the softmax.

    Parameters
    ----------
    temperature : float
        Above 1 the probabilities become more cautious, below 1 more decided. 1 changes nothing.
    n : int
        Number of rows it was fitted on.
    log_loss_before, log_loss_after : float
        Mean negative log-probability of the true class on those rows.
    ece_before, ece_after : float
        Expected calibration error (15 bins of confidence) on those rows, 0 to 1.
    note : str
        Why nothing was fitted, where that is so.
    """

    temperature: float = 1.0
    n: int = 0
    log_loss_before: float = float("nan")
    log_loss_after: float = float("nan")
    ece_before: float = float("nan")
    ece_after: float = float("nan")
    note: str = ""

    def apply(self, logits: Floats) -> Floats:
        """Return calibrated logits, same shape and dtype."""
        return logits / logits.dtype.type(self.temperature)

    def export(self, graph: GraphBuilder, logits: str) -> str:
        """Add the division to `graph`; returns the name of the calibrated logits."""
        if self.temperature == 1.0:
            return logits
        return graph.op("Div", logits, graph.constant(np.array(self.temperature, np.float32)))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values; unknown figures are None."""
        return {k: None if v != v else v for k, v in asdict(self).items()}


def fit_temperature(logits: Floats, codes: NDArray[np.intp]) -> Calibration:
    """Find the temperature with the least log-loss.

    Parameters
    ----------
    logits : (n, n_classes) array
        Out-of-fold logits: of rows that the head producing them was not fitted on.
    codes : (n,) int array
        True class of each row, as a column of `logits`.

    Returns
    -------
    Calibration
        The identity, with a note, for fewer than 20 rows or where no temperature helps.

    Notes
    -----
    Guo et al. (2017), "On calibration of modern neural networks", ICML. The log-loss is convex in the inverse
    temperature, so a bounded scalar search finds the optimum.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> codes = rng.integers(0, 2, 500)
    >>> sure = np.where(np.eye(2)[codes] == (rng.random((500, 1)) < 0.8), 5.0, -5.0)  # right 4 times in 5
    >>> round(fit_temperature(sure, codes).temperature, 1)
    7.0
    """
    logits = logits.astype(np.float64)
    before, ece_before = log_loss(logits, codes), expected_calibration_error(logits, codes)
    if len(logits) < _LEAST_ROWS:
        return Calibration(
            1.0, len(logits), before, before, ece_before, ece_before, f"fewer than {_LEAST_ROWS} rows"
        )
    temperature = best_temperature(logits, codes)
    after = log_loss(logits / temperature, codes)
    if not after < before - _FEW * before:
        return Calibration(1.0, len(logits), before, before, ece_before, ece_before, "nothing to gain")
    return Calibration(
        temperature,
        len(logits),
        before,
        after,
        ece_before,
        expected_calibration_error(logits / temperature, codes),
    )


def best_temperature(logits: Floats, codes: NDArray[np.intp]) -> float:
    """Return the temperature with the least log-loss, between 0.0025 and 20."""
    from scipy.optimize import minimize_scalar

    # differences to the true class's logit: their scaled soft-maximum is the loss
    gaps = logits - logits[np.arange(len(logits)), codes][:, None]
    gaps = gaps.astype(np.float32)

    def loss(log_temperature: float) -> float:
        scaled = gaps / np.float32(np.exp(log_temperature))
        top = scaled.max(axis=1)
        total = np.exp(scaled - top[:, None]).sum(axis=1)
        return float((top + np.log(total)).mean(dtype=np.float64))

    return float(
        np.exp(minimize_scalar(loss, bounds=_LOG_RANGE, method="bounded", options={"xatol": 5e-3}).x)
    )
