"""A handful of examples a class: one head chosen beforehand, so that nothing has to be chosen with them.

Which head, its settings and how sure it is were measured on other data (`benchmarks/few_shot.py`). With so few
examples a comparison mostly picks what was lucky, and there is none left to find that out.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.classify.calibration import Calibration
from genus.classify.cost import rows_per_second
from genus.classify.few_calibration import USUAL_TEMPERATURE, calibration_near
from genus.classify.leaderboard import LeaderboardRow, Selection
from genus.classify.logistic import LogisticHead
from genus.classify.scores import balanced_accuracy, log_loss, macro_f1, score
from genus.classify.truth import ABSENT
from genus.classify.workshop import logits_of

NEVER = -1
"""The fold of rows that are always learned from and never judged."""

FEW = 10
"""Up to so many different images a class (the median class) one head is chosen beforehand."""

_FEW_ROWS = 150  # from so many on in all, comparing pays even so: measured on 21 classes of 8 images
_C = 150.0
_NOT_TOLD = ("blocks", "pile")  # parameters that are no news to people

Codes = NDArray[np.int64]


def is_few(codes: NDArray[np.int64], units: NDArray[np.int64]) -> bool:
    """Say whether there are too few examples to choose among heads with.

    Parameters
    ----------
    codes : (n,) int64 array
        Class codes.
    units : (n,) int64 array
        Rows with the same number are all but the same example.

    Notes
    -----
    Measured on five sets of photographs (`benchmarks/few_shot.py`): with five images a class the head chosen
    beforehand is right more often than the best by cross-validation, with ten there is no difference left, and with
    many classes comparing pays earlier.

    Examples
    --------
    >>> is_few(np.repeat([0, 1], 5), np.arange(10)), is_few(np.repeat([0, 1], 50), np.arange(100))
    (True, False)
    """
    distinct = np.unique(np.column_stack([codes, units]), axis=0)
    counts = np.bincount(distinct[:, 0])
    return bool(np.median(counts[counts > 0]) <= FEW and len(distinct) <= _FEW_ROWS)


def few_shot_head(blocks: Sequence[Any] | None = None) -> LogisticHead:
    """Return the unfitted head for one to about ten examples a class.

    Logistic regression with next to no penalty, on the networks' last layers only: the layers in the middle need more
    examples than that before they help. Classes count the same: how many examples somebody had at hand says little of
    how frequent a class is.

    Parameters
    ----------
    blocks : sequence of blocks with `start`, `stop` and `middle`, or None
        What the feature columns are made of; None stands for one block.

    Examples
    --------
    >>> few_shot_head().C
    150.0
    """
    if blocks is None:
        return LogisticHead(C=_C, class_weight="balanced")
    last = [i for i, block in enumerate(blocks) if not block.middle]
    bounds = tuple((block.start, block.stop) for block in blocks)
    use = tuple(last) if 0 < len(last) < len(blocks) else None
    return LogisticHead(C=_C, blocks=bounds, use=use, class_weight="balanced")


def judge_beforehand(
    head: Any,
    X: NDArray[np.float32],
    codes: Codes,
    folds: Codes,
    *,
    name: str = "logistic",
    metric: str = "accuracy",
    usual_temperature: float = USUAL_TEMPERATURE,
    calibration: str = "auto",
) -> Selection:
    """Cross-validate one head that was chosen beforehand, so that its figures are not those of the best of many.

    Parameters
    ----------
    head : head
        Unfitted.
    X : (n, d) float32 array
        Features.
    codes : (n,) int64 array
        Class codes; 0 to c - 1, all of which occur.
    folds : (n,) int64 array
        The fold that holds a row out; `NEVER` for rows that are only learned from.
    name : str, default "logistic"
        What the head is called.
    metric : str, default "accuracy"
        What the selection says it was judged by.
    usual_temperature : float
        The temperature that suits this head on other data: the fewer rows are judged, the more it counts.
    calibration : str, default "auto"
        "none" leaves the logits as they are; anything else fits a temperature, for which alone there are rows enough.

    Returns
    -------
    Selection
        `logits` has a row for each row of `X` that was held out, in their order; none if there are none.

    Notes
    -----
    One fit a fold.

    Examples
    --------
    >>> X = np.float32([[9, 1], [8, 2], [1, 9], [2, 8]])
    >>> found = judge_beforehand(few_shot_head(), X, np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))
    >>> found.logits.argmax(axis=1).tolist()
    [0, 0, 1, 1]
    """
    start = time.perf_counter()
    n_classes = int(codes.max()) + 1
    logits = np.full((len(X), n_classes), ABSENT, np.float32)
    names = [int(f) for f in np.unique(folds) if f != NEVER]
    for f in names:
        out = folds == f
        logits[out] = _logits(head, X, codes, ~out, X[out], n_classes)
    judged = folds != NEVER
    raw, true = logits[judged], codes[judged]
    chosen = Calibration() if calibration == "none" else calibration_near(raw, true, usual_temperature)
    logits = np.asarray(chosen.apply(raw), np.float32)
    seconds = time.perf_counter() - start
    row = judged_row(head, name, metric, logits, true, folds[judged], size=X.shape, seconds=seconds)
    return Selection(
        metric=metric,
        leaderboard=(row,),
        winner=head,
        winner_row=row,
        classes=np.arange(n_classes),
        multilabel=False,
        logits=logits,
        calibration=chosen,
        score_nested=row.score,
        stopped_early=False,
        not_tried=(),
        notes=(),
        seconds=time.perf_counter() - start,
    )


def _logits(
    head: Any,
    X: NDArray[np.float32],
    codes: Codes,
    train: NDArray[np.bool_],
    held_out: NDArray[np.float32],
    n_classes: int,
) -> NDArray[np.float32]:
    from sklearn.base import clone

    logits = np.full((len(held_out), n_classes), ABSENT, np.float32)
    seen = np.unique(codes[train])
    if len(seen) == 1:  # the fold holds every row of the other classes
        logits[:, seen] = 0
        return logits
    fitted = clone(head).fit(X[train], codes[train])
    logits[:, fitted.classes_] = logits_of(fitted, held_out)
    return logits


def judged_row(
    head: Any,
    name: str,
    metric: str,
    logits: NDArray[np.float32],
    codes: Codes,
    folds: Codes,
    *,
    size: tuple[int, ...],
    seconds: float,
) -> LeaderboardRow:
    """Return the one row of the leaderboard; NaN where nothing was judged."""
    predicted = logits.argmax(axis=1) if len(logits) else codes
    per_fold = [score(metric, logits[folds == f], codes[folds == f]) for f in np.unique(folds)]
    known = len(logits) > 0
    nothing = float("nan")
    return LeaderboardRow(
        name=name,
        params={k: v for k, v in head.get_params(deep=False).items() if k not in _NOT_TOLD and v is not None},
        score=score(metric, logits, codes) if known else nothing,
        spread=float(np.std(per_fold, ddof=1)) if len(per_fold) > 1 else 0.0,
        accuracy=score("accuracy", logits, codes) if known else nothing,
        balanced_accuracy=balanced_accuracy(predicted, codes) if known else nothing,
        macro_f1=macro_f1(predicted, codes, logits.shape[1]) if known else nothing,
        log_loss=log_loss(logits, codes) if known else nothing,
        fit_seconds=seconds,
        predict_images_per_second=rows_per_second(head, size[0], size[1], logits.shape[1]),
        n_fits=len(per_fold),
        note="chosen beforehand",
    )
