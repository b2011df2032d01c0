"""The few scores by which candidates are compared: fast, on logits and integer labels."""

import numpy as np
from numpy.typing import NDArray

from genus.classify.bench import Floats
from genus.errors import ParameterError

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")


def check_metric(metric: str) -> None:
    """Raise a ParameterError unless `metric` is one of `METRICS`."""
    if metric not in METRICS:
        raise ParameterError(f"metric={metric!r}: expected one of {', '.join(METRICS)}.")


def score(metric: str, logits: Floats, codes: NDArray[np.intp]) -> float:
    """Return the named score of calibrated `logits (n, n_classes)` against the true columns `codes (n,)`."""
    if metric == "log_loss":
        return log_loss(logits, codes)
    predicted = logits.argmax(axis=1)
    if metric == "accuracy":
        return float((predicted == codes).mean())
    n_classes = logits.shape[1]
    return (
        balanced_accuracy(predicted, codes)
        if metric == "balanced_accuracy"
        else macro_f1(predicted, codes, n_classes)
    )


def gain(metric: str, value: float) -> float:
    """Return `value` as something of which more is better."""
    return -value if metric == "log_loss" else value


def balanced_accuracy(predicted: NDArray[np.intp], codes: NDArray[np.intp]) -> float:
    """Mean recall of the classes that occur."""
    counts = np.bincount(codes)
    hits = np.bincount(codes[predicted == codes], minlength=len(counts))
    return float((hits[counts > 0] / counts[counts > 0]).mean())


def macro_f1(predicted: NDArray[np.intp], codes: NDArray[np.intp], n_classes: int) -> float:
    """Mean F1 score of the classes that occur or are predicted."""
    hits = np.bincount(codes[predicted == codes], minlength=n_classes)
    seen = np.bincount(codes, minlength=n_classes) + np.bincount(predicted, minlength=n_classes)
    return float((2 * hits[seen > 0] / seen[seen > 0]).mean())


def log_loss(logits: Floats, codes: NDArray[np.intp]) -> float:
    """Mean negative log-probability of the true class."""
    return float(row_losses(logits, codes).mean())


def row_losses(logits: Floats, codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Negative log-probability of the true class of each row."""
    # log-sum-exp: exp overflows above 88 in float32
    top = logits.max(axis=1)
    total = np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top
    return np.asarray(total - logits[np.arange(len(codes)), codes], np.float64)


def row_gains(metric: str, logits: Floats, codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return what each row adds to the metric (for macro F1, to the balanced accuracy), to compare candidates."""
    if metric == "log_loss":
        return -row_losses(logits, codes)
    right = np.asarray(logits.argmax(axis=1) == codes, np.float64)
    if metric == "accuracy":
        return right
    counts = np.bincount(codes)
    return np.asarray(right * (len(codes) / ((counts > 0).sum() * counts[codes])))
