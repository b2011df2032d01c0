"""The few scores by which candidates for several labels a row are compared: fast, on log-odds; unknowns are masked."""

import numpy as np
from numpy.typing import NDArray

from genus.classify.bench import Floats

LABEL_METRICS = ("mean_average_precision", "macro_f1", "micro_f1", "log_loss")
_STEEPEST = 50.0  # of a fitted scale: margins of separated rows would grow without end
_STEPS = 40
_PULL = 3.0  # curvature that draws a label's scale to the shared one: about that of a dozen images

Labels = NDArray[np.int8]


def label_score(metric: str, logits: Floats, values: Labels) -> float:
    """Return the named score of calibrated log-odds (n, c) against `values (n, c)` of 1, 0 and -1 (unknown)."""
    if metric == "log_loss":
        return label_log_loss(logits, values)
    return float(label_gains(metric, logits, values).mean())


def label_gains(metric: str, logits: Floats, values: Labels) -> NDArray[np.float64]:
    """Return what each row adds to the metric, (n,); their mean is the metric.

    An average precision is a mean over the images that have the label, and so is an F1: each of them has its part.
    """
    if metric == "log_loss":
        known = values >= 0
        losses = np.where(known, _cell_losses(logits, values), 0).sum(axis=1)
        return np.asarray(-losses * (len(values) / max(int(known.sum()), 1)), np.float64)
    if metric == "mean_average_precision":
        return _averaged(_precisions(logits, values), values)
    hits, seen = _f1_parts(logits, values)
    if metric == "micro_f1":
        return np.asarray(hits.sum(axis=1) * len(values) / max(seen.sum(), 1), np.float64)
    return _averaged(hits / np.maximum(seen, 1), values)


def label_log_loss(logits: Floats, values: Labels) -> float:
    """Mean negative log-probability of the truth over all known cells."""
    known = values >= 0
    return float(_cell_losses(logits, values)[known].mean()) if known.any() else 0.0


def likely_thresholds(proba: Floats) -> NDArray[np.float64]:
    """Return for each label the threshold with the best F1 to be expected if the probabilities are right, (c,).

    With rows sorted by falling probability p, calling the first k gives an expected F1 of about
    `2 sum(p[:k]) / (k + sum(p))`. Lipton, Elkan and Naryanaswamy (2014), "Optimal thresholding of classifiers to
    maximize F1 measure", ECML.
    """
    falling = -np.sort(-proba.astype(np.float64), axis=0)
    k = np.arange(1, len(proba) + 1)[:, None]
    expected = 2 * np.cumsum(falling, axis=0) / (k + falling.sum(axis=0))
    best = expected.argmax(axis=0)
    return np.asarray(falling[best, np.arange(proba.shape[1])], np.float64)


def fit_affine(logits: Floats, values: Labels) -> tuple[Floats, Floats]:
    """Return each label's scale and bias (c,) that make `scale * logits + bias` log-odds.

    Platt's method (1999, "Probabilistic outputs for support vector machines") with its softened targets, without
    which separated rows have no finite solution. A scale learned from three images is luck, so the labels' scales
    are drawn to the one that serves all of them together. Newton's method on all labels at once.
    """
    known = (values >= 0).astype(np.float64)
    has = (values == 1).astype(np.float64)
    n_has, n_known = has.sum(axis=0), known.sum(axis=0)
    n_not = n_known - n_has
    targets = has * ((n_has + 1) / (n_has + 2)) + (1 - has) * (1 / (n_not + 2))
    spread = float(np.sqrt((known * (logits - logits.mean(axis=0)) ** 2).sum() / max(n_known.sum(), 1)))
    x = logits / max(spread, 1e-9)
    bias = np.log((n_has + 1) / (n_not + 1)) - x.mean(axis=0)
    shared, bias = _newton(x, targets, known, np.ones(values.shape[1]), bias, together=True)
    scale, bias = _newton(x, targets, known, shared, bias, together=False)
    return (scale / max(spread, 1e-9)).astype(np.float32), bias.astype(np.float32)


def _newton(
    x: Floats, targets: Floats, known: Floats, start: Floats, bias: Floats, *, together: bool
) -> tuple[Floats, Floats]:
    """Fit scales and biases (c,); `together`: one scale for all labels, else each drawn to where it starts."""
    scale = start.copy()
    for _ in range(_STEPS):
        proba = 1 / (1 + np.exp(-np.clip(scale * x + bias, -30, 30)))
        error, bend = known * (proba - targets), known * np.maximum(proba * (1 - proba), 1e-6)
        slope_a = (error * x).sum(axis=0) + (0 if together else _PULL * (scale - start))
        aa = (bend * x * x).sum(axis=0) + (1e-3 if together else _PULL)
        slope_b = error.sum(axis=0)
        ab, bb = (bend * x).sum(axis=0), bend.sum(axis=0) + 1e-6
        if together:  # biases are eliminated, then the labels share what is left
            left = np.maximum(aa - ab * ab / bb, 1e-9).sum()
            step_a = np.full(len(scale), (slope_a - ab * slope_b / bb).sum() / left)
        else:
            step_a = (bb * slope_a - ab * slope_b) / np.maximum(aa * bb - ab * ab, 1e-12)
        step_b = (slope_b - ab * step_a) / bb
        shorten = np.minimum(1, 2 / np.maximum(np.abs(step_a) + np.abs(step_b), 1e-9))
        shorten = shorten.min() if together else shorten
        scale = np.clip(scale - shorten * step_a, 1e-3, _STEEPEST)
        bias = bias - shorten * step_b
        if max(np.abs(step_a).max(), np.abs(step_b).max()) < 1e-5:
            break
    return scale, bias


def _averaged(cells: NDArray[np.float64], values: Labels) -> NDArray[np.float64]:
    """Average each row's parts over the labels that occur, scaled so that the rows' mean is the metric."""
    present = (values == 1).any(axis=0)
    gains = cells[:, present].sum(axis=1) * (len(values) / max(int(present.sum()), 1))
    return np.asarray(gains, np.float64)


def _cell_losses(logits: Floats, values: Labels) -> Floats:
    signed = np.where(values == 1, -logits, logits)
    losses: Floats = np.maximum(signed, 0) + np.log1p(np.exp(-np.abs(signed)))
    return losses


def _precisions(logits: Floats, values: Labels) -> NDArray[np.float64]:
    """Return the precision at each row that has a label, over their number; 0 elsewhere, (n, c).

    Among equals, those without the label come first: ties earn nothing.
    """
    cells = np.zeros(values.shape)
    for label in range(values.shape[1]):
        rows = np.concatenate([np.flatnonzero(values[:, label] == side) for side in (0, 1)])
        ranked = rows[np.argsort(-logits[rows, label], kind="stable")]
        has = values[ranked, label] == 1
        at = np.flatnonzero(has)
        if len(at):
            cells[ranked[at], label] = np.arange(1, len(at) + 1) / (at + 1) / len(at)
    return cells


def _f1_parts(logits: Floats, values: Labels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return twice the hits (n, c), and the labels' numbers of images that have them plus those called so, (c,)."""
    proba = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    called = proba >= likely_thresholds(proba)
    known = values >= 0
    seen = (values == 1).sum(axis=0) + (called & known).sum(axis=0)
    return 2.0 * (called & (values == 1)), seen.astype(np.float64)
