"""Conformal prediction: sets of class names that hold the true one as often as was asked for.

NumPy only: `genus.predictor` imports it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.errors import DataError, ParameterError
from genus.metrics.intervals import wilson

_MAX_IMAGES = 20_000  # scored; more say nothing new
_STEPS = 10_000  # scores are rounded up to so many parts of 1: never towards sets that are too small

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ConformalScores:
    """What is needed to say how many names are enough, for any coverage.

    The score of an image and a class is the probability of all classes that are more probable: 0 for the first
    guess. A set takes in classes, the most probable first, until so much probability is in it that the true class
    lay beyond in few enough of the images that were scored.

    Attributes
    ----------
    n : (c,) int64
        How many images of each class were scored.
    scores : tuple of c (k,) float64
        Of each class's images the scores above zero, ascending.

    Notes
    -----
    Adaptive sets without randomisation: Romano, Sesia and Candes (2020), "Classification with valid and adaptive
    coverage", NeurIPS. For scores of images that no part of the model has seen, sets hold the true class with at least
    the coverage asked for, on average over images of the same kind (Vovk, Gammerman and Shafer, 2005). Scores of
    cross-validation, as training uses them, are those of models that learned from fewer images than the final one: the
    guarantee then is not strict, and is measured instead.

    Examples
    --------
    >>> proba = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]])
    >>> scores = ConformalScores.of(proba, [0, 1, 1, 1])
    >>> scores.sets(np.array([[0.95, 0.05], [0.5, 0.5]]), 0.8).tolist()
    [[True, False], [True, True]]
    """

    n: NDArray[np.int64]
    scores: tuple[Floats, ...]

    @classmethod
    def of(cls, proba: ArrayLike, codes: ArrayLike) -> Self:
        """Score images whose class is known.

        Parameters
        ----------
        proba : (n, c) array
            Probabilities, by a model that has not seen these images.
        codes : (n,) int array
            Their true classes, as columns of `proba`.

        Raises
        ------
        DataError
            The lengths differ, or a class is none of the columns.
        """
        rows, true = np.asarray(proba, np.float64), np.asarray(codes, np.int64)
        if len(rows) != len(true) or (len(true) and not 0 <= true.min() <= true.max() < rows.shape[1]):
            raise DataError(f"{len(rows)} rows of probabilities do not go with these {len(true)} classes.")
        n_classes = rows.shape[1]
        if len(rows) > _MAX_IMAGES:
            chosen = np.random.default_rng(0).permutation(len(rows))[:_MAX_IMAGES]
            rows, true = rows[chosen], true[chosen]
        own = mass_before(rows)[np.arange(len(rows)), true]
        own = np.ceil(own * _STEPS - 1e-9) / _STEPS
        kept = tuple(np.sort(own[(true == c) & (own > 0)]) for c in range(n_classes))
        return cls(np.bincount(true, minlength=n_classes), kept)

    def threshold(self, coverage: float) -> float:
        """Return the score up to which classes belong to a set; infinite where too few images were scored.

        Raises
        ------
        ParameterError
            `coverage` is not between 0 and 1.
        """
        check_coverage(coverage)
        return _quantile(int(self.n.sum()), np.sort(np.concatenate(self.scores)), coverage)

    def class_thresholds(self, coverage: float) -> Floats:
        """Return a threshold for each class, (c,): each class by itself is covered as often as asked for."""
        check_coverage(coverage)
        pairs = zip(self.n.tolist(), self.scores, strict=True)
        return np.array([_quantile(n, scores, coverage) for n, scores in pairs])

    def sets(self, proba: ArrayLike, coverage: float, *, by_class: bool = False) -> NDArray[np.bool_]:
        """Return which classes are in the set of each image, (n, c); the first guess always is.

        Parameters
        ----------
        proba : (n, c) array
        coverage : float
            How often the true class shall be in the set, between 0 and 1.
        by_class : bool, default False
            Whether that shall hold for each class by itself: larger sets, and fair to rare classes.
        """
        before = mass_before(proba)
        limit = self.class_thresholds(coverage) if by_class else self.threshold(coverage)
        chosen = before <= limit
        first = np.asarray(proba).argmax(axis=1)
        chosen[np.arange(len(chosen)), first] = True
        return np.asarray(chosen, np.bool_)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"n": self.n.tolist(), "scores": [scores.tolist() for scores in self.scores]}

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Self:
        """Read what `to_dict` returned.

        Raises
        ------
        DataError
            It is something else.
        """
        try:
            n = np.array(known["n"], np.int64)
            scores = tuple(np.array(part, np.float64) for part in known["scores"])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("the scores for sets of names cannot be read.") from error
        if n.ndim != 1 or len(n) != len(scores) or any(part.ndim != 1 for part in scores):
            raise DataError("the scores for sets of names do not go with the classes.")
        return cls(n, scores)


def mass_before(proba: ArrayLike) -> Floats:
    """Return for each image and class the probability of all classes before it, the most probable first, (n, c)."""
    rows = np.asarray(proba, np.float64)
    order = np.argsort(-rows, axis=1, kind="stable")
    ranked = np.take_along_axis(rows, order, axis=1)
    before = np.empty_like(rows)
    np.put_along_axis(before, order, np.cumsum(ranked, axis=1) - ranked, axis=1)
    return before


def check_coverage(coverage: float) -> None:
    """Raise a ParameterError unless `coverage` is a number between 0 and 1."""
    if not isinstance(coverage, (int, float, np.floating)) or not 0 < coverage < 1:
        raise ParameterError(f"coverage must be between 0 and 1, such as 0.95, not {coverage!r}.")


@dataclass(frozen=True, slots=True)
class Coverage:
    """How sets did on images whose class is known.

    Attributes
    ----------
    asked : float
        The coverage that was asked for.
    covered, low, high : float
        Share of sets that hold the true class, with its 95% interval.
    names : float
        Mean number of names in a set.
    alone : float
        Share of sets with one name.
    worst : float
        The least covered class.
    n : int
    unpromised : int
        With several labels an image: labels on too few images to promise so much of; they are in every set.
    """

    asked: float
    covered: float
    low: float
    high: float
    names: float
    alone: float
    worst: float
    n: int
    unpromised: int = 0


def measure_coverage(chosen: ArrayLike, codes: ArrayLike, asked: float) -> Coverage:
    """Hold sets against the truth.

    Parameters
    ----------
    chosen : (n, c) bool
        From `ConformalScores.sets`.
    codes : (n,) int
        True classes.
    asked : float

    Raises
    ------
    DataError
        There is nothing to measure.

    Examples
    --------
    >>> measure_coverage([[True, False], [True, True]], [0, 0], 0.9).names
    1.5
    """
    sets, true = np.asarray(chosen, np.bool_), np.asarray(codes, np.int64)
    if not len(true) or len(sets) != len(true):
        raise DataError(f"{len(sets)} sets cannot be held against {len(true)} classes.")
    hit, sizes = sets[np.arange(len(true)), true], sets.sum(axis=1)
    low, high = wilson(hit.sum(), len(hit))
    return Coverage(
        asked=float(asked),
        covered=float(hit.mean()),
        low=float(low),
        high=float(high),
        names=float(sizes.mean()),
        alone=float((sizes == 1).mean()),
        worst=min(float(hit[true == c].mean()) for c in np.unique(true)),
        n=len(true),
    )


def _quantile(n: int, scores: Floats, coverage: float) -> float:
    """Return the score that so large a share of n + 1 images does not exceed; of n, the others are zero."""
    rank = int(np.ceil((n + 1) * coverage - 1e-9))
    if rank > n:
        return float("inf")
    n_zero = n - len(scores)
    return 0.0 if rank <= n_zero else float(scores[rank - n_zero - 1])
