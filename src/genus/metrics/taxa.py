"""How good predictions are when classes form a tree: by level, by taxon, and how far off the mistakes are."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.errors import DataError
from genus.metrics.evaluation import Figure
from genus.metrics.intervals import mean_interval, wilson
from genus.metrics.sure import SureRow, SureTaxa, measure_sure
from genus.taxonomy import TOP, Integers, Taxonomy

_COVERAGES = (0.8, 0.9, 0.95, 0.99)
_MAX_PAIRS = 20


@dataclass(frozen=True, slots=True)
class LevelRow:
    """How often predictions are right down to one level.

    Attributes
    ----------
    depth : int
        1 for the uppermost taxa.
    rank : str
        What the level is called.
    n_taxa : int
        Taxa of that level.
    n : int
        Images whose true taxon is known down to that level.
    accuracy, low, high : float
        Share of those that are right, with its 95% interval.
    """

    depth: int
    rank: str
    n_taxa: int
    n: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class TaxonRow:
    """How often the images of one taxon, and of all below it, are found.

    Attributes
    ----------
    path, name : str
    depth : int
    n : int
        Images at or below it.
    n_predicted : int
        Images predicted at or below it.
    n_right : int
        Images that are both.
    recall : float or None
        Share of its images that were predicted at or below it; None without images.
    low, high : float
        The 95% interval.
    """

    path: str
    name: str
    depth: int
    n: int
    n_predicted: int
    n_right: int
    recall: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class TaxonPair:
    """Taxa that are mixed up: the first on the two ways down that differ.

    Attributes
    ----------
    true, predicted : str
        Paths.
    within : str
        The deepest taxon that both belong to; empty where there is none.
    n : int
        Images.
    """

    true: str
    predicted: str
    within: str
    n: int


@dataclass(frozen=True, slots=True)
class TaxonomyEvaluation:
    """How good predictions are in the tree.

    Attributes
    ----------
    n : int
        Images whose label is in the tree.
    n_coarse : int
        Those of them whose label names no class, but a taxon above some.
    figures : tuple of Figure
        `hierarchical_precision`, `hierarchical_recall`, `hierarchical_f1`, `mistake_distance` (where there are
        mistakes), and `accuracy_level_1` and so on.
    levels : tuple of LevelRow
        Those with more than one taxon, the highest first.
    taxa : tuple of TaxonRow
        All, each behind the one it belongs to.
    pairs : tuple of TaxonPair
        The most frequent 20.
    sure : tuple of SureRow
        How stopping where it is sure did, for coverages of 80, 90, 95 and 99%.
    """

    n: int
    n_coarse: int
    figures: tuple[Figure, ...]
    levels: tuple[LevelRow, ...]
    taxa: tuple[TaxonRow, ...]
    pairs: tuple[TaxonPair, ...]
    sure: tuple[SureRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def evaluate_taxa(
    sure: SureTaxa, proba: ArrayLike, truth: ArrayLike, coarse: ArrayLike | None = None
) -> TaxonomyEvaluation:
    """Score predicted probabilities against true taxa.

    Parameters
    ----------
    sure : SureTaxa
        The tree, and what is needed to stop where it is sure.
    proba : (n, c) array
        n >= 1. The prediction is the most probable class.
    truth : (n,) int array
        Places of the true taxa.
    coarse : (n,) bool array or None
        Images of which only a taxon above their class is known. They are judged down to there: a prediction below
        it is right.

    Raises
    ------
    DataError
        There is no image.

    Notes
    -----
    A prediction stands for its class and all taxa above. Hierarchical precision is the share of the predicted taxa that
    are true, recall that of the true ones that were predicted, all images together: Kiritchenko, Matwin, Nock and
    Famili (2006), "Learning and evaluation in the presence of class hierarchies"; Kosmopoulos et al. (2015). A root
    that all classes share is not counted. The distance of a mistake is the height of the deepest taxon that truth and
    prediction have in common (Bertinetto et al. 2020), the mean over mistakes.

    Examples
    --------
    >>> tree = Taxonomy.of_paths(["animal/cat", "animal/dog", "plant/rose"])
    >>> proba = np.array([[0.9, 0.1, 0], [0.6, 0.4, 0], [0, 0.1, 0.9], [0.8, 0.1, 0.1]])
    >>> found = evaluate_taxa(SureTaxa.of(tree, proba, [0, 1, 2, 2]), proba, [1, 2, 4, 4])
    >>> [(figure.name, figure.value) for figure in found.figures[:4]]  # a dog and a rose, both taken for cats
    [('hierarchical_precision', 0.625), ('hierarchical_recall', 0.625), ('hierarchical_f1', 0.625), \
('mistake_distance', 1.5)]
    """
    tree, true = sure.taxonomy, np.asarray(truth, np.int64)
    if not len(true):
        raise DataError("there are no images to evaluate.")
    below = np.zeros(len(true), bool) if coarse is None else np.asarray(coarse, bool)
    said = judged_taxa(tree, proba, true, below)
    levels = _levels(tree, true, said)
    return TaxonomyEvaluation(
        n=len(true),
        n_coarse=int(below.sum()),
        figures=(*_hierarchical(tree, true, said), *_distance(tree, true, said), *_level_figures(levels)),
        levels=levels,
        taxa=_taxa(tree, true, said),
        pairs=_pairs(tree, true, said),
        sure=tuple(measure_sure(sure, proba, true, asked, below) for asked in _COVERAGES),
    )


def judged_taxa(taxonomy: Taxonomy, proba: ArrayLike, truth: Integers, coarse: NDArray[np.bool_]) -> Integers:
    """Return the most probable class's taxon, but where the truth is coarse no deeper than that is known; (n,)."""
    said = np.array(taxonomy.classes)[np.asarray(proba).argmax(axis=1)]
    cut = taxonomy.lineage[said, taxonomy.depth[truth] - 1]
    return np.asarray(np.where(coarse & (cut != TOP), cut, said), np.int64)


def _hierarchical(tree: Taxonomy, true: Integers, said: Integers) -> tuple[Figure, ...]:
    shared = 1 if len(tree.roots) == 1 else 0
    depth = np.append(tree.depth, 0)
    both = np.maximum(depth[tree.common(true, said)] - shared, 0)
    n_true, n_said = depth[true] - shared, depth[said] - shared
    wanted = {
        "precision": n_said,
        "recall": n_true,
        "f1": (n_true + n_said) / 2,
    }
    return tuple(
        _ratio(f"hierarchical_{name}", f"Hierarchical {name.upper() if name == 'f1' else name}", both, whole)
        for name, whole in wanted.items()
    )


def _ratio(name: str, label: str, part: Integers, whole: NDArray[Any]) -> Figure:
    """Return the sum of parts over the sum of wholes.

    The interval is Wilson's with an effective number of images, p (1 - p) / variance, the variance that of a ratio
    (delta method). One imaginary image all right and one all wrong keep it from zero, as in `averages`.
    """
    if not whole.sum():
        return Figure(name, label, 1.0, 0.0, 1.0)
    mean = whole.mean()
    parts = np.append(part, [mean, 0.0])
    wholes = np.append(whole, [mean, mean])
    ratio = parts.sum() / wholes.sum()
    variance = np.mean(((parts - ratio * wholes) / wholes.mean()) ** 2) / len(parts)
    value, n_effective = float(part.sum() / whole.sum()), ratio * (1 - ratio) / variance
    low, high = wilson(value * n_effective, n_effective)
    return Figure(name, label, value, float(low), float(high))


def _distance(tree: Taxonomy, true: Integers, said: Integers) -> tuple[Figure, ...]:
    """Return the mean distance of the mistakes, if there are any."""
    apart = tree.distance(true, said)[true != said].astype(np.float64)
    if not len(apart):
        return ()
    lowest, highest = 1.0, float(tree.height.max()) + (len(tree.roots) > 1)
    interval = mean_interval(apart)
    low, high = interval or (lowest, highest)
    if low == high:  # all alike: how many others there may be is all that is uncertain
        others = float(wilson(0, len(apart))[1])
        low, high = low - others * (low - lowest), high + others * (highest - high)
    low, high = max(low, lowest), min(high, highest)
    label = "Distance of mistakes"
    figure = Figure("mistake_distance", label, float(apart.mean()), low, high, False, False)
    return (figure,)


def _levels(tree: Taxonomy, true: Integers, said: Integers) -> tuple[LevelRow, ...]:
    rows = []
    for depth in range(1, tree.n_levels + 1):
        is_true, is_said = tree.lineage[true, depth - 1], tree.lineage[said, depth - 1]
        known, n_taxa = is_true != TOP, int((tree.depth == depth).sum())
        if n_taxa < 2 or not known.any():
            continue
        right = (is_true == is_said)[known]
        low, high = wilson(right.sum(), len(right))
        rows.append(
            LevelRow(
                depth, tree.rank(depth), n_taxa, len(right), float(right.mean()), float(low), float(high)
            )
        )
    return tuple(rows)


def _level_figures(levels: Sequence[LevelRow]) -> tuple[Figure, ...]:
    return tuple(
        Figure(f"accuracy_level_{row.depth}", f"Accuracy, {row.rank}", row.accuracy, row.low, row.high)
        for row in levels
    )


def _taxa(tree: Taxonomy, true: Integers, said: Integers) -> tuple[TaxonRow, ...]:
    n_taxa = len(tree.names)
    is_true, is_said = tree.lineage[true], tree.lineage[said]
    both = is_true[(is_true == is_said) & (is_true != TOP)]
    n, n_said, n_right = (
        np.bincount(places[places != TOP].ravel(), minlength=n_taxa) for places in (is_true, is_said, both)
    )
    low, high = wilson(n_right, n)
    return tuple(
        TaxonRow(
            path=tree.paths[i],
            name=tree.names[i],
            depth=int(tree.depth[i]),
            n=int(n[i]),
            n_predicted=int(n_said[i]),
            n_right=int(n_right[i]),
            recall=float(n_right[i] / n[i]) if n[i] else None,
            low=float(low[i]),
            high=float(high[i]),
        )
        for i in range(n_taxa)
    )


def _pairs(tree: Taxonomy, true: Integers, said: Integers) -> tuple[TaxonPair, ...]:
    wrong = np.flatnonzero(true != said)
    common = tree.common(true[wrong], said[wrong])
    depth = np.append(tree.depth, 0)[common]
    first = []
    for taxa in (true[wrong], said[wrong]):
        # a class that stands above the other one is itself where they part
        beyond = tree.lineage[taxa, np.minimum(depth, tree.n_levels - 1)]
        first.append(np.where(tree.depth[taxa] > depth, beyond, taxa).tolist())
    counts = Counter(zip(*first, common.tolist(), strict=True))
    return tuple(
        TaxonPair(tree.path(a), tree.path(b), tree.path(within), n)
        for (a, b, within), n in counts.most_common(_MAX_PAIRS)
    )
