"""Which metric is best on images, and on classes, that it has not learned from; and what its scores mean."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genus.search.likeness import Likeness, PairCounts
from genus.search.metric import TUNINGS, Metric, Tuning, centred, tuned
from genus.search.retrieval import Retrieval, query_figures, retrieval_of
from genus.search.sampling import pair_odds, sample_rows
from genus.search.storage import Rows

N_FOLDS = 3
_MOST_JUDGED = 3000  # rows; every pair of them is compared for each candidate
CLASSES_FOR_FOLDS = 6  # of fewer none can be left out
_TOLERATED = 0.01  # of mean average precision, on classes that were left out
_LEAST_GAIN = (
    0.03  # of it, on images: labels drawn by lot gain 0.02 on a few hundred images, real ones a multiple
)

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Labelled rows to learn a metric from and to judge it by.

    Attributes
    ----------
    rows : (n, d) float32
        Unit rows of features.
    codes : (n,) int64
        Classes from 0.
    groups : (n,) int64
        Copies of one picture have one number; they are neither query and answer of each other, nor in two folds.
    """

    rows: Rows
    codes: Codes
    groups: Codes

    def take(self, places: Codes) -> "Material":
        """Return some rows."""
        return Material(self.rows[places], self.codes[places], self.groups[places])


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What was found for one way of comparing.

    Attributes
    ----------
    name : str
    figures : (q, 4) float64
        See `query_figures`: queries and stored rows are different images of the same classes.
    on_new_classes : (r, 4) float64
        Of classes that the metric has not learned from; none where there are too few.
    pairs : PairCounts
        How alike pairs of the same class, and of different ones, are.
    own, other : (q,) float32
        How like the nearest image of its class, and the nearest of another one, each query is.
    """

    name: str
    figures: NDArray[np.float64]
    on_new_classes: NDArray[np.float64]
    pairs: PairCounts
    own: Rows
    other: Rows

    @property
    def retrieval(self) -> Retrieval:
        """The figures, averaged."""
        return retrieval_of(self.figures)

    @property
    def retrieval_of_new_classes(self) -> Retrieval:
        """The same for classes that were left out."""
        return retrieval_of(self.on_new_classes)

    @property
    def likeness(self) -> Likeness:
        """What a score means."""
        return self.pairs.likeness()


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The metric that is used, and what was measured of it and of the one without labels.

    Attributes
    ----------
    metric : Metric
    base, chosen : Judged
        Without labels, and what is used; the same where tuning was not worth it.
    centred : Metric
        The one without labels.
    tuning : Tuning or None
        How it was tuned.
    """

    metric: Metric
    base: Judged
    chosen: Judged
    centred: Metric
    tuning: Tuning | None = None


def can_be_judged(material: Material) -> bool:
    """Whether two classes have at least two different images each."""
    pairs = np.unique(np.column_stack([material.codes, material.groups]), axis=0)
    return bool((np.bincount(pairs[:, 0]) >= 2).sum() >= 2) if len(pairs) else False


def choose_metric(
    material: Material,
    *,
    tunings: Sequence[Tuning] = TUNINGS,
    odds: float | None = None,
    random_state: int = 0,
) -> Choice:
    """Choose how rows are compared, by how well images of the same class are found.

    Parameters
    ----------
    material : Material
        For which `can_be_judged`.
    tunings : sequence of Tuning
        What is tried beside the metric without labels; empty tries nothing.
    odds : float or None
        How many pairs of different classes there are for each pair of one class, where the metric will be used; None
        for as many as in the material. See `pair_odds`.
    random_state : int, default 0

    Notes
    -----
    A tuned metric is kept if its mean average precision on images that it has not learned from is larger by 0.03 and by
    more than chance (1.96 standard errors of the paired difference), and on classes that it has not learned from not
    smaller by more than 0.01. At most 3,000 rows are compared with each other, for each candidate.
    """
    rng = np.random.default_rng(random_state)
    base = centred(material.rows, random_state=random_state)
    sample = material.take(sample_rows(material.codes, _MOST_JUDGED, rng))
    odds = pair_odds(material.codes) if odds is None else odds
    splits = _Splits.of(sample, rng, odds / max(1e-9, pair_odds(sample.codes)))
    plain = splits.judge(base, None)
    if base.directions is None:
        return Choice(base, plain, plain, base)
    best, how = plain, None
    for tuning in tunings:
        found = splits.judge(base, tuning)
        if _mean(found.figures) > _mean(best.figures) and _is_better(found, plain):
            best, how = found, tuning
    return Choice(_metric(base, material, how), plain, best, base, how)


def metric_without(choice: Choice, material: Material, left_out: NDArray[np.bool_]) -> Metric:
    """Return the metric as it would be had it not learned from some of the rows."""
    return _metric(choice.centred, material.take(np.flatnonzero(~left_out)), choice.tuning)


def _mean(figures: NDArray[np.float64]) -> float:
    return float(figures[:, 0].mean()) if len(figures) else 0.0


def _is_better(found: Judged, plain: Judged) -> bool:
    gain = found.figures[:, 0] - plain.figures[:, 0]
    error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.inf
    return bool(
        gain.mean() > max(_LEAST_GAIN, 1.96 * error)
        and _mean(found.on_new_classes) >= _mean(plain.on_new_classes) - _TOLERATED
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Splits:
    """The same folds for every candidate: of images, and of classes."""

    sample: Material
    image_fold: Codes
    class_fold: Codes | None
    weight: float  # of pairs of different classes

    @classmethod
    def of(cls, sample: Material, rng: np.random.Generator, weight: float) -> "_Splits":
        groups = np.unique(sample.groups, return_inverse=True)[1]
        fold = rng.permutation(np.arange(int(groups.max()) + 1) % N_FOLDS)[groups]
        classes = np.unique(sample.codes, return_inverse=True)[1]
        n_classes = int(classes.max()) + 1
        by_class = None
        if n_classes >= CLASSES_FOR_FOLDS:
            by_class = rng.permutation(np.arange(n_classes) % N_FOLDS)[classes]
        return cls(sample, fold, by_class, weight)

    def judge(self, base: Metric, how: Tuning | None) -> Judged:
        """Learn on all folds but one, and look at that one."""
        figures, pairs, own, other = [], PairCounts.none(), [], []
        for scores, same, usable in self._of_images(base, how):
            figures.append(query_figures(scores, same, usable))
            pairs = pairs.plus(scores, same, usable)
            own.append(np.where(same & usable, scores, -1).max(axis=1, initial=-1))
            other.append(np.where(~same, scores, -1).max(axis=1, initial=-1))
        new = [np.empty((0, 4)), *(query_figures(*each) for each in self._of_classes(base, how))]
        return Judged(
            name=base.name if how is None else how.name,
            figures=np.concatenate(figures),
            on_new_classes=np.concatenate(new),
            pairs=PairCounts(pairs.same, pairs.different * self.weight),
            own=np.concatenate(own).astype(np.float32),
            other=np.concatenate(other).astype(np.float32),
        )

    def _of_images(
        self, base: Metric, how: Tuning | None
    ) -> Iterator[tuple[Rows, NDArray[np.bool_], NDArray[np.bool_]]]:
        codes, groups = self.sample.codes, self.sample.groups
        for fold in range(N_FOLDS):
            asked, stored = self.image_fold == fold, self.image_fold != fold
            if not asked.any() or not stored.any():
                continue
            rows = _metric(base, self.sample.take(np.flatnonzero(stored)), how).apply(self.sample.rows)
            same = codes[asked][:, None] == codes[stored]
            yield rows[asked] @ rows[stored].T, same, groups[asked][:, None] != groups[stored]

    def _of_classes(
        self, base: Metric, how: Tuning | None
    ) -> Iterator[tuple[Rows, NDArray[np.bool_], NDArray[np.bool_]]]:
        codes, groups = self.sample.codes, self.sample.groups
        for fold in range(N_FOLDS if self.class_fold is not None else 0):
            new = self.class_fold == fold
            rows = _metric(base, self.sample.take(np.flatnonzero(~new)), how).apply(self.sample.rows[new])
            same = codes[new][:, None] == codes[new]
            yield rows @ rows.T, same, groups[new][:, None] != groups[new]


def _metric(base: Metric, material: Material, how: Tuning | None) -> Metric:
    if how is None:
        return base
    codes = np.unique(material.codes, return_inverse=True)[1]
    return tuned(base, material.rows, codes, how)
