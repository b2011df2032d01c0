"""What is known of the rows of a search: one class each, or several labels each. All that differs is in here."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.classify import scores
from genus.classify.bench import Bench, Floats
from genus.classify.calibration import best_temperature
from genus.classify.head import (
    balanced_cells,
    label_bench,
    probabilities,
    require_two_classes,
    row_weights,
    softmax,
)
from genus.classify.label_scores import (
    LABEL_METRICS,
    fit_affine,
    label_gains,
    label_log_loss,
    label_score,
)
from genus.errors import DataError

_UNEVEN = 1.5  # largest over smallest class from which class weights are tried
ABSENT = np.float32(-30.0)  # log-odds of a class that a fold's head has never seen


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """Turns a head's scores into logits: `scale * scores + bias`, one for all columns or one each."""

    scale: Any
    bias: Any = 0.0

    def apply(self, raw: Floats) -> NDArray[np.float32]:
        """Return logits."""
        return np.asarray(raw * self.scale + self.bias, np.float32)

    def undo(self, logits: Floats) -> NDArray[np.float32]:
        """Return the scores that these are the logits of."""
        return np.asarray((logits - self.bias) / self.scale, np.float32)


class Truth(ABC):
    """The classes or labels of n rows."""

    several: bool
    metrics: tuple[str, ...]

    @property
    @abstractmethod
    def y(self) -> NDArray[Any]:
        """What a head is fitted with."""

    @property
    @abstractmethod
    def n_classes(self) -> int:
        """Number of columns of the logits."""

    @property
    @abstractmethod
    def is_uneven(self) -> bool:
        """Whether some classes are much rarer than others."""

    def __len__(self) -> int:
        return len(self.y)

    @abstractmethod
    def take(self, rows: Any) -> "Truth":
        """Return the truth of some rows."""

    @abstractmethod
    def scaling(self, raw: Floats) -> Scaling:
        """Return what turns these scores into calibrated logits, fitted on these very rows."""

    @abstractmethod
    def score(self, metric: str, logits: Floats) -> float:
        """Return the metric."""

    @abstractmethod
    def gains(self, metric: str, logits: Floats) -> NDArray[np.float64]:
        """Return what each row adds to the metric, more being better."""

    @abstractmethod
    def log_loss(self, logits: Floats) -> float:
        """Mean negative log-probability of the truth."""

    @abstractmethod
    def bench(self, Z: Floats, fold: NDArray[np.intp], n_folds: int) -> Bench:
        """Return a bench of normalised rows with this truth."""

    @abstractmethod
    def weighted(self, bench: Bench, class_weight: Any) -> Bench:
        """Return the bench with class weights."""

    @abstractmethod
    def columns(self, head: Any, logits: Floats) -> NDArray[np.float32]:
        """Spread the logits of a fitted head over the columns of all classes."""

    @abstractmethod
    def likelihoods(self, logits: Floats) -> NDArray[np.float32]:
        """Return the probability given to the truth of each row, (n,), or of each cell, (n, c); 1 if unknown."""

    @abstractmethod
    def confidence(self, logits: Floats) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return what is claimed with which probability, and whether it is so: the data of a reliability diagram."""

    @abstractmethod
    def members(self) -> Iterator[NDArray[np.intp]]:
        """Yield the rows of each class or label, then those of none."""

    @abstractmethod
    def figures(self, logits: Floats) -> dict[str, Any]:
        """Return the figures of a leaderboard row."""


@dataclass(frozen=True, slots=True, eq=False)
class OneClass(Truth):
    """One class a row: `codes (n,)`, columns of the logits."""

    codes: NDArray[np.intp]
    several = False
    metrics = scores.METRICS

    @property
    def y(self) -> NDArray[Any]:
        """The codes."""
        return self.codes

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return int(self.codes.max()) + 1

    @property
    def is_uneven(self) -> bool:
        """Whether the largest class is much larger than the smallest."""
        counts = np.bincount(self.codes)
        return bool(counts.max() > _UNEVEN * counts.min())

    def take(self, rows: Any) -> "OneClass":
        """Return the truth of some rows."""
        return OneClass(self.codes[rows])

    def scaling(self, raw: Floats) -> Scaling:
        """One temperature."""
        return Scaling(np.float32(1 / best_temperature(raw, self.codes)))

    def score(self, metric: str, logits: Floats) -> float:
        """See `genus.classify.scores`."""
        return scores.score(metric, logits, self.codes)

    def gains(self, metric: str, logits: Floats) -> NDArray[np.float64]:
        """See `genus.classify.scores`."""
        return scores.row_gains(metric, logits, self.codes)

    def log_loss(self, logits: Floats) -> float:
        """Mean negative log-probability of the true class."""
        return scores.log_loss(logits, self.codes)

    def bench(self, Z: Floats, fold: NDArray[np.intp], n_folds: int) -> Bench:
        """Return a bench with these codes."""
        return Bench(Z, self.codes, np.ones(len(Z), Z.dtype), self.n_classes, fold, n_folds)

    def weighted(self, bench: Bench, class_weight: Any) -> Bench:
        """Rows of rare classes count more."""
        weights = row_weights(bench.Z, self.codes, None, class_weight)
        return bench.with_weights(weights.astype(bench.Z.dtype))

    def columns(self, head: Any, logits: Floats) -> NDArray[np.float32]:
        """Classes that the head has never seen are all but impossible."""
        every = np.full((len(logits), self.n_classes), ABSENT, np.float32)
        every[:, head.classes_] = logits
        return every

    def likelihoods(self, logits: Floats) -> NDArray[np.float32]:
        """Probability of the true class."""
        return np.asarray(softmax(logits)[np.arange(len(logits)), self.codes], np.float32)

    def confidence(self, logits: Floats) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The most probable class of each row, (n,)."""
        proba = softmax(np.asarray(logits, np.float64))
        return np.asarray(proba.max(axis=1), np.float64), np.asarray(proba.argmax(axis=1) == self.codes)

    def members(self) -> Iterator[NDArray[np.intp]]:
        """Yield the rows of each class."""
        for code in range(self.n_classes):
            yield np.flatnonzero(self.codes == code)

    def figures(self, logits: Floats) -> dict[str, Any]:
        """Accuracy and its kin."""
        predicted = logits.argmax(axis=1)
        return {
            "accuracy": scores.score("accuracy", logits, self.codes),
            "balanced_accuracy": scores.balanced_accuracy(predicted, self.codes),
            "macro_f1": scores.macro_f1(predicted, self.codes, logits.shape[1]),
        }


@dataclass(frozen=True, slots=True, eq=False)
class LabelSetsTruth(Truth):
    """Several labels a row: `values (n, c)` int8 of 1 (has it), 0 (has it not) and -1 (unknown)."""

    values: NDArray[np.int8]
    several = True
    metrics = LABEL_METRICS

    @property
    def y(self) -> NDArray[Any]:
        """The values."""
        return self.values

    @property
    def n_classes(self) -> int:
        """Number of labels."""
        return int(self.values.shape[1])

    @property
    def is_uneven(self) -> bool:
        """Labels are nearly always rarer than their absence."""
        return True

    def take(self, rows: Any) -> "LabelSetsTruth":
        """Return the truth of some rows."""
        return LabelSetsTruth(self.values[rows])

    def scaling(self, raw: Floats) -> Scaling:
        """A scale and a bias for each label."""
        return Scaling(*fit_affine(raw, self.values))

    def score(self, metric: str, logits: Floats) -> float:
        """See `genus.classify.label_scores`."""
        return label_score(metric, logits, self.values)

    def gains(self, metric: str, logits: Floats) -> NDArray[np.float64]:
        """See `genus.classify.label_scores`."""
        return label_gains(metric, logits, self.values)

    def log_loss(self, logits: Floats) -> float:
        """Mean over all known cells."""
        return label_log_loss(logits, self.values)

    def bench(self, Z: Floats, fold: NDArray[np.intp], n_folds: int) -> Bench:
        """Return a bench with these labels."""
        return label_bench(Z, self.values, np.ones(len(Z), Z.dtype), None, fold, n_folds)

    def weighted(self, bench: Bench, class_weight: Any) -> Bench:
        """A label's presence counts as much as its absence."""
        return bench.with_weights(bench.weights, balanced_cells(self.values).astype(bench.Z.dtype))

    def columns(self, head: Any, logits: Floats) -> NDArray[np.float32]:
        """Every head has all columns."""
        return np.asarray(logits, np.float32)

    def likelihoods(self, logits: Floats) -> NDArray[np.float32]:
        """Probability of what each cell is."""
        proba = probabilities(logits, several=True)
        own = np.where(self.values == 1, proba, 1 - proba)
        return np.asarray(np.where(self.values >= 0, own, 1), np.float32)

    def confidence(self, logits: Floats) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Every label of every row, where it is known."""
        known = self.values >= 0
        proba = probabilities(np.asarray(logits, np.float64), several=True)
        return np.asarray(proba[known], np.float64), np.asarray(self.values[known] == 1)

    def members(self) -> Iterator[NDArray[np.intp]]:
        """Yield the rows that have each label, then those that have none."""
        for label in range(self.n_classes):
            yield np.flatnonzero(self.values[:, label] == 1)
        yield np.flatnonzero(~(self.values == 1).any(axis=1))

    def figures(self, logits: Floats) -> dict[str, Any]:
        """Mean average precision and macro F1."""
        return {
            "mean_average_precision": label_score("mean_average_precision", logits, self.values),
            "macro_f1": label_score("macro_f1", logits, self.values),
        }


def truth_of(y: NDArray[Any]) -> tuple[NDArray[Any], Truth]:
    """Return the classes and the truth: of labels (n,), or of an indicator matrix (n, c) of 1, 0 and -1.

    Raises
    ------
    DataError
        There are fewer than two classes, or no label that some rows have and others have not.
    """
    if y.ndim == 1:
        classes, codes = np.unique(y, return_inverse=True)
        require_two_classes(classes)
        return classes, OneClass(codes)
    if y.ndim != 2 or not np.isin(y, (-1, 0, 1)).all():
        raise DataError(
            f"expected labels (n,), or (n, c) of 1 (has it), 0 (has it not) or -1, got {y.shape}."
        )
    if not ((y == 1).any(axis=0) & (y == 0).any(axis=0)).any():
        raise DataError("there is no label that some rows have and others have not: nothing to tell apart.")
    return np.arange(y.shape[1]), LabelSetsTruth(np.asarray(y, np.int8))
