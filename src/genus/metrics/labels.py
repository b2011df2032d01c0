"""Score predicted label sets against the truth, with an interval beside every figure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.errors import DataError
from genus.metrics.calibration import ReliabilityBin, calibration_error, reliability_bins
from genus.metrics.evaluation import Figure
from genus.metrics.intervals import Floats, mean_interval, wilson
from genus.metrics.label_evaluation import LabelCurve, LabelEvaluation, LabelRow
from genus.metrics.label_ranking import RankedLabel, rank_labels

_MAX_DRAWS, _MIN_DRAWS = 400, 60
_MOST_CELLS = 6e7  # images times labels times draws: some seconds
_CURVE_POINTS = 100

Truth = NDArray[np.int8]


def evaluate_labels(
    truth: ArrayLike,
    proba: ArrayLike,
    names: Sequence[str],
    thresholds: ArrayLike,
    *,
    random_state: int | None = 0,
) -> LabelEvaluation:
    """Score predicted probabilities, and the sets they make, against the true labels.

    Parameters
    ----------
    truth : (n, c) int
        1: the image has the label; 0: it has not; -1: unknown, which counts nowhere.
    proba : (n, c) float
        Probabilities in [0, 1], each label for itself.
    names : sequence of c str
    thresholds : (c,) float
        The least probability at which each label is named.
    random_state : int or None, default 0
        Seed of the intervals that need draws.

    Returns
    -------
    LabelEvaluation
        With these figures, each with a 95% interval:

        ==================================  ====================================================  ================
        `mean_average_precision`            mean over the labels of their average precision       bootstrap
        `macro_f1`, `micro_f1`              mean of the labels' F1; F1 of all decisions together  bootstrap
        `macro_auroc`                       mean over the labels                                  bootstrap
        `micro_average_precision`           of all decisions together                             bootstrap
        `subset_accuracy`                   share of images whose set is right, every label       Wilson
        `hamming_loss`                      share of wrong decisions                              `mean_interval`
        `label_ranking_average_precision`   see `rank_labels`                                     `mean_interval`
        `label_ranking_loss`                see `rank_labels`                                     `mean_interval`
        `coverage_error`                    labels to take from the top to have all true ones     `mean_interval`
        `calibration_error`                 probability against frequency, all decisions          inverted test
        `log_loss`                          mean of -log(probability of the truth)                `mean_interval`
        ==================================  ====================================================  ================

        Averages over labels are over those that a test image has; for `macro_auroc` one must also be without it.

    Raises
    ------
    DataError
        There is nothing to score, or the arrays do not fit together.

    Examples
    --------
    >>> proba = [[0.9, 0.2], [0.8, 0.6], [0.1, 0.7], [0.3, 0.1]]
    >>> found = evaluate_labels([[1, 0], [1, 1], [0, 1], [0, 0]], proba, ["cat", "dog"], [0.5, 0.65])
    >>> found.figure("mean_average_precision").value, round(found.figure("hamming_loss").value, 3)
    (1.0, 0.125)
    """
    y, p, cut, n_dropped = _checked(truth, proba, names, thresholds)
    ranked = [RankedLabel.of(y[:, label], p[:, label]) for label in range(y.shape[1])]
    named = p >= cut
    known = y >= 0
    sure, right = p[known].astype(np.float64), (y == 1)[known]
    bins = reliability_bins(np.clip(sure, 0.0, 1.0), right)
    return LabelEvaluation(
        n=len(y),
        classes=tuple(names),
        metrics=_figures(y, p, named, ranked, bins, random_state),
        per_label=_rows(y, named, ranked, names, cut),
        curves=tuple(_curve(one) for one in ranked),
        cooccurrence=_together(y),
        reliability=bins,
        notes=_notes(y, names, n_dropped),
    )


def _checked(
    truth: ArrayLike, proba: ArrayLike, names: Sequence[str], thresholds: ArrayLike
) -> tuple[Truth, Floats, Floats, int]:
    y, p, cut = np.asarray(truth), np.asarray(proba), np.asarray(thresholds, np.float64)
    if y.ndim != 2 or p.shape != y.shape or y.shape[1] != len(names) or cut.shape != (len(names),):
        raise DataError(
            f"expected labels and probabilities (n, {len(names)}) and {len(names)} thresholds, "
            f"got arrays of shapes {y.shape}, {p.shape} and {cut.shape}."
        )
    if not np.isin(y, (-1, 0, 1)).all():
        raise DataError("labels must be 1 (has it), 0 (has it not) or -1 (unknown).")
    if not ((p >= 0) & (p <= 1)).all():  # written so that NaN is bad
        raise DataError("probabilities must lie between 0 and 1.")
    told = (y >= 0).any(axis=1)
    if not told.any():
        raise DataError("there are no images of which a label is known.")
    return y[told].astype(np.int8), p[told].astype(np.float64), cut, int((~told).sum())


def _figures(
    y: Truth,
    p: Floats,
    named: NDArray[np.bool_],
    ranked: Sequence[RankedLabel],
    bins: tuple[ReliabilityBin, ...],
    random_state: int | None,
) -> tuple[Figure, ...]:
    known, has = y >= 0, y == 1
    n_known = known.sum(axis=1)
    wrong = (known & (named != has)).sum(axis=1)
    n_right = int((wrong == 0).sum())
    low, high = wilson(n_right, len(y))
    # float32's resolution, as for single labels: 0 would make the mean infinite
    likely = np.clip(np.where(has, p, 1 - p), np.finfo(np.float32).eps, 1.0)
    losses = np.where(known, -np.log(likely), 0).sum(axis=1)
    per_image, cells = rank_labels(y, p), n_known.mean()
    error = calibration_error(bins, random_state=random_state)
    return (
        *_drawn(y, p, named, ranked, random_state),
        Figure("subset_accuracy", "Sets entirely right", n_right / len(y), float(low), float(high)),
        _mean("hamming_loss", "Wrong decisions", wrong / cells, is_share=True),
        _mean("label_ranking_average_precision", "Ranking precision", per_image.precision, True, better=True),
        _mean("label_ranking_loss", "Ranking loss", per_image.loss, is_share=True),
        _mean("coverage_error", "Names to take for all", per_image.coverage, is_share=False),
        Figure("calibration_error", "Calibration error", *error, higher_is_better=False),
        _mean("log_loss", "Log-loss", losses / cells, is_share=False),
    )


def _mean(name: str, label: str, values: Floats, is_share: bool, *, better: bool = False) -> Figure:
    low, high = mean_interval(values) or (None, None)
    low = None if low is None else max(0.0, low)
    high = min(1.0, high) if is_share and high is not None else high
    return Figure(name, label, float(values.mean()), low, high, is_share, better)


def _drawn(
    y: Truth, p: Floats, named: NDArray[np.bool_], ranked: Sequence[RankedLabel], random_state: int | None
) -> tuple[Figure, ...]:
    """Return the figures whose intervals come from drawing images again (Bayesian bootstrap, Rubin 1981).

    Its weights are never zero, so a label on two images stays on two images in every draw.
    """
    n, c = y.shape
    n_draws = int(np.clip(_MOST_CELLS / (n * c), _MIN_DRAWS, _MAX_DRAWS))
    weights = np.random.default_rng(random_state).standard_exponential((n, n_draws))
    weights = np.column_stack([np.ones(n), weights])
    present = [one for one in ranked if one.has.any()]
    both = [one for one in present if not one.has.all()]
    hits, seen = (named & (y == 1)).astype(np.float64), ((y == 1) * 1.0 + (named & (y >= 0)))
    shown = np.array([bool(one.has.any()) for one in ranked])
    per_label = 2 * (hits.T @ weights) / np.maximum(seen.T @ weights, 1e-12)
    together = 2 * (hits.sum(axis=1) @ weights) / np.maximum(seen.sum(axis=1) @ weights, 1e-12)
    cells = RankedLabel.of(y.ravel(), p.ravel())
    found = [
        ("mean_average_precision", "Mean average precision", _mean_of(present, weights)),
        ("macro_f1", "Mean F1", per_label[shown].mean(axis=0) if shown.any() else None),
        ("micro_f1", "F1 of all decisions", together),
        ("macro_auroc", "Mean AUROC", _mean_of(both, weights, auroc=True)),
        ("micro_average_precision", "Average precision of all", _micro(cells, weights, c)),
    ]
    return tuple(
        _interval(name, label, values) for name, label, values in found if values is not None and shown.any()
    )


def _mean_of(ranked: Sequence[RankedLabel], weights: Floats, *, auroc: bool = False) -> Floats | None:
    if not ranked:
        return None
    total = np.zeros(weights.shape[1])
    for one in ranked:
        total += one.auroc(weights) if auroc else one.average_precision(weights)
    return total / len(ranked)


def _micro(cells: RankedLabel, weights: Floats, n_labels: int) -> Floats | None:
    """Average precision over all cells together; a few draws at a time, since there are many cells."""
    if not cells.has.any():
        return None
    images = RankedLabel(cells.rows // n_labels, cells.proba, cells.has, cells.last)
    few = max(1, int(2e7 / max(len(cells.rows), 1)))
    n_draws = min(weights.shape[1], 1 + _MIN_DRAWS)
    parts = [images.average_precision(weights[:, at : at + few]) for at in range(0, n_draws, few)]
    return np.concatenate(parts)[:n_draws]


def _interval(name: str, label: str, values: Floats) -> Figure:
    low, high = np.quantile(values[1:], [0.025, 0.975])
    value = float(values[0])
    return Figure(name, label, value, float(min(low, value)), float(max(high, value)))


def _rows(
    y: Truth, named: NDArray[np.bool_], ranked: Sequence[RankedLabel], names: Sequence[str], cut: Floats
) -> tuple[LabelRow, ...]:
    known = y >= 0
    hits, n_has = (named & (y == 1)).sum(axis=0), (y == 1).sum(axis=0)
    n_named, n_known = (named & known).sum(axis=0), known.sum(axis=0)
    precision, recall = wilson(hits, n_named), wilson(hits, n_has)
    overlap = wilson(hits, n_has + n_named - hits)
    f1 = [2 * limit / (1 + limit) for limit in overlap]
    rows = []
    for i, one in enumerate(ranked):
        n, absent = int(n_has[i]), int(n_known[i] - n_has[i])
        ap = float(one.average_precision()[0]) if n and absent else None
        area = float(one.auroc()[0]) if n and absent else None
        ap_low, ap_high = _limits(ap, n)
        area_low, area_high = _limits(area, min(n, absent))
        rows.append(
            LabelRow(
                name=names[i],
                n=n,
                n_absent=absent,
                n_unknown=len(y) - int(n_known[i]),
                n_predicted=int(n_named[i]),
                threshold=float(cut[i]),
                average_precision=ap,
                average_precision_low=ap_low,
                average_precision_high=ap_high,
                auroc=area,
                auroc_low=area_low,
                auroc_high=area_high,
                precision=float(hits[i] / n_named[i]) if n_named[i] else None,
                precision_low=float(precision[0][i]),
                precision_high=float(precision[1][i]),
                recall=float(hits[i] / n) if n else None,
                recall_low=float(recall[0][i]),
                recall_high=float(recall[1][i]),
                f1=float(2 * hits[i] / (n + n_named[i])) if n else None,
                f1_low=float(f1[0][i]) if n else 0.0,
                f1_high=float(f1[1][i]) if n else 1.0,
            )
        )
    return tuple(rows)


def _limits(value: float | None, n: int) -> tuple[float, float]:
    """Return the binomial interval of an area (Boyd, Eng and Page 2013), in Wilson's form, which holds at 1 too."""
    if value is None:
        return 0.0, 1.0
    low, high = wilson(value * n, n)
    return float(low), float(high)


def _curve(one: RankedLabel) -> LabelCurve:
    ends = np.unique(one.last)
    if not one.has.any():
        return LabelCurve((), (), (), ())
    if len(ends) > _CURVE_POINTS:
        # even steps of recall keep the left part, where few images are named
        hits = np.cumsum(one.has)[ends]
        wanted = np.linspace(hits[0], hits[-1], _CURVE_POINTS)
        ends = ends[np.unique(np.searchsorted(hits, wanted))]
    hits = np.cumsum(one.has)[ends]
    return LabelCurve(
        threshold=tuple(one.proba[ends].round(6).tolist()),
        precision=tuple((hits / (ends + 1)).round(6).tolist()),
        recall=tuple((hits / one.has.sum()).round(6).tolist()),
        n_predicted=tuple((ends + 1).tolist()),
    )


def _together(y: Truth) -> NDArray[np.int64]:
    has = (y == 1).astype(np.float64)
    return np.asarray(has.T @ has, np.int64)


def _notes(y: Truth, names: Sequence[str], n_dropped: int) -> tuple[str, ...]:
    notes = []
    absent = [name for name, has in zip(names, (y == 1).any(axis=0), strict=True) if not has]
    if absent:
        shown = ", ".join(absent[:5]) + (" ..." if len(absent) > 5 else "")
        notes.append(
            f"{len(absent)} of {len(names)} labels are on no test image ({shown}); averages over labels leave them out."
        )
    if n_unknown := int((y < 0).sum()):
        notes.append(f"{n_unknown:,} unknown labels are left out of all figures.")
    if n_dropped:
        notes.append(f"{n_dropped} images without any known label are left out.")
    return tuple(notes)
