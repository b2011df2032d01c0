"""What an audit asks models: of each label by those that have not seen the image, and what leaks do to an accuracy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genus.classify.learning_curve import LearningCurve, learning_curve
from genus.classify.logistic import LogisticHead
from genus.classify.truth import LabelSetsTruth, OneClass, Truth
from genus.data.dataset import Dataset
from genus.data.splits import join_groups, stratified_folds
from genus.estimators.label_training import n_label_folds
from genus.estimators.out_of_fold import out_of_fold

_FOLDS = 5
_LEAST_PICTURES = 2  # of a class, for one to be judged by the others
_LEAST = 6  # images
_C = 5.0

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What models say of the labels (see `genus.audit.facts.Facts`)."""

    codes: Codes | None = None
    proba: Floats | None = None
    why_not: str = ""
    notes: tuple[str, ...] = ()
    learning_curve: LearningCurve | None = None


def judge_labels(
    data: Dataset,
    Z: NDArray[np.float32],
    contents: list[str],
    pictures: Codes,
    *,
    random_state: int | None,
) -> Judged:
    """Ask models of every label; copies of a picture, and the data's own groups, are never on both sides."""
    groups = _groups(data, pictures)
    if data.label_sets is not None:
        return _judge_sets(data, Z, contents, groups, random_state)
    if not data.classes:
        return Judged(why_not="there are no labels")
    number = {name: i for i, name in enumerate(data.classes)}
    codes = np.array([-1 if label is None else number[label] for label in data.labels or ()], np.int64)
    n_pictures = np.array([len(np.unique(groups[codes == c])) for c in range(len(number))])
    enough = np.flatnonzero(n_pictures >= _LEAST_PICTURES)
    rows = np.flatnonzero(np.isin(codes, enough))
    if len(enough) < 2 or len(rows) < _LEAST:
        return Judged(codes, why_not=_too_few(data, n_pictures))
    notes: tuple[str, ...] = ()
    if few := [data.classes[c] for c in np.flatnonzero(n_pictures < _LEAST_PICTURES)]:
        notes = (f"too few different images to judge the labels of: {', '.join(few)}",)
    n_folds = int(np.clip(n_pictures[enough].min(), 2, _FOLDS)) if len(rows) < 1000 else _FOLDS
    keys = [contents[i] for i in rows]
    inner = np.searchsorted(enough, codes[rows])
    folds = stratified_folds(inner, keys, groups[rows], n_folds=n_folds, random_state=random_state)
    own = Z if len(rows) == len(Z) else Z[rows]
    found = out_of_fold(own, OneClass(inner.astype(np.intp)), folds)
    curve = _curve(own, inner, folds, found, random_state)
    proba = _spread(found, rows, enough, len(data), len(number), elsewhere=0.0)
    return Judged(codes, proba, "", notes, curve)


def leak_scores(data: Dataset, Z: NDArray[np.float32]) -> dict[str, Floats]:
    """Return for each part that judges whether a model of the training part is right on its images, NaN elsewhere."""
    if data.splits is None or data.labels is None:
        return {}
    splits, labels = np.array([s or "" for s in data.splits]), np.array([s or "" for s in data.labels])
    train = (splits == "train") & (labels != "")
    if len(np.unique(labels[train])) < 2:
        return {}
    parts = {part: (splits == part) & np.isin(labels, labels[train]) for part in ("val", "test")}
    if not any(rows.any() for rows in parts.values()):
        return {}
    head = LogisticHead(_C, power=1.0).fit(Z[train], labels[train])
    scores = {}
    for part, rows in parts.items():
        if rows.any():
            scores[part] = np.full(len(data), np.nan)
            scores[part][rows] = head.predict(Z[rows]) == labels[rows]
    return scores


def _groups(data: Dataset, pictures: Codes) -> Codes:
    if data.groups is None:
        return pictures
    own = [f"group {group}" if group is not None else f"image {i}" for i, group in enumerate(data.groups)]
    return join_groups(pictures, np.asarray(own))


def _judge_sets(
    data: Dataset, Z: NDArray[np.float32], contents: list[str], groups: Codes, random_state: int | None
) -> Judged:
    if data.label_sets is None:
        return Judged()
    values = data.label_sets.values
    rows = np.flatnonzero((values >= 0).any(axis=1))
    known = values[rows]
    judged = np.flatnonzero(((known == 1).sum(axis=0) >= 2) & ((known == 0).sum(axis=0) >= 2))
    if len(rows) < _LEAST or len(np.unique(groups[rows])) < _LEAST or len(judged) < 2:
        return Judged(why_not="too few images have labels, or have them not, to judge any")
    notes: tuple[str, ...] = ()
    if len(judged) < values.shape[1]:
        n = values.shape[1] - len(judged)
        notes = (f"{n} labels are on too few images, or on nearly all, to be judged",)
    keys = [contents[i] for i in rows]
    truth: Truth = LabelSetsTruth(known[:, judged])
    n_folds = n_label_folds(len(rows))
    folds = stratified_folds(known[:, judged], keys, groups[rows], n_folds=n_folds, random_state=random_state)
    found = out_of_fold(Z if len(rows) == len(Z) else Z[rows], truth, folds)
    # a label that nobody could be asked about is not judged, and not improbable
    proba = _spread(found, rows, judged, len(data), values.shape[1], elsewhere=np.nan)
    return Judged(None, proba, "", notes)


def _spread(part: Floats, rows: Codes, columns: Codes, n: int, n_columns: int, *, elsewhere: float) -> Floats:
    """Return probabilities of all images and classes: rows of NaN for an image that was not judged, and `elsewhere`."""
    proba = np.full((n, n_columns), np.nan)
    proba[rows] = elsewhere
    proba[np.ix_(rows, columns)] = part
    return proba


def _too_few(data: Dataset, n_pictures: Codes) -> str:
    if len(data.classes) == 1:
        return f"there is one class only, {data.classes[0]!r}: nothing to hold its labels against"
    few = [name for name, n in zip(data.classes, n_pictures.tolist(), strict=True) if n < _LEAST_PICTURES]
    which = f" ({', '.join(few[:5])})" if few else ""
    return f"labels can be judged where two classes have two or more different images each{which}"


def _curve(
    Z: NDArray[np.float32], codes: Codes, folds: Codes, proba: Floats, random_state: int | None
) -> LearningCurve | None:
    logits = np.log(np.maximum(proba, 1e-9)).astype(np.float32)
    now = len(codes) / proba.shape[1]
    head = LogisticHead(_C, power=1.0)
    return learning_curve(head, Z, codes, folds, logits, now=now, random_state=random_state)
