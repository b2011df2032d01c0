"""Is this one of those enrolled? What an index answers, and on what that rests."""

import numpy as np
from numpy.typing import NDArray

from genus.errors import DataError
from genus.estimators.index_hits import Identification
from genus.estimators.index_state import IndexState
from genus.search.identity import Acquaintance, acquaint
from genus.search.storage import Rows

Codes = NDArray[np.int64]


def acquaintance_of(state: IndexState) -> Acquaintance:
    """Compare those enrolled with each other; under a metric that learned from them, as it was when they were not.

    Raises
    ------
    DataError
        Fewer than two names are enrolled, or the metric has learned from all there are.
    """
    codes = _enrolled(state)
    if not state.metric.is_tuned:
        return acquaint(state.vectors, codes)
    built = np.unique(codes[: state.n_built])
    later = np.flatnonzero((codes >= 0) & ~np.isin(codes, built))  # of names that the metric does not know
    found = acquaint(state.vectors, codes, later)
    if state.acquaintance is not None and len(built[built >= 0]) > 1:
        found = state.acquaintance.seen(_share_seen(codes, state.n_built)).joined(found)
    if not len(found.strangers):
        raise DataError(
            "identify cannot say how alike strangers are: the metric was tuned to the labels, and with fewer than six "
            "of them none can be left out to measure it. Build the index with --no-tune (tune=False)."
        )
    return found


def identify(
    state: IndexState, known: Acquaintance, vector: Rows, false_accept_rate: float
) -> Identification:
    """Answer for one image, whose vector is (1, p) float32.

    Raises
    ------
    DataError, ParameterError
        See `Acquaintance.threshold`.
    """
    threshold = known.threshold(false_accept_rate)
    found = state.vectors.search(vector, 1, _enrolled(state) >= 0, exact=True)
    similarity, nearest = float(found.scores[0, 0]), state.images.labels[int(found.rows[0, 0])] or ""
    return Identification(
        name=nearest if similarity > threshold else None,
        nearest=nearest,
        similarity=similarity,
        threshold=threshold,
        false_accept_rate=false_accept_rate,
        accepted=known.accepted(threshold),
        n_strangers=len(known.strangers),
        n_names=known.n_names,
        names_needed=known.names_needed(false_accept_rate),
    )


def _share_seen(codes: Codes, n_built: int) -> float:
    """Return what share of those enrolled now the strangers that were measured at the build have seen."""
    now, then = codes[codes >= 0], codes[:n_built][codes[:n_built] >= 0]
    n_now, n_then = len(np.unique(now)), len(np.unique(then))
    by_names, by_images = (n_then - 1) / n_now, len(then) / len(now) * (n_then - 1) / n_then
    return min(by_names, by_images)


def _enrolled(state: IndexState) -> Codes:
    """Return the label of each row, -1 for none; removed rows have none."""
    codes = np.where(state.vectors.alive, state.images.labels.codes, -1).astype(np.int64)
    if not (codes >= 0).any():
        raise DataError("nobody is enrolled: identify needs images with labels (enrol, or labelled data).")
    return codes
