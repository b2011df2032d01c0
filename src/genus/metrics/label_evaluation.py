"""What an evaluation of several labels an image found: frozen results that all who show it share."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from genus.errors import DataError
from genus.metrics.calibration import ReliabilityBin
from genus.metrics.evaluation import Figure


@dataclass(frozen=True, slots=True)
class LabelRow:
    """The scores of one label, each with its 95% interval.

    Attributes
    ----------
    name : str
    n, n_absent, n_unknown : int
        Test images that have the label, that have it not, and of which it is unknown.
    n_predicted : int
        Test images (where it is known) that were named so.
    threshold : float
        The least probability at which it is named.
    average_precision, auroc : float or None
        In [0, 1]; None without an image that has the label, or without one that has it not.
    precision, recall, f1 : float or None
        At the threshold. Precision is None if the label was never named, recall and F1 if no image has it.
    average_precision_low ... f1_high : float
        Intervals; (0, 1) where the score is None.
    """

    name: str
    n: int
    n_absent: int
    n_unknown: int
    n_predicted: int
    threshold: float
    average_precision: float | None
    average_precision_low: float
    average_precision_high: float
    auroc: float | None
    auroc_low: float
    auroc_high: float
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
class LabelCurve:
    """Precision against recall of one label, from strict thresholds to lax ones.

    Attributes
    ----------
    threshold, precision, recall : tuple of float in [0, 1]
    n_predicted : tuple of int
        Images named at each threshold.
    """

    threshold: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    n_predicted: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class LabelEvaluation:
    """How good predicted label sets are on images whose labels are known.

    Attributes
    ----------
    n : int
        Evaluated images: those of which at least one label is known.
    classes : tuple of c str
        The labels.
    metrics : tuple of Figure
        All scores, the most telling first.
    per_label : tuple of c LabelRow
    curves : tuple of c LabelCurve
        Empty ones for labels without an image that has them.
    cooccurrence : (c, c) int64
        Images that have both labels; on the diagonal those that have the one.
    reliability : tuple of ReliabilityBin
        Probability against frequency, over all known labels of all images.
    notes : tuple of str
        What one should know to read the figures.
    n_seen : int
        Images that the model had learned from, where that is known: they say nothing about new ones.
    """

    n: int
    classes: tuple[str, ...]
    metrics: tuple[Figure, ...]
    per_label: tuple[LabelRow, ...]
    curves: tuple[LabelCurve, ...]
    cooccurrence: NDArray[np.int64]
    reliability: tuple[ReliabilityBin, ...]
    notes: tuple[str, ...] = ()
    n_seen: int = 0

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

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-able values; the co-occurrences as cells [label, label, count]."""
        one, other = np.nonzero(np.triu(self.cooccurrence))
        cells = np.column_stack([one, other, self.cooccurrence[one, other]])
        return {
            "n": self.n,
            "n_seen": self.n_seen,
            "classes": list(self.classes),
            "metrics": [asdict(figure) for figure in self.metrics],
            "per_label": [asdict(row) for row in self.per_label],
            "curves": [{key: list(value) for key, value in asdict(curve).items()} for curve in self.curves],
            "cooccurrence": cells.tolist(),
            "reliability": [asdict(row) for row in self.reliability],
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
            cooccurrence = np.zeros((len(classes), len(classes)), np.int64)
            for one, other, count in values["cooccurrence"]:
                cooccurrence[one, other] = cooccurrence[other, one] = count
            return cls(
                n=int(values["n"]),
                n_seen=int(values["n_seen"]),
                classes=classes,
                metrics=tuple(Figure(**row) for row in values["metrics"]),
                per_label=tuple(LabelRow(**row) for row in values["per_label"]),
                curves=tuple(
                    LabelCurve(**{key: tuple(numbers) for key, numbers in row.items()})
                    for row in values["curves"]
                ),
                cooccurrence=cooccurrence,
                reliability=tuple(ReliabilityBin(**row) for row in values["reliability"]),
                notes=tuple(map(str, values["notes"])),
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DataError(
                f"this is not an evaluation as LabelEvaluation.to_dict() writes it: {type(error).__name__}: {error}."
            ) from error
