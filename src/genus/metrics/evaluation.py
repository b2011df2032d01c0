"""What an evaluation found: frozen results that the command line, the report and the model file share."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from genus.errors import DataError
from genus.metrics.calibration import ReliabilityBin


@dataclass(frozen=True, slots=True)
class Figure:
    """One score with its 95% interval.

    Attributes
    ----------
    name : str
        For machines: "balanced_accuracy".
    label : str
        For people: "Balanced accuracy".
    value : float
        The score; most lie in [0, 1]. NaN where it was not measured.
    low, high : float or None
        The interval; None where there are too few images to give one.
    is_share : bool
        Whether it lies in [0, 1] and is best shown as a percentage.
    higher_is_better : bool
        False for errors and losses.

    Examples
    --------
    >>> Figure("accuracy", "Accuracy", 0.94, 0.838, 0.979).text()
    '94.0% (83.8-97.9)'
    """

    name: str
    label: str
    value: float
    low: float | None
    high: float | None
    is_share: bool = True
    higher_is_better: bool = True

    def text(self) -> str:
        """Return the figure in one line, as the command line prints it."""
        if self.value != self.value:
            return "not measured"
        if self.low is None or self.high is None:
            return f"{self.value:.1%}" if self.is_share else f"{self.value:.3f}"
        if self.is_share:
            return f"{self.value:.1%} ({100 * self.low:.1f}-{100 * self.high:.1f})"
        return f"{self.value:.3f} ({self.low:.3f}-{self.high:.3f})"


@dataclass(frozen=True, slots=True)
class ClassRow:
    """The scores of one class, each with its 95% interval.

    Attributes
    ----------
    name : str
        The class.
    n : int
        Test images of it.
    n_predicted : int
        Test images predicted as it.
    precision, recall, f1 : float or None
        In [0, 1]. Precision is None if the class was never predicted, recall and F1 if it has no test images.
    precision_low, precision_high, recall_low, recall_high, f1_low, f1_high : float
        Intervals, Wilson's; (0, 1) where the score is None.
    """

    name: str
    n: int
    n_predicted: int
    precision: float | None
    precision_low: float
    precision_high: float
    recall: float | None
    recall_low: float
    recall_high: float
    f1: float | None
    f1_low: float
    f1_high: float


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """Images of one class that were taken for another.

    Attributes
    ----------
    true, predicted : int
        Class codes.
    n : int
        How many.
    share : float in (0, 1]
        The share of the true class's images.
    """

    true: int
    predicted: int
    n: int
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How good predictions are on images whose classes are known.

    Attributes
    ----------
    n : int
        Evaluated images, those of unknown classes not counted. 0: nothing was measured.
    n_unknown : int
        Images whose true class the model does not know. It is always wrong on them; `metrics` leaves them out,
        except the figure `accuracy_with_unknown`.
    classes : tuple of str
        Class names, in the order of codes.
    metrics : tuple of Figure
        All scores, the most telling first.
    confusion : int64 (c, c)
        Rows are true classes, columns predicted ones.
    per_class : tuple of ClassRow
        One a class, in the order of codes.
    reliability : tuple of ReliabilityBin
        Confidence against accuracy, by rising confidence.
    most_confident_mistakes : tuple of int
        Indices into the evaluated arrays, the surest mistake first.
    notes : tuple of str
        What one should know to read the figures.
    n_seen : int
        Images that the model had learned from, where that is known: they say nothing about new ones.
    """

    n: int
    n_unknown: int
    classes: tuple[str, ...]
    metrics: tuple[Figure, ...]
    confusion: NDArray[np.int64]
    per_class: tuple[ClassRow, ...]
    reliability: tuple[ReliabilityBin, ...]
    most_confident_mistakes: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    n_seen: int = 0

    @property
    def accuracy(self) -> Figure:
        """The share of images that are right."""
        return self.figure("accuracy")

    @property
    def n_right(self) -> int:
        """Number of images that are right."""
        return int(np.trace(self.confusion))

    def figure(self, name: str) -> Figure:
        """Return the figure called `name`.

        Raises
        ------
        KeyError
            There is none; the message lists those there are.
        """
        for figure in self.metrics:
            if figure.name == name:
                return figure
        raise KeyError(f"no figure {name!r}; there are: {', '.join(f.name for f in self.metrics)}")

    def confused_pairs(self, limit: int | None = None) -> tuple[ConfusedPair, ...]:
        """Return the pairs of classes that are mixed up, the most frequent first.

        Parameters
        ----------
        limit : int or None
            At most so many.
        """
        counts = self.confusion.copy()
        np.fill_diagonal(counts, 0)
        true, predicted = np.nonzero(counts)
        n, n_true = counts[true, predicted], self.confusion.sum(1)
        share = n / n_true[true]
        order = np.lexsort((predicted, true, -share, -n))[:limit]
        return tuple(ConfusedPair(int(true[i]), int(predicted[i]), int(n[i]), float(share[i])) for i in order)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-able values; the confusion matrix as its cells [true, predicted, count]."""
        true, predicted = np.nonzero(self.confusion)
        cells = np.column_stack([true, predicted, self.confusion[true, predicted]])
        return {
            "n": self.n,
            "n_unknown": self.n_unknown,
            "n_seen": self.n_seen,
            "classes": list(self.classes),
            "metrics": [_known(figure) for figure in self.metrics],
            "confusion": cells.tolist(),
            "per_class": [asdict(row) for row in self.per_class],
            "reliability": [asdict(row) for row in self.reliability],
            "most_confident_mistakes": list(self.most_confident_mistakes),
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote.

        Raises
        ------
        DataError
            Something is missing or of the wrong kind.
        """
        try:
            classes = tuple(map(str, values["classes"]))
            confusion = np.zeros((len(classes), len(classes)), np.int64)
            for true, predicted, count in values["confusion"]:
                confusion[true, predicted] = count
            return cls(
                n=int(values["n"]),
                n_unknown=int(values["n_unknown"]),
                n_seen=int(values.get("n_seen", 0)),
                classes=classes,
                metrics=tuple(_figure(row) for row in values["metrics"]),
                confusion=confusion,
                per_class=tuple(ClassRow(**row) for row in values["per_class"]),
                reliability=tuple(ReliabilityBin(**row) for row in values["reliability"]),
                most_confident_mistakes=tuple(map(int, values["most_confident_mistakes"])),
                notes=tuple(map(str, values["notes"])),
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DataError(
                f"this is not an evaluation as Evaluation.to_dict() writes it: {type(error).__name__}: {error}."
            ) from error


def unmeasured(classes: tuple[str, ...], reason: str) -> Evaluation:
    """Return an evaluation on no images at all: no figure is known.

    Examples
    --------
    >>> nothing = unmeasured(("cat", "dog"), "there is one image a class")
    >>> nothing.accuracy.text(), nothing.to_dict()["metrics"][0]["value"]
    ('not measured', None)
    """
    rows = (ClassRow(name, 0, 0, None, 0.0, 1.0, None, 0.0, 1.0, None, 0.0, 1.0) for name in classes)
    return Evaluation(
        n=0,
        n_unknown=0,
        classes=classes,
        metrics=(Figure("accuracy", "Accuracy", float("nan"), None, None),),
        confusion=np.zeros((len(classes), len(classes)), np.int64),
        per_class=tuple(rows),
        reliability=(),
        notes=(f"Not measured: {reason}.",),
    )


def _known(figure: Figure) -> dict[str, Any]:
    """Return a figure as JSON-able values: None where it was not measured, for JSON knows no NaN."""
    return {**asdict(figure), "value": None if figure.value != figure.value else figure.value}


def _figure(row: Mapping[str, Any]) -> Figure:
    return Figure(**{**row, "value": float("nan") if row["value"] is None else row["value"]})
