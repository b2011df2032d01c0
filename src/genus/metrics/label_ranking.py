"""How well labels are ranked: for each label the images, and for each image the labels. Unknown cells are masked."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genus.metrics.intervals import Floats

Truth = NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class RankedLabel:
    """The images of one label by falling probability.

    Attributes
    ----------
    rows : (m,) int64
        The images of which the label is known.
    proba : (m,) float64
        Falling.
    has : (m,) bool
    last : (m,) int64
        Position of the last image with the same probability.
    """

    rows: NDArray[np.int64]
    proba: Floats
    has: NDArray[np.bool_]
    last: NDArray[np.int64]

    @classmethod
    def of(cls, truth: NDArray[np.int8], proba: Floats) -> "RankedLabel":
        """Rank the images by `proba (n,)`; those whose `truth (n,)` is -1 are left out."""
        rows = np.flatnonzero(truth >= 0)
        rows = rows[np.argsort(-proba[rows], kind="stable")]
        ranked = np.asarray(proba[rows], np.float64)
        return cls(rows, ranked, truth[rows] == 1, _last_of_equals(ranked[None])[0])

    def average_precision(self, weights: Floats | None = None) -> Floats:
        """Return the average precision for each column of row weights (n, b), shape (b,); NaN where undefined.

        The mean, over the images that have the label, of the precision among those at least as probable.
        """
        w = self._weights(weights)
        hits, named = np.cumsum(w * self.has[:, None], axis=0), np.cumsum(w, axis=0)
        precision = hits[self.last] / np.maximum(named[self.last], 1e-12)
        total = hits[-1] if len(hits) else np.zeros(w.shape[1])
        with np.errstate(invalid="ignore", divide="ignore"):
            found = (w * self.has[:, None] * precision).sum(axis=0) / total
        return np.asarray(found, np.float64)

    def auroc(self, weights: Floats | None = None) -> Floats:
        """Return the area under the ROC curve for each column of row weights; NaN where undefined.

        The probability that an image with the label is ranked above one without; equals count half.
        """
        w = self._weights(weights)
        without = np.cumsum(w * ~self.has[:, None], axis=0)
        if not len(without):
            return np.full(w.shape[1], np.nan)
        at = without[self.last]
        first = np.searchsorted(-self.proba, -self.proba, side="left")
        above = np.where(first[:, None] > 0, without[np.maximum(first - 1, 0)], 0)
        positive = w * self.has[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            lost = (positive * (at + above) / 2).sum(axis=0) / (positive.sum(axis=0) * without[-1])
        return np.asarray(1 - lost, np.float64)

    def _weights(self, weights: Floats | None) -> Floats:
        return np.ones((len(self.rows), 1)) if weights is None else weights[self.rows]


@dataclass(frozen=True, slots=True, eq=False)
class ImageRanking:
    """How the labels of each image are ranked.

    Attributes
    ----------
    coverage : (n,) float64
        How many labels from the top one must take to have all that the image has; 0 if it has none.
    precision : (n,) float64
        Mean, over its labels, of the share of its labels among those at least as probable; 1 if it has none.
    loss : (n,) float64
        Share of pairs, one label it has and one it has not, in the wrong order; 0 if there are none.
    """

    coverage: Floats
    precision: Floats
    loss: Floats


def rank_labels(truth: Truth, proba: Floats) -> ImageRanking:
    """Rank each image's labels.

    Parameters
    ----------
    truth : (n, c) int8
    proba : (n, c) float

    Notes
    -----
    Tsoumakas, Katakis and Vlahavas (2010), "Mining multi-label data". O(n c log c).

    Examples
    --------
    >>> found = rank_labels(np.array([[1, 0, 0]], np.int8), np.array([[0.5, 0.9, 0.1]]))
    >>> found.coverage.tolist(), found.precision.tolist(), found.loss.tolist()
    ([2.0], [0.5], [0.5])
    """
    scores = np.where(truth >= 0, proba, -1.0)  # unknown ones last, where they are in nobody's way
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked = np.take_along_axis(scores, order, axis=1)
    labels = np.take_along_axis(truth, order, axis=1)
    last = _last_of_equals(ranked)
    has, lacks = labels == 1, labels == 0
    found = np.take_along_axis(np.cumsum(has, axis=1), last, axis=1)
    false = np.take_along_axis(np.cumsum(lacks, axis=1), last, axis=1)
    n_has, n_lacks = has.sum(axis=1), lacks.sum(axis=1)
    taken = found + false
    precision = np.where(has, found / np.maximum(taken, 1), 0).sum(axis=1) / np.maximum(n_has, 1)
    wrong = np.where(has, false, 0).sum(axis=1) / np.maximum(n_has * n_lacks, 1)
    return ImageRanking(
        coverage=np.where(has, taken, 0).max(axis=1, initial=0).astype(np.float64),
        precision=np.where(n_has > 0, precision, 1.0),
        loss=np.asarray(wrong, np.float64),
    )


def _last_of_equals(falling: Floats) -> NDArray[np.int64]:
    """Return for each place in rows (n, c) of falling values the last place with the same value."""
    n_columns = falling.shape[1]
    ends = np.full(falling.shape, n_columns - 1)
    ends[:, :-1] = np.where(falling[:, :-1] != falling[:, 1:], np.arange(n_columns - 1), n_columns - 1)
    return np.asarray(np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1], np.int64)
