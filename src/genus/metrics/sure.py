"""Stopping where it is sure: the deepest taxon that holds the true class as often as was asked for.

NumPy only: `genus.predictor` imports it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.errors import DataError
from genus.metrics.conformal import ConformalScores
from genus.metrics.intervals import wilson
from genus.taxonomy import TOP, Floats, Integers, Taxonomy

_MAX_IMAGES = 20_000  # scored; more say nothing new
_STEPS = 10_000  # scores are rounded up to so many parts of 1: never towards too much certainty


@dataclass(frozen=True, slots=True, eq=False)
class SureTaxa:
    """What is needed to stop at the deepest taxon that is sure, for any coverage.

    A prediction goes down the tree to the most probable class, and stops where the next taxon would be no more
    probable than a threshold. The score of an image is the probability of the first wrong taxon on that way: 0 where
    the most probable class is the true one. With a threshold that so many scores do not exceed, so many predictions
    stop in time.

    Attributes
    ----------
    taxonomy : Taxonomy
    scores : ConformalScores
        Of all images together: how many there are, and the scores above zero.

    Notes
    -----
    The answers for one image are nested, so this is conformal prediction with sets that are taxa: Vovk, Gammerman and
    Shafer (2005), with the loss of Angelopoulos et al. (2024), "Conformal risk control", which is 0 or 1 here.
    Accuracy against depth: Deng, Krause, Berg and Fei-Fei (2012), "Hedging your bets". For what cross-validation
    makes of the guarantee see `genus.metrics.conformal.ConformalScores`.

    Examples
    --------
    >>> tree = Taxonomy.of_paths(["animal/cat", "animal/dog", "plant/rose"])
    >>> proba = [[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.0, 0.1, 0.9], [0.1, 0.8, 0.1]]
    >>> sure = SureTaxa.of(tree, proba, [0, 1, 2, 1])
    >>> taxa, _ = sure.taxa([[0.5, 0.4, 0.1], [0.8, 0.1, 0.1]], 0.8)
    >>> [tree.path(taxon) for taxon in taxa]
    ['animal', 'animal/cat']
    """

    taxonomy: Taxonomy
    scores: ConformalScores

    @classmethod
    def of(cls, taxonomy: Taxonomy, proba: ArrayLike, codes: ArrayLike) -> Self:
        """Score images whose class is known.

        Parameters
        ----------
        taxonomy : Taxonomy
        proba : (n, c) array
            Probabilities, by a model that has not seen these images.
        codes : (n,) int array
            Their true classes, as columns of `proba`. A class that stands above others is taken at its word: whoever
            names one below it has gone too far.

        Raises
        ------
        DataError
            The arrays do not go with each other, or not with the tree.
        """
        rows, true = np.asarray(proba, np.float64), np.asarray(codes, np.int64)
        n_classes = len(taxonomy.classes)
        fits = rows.ndim == 2 and rows.shape == (len(true), n_classes)
        if not fits or (len(true) and not 0 <= true.min() <= true.max() < n_classes):
            raise DataError(
                f"probabilities of shape {rows.shape} do not go with {len(true)} images of {n_classes} classes."
            )
        if len(rows) > _MAX_IMAGES:
            chosen = np.random.default_rng(0).permutation(len(rows))[:_MAX_IMAGES]
            rows, true = rows[chosen], true[chosen]
        found = _first_wrong(taxonomy, rows, np.array(taxonomy.classes)[true])
        found = np.ceil(found[found > 0] * _STEPS - 1e-9) / _STEPS
        return cls(taxonomy, ConformalScores(np.array([len(rows)]), (np.sort(found),)))

    def taxa(self, proba: ArrayLike, coverage: float) -> tuple[Integers, Floats]:
        """Return the deepest taxon that is sure of each image, and its probability.

        Parameters
        ----------
        proba : (n, c) array
        coverage : float
            How often the true class shall be at or below the taxon, between 0 and 1.

        Returns
        -------
        taxa : (n,) int64
            Places in the taxonomy; `TOP` where not even the uppermost taxon is sure.
        proba : (n,) float64
            1 for `TOP`.

        Raises
        ------
        ParameterError
            `coverage` is not between 0 and 1.
        """
        limit = self.scores.threshold(coverage)
        way, on_way = _ways(self.taxonomy, np.asarray(proba, np.float64))
        steps = ((way != TOP) & (on_way > limit)).sum(axis=1)  # probabilities fall on the way down
        last = np.maximum(steps - 1, 0)
        rows = np.arange(len(way))
        taxa = np.where(steps > 0, way[rows, last], TOP)
        return taxa, np.where(steps > 0, np.minimum(on_way[rows, last], 1.0), 1.0)

    def paths(self, proba: ArrayLike, coverage: float) -> NDArray[np.str_]:
        """Return the paths of the deepest sure taxa, (n,); empty for `TOP` (see `taxa`)."""
        places, _ = self.taxa(proba, coverage)
        return np.array([self.taxonomy.path(place) for place in places.tolist()], np.str_)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"tree": self.taxonomy.to_dict(), "sure": self.scores.to_dict()}

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Self:
        """Read what `to_dict` returned.

        Raises
        ------
        DataError
            It is something else.
        """
        try:
            tree, scores = known["tree"], known["sure"]
        except (KeyError, TypeError) as error:
            raise DataError("the taxonomy cannot be read.") from error
        return cls(Taxonomy.from_dict(tree), ConformalScores.from_dict(scores))


@dataclass(frozen=True, slots=True)
class SureRow:
    """How stopping where it is sure did on images whose class is known.

    Attributes
    ----------
    asked : float
        The coverage that was asked for.
    covered, low, high : float
        Share of images whose true class is at or below the taxon given, with its 95% interval.
    depth : float
        Mean depth of the taxa given.
    full : float
        Share of images that got a class, and not a taxon above it.
    nothing : float
        Share of images of which nothing was said.
    n : int
    """

    asked: float
    covered: float
    low: float
    high: float
    depth: float
    full: float
    nothing: float
    n: int


def measure_sure(
    sure: SureTaxa, proba: ArrayLike, truth: Integers, asked: float, below: NDArray[np.bool_] | None = None
) -> SureRow:
    """Hold the deepest sure taxa against the truth.

    Parameters
    ----------
    sure : SureTaxa
    proba : (n, c) array
        n >= 1.
    truth : (n,) int64
        Places of the true taxa.
    asked : float
        The coverage.
    below : (n,) bool or None
        Of which images the truth is known to be below that taxon, but not where: a deeper answer there is right.
    """
    taxonomy = sure.taxonomy
    taxa, _ = sure.taxa(proba, asked)
    common = taxonomy.common(taxa, truth)
    hit = common == taxa
    if below is not None:
        hit |= below & (common == truth)
    low, high = wilson(hit.sum(), len(hit))
    depth = np.append(taxonomy.depth, 0)  # the last is TOP's
    return SureRow(
        asked=float(asked),
        covered=float(hit.mean()),
        low=float(low),
        high=float(high),
        depth=float(depth[taxa].mean()),
        full=float((taxa == np.array(taxonomy.classes)[np.asarray(proba).argmax(axis=1)]).mean()),
        nothing=float((taxa == TOP).mean()),
        n=len(hit),
    )


def _ways(taxonomy: Taxonomy, proba: Floats) -> tuple[Integers, Floats]:
    """Return the taxa from the top to the most probable class, (n, n_levels), and their probabilities."""
    way = taxonomy.lineage[np.array(taxonomy.classes)[proba.argmax(axis=1)]]
    on_way = np.take_along_axis(taxonomy.proba(proba), np.maximum(way, 0), axis=1)
    return way, on_way


def _first_wrong(taxonomy: Taxonomy, proba: Floats, truth: Integers) -> Floats:
    """Return the probability of the first taxon on each way that the truth is not at or below; 0 if none is."""
    way, on_way = _ways(taxonomy, proba)
    wrong = (way != TOP) & (way != taxonomy.lineage[truth])
    first = wrong.argmax(axis=1)
    return np.where(wrong.any(axis=1), on_way[np.arange(len(way)), first], 0.0)
