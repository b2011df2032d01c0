"""Which of two models is better, on the same images."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import Dataset
from genus.errors import DataError
from genus.judgement import EvaluationResult
from genus.metrics.evaluation import Figure
from genus.metrics.intervals import wilson
from genus.metrics.paired import PairedComparison, compare_models
from genus.predictor import Predictor
from genus.progress import SILENT, Progress

_SURE = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class ModelComparison:
    """Two models on the images that both could read.

    Attributes
    ----------
    first, second : Figure
        Accuracy of each, with its own interval; images of classes that a model does not know count as wrong.
    paired : PairedComparison
        Their difference, image by image.
    results : (EvaluationResult, EvaluationResult)
        Each model's own evaluation.
    """

    first: Figure
    second: Figure
    paired: PairedComparison
    results: tuple[EvaluationResult, EvaluationResult]

    @property
    def winner(self) -> int | None:
        """0 or 1 for the better model; None where these images cannot tell."""
        if self.paired.p_value >= _SURE or self.paired.difference == 0:
            return None
        return 0 if self.paired.difference > 0 else 1

    @property
    def notes(self) -> tuple[str, ...]:
        """What one should know to read the figures."""
        seen = [
            f"the {which} model learned from {result.evaluation.n_seen} of these images, which favours it"
            for which, result in zip(("first", "second"), self.results, strict=True)
            if result.evaluation.n_seen
        ]
        return (*seen, *dict.fromkeys(note for result in self.results for note in result.notes))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "first": {"accuracy": self.first.value, "low": self.first.low, "high": self.first.high},
            "second": {"accuracy": self.second.value, "low": self.second.low, "high": self.second.high},
            "paired": self.paired.to_dict(),
            "winner": None if self.winner is None else ("first", "second")[self.winner],
            "notes": list(self.notes),
        }


def compare(
    first: Predictor, second: Predictor, dataset: Dataset, *, progress: Progress = SILENT
) -> ModelComparison:
    """Compare two models on labelled images.

    Parameters
    ----------
    first, second : Predictor
        Their classes may differ: an image counts as right if the predicted name is its label.
    dataset : Dataset
        Images that neither was trained on.
    progress : Progress

    Raises
    ------
    DataError
        No labelled image can be read by both models.
    """
    a = first.evaluate(dataset, progress=progress)
    b = second.evaluate(dataset, progress=progress)
    in_b = {name: i for i, name in enumerate(b.names)}
    rows = [(i, in_b[name]) for i, name in enumerate(a.names) if name in in_b]
    if not rows:
        raise DataError(f"{dataset.origin}: no image can be read by both models.")
    if (a.thresholds is None) != (b.thresholds is None):
        raise DataError(
            "one model names one class an image, the other several labels: they cannot be compared."
        )
    at_a, at_b = np.array(rows).T
    right_a, right_b = a.right[at_a], b.right[at_b]
    if a.thresholds is None:
        true = a.true[at_a]
        said_a, said_b = _said(a)[at_a], _said(b)[at_b]
    else:  # a set of labels is right or wrong as a whole
        true = np.full(len(rows), "right")
        said_a, said_b = (np.where(right, "right", "wrong") for right in (right_a, right_b))
    paired = compare_models(true, said_a, said_b)
    return ModelComparison(_accuracy(right_a), _accuracy(right_b), paired, (a, b))


def _said(result: EvaluationResult) -> NDArray[np.str_]:
    said: NDArray[np.str_] = np.asarray(result.classes)[result.proba.argmax(axis=1)]
    return said


def _accuracy(right: NDArray[np.bool_]) -> Figure:
    low, high = wilson(int(right.sum()), len(right))
    return Figure("accuracy", "Accuracy", float(right.mean()), float(low), float(high))
