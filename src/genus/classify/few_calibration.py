"""A temperature for a head that was fitted on a handful of examples: what suits elsewhere, moved by what is seen."""

import numpy as np
from numpy.typing import NDArray

from genus.classify.bench import Floats
from genus.classify.calibration import Calibration, Temperature
from genus.classify.calibration_choice import figures
from genus.classify.scores import log_loss
from genus.classify.truth import OneClass

USUAL_TEMPERATURE = 0.6
"""What suits `genus.classify.few.few_shot_head`: the median of five sets with one to five images a class."""

_USUAL_SPREAD = 0.3  # of the logarithm of the best temperature, from one of these sets to the next
_LOG_RANGE = (-6.0, 3.0)


def calibration_near(
    logits: Floats, codes: NDArray[np.intp], usual: float = USUAL_TEMPERATURE
) -> Calibration:
    """Find the temperature where there are too few rows to find it from them alone.

    Parameters
    ----------
    logits : (n, n_classes) array
        Out-of-fold logits; there may be no rows.
    codes : (n,) int array
        True class of each row.
    usual : float, default 0.6
        The temperature that suits this head on other data.

    Returns
    -------
    Calibration
        Without rows the usual temperature; the more rows, the nearer to what suits them best.

    Notes
    -----
    The most probable temperature where its logarithm is normal around the usual one, with a standard deviation of 0.3.

    Examples
    --------
    >>> calibration_near(np.zeros((0, 2)), np.zeros(0, int), 0.6).mapping
    Temperature(temperature=0.6)
    """
    if not len(codes):
        note = "no image was judged: as on other data"
        return Calibration("temperature", Temperature(usual), note=note)
    from scipy.optimize import minimize_scalar

    rows = logits.astype(np.float64)

    def surprise(log_temperature: float) -> float:
        off = (log_temperature - np.log(usual)) / _USUAL_SPREAD
        return len(codes) * log_loss(rows / np.exp(log_temperature), codes) + 0.5 * float(off**2)

    found = Temperature(float(np.exp(minimize_scalar(surprise, bounds=_LOG_RANGE, method="bounded").x)))
    truth = OneClass(codes)
    loss_before, error_before, before = figures(logits, truth)
    loss_after, error_after, after = figures(found.apply(logits), truth)
    return Calibration(
        "temperature",
        found,
        len(rows),
        log_loss_before=loss_before,
        log_loss_after=loss_after,
        ece_before=error_before,
        ece_after=error_after,
        tried={"none": loss_before, "temperature": loss_after},
        before=before,
        after=after,
        note=f"drawn towards {usual:.2g}, what suits on other data; fitted on the images that judge it",
    )
