"""What a score means: how often two images that are so alike are of the same class."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.search.storage import Rows

_BINS = 400  # of cosines, from -1 to 1
_KNOTS = 64  # kept of the curve, at most

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """A rising curve from cosines to probabilities.

    Attributes
    ----------
    scores : (m,) float64
        Rising.
    probabilities : (m,) float64
        Rising, in (0, 1).

    Examples
    --------
    >>> Likeness(np.array([0.0, 1.0]), np.array([0.1, 0.9])).of(np.float32([0.5, 2.0])).tolist()
    [0.5, 0.9]
    """

    scores: Doubles
    probabilities: Doubles

    def of(self, scores: Rows) -> Doubles:
        """Return the probability that each score stands for."""
        found: Doubles = np.interp(np.asarray(scores, np.float64), self.scores, self.probabilities)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"scores": self.scores.tolist(), "probabilities": self.probabilities.tolist()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Likeness":
        """Read what `to_dict` wrote."""
        return cls(np.array(values["scores"], float), np.array(values["probabilities"], float))


@dataclass(frozen=True, slots=True, eq=False)
class PairCounts:
    """How many pairs of images are how alike, of the same class and of different ones.

    Attributes
    ----------
    same, different : (400,) float64
        Pairs by their cosine, from -1 to 1.
    """

    same: Doubles
    different: Doubles

    @classmethod
    def none(cls) -> "PairCounts":
        """Begin without pairs."""
        return cls(np.zeros(_BINS), np.zeros(_BINS))

    def plus(self, scores: Rows, same: NDArray[np.bool_], usable: NDArray[np.bool_]) -> "PairCounts":
        """Count more pairs, those that are `usable`."""
        place = np.clip((scores + 1) * (_BINS / 2), 0, _BINS - 1).astype(np.int64)
        counted = [np.bincount(place[chosen], minlength=_BINS) for chosen in (same & usable, ~same & usable)]
        return PairCounts(self.same + counted[0], self.different + counted[1])

    def likeness(self) -> Likeness:
        """Fit the rising curve that fits best (isotonic regression).

        Notes
        -----
        Zadrozny and Elkan (2002), "Transforming classifier scores into accurate multiclass probability estimates",
        KDD. Half a pair of each kind stands beside what was counted, so that nothing is certain.
        """
        from sklearn.isotonic import isotonic_regression

        n = self.same + self.different
        full = np.flatnonzero(n)
        if not len(full):
            return Likeness(np.array([-1.0, 1.0]), np.array([0.5, 0.5]))
        share = isotonic_regression(self.same[full] / n[full], sample_weight=n[full])
        middle = (full + 0.5) * (2 / _BINS) - 1
        levels, first = np.unique(share, return_index=True)
        ends = [*first[1:], len(share)]
        weights = np.array([n[full[a:b]].sum() for a, b in zip(first, ends, strict=True)])
        levels = (levels * weights + 0.5) / (weights + 1)
        places = [np.average(middle[a:b], weights=n[full[a:b]]) for a, b in zip(first, ends, strict=True)]
        kept = np.unique(np.linspace(0, len(places) - 1, min(_KNOTS, len(places))).round().astype(int))
        return Likeness(np.array(places)[kept], np.maximum.accumulate(levels)[kept])
