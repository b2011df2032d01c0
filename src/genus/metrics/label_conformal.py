"""Labels that may be there, and labels that surely are: conformal prediction for several labels an image.

Label by label, and without any assumption about the model, only that new images come from where the old ones came
from. Where the scores come from cross-validation and the model is refitted on all images, as in Genus, the guarantee
is weaker in theory (Barber et al. 2021, "Predictive inference with the jackknife+": CV+) and holds in practice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.errors import DataError
from genus.metrics.conformal import Coverage, check_coverage
from genus.metrics.intervals import wilson

Floats = NDArray[np.float64]

_KEPT = 200  # probabilities kept a label: as many quantiles tell all that a coverage of 99% needs


@dataclass(frozen=True, slots=True, eq=False)
class LabelScores:
    """What probability the images with each label were given, and those without it.

    Attributes
    ----------
    has, lacks : tuple of c float64 arrays
        Rising out-of-fold probabilities of each label, thinned to at most 200 quantiles.
    n_has, n_lacks : tuple of c int
        How many images there were.
    """

    has: tuple[Floats, ...]
    lacks: tuple[Floats, ...]
    n_has: tuple[int, ...]
    n_lacks: tuple[int, ...]

    @classmethod
    def of(cls, proba: ArrayLike, truth: ArrayLike) -> "LabelScores":
        """Take the scores of images that the model was not fitted on.

        Parameters
        ----------
        proba : (n, c) float
        truth : (n, c) int
            1 has the label, 0 has it not, -1 unknown (left out).
        """
        p, y = np.asarray(proba, np.float64), np.asarray(truth)
        if p.ndim != 2 or p.shape != y.shape:
            raise DataError(
                f"expected probabilities and labels of one shape (n, c), got {p.shape}, {y.shape}."
            )
        sides = [[np.sort(p[y[:, c] == side, c]) for c in range(p.shape[1])] for side in (1, 0)]
        counts = [tuple(len(one) for one in side) for side in sides]
        return cls(tuple(map(_thinned, sides[0])), tuple(map(_thinned, sides[1])), *counts)

    def possible(self, coverage: float) -> Floats:
        """Return the least probabilities (c,) at which a label may be there.

        An image that has the label passes with probability `coverage` or more. 0 where too few images had it.
        """
        check_coverage(coverage)
        pairs = zip(self.has, self.n_has, strict=True)
        return np.array([_low_quantile(one, n, 1 - coverage) for one, n in pairs])

    def certain(self, coverage: float) -> Floats:
        """Return the least probabilities (c,) at which a label surely is there.

        An image that lacks the label passes with probability `1 - coverage` at most. Above 1 where too few lacked it.
        """
        check_coverage(coverage)
        pairs = zip(self.lacks, self.n_lacks, strict=True)
        limits = [1 - _low_quantile(1 - one[::-1], n, 1 - coverage) + 1e-9 for one, n in pairs]
        return np.array(limits, np.float64)

    def n_unpromised(self, coverage: float) -> int:
        """Count the labels that too few images had to promise this coverage: they are in every set.

        Raises
        ------
        ParameterError
            `coverage` is not between 0 and 1.
        """
        check_coverage(coverage)
        return sum(_rank(n, 1 - coverage) < 1 for n in self.n_has)

    def sets(self, proba: ArrayLike, coverage: float) -> NDArray[np.bool_]:
        """Return the labels that may be there, bool (n, c): each that is there is among them so often.

        Raises
        ------
        ParameterError
            `coverage` is not between 0 and 1.

        Examples
        --------
        >>> scores = LabelScores.of([[0.6], [0.7], [0.8], [0.9], [0.1]], [[1], [1], [1], [1], [0]])
        >>> scores.sets([[0.65], [0.2]], 0.8).tolist()
        [[True], [False]]
        """
        return np.asarray(np.asarray(proba) >= self.possible(coverage), np.bool_)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a model file."""
        return {
            "has": [one.round(6).tolist() for one in self.has],
            "lacks": [one.round(6).tolist() for one in self.lacks],
            "n_has": list(self.n_has),
            "n_lacks": list(self.n_lacks),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "LabelScores":
        """Read what `to_dict` wrote.

        Raises
        ------
        DataError
            It is something else.
        """
        try:
            sides = [tuple(np.asarray(one, np.float64) for one in values[side]) for side in ("has", "lacks")]
            counts = [tuple(int(n) for n in values[side]) for side in ("n_has", "n_lacks")]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("these are not scores as LabelScores.to_dict() writes them.") from error
        return cls(sides[0], sides[1], counts[0], counts[1])


def measure_label_coverage(
    chosen: ArrayLike, truth: ArrayLike, asked: float, *, unpromised: int = 0
) -> Coverage:
    """Hold sets of possible labels against the truth; a `Coverage` whose cases are the labels that are there.

    Parameters
    ----------
    chosen : (n, c) bool
        From `LabelScores.sets`.
    truth : (n, c) int
    asked : float
    unpromised : int
        See `LabelScores.n_unpromised`.

    Raises
    ------
    DataError
        No image has a label.
    """
    sets, y = np.asarray(chosen, np.bool_), np.asarray(truth)
    there = y == 1
    if not there.any():
        raise DataError("no image has a label, so there is nothing to cover.")
    n, hit = int(there.sum()), int((sets & there).sum())
    low, high = wilson(hit, n)
    sizes, n_each = sets.sum(axis=1), there.sum(axis=0)
    return Coverage(
        asked=float(asked),
        covered=hit / n,
        low=float(low),
        high=float(high),
        names=float(sizes.mean()),
        alone=float((sizes == 1).mean()),
        worst=float(((sets & there).sum(axis=0)[n_each > 0] / n_each[n_each > 0]).min()),
        n=n,
        unpromised=unpromised,
    )


def _low_quantile(rising: Floats, n: int, share: float) -> float:
    """Return a value that a new one falls below with probability `share` at most; 0 where there are too few."""
    rank = _rank(n, share)
    if rank < 1 or not len(rising):
        return 0.0
    return float(rising[(rank - 1) * (len(rising) - 1) // max(n - 1, 1)])


def _rank(n: int, share: float) -> int:
    return int(np.floor((n + 1) * share + 1e-9))


def _thinned(rising: Floats) -> Floats:
    if len(rising) <= _KEPT:
        return rising
    return np.asarray(rising[np.linspace(0, len(rising) - 1, _KEPT).round().astype(int)], np.float64)
