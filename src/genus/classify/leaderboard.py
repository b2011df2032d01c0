"""What a search found: plain results, light to import."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class LeaderboardRow:
    """One setting of one head and how it did in cross-validation.

    Parameters
    ----------
    name : str
        The head's name: "logistic".
    params : dict
        The parameters that make it, features' power, blocks and class weight included.
    score : float
        Mean over folds of the chosen metric.
    spread : float
        Standard deviation of that metric over the folds.
    macro_f1 : float
        Over all out-of-fold predictions, 0 to 1.
    log_loss : float
        Mean negative log-probability of the true class after calibration, in nats.
    fit_seconds : float
        What trying it took, all folds together; work shared with others is counted where it was done first.
    predict_images_per_second : float
        How many feature rows a second the head classifies on one core, by the cost model.
    n_fits : int
        How many fits went into the figures.
    accuracy, balanced_accuracy : float or None
        The same for one class a row.
    mean_average_precision : float or None
        The same for several labels a row.
    note : str
        What else is worth knowing.
    """

    name: str
    params: dict[str, Any]
    score: float
    spread: float
    macro_f1: float
    log_loss: float
    fit_seconds: float
    predict_images_per_second: float
    n_fits: int
    accuracy: float | None = None
    balanced_accuracy: float | None = None
    mean_average_precision: float | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values; what was not measured is None."""
        return {k: None if v != v else v for k, v in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class PlannedCandidate:
    """One head with the settings that will be tried on one feature set.

    Parameters
    ----------
    name : str
        The head's name.
    settings : tuple of dict
        The settings that are tried together.
    stage : str
        "heads" first; then what depends on the results: "normalisation", "blocks", "class weights", "ensemble".
    expected_seconds : float
        By the cost model, on a typical core.
    """

    name: str
    settings: tuple[dict[str, Any], ...]
    stage: str
    expected_seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Plan:
    """What `select` would try.

    Parameters
    ----------
    candidates : tuple of PlannedCandidate
        In the order in which they would be tried.
    expected_seconds : float
        For all of them, by the cost model, on this number of cores.
    n_rows : int
        How many rows the candidates are compared on.
    """

    candidates: tuple[PlannedCandidate, ...]
    expected_seconds: float
    n_rows: int

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-able values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The outcome of a search.

    Parameters
    ----------
    metric : str
        What was compared.
    leaderboard : tuple of LeaderboardRow
        Best first.
    winner : head
        Unfitted, with its parameters; `fit_final` fits it.
    winner_row : LeaderboardRow
        The winner's figures; not always the first row, since the simpler or better calibrated of equals wins.
    classes : (n_classes,) array
        The labels, in the order of the columns below.
    multilabel : bool
        Whether a row may have several labels; then each column is a probability of its own.
    logits : (n, n_classes) float32 array
        Calibrated out-of-fold logits of the winner: every row by a head and a calibration not fitted on it.
    calibration : Calibration
        Fitted on the winner's out-of-fold logits.
    score_nested : float
        The metric where, fold by fold, the best setting *on the other folds* predicts: free of the optimism of
        picking the best of many.
    stopped_early : bool
        The time budget ended before the search did.
    not_tried : tuple of str
        What it did not get to.
    notes : tuple of str
        Decisions worth saying.
    seconds : float
        What the search took.
    """

    metric: str
    leaderboard: tuple[LeaderboardRow, ...]
    winner: Any
    winner_row: LeaderboardRow
    classes: NDArray[Any]
    multilabel: bool
    logits: NDArray[np.float32]
    calibration: Any
    score_nested: float
    stopped_early: bool
    not_tried: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def proba(self) -> NDArray[np.float32]:
        """Calibrated out-of-fold probabilities of the winner, float32 (n, n_classes)."""
        if self.multilabel:
            return np.asarray(1 / (1 + np.exp(-np.clip(self.logits, -80, 80))), np.float32)
        exp = np.exp(self.logits - self.logits.max(axis=1, keepdims=True))
        proba: NDArray[np.float32] = exp / exp.sum(axis=1, keepdims=True)
        return proba

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the arrays and the head itself as JSON-able values."""
        return {
            "metric": self.metric,
            "winner": self.winner_row.to_dict(),
            "score_nested": None if self.score_nested != self.score_nested else self.score_nested,
            "leaderboard": [row.to_dict() for row in self.leaderboard],
            "calibration": self.calibration.to_dict(),
            "stopped_early": self.stopped_early,
            "not_tried": list(self.not_tried),
            "notes": list(self.notes),
            "seconds": self.seconds,
        }
