"""Which calibration: the simplest that cross-validation cannot tell from a better one."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.classify.bench import Floats
from genus.classify.calibration import Calibration, Identity, LogitMap, Temperature
from genus.classify.isotonic import Isotonic
from genus.classify.platt import Platt
from genus.classify.truth import Truth
from genus.errors import ParameterError
from genus.metrics.calibration import ReliabilityBin, reliability_bins

METHODS = ("auto", "none", "temperature", "platt", "isotonic")
LEAST_ROWS = 20  # below, a fit says more about the noise than about the head
# Rows times classes above which "auto" stops at the temperature: the others take four seconds for so many.
_MOST_CELLS = 1_000_000
_COSTLY = ("platt", "isotonic")

# The simplest first.
_ONE_CLASS: dict[str, Callable[[Floats, Any], LogitMap]] = {
    "none": lambda logits, codes: Identity(),
    "temperature": Temperature.fit,
    "platt": Platt.fit,
    "isotonic": Isotonic.fit,
}
_LABELS: dict[str, Callable[[Floats, Any], LogitMap]] = {
    "none": lambda logits, values: Identity(),
    "platt": Platt.fit_labels,
    "isotonic": Isotonic.fit_labels,
}


def check_calibration(method: str, *, several: bool) -> None:
    """Raise a ParameterError unless `method` is one of `METHODS`, and one for such rows."""
    if method not in METHODS:
        raise ParameterError(f"calibration={method!r}: expected one of {', '.join(METHODS)}.")
    if several and method == "temperature":
        raise ParameterError(
            "calibration='temperature' is for one class an image; with several labels take 'platt', which has "
            "a scale for each label."
        )


def choose_calibration(
    logits: Floats, truth: Truth, fold: NDArray[np.intp], method: str = "auto"
) -> tuple[Calibration, NDArray[np.float32]]:
    """Choose how a head's logits become probabilities, and fit that.

    Parameters
    ----------
    logits : (n, c) array
        Out-of-fold: each row by a head that was not fitted on it.
    truth : Truth
        Of the n rows.
    fold : (n,) int array
        For each row the fold that holds it out.
    method : {"auto", "none", "temperature", "platt", "isotonic"}, default "auto"
        "auto" goes from the simplest to the most flexible, and takes the next one where its cross-validated log-loss
        is lower by more than one standard error of the rows' differences.

    Returns
    -------
    Calibration
        The identity, with a note, for fewer than 20 rows.
    calibrated : (n, c) float32 array
        The logits of each row, calibrated by a mapping fitted on the other folds.

    Raises
    ------
    ParameterError
        An unknown method, or a temperature for several labels a row.

    Examples
    --------
    >>> from genus.classify.truth import OneClass
    >>> rng = np.random.default_rng(0)
    >>> codes = rng.integers(0, 2, 2000)
    >>> sure = np.where(rng.random(2000) < 0.8, 5.0, -5.0)[:, None] * (2 * np.eye(2)[codes] - 1)  # right 4 times in 5
    >>> found, calibrated = choose_calibration(sure, OneClass(codes), np.arange(2000) % 5)
    >>> found.method, round(found.ece_before, 2), round(found.ece_after, 2)
    ('temperature', 0.2, 0.02)
    """
    check_calibration(method, several=truth.several)
    logits = np.asarray(logits, np.float32)
    fits = _LABELS if truth.several else _ONE_CLASS
    before = figures(logits, truth)
    if method == "none":
        return _unchanged(before, len(logits)), logits
    if len(logits) < LEAST_ROWS:
        note = f"fewer than {LEAST_ROWS} images to calibrate on ({len(logits)}): probabilities are left as they are"
        return _unchanged(before, len(logits), note), logits
    names = [name for name in fits if method == "auto" or name in ("none", method)]
    note = ""
    if method == "auto" and logits.size > _MOST_CELLS:
        names = [name for name in names if name not in _COSTLY]
        note = f"not tried with so many classes and images: {', '.join(_COSTLY)}"
    unseen = {name: _cross_fitted(fits[name], logits, truth, fold) for name in names}
    losses = {name: -truth.gains("log_loss", found) for name, found in unseen.items()}
    chosen = _simplest(losses) if method == "auto" else method
    after = figures(unseen[chosen], truth)
    calibration = Calibration(
        chosen,
        fits[chosen](logits, truth.y),
        len(logits),
        log_loss_before=before[0],
        log_loss_after=after[0],
        ece_before=before[1],
        ece_after=after[1],
        tried={name: float(loss.mean()) for name, loss in losses.items()},
        before=before[2],
        after=after[2],
        note=note,
    )
    return calibration, unseen[chosen]


Figures = tuple[float, float, tuple[ReliabilityBin, ...]]


def _unchanged(known: Figures, n: int, note: str = "") -> Calibration:
    loss, error, bins = known
    return Calibration("none", Identity(), n, loss, loss, error, error, {"none": loss}, bins, bins, note)


def figures(logits: Floats, truth: Truth) -> Figures:
    """Return the log-loss, the expected calibration error and the bins it is of."""
    bins = reliability_bins(*truth.confidence(logits))
    n = sum(b.n for b in bins)
    error = sum(b.n * abs(b.confidence - b.accuracy) for b in bins) / max(n, 1)
    return truth.log_loss(logits), error, bins


def _cross_fitted(
    fit: Callable[[Floats, Any], LogitMap], logits: Floats, truth: Truth, fold: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return logits calibrated on the other folds, row by row."""
    calibrated = np.empty(logits.shape, np.float32)
    for f in np.unique(fold):
        rows = fold == f
        calibrated[rows] = fit(logits[~rows], truth.y[~rows]).apply(logits[rows])
    return calibrated


def _simplest(losses: dict[str, NDArray[np.float64]]) -> str:
    """Return the first of the methods that no later one beats beyond the noise."""
    names = list(losses)
    chosen = names[0]
    for name in names[1:]:
        saved = losses[chosen] - losses[name]
        if saved.mean() > saved.std() / np.sqrt(len(saved)):
            chosen = name
    return chosen
