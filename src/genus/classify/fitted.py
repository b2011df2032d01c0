"""The winner, fitted on all rows and calibrated: what goes into a model file."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.classify.calibration import Calibration
from genus.classify.head import probabilities
from genus.classify.leaderboard import Selection
from genus.classify.workshop import logits_of
from genus.errors import ParameterError
from genus.graph import SCORES, GraphBuilder


@dataclass(frozen=True, slots=True, eq=False)
class FittedHead:
    """A fitted head with its calibration.

    Parameters
    ----------
    head : head
        Fitted.
    calibration : Calibration
        Applied to the head's logits.
    """

    head: Any
    calibration: Calibration

    @property
    def classes_(self) -> NDArray[Any]:
        """The labels, in the order of the columns."""
        classes: NDArray[Any] = self.head.classes_
        return classes

    @property
    def n_features_in_(self) -> int:
        """Number of feature columns."""
        return int(self.head.n_features_in_)

    @property
    def n_stored_examples(self) -> int:
        """How many training rows the head holds, and a model file would embed."""
        return int(getattr(self.head, "n_stored_examples", 0))

    @property
    def multilabel(self) -> bool:
        """Whether an image may have several labels: then each column is a probability of its own."""
        return bool(getattr(self.head, "multilabel_", False))

    def logits(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return calibrated logits, float32 (n, n_classes)."""
        return np.asarray(self.calibration.apply(self.uncalibrated_logits(X)), np.float32)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return calibrated probabilities, float32 (n, n_classes)."""
        return np.asarray(probabilities(self.logits(X), several=self.multilabel), np.float32)

    def uncalibrated_logits(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the head's own logits, float32 (n, n_classes)."""
        return logits_of(self.head, np.asarray(X, np.float32))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable label of each row, (n,)."""
        labels: NDArray[Any] = self.classes_[self.logits(X).argmax(axis=1)]
        return labels

    def export(self, graph: GraphBuilder, x: str) -> str:
        """Add head and calibration to `graph`; returns the name of the calibrated logits [N, C].

        Raises
        ------
        ParameterError
            The head is a classifier that cannot be written as ONNX operators.
        """
        if not hasattr(self.head, "export"):
            raise ParameterError(
                f"{type(self.head).__name__} cannot be exported: expected a head with `export(graph, x)`. "
                "Choose among the built-in heads to write a model file."
            )
        scores = graph.op("Identity", self.head.export(graph, x), name=SCORES)
        return self.calibration.export(graph, scores)


def fit_final(
    selection: Selection, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
) -> FittedHead:
    """Fit the winner of `selection` on all rows.

    Parameters
    ----------
    selection : Selection
        What `select` returned.
    X : (n, d) array
        Features.
    y : (n,) array
        Labels.
    sample_weight : (n,) array or None
        Weights of the rows.

    Returns
    -------
    FittedHead
        Calibrated by the out-of-fold logits of the search. The refitted head saw more rows than any of those it was
        calibrated on, so its probabilities lean to the cautious side.
    """
    from sklearn.base import clone

    rows = np.asarray(X, np.float32)
    head = clone(selection.winner)
    fitted = head.fit(rows, y) if sample_weight is None else head.fit(rows, y, sample_weight=sample_weight)
    calibration = selection.calibration
    if len(fitted.classes_) > len(selection.classes):  # some were too rare to be compared on
        columns = np.searchsorted(fitted.classes_, selection.classes)
        calibration = calibration.widened(columns, len(fitted.classes_))
    return FittedHead(fitted, calibration)
