"""What a training run learns from: images that could be read, features, labels, and how they are divided."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.classify.truth import LabelSetsTruth, OneClass, Truth
from genus.data.dataset import Dataset, SkippedImage
from genus.data.order import natural_key
from genus.data.splits import stratified_folds
from genus.errors import DataError
from genus.estimators.division import Division, divide
from genus.estimators.label_training import check_enough, check_labels, known_labels, n_label_folds
from genus.features.feature_set import FeatureSet
from genus.features.runtime import Runtime
from genus.features.stream import extract
from genus.features.table import FeatureTable
from genus.progress import Progress
from genus.wording import count

_FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """Labelled images that could be read, their features and what is known of them.

    `codes` are those of the classes (-1: never trained on). Where an image may have several labels, `values (n, c)`
    stand for them: 1, 0 and -1 (unknown).
    """

    data: Dataset
    table: FeatureTable
    division: Division
    classes: tuple[str, ...]
    codes: NDArray[np.int64]
    skipped: tuple[SkippedImage, ...]
    notes: tuple[str, ...]
    values: NDArray[np.int8] | None = None

    @property
    def y(self) -> NDArray[Any]:
        """What heads are fitted with."""
        return self.codes if self.values is None else self.values

    @property
    def multilabel(self) -> bool:
        """Whether an image may have several labels."""
        return self.values is not None

    def truth(self, rows: NDArray[np.int64]) -> Truth:
        """Return the classes, or labels, of some images that have one that the model knows."""
        return OneClass(self.codes[rows]) if self.values is None else LabelSetsTruth(self.values[rows])

    @property
    def train(self) -> NDArray[np.int64]:
        """The images that are learned from and chosen on."""
        return np.flatnonzero(~self.division.test)

    @property
    def test(self) -> NDArray[np.int64]:
        """The images that judge."""
        return np.flatnonzero(self.division.test)


def check_classes(data: Dataset, *, n_unreadable: int = 0) -> None:
    """Raise `DataError` unless there are labelled images of at least two classes."""
    counts = data.counts()
    if not counts:
        raise DataError(
            f"{data.origin}: no labels found. Put the images into one folder a class, "
            "or name a table with a label column."
        )
    if len(counts) == 1:
        (name,) = counts
        others = f", and {count(n_unreadable, 'image')} that cannot be read" if n_unreadable else ""
        raise DataError(
            f"{data.origin}: only one class, {name!r} ({count(counts[name], 'image')}){others}. "
            "A classifier needs at least two: one folder a class."
        )


def learn_features(
    dataset: Dataset,
    feature_set: FeatureSet,
    *,
    test_size: float,
    runtime: Runtime,
    random_state: int | None,
    progress: Progress,
    in_turn: bool = False,
) -> Learned:
    """Compute the features of the labelled images and set the test images aside (see `divide`).

    Raises
    ------
    DataError
        There are too few readable labelled images or classes.
    """
    check = check_labels if dataset.is_multilabel else check_classes
    check(dataset)
    labelled = dataset.labelled()
    notes = list(dataset.notes)
    if len(labelled) < len(dataset):
        notes.append(f"{count(len(dataset) - len(labelled), 'image')} left out: without a label")
    table = extract(labelled.sources, feature_set, runtime=runtime, progress=progress)
    data = labelled.take(table.kept)
    if len(table.skipped):
        notes.append(f"{count(len(table.skipped), 'image')} could not be read")
    if not len(data):
        first = table.skipped[0]
        raise DataError(
            f"{dataset.origin}: none of the {len(labelled)} labelled images can be read; "
            f"the first is {first.source}: {first.reason}."
        )
    check(data, n_unreadable=len(table.skipped))
    skipped = (*dataset.skipped, *table.skipped)
    y: NDArray[Any] = _codes(data, data.classes) if data.label_sets is None else data.label_sets.values
    division = divide(data, y, table, test_size=test_size, random_state=random_state, in_turn=in_turn)
    notes += division.notes
    if data.label_sets is not None:
        data, values, more = known_labels(data, y[~division.test])
        codes = np.zeros(len(data), np.int64)
        return Learned(data, table, division, data.classes, codes, skipped, (*notes, *more), values)
    trained = data.take(np.flatnonzero(~division.test))
    check_classes(trained)
    if never := [name for name in data.classes if name not in set(trained.classes)]:
        notes.append(f"classes with test images only are unknown to the model: {', '.join(never)}")
    codes = _codes(data, trained.classes)
    return Learned(data, table, division, trained.classes, codes, skipped, tuple(notes))


def _codes(data: Dataset, classes: tuple[str, ...]) -> NDArray[np.int64]:
    code = {name: i for i, name in enumerate(sorted(classes, key=natural_key))}
    return np.array([code.get(label or "", -1) for label in data.labels or ()], np.int64)


def folds_of(
    learned: Learned, random_state: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Deal the training images into folds for cross-validation.

    Returns
    -------
    rows, folds : (k,) int64
        The images that take part (classes with a single one have nothing to be validated with), and their folds.
    notes : list of str

    Raises
    ------
    DataError
        There are too few images.
    """
    if learned.multilabel:
        return _label_folds(learned, random_state)
    rows, notes = learned.train, []
    codes, groups = learned.codes[rows], learned.division.groups[rows]
    n_units = np.array([len(np.unique(groups[codes == c])) for c in range(len(learned.classes))])
    enough = np.flatnonzero(n_units >= 2)
    if len(enough) < 2:
        raise DataError(
            f"{learned.data.origin}: at least two classes need three or more different images each. "
            "About 20 images a class is a good start."
        )
    if len(enough) < len(n_units):
        few = [learned.classes[c] for c in np.flatnonzero(n_units < 2)]
        notes.append(f"too few images to compare methods on; learned all the same: {', '.join(few)}")
        rows = rows[np.isin(codes, enough)]
        codes, groups = learned.codes[rows], learned.division.groups[rows]
    keys = [learned.table.content_hashes[i] for i in rows]
    n_folds = int(np.clip(n_units[enough].min(), 2, _FOLDS)) if len(rows) < 1000 else _FOLDS
    folds = stratified_folds(codes, keys, groups, n_folds=n_folds, random_state=random_state)
    return rows, folds, notes


def _label_folds(
    learned: Learned, random_state: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Deal the training images into folds, each label spread evenly."""
    rows, values = learned.train, learned.y[learned.train]
    groups = learned.division.groups[rows]
    notes = check_enough(learned.data, values, groups)
    keys = [learned.table.content_hashes[i] for i in rows]
    folds = stratified_folds(
        values, keys, groups, n_folds=n_label_folds(len(rows)), random_state=random_state
    )
    return rows, folds, notes
