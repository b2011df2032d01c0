"""Is this one of those enrolled? What an index answers, and on what that rests."""

import numpy as np
from numpy.typing import NDArray

from genus.errors import DataError
from genus.estimators.index_hits import Identification
from genus.estimators.index_state import IndexState, as_codes
from genus.search.identity import Acquaintance, acquaint
from genus.search.storage import Rows


def acquaintance_of(state: IndexState, n_built: int) -> Acquaintance:
    """Compare those enrolled with each other; under a metric that learned from them, as it was when they were not.

    Parameters
    ----------
    state : IndexState
    n_built : int
        The first rows, from which the metric has learned where it was tuned.

    Raises
    ------
    DataError
        Nobody is enrolled.
    """
    labelled = _labelled(state)
    rows = state.vectors.read(labelled)
    codes = as_codes(state.images.labels.codes[labelled])
    if not state.metric.is_tuned:
        return acquaint(rows, codes)
    later = acquaint(rows, codes, np.flatnonzero(labelled >= n_built))
    return later if state.acquaintance is None else state.acquaintance.joined(later)


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
    mask = np.zeros(len(state.images), bool)
    mask[_labelled(state)] = True
    found = state.vectors.search(vector, 1, mask, exact=True)
    similarity, nearest = float(found.scores[0, 0]), state.images.labels[int(found.rows[0, 0])] or ""
    return Identification(
        name=nearest if similarity > threshold else None,
        nearest=nearest,
        similarity=similarity,
        threshold=threshold,
        false_accept_rate=false_accept_rate,
        accepted=known.accepted(threshold),
        n_strangers=len(known.strangers),
    )


def _labelled(state: IndexState) -> NDArray[np.int64]:
    found = np.flatnonzero((state.images.labels.codes >= 0) & state.vectors.alive)
    if not len(found):
        raise DataError("nobody is enrolled: identify needs images with labels (enrol, or labelled data).")
    return found
