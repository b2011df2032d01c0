"""Score predictions against the truth, with an interval beside every figure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.errors import DataError
from genus.metrics.calibration import ReliabilityBin, calibration_error, reliability_bins
from genus.metrics.confusion import averages, class_scores, confusion_matrix
from genus.metrics.evaluation import ClassRow, Evaluation, Figure
from genus.metrics.intervals import mean_interval, wilson

UNKNOWN = -1
_N_MISTAKES = 100
_TOP_K = 5
_AVERAGES = {
    "macro_recall": "Mean recall",
    "macro_precision": "Mean precision",
    "macro_f1": "Mean F1",
    "weighted_recall": "Weighted recall",
    "weighted_precision": "Weighted precision",
    "weighted_f1": "Weighted F1",
}


def evaluate(
    y_true: ArrayLike, proba: ArrayLike, classes: Sequence[str], *, random_state: int | None = 0
) -> Evaluation:
    """Score predicted probabilities against the true classes.

    Parameters
    ----------
    y_true : int (n,)
        Codes of the true classes, positions in `classes`; -1 for a class that the model does not know.
    proba : float (n, c)
        Predicted probabilities; rows sum to 1. The prediction is the largest, the first of equals.
    classes : sequence of str
        The c class names.
    random_state : int or None, default 0
        Seed of the only interval that needs draws, that of the calibration error.

    Returns
    -------
    Evaluation
        With these figures, all but `log_loss` in [0, 1], and each with a 95% interval:

        =========================================  =============================================  ===============
        `accuracy`                                 share of images that are right                 Wilson
        `accuracy_with_unknown`                    the same, images of unknown classes counted    Wilson
                                                   as wrong; only where there are such images
        `top_5_accuracy`                           true class among the five most probable;       Wilson
                                                   only for more than five classes
        `balanced_accuracy`, `macro_recall`        mean recall of the classes                     `averages`
        `macro_precision`, `macro_f1`              mean over the classes                          `averages`
        `weighted_precision`, `..recall`, `.._f1`  weighted by the number of images               `averages`
        `calibration_error`                        up to 15 bins of equal number (top confidence) inverted test
        `log_loss`                                 mean of -log(probability of the truth)         `mean_interval`
        =========================================  =============================================  ===============

        Averages over classes are over those with test images.

    Raises
    ------
    DataError
        There are no images, none of a known class, or the arrays do not fit together.

    Examples
    --------
    >>> proba = [[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.2, 0.8]]
    >>> found = evaluate([0, 1, 1, 1], proba, ["cat", "dog"])
    >>> found.accuracy.text()
    '75.0% (30.1-95.4)'
    >>> found.most_confident_mistakes
    (2,)
    """
    y, p, names = _checked(y_true, proba, classes)
    known = np.flatnonzero(y != UNKNOWN)
    if len(known) == 0:
        raise DataError(
            f"none of the {len(y)} images to evaluate has a class that the model knows "
            f"({_listed(names)}). Check the labels' spelling."
        )
    all_known = len(known) == len(y)
    y_known, p_known = (y, p) if all_known else (y[known], p[known])
    predicted = p_known.argmax(1)
    confusion = confusion_matrix(y_known, predicted, len(names))
    sure = np.clip(p_known[np.arange(len(known)), predicted].astype(np.float64), 0.0, 1.0)
    bins = reliability_bins(sure, predicted == y_known)
    wrong = np.flatnonzero(predicted != y_known)
    surest = wrong[np.lexsort((wrong, -sure[wrong]))][:_N_MISTAKES]
    return Evaluation(
        n=len(known),
        n_unknown=len(y) - len(known),
        classes=names,
        metrics=_figures(y_known, p_known, confusion, bins, len(y), random_state),
        confusion=confusion,
        per_class=_class_rows(confusion, names),
        reliability=bins,
        most_confident_mistakes=tuple(known[surest].tolist()),
        notes=_notes(confusion, names, len(y) - len(known)),
    )


def _checked(
    y_true: ArrayLike, proba: ArrayLike, classes: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.floating[Any]], tuple[str, ...]]:
    y, p, names = np.asarray(y_true), np.asarray(proba), tuple(classes)
    if not names:
        raise DataError("an evaluation needs at least one class; got none.")
    if y.ndim != 1 or p.shape != (len(y), len(names)):
        raise DataError(
            f"an evaluation needs one true class an image and {len(names)} probabilities an image (one a class); "
            f"got arrays of shapes {y.shape} and {p.shape}."
        )
    if len(y) == 0:
        raise DataError("there are no images to evaluate.")
    if not np.issubdtype(y.dtype, np.integer) or y.min() < UNKNOWN or y.max() >= len(names):
        raise DataError(
            f"true classes must be whole numbers from 0 to {len(names) - 1}, positions in the class names, "
            f"or -1 for a class that the model does not know; got {y.dtype} from {y.min()} to {y.max()}."
        )
    p = p if np.issubdtype(p.dtype, np.floating) else p.astype(np.float64)
    totals = p.sum(1, dtype=np.float64)
    bad = np.flatnonzero(~((np.abs(totals - 1) <= 1e-3) & (p.min(1) >= 0)))  # written so that NaN is bad
    if len(bad):
        raise DataError(
            f"probabilities must be 0 or more and sum to 1 for every image; those of {len(bad)} of {len(y)} images "
            f"do not (first: image {bad[0]}, sum {totals[bad[0]]:.4g})."
        )
    return y.astype(np.int64), p, names


def _figures(
    y: NDArray[np.int64],
    p: NDArray[np.floating[Any]],
    confusion: NDArray[np.int64],
    bins: tuple[ReliabilityBin, ...],
    n_all: int,
    random_state: int | None,
) -> tuple[Figure, ...]:
    hits, found = int(np.trace(confusion)), averages(confusion)
    accuracy = _share("accuracy", "Accuracy", hits, len(y))
    figures = [accuracy]
    if n_all > len(y):
        figures.append(_share("accuracy_with_unknown", "Accuracy, unknown classes wrong", hits, n_all))
    truth = p[np.arange(len(y)), y][:, None]
    if p.shape[1] > _TOP_K:
        # Equals count by position, as argmax does, so that top-1 would be the accuracy.
        before = (p > truth).sum(1) + ((p == truth) & (np.arange(p.shape[1]) < y[:, None])).sum(1)
        within = int((before < _TOP_K).sum())
        figures.append(_share(f"top_{_TOP_K}_accuracy", f"Top-{_TOP_K} accuracy", within, len(y)))
    mean = found["macro_recall"]
    figures.append(Figure("balanced_accuracy", "Balanced accuracy", mean.value, mean.low, mean.high))
    for name, label in _AVERAGES.items():
        average = found[name]
        figures.append(Figure(name, label, average.value, average.low, average.high))
        if name == "weighted_recall":  # it is the accuracy, whose interval is exact
            figures[-1] = Figure(name, label, accuracy.value, accuracy.low, accuracy.high)
    error = calibration_error(bins, random_state=random_state)
    figures.append(Figure("calibration_error", "Calibration error", *error, higher_is_better=False))
    return (*figures, _log_loss(truth[:, 0] / p.sum(1, dtype=np.float64)))


def _log_loss(truth: NDArray[np.floating[Any]]) -> Figure:
    # float32's resolution, as scikit-learn clips float32 probabilities: 0 would make the mean infinite.
    losses = -np.log(np.clip(truth.astype(np.float64), np.finfo(np.float32).eps, 1.0))
    low, high = mean_interval(losses) or (None, None)
    low = None if low is None else max(0.0, low)
    value = float(losses.mean())
    return Figure("log_loss", "Log-loss", value, low, high, is_share=False, higher_is_better=False)


def _share(name: str, label: str, hits: int, n: int) -> Figure:
    low, high = wilson(hits, n)
    return Figure(name, label, hits / n, float(low), float(high))


def _class_rows(confusion: NDArray[np.int64], names: tuple[str, ...]) -> tuple[ClassRow, ...]:
    scores = class_scores(confusion)
    precision, recall, f1 = scores.precision_limits(), scores.recall_limits(), scores.f1_limits()
    rows = []
    for i, name in enumerate(names):
        n, n_predicted = int(scores.n_true[i]), int(scores.n_predicted[i])
        rows.append(
            ClassRow(
                name=name,
                n=n,
                n_predicted=n_predicted,
                precision=float(scores.precision[i]) if n_predicted else None,
                precision_low=float(precision[0][i]),
                precision_high=float(precision[1][i]),
                recall=float(scores.recall[i]) if n else None,
                recall_low=float(recall[0][i]),
                recall_high=float(recall[1][i]),
                f1=float(scores.f1[i]) if n else None,
                f1_low=float(f1[0][i]) if n else 0.0,
                f1_high=float(f1[1][i]) if n else 1.0,
            )
        )
    return tuple(rows)


def _notes(confusion: NDArray[np.int64], names: tuple[str, ...], n_unknown: int) -> tuple[str, ...]:
    notes = []
    absent = [name for name, n in zip(names, confusion.sum(1), strict=True) if n == 0]
    if len(names) == 1:
        notes.append("The model knows one class only, so it cannot be wrong on images of it.")
    if absent:
        notes.append(
            f"{len(absent)} of {len(names)} classes have no test images ({_listed(absent)}); averages over "
            "classes leave them out."
        )
    if n_unknown:
        notes.append(
            f"{n_unknown} test image{' is' if n_unknown == 1 else 's are'} of classes that the model does not know; "
            "it is always wrong on them. They are left out of all figures but the accuracy that says so."
        )
    return tuple(notes)


def _listed(names: Sequence[str], limit: int = 5) -> str:
    shown = ", ".join(names[:limit])
    return f"{shown} ..." if len(names) > limit else shown
