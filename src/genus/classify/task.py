"""The input of a search, checked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.classify.candidates import DEFAULT_POWER, MAX_ROWS, Candidate, first_candidates
from genus.classify.truth import Truth, truth_of
from genus.errors import DataError, ParameterError
from genus.normalize import chosen_blocks, require_finite


@dataclass(frozen=True, slots=True, eq=False)
class SearchTask:
    """Checked input of a search.

    Parameters
    ----------
    X : (n, d) float32 array
    classes : (n_classes,) array
    truth : Truth
        Of the n rows.
    fold : (n,) int array
    rows : int array
        The rows that candidates are compared on.
    level : str
        The list of candidates that goes on after the first stage.
    candidates : tuple of Candidate
        The first stage.
    blocks : tuple of (start, stop) or None
    weigh : bool
        Whether class weights are worth trying.
    notes : tuple of str
    """

    X: NDArray[np.float32]
    classes: NDArray[Any]
    truth: Truth
    fold: NDArray[np.intp]
    rows: NDArray[np.intp]
    level: str
    candidates: tuple[Candidate, ...]
    blocks: tuple[tuple[int, int], ...] | None
    weigh: bool
    notes: tuple[str, ...]


def checked_task(
    X: ArrayLike,
    y: ArrayLike,
    folds: ArrayLike,
    heads: str | Sequence[Any] | None,
    blocks: Iterable[Any] | None,
    metric: str,
    class_weight: str | None,
    random_state: int | None,
) -> SearchTask:
    """Check what `select` was given and turn it into a task; see there."""
    rows = np.ascontiguousarray(X, np.float32)
    labels, fold = np.asarray(y), np.asarray(folds)
    if rows.ndim != 2 or not len(rows) == len(labels) == len(fold):
        raise DataError(
            f"expected X (n, d), y (n,) and folds (n,), got {rows.shape}, {labels.shape} and {fold.shape}."
        )
    require_finite(rows)
    classes, truth = truth_of(labels)
    if metric not in truth.metrics:
        raise ParameterError(f"metric={metric!r}: expected one of {', '.join(truth.metrics)}.")
    names, fold = np.unique(fold, return_inverse=True)
    if len(names) < 2:
        raise DataError("expected at least 2 folds, got 1: nothing would be held out.")
    bounds = None if blocks is None else tuple(_bounds(block) for block in blocks)
    chosen_blocks(bounds, None, rows.shape[1])
    weigh = class_weight == "auto" and truth.is_uneven
    features = {
        "power": DEFAULT_POWER,
        "blocks": bounds,
        "use": None,
        "class_weight": "balanced" if class_weight == "balanced" else None,
    }
    level, candidates = first_candidates(heads, features, random_state, several=truth.several)
    sample = _sample(truth, fold, MAX_ROWS[level], random_state)
    notes = () if len(sample) == len(rows) else (f"compared on {len(sample)} of {len(rows)} rows",)
    return SearchTask(rows, classes, truth, fold, sample, level, tuple(candidates), bounds, weigh, notes)


def _bounds(block: Any) -> tuple[int, int]:
    if hasattr(block, "start"):
        return int(block.start), int(block.stop)
    start, stop = block
    return int(start), int(stop)


def _sample(truth: Truth, fold: NDArray[np.intp], most: int, random_state: int | None) -> NDArray[np.intp]:
    """Return at most about `most` rows, every class in its proportion but with all or 50 rows at least."""
    if len(truth) <= most:
        return np.arange(len(truth))
    rng = np.random.default_rng(random_state)
    parts = []
    for members in truth.members():
        wanted = min(len(members), max(50, round(len(members) * most / len(truth))))
        parts.append(rng.choice(members, wanted, replace=False))
    # no fold may come out empty, however small it is
    parts += [np.flatnonzero(fold == f)[:5] for f in range(int(fold.max()) + 1)]
    return np.unique(np.concatenate(parts))
