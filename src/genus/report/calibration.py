"""What calibration did, in words and as the faint line of the reliability diagram."""

from dataclasses import dataclass

from genus.classify.calibration import Calibration
from genus.metrics.calibration import ReliabilityBin
from genus.report.words import CALIBRATIONS, percent


@dataclass(frozen=True, slots=True)
class CalibrationContent:
    """What a report shows of a model's calibration.

    Attributes
    ----------
    calibration : Calibration
        With its figures from cross-validation.
    uncalibrated : tuple of ReliabilityBin
        The reliability on the images of the report, had the model not been calibrated.
    """

    calibration: Calibration
    uncalibrated: tuple[ReliabilityBin, ...] = ()


@dataclass(frozen=True, slots=True)
class MethodView:
    """One way to calibrate and its log-loss in cross-validation."""

    name: str
    log_loss: float
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class CalibrationView:
    """The finding, the methods tried (none where nothing was compared), and the bins without calibration."""

    finding: str = ""
    methods: tuple[MethodView, ...] = ()
    before: tuple[ReliabilityBin, ...] = ()


def calibration_view(content: CalibrationContent | None, *, several: bool) -> CalibrationView:
    """Work out what to show; nothing for a report that does not know.

    Examples
    --------
    >>> tried = {"none": 0.5, "temperature": 0.3}
    >>> found = Calibration("temperature", n=90, ece_before=0.12, ece_after=0.03, tried=tried)
    >>> print(calibration_view(CalibrationContent(found), several=False).finding)
    Calibrated by one temperature: in cross-validation that brought the calibration error from 12.0% to 3.0%.
    """
    if content is None:
        return CalibrationView()
    found = content.calibration
    kind = "label" if several else "class"
    methods = tuple(
        MethodView(CALIBRATIONS[name].format(kind=kind), loss, name == found.method)
        for name, loss in found.tried.items()
    )
    if found.method == "none":
        said = "Not calibrated: in cross-validation nothing made the probabilities better beyond doubt."
        return CalibrationView(said, methods) if len(methods) > 1 else CalibrationView("Not calibrated.")
    way, *errors = (CALIBRATIONS[found.method].format(kind=kind), found.ece_before, found.ece_after)
    before, after = (percent(error, 1) for error in errors)
    said = f"Calibrated by {way}: in cross-validation that brought the calibration error from {before} to {after}."
    return CalibrationView(said, methods, content.uncalibrated)
