"""What predicts the label without any look at the picture: its size, its format, its camera, its file's number."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from genus.audit.facts import Facts
from genus.audit.finding import Found, Remark
from genus.metrics.intervals import wilson

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "size and shape": ("width", "height", "aspect"),
    "bytes": ("n_bytes", "bytes_per_pixel"),
    "format and colour mode": ("format", "mode"),
    "camera": ("camera",),
    "border": ("border",),
    "number in the file name": ("number",),
}
_LEAST = 40  # images
_FOLDS = 5
_MOST = 5000  # images that are learned from and judged
_DEPTH, _LEAF = 8, 5  # of the decision tree
_LEAST_GAIN = 0.05  # of accuracy above chance, with certainty
_MOST_WORDS = 40  # different words of a column that are told apart

Floats = NDArray[np.float64]
Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


def check_shortcuts(facts: Facts) -> Found:
    """Say how often a small model is right that sees no pixel, only what is known beside them.

    Notes
    -----
    A decision tree for each family of metadata and for all together, cross-validated with copies kept together, against
    always guessing the largest class. Geirhos et al. (2020), "Shortcut learning in deep neural networks", Nature
    Machine Intelligence.
    """
    if facts.codes is None:
        return Found(left_out="there are no labels, or several an image")
    rows = _chosen(facts.codes)
    if len(rows) < _LEAST or len(np.unique(facts.codes[rows])) < 2:
        return Found(left_out=f"fewer than {_LEAST} labelled images of two classes")
    chance = float(np.bincount(facts.codes[rows]).max() / len(rows))
    columns = _columns(facts, rows)
    remarks = []
    folds = _folds(facts.codes[rows], facts.pictures[rows])
    for family, names in {**FAMILIES, "all of these": tuple(columns)}.items():
        known = [columns[name] for name in names if name in columns and len(np.unique(columns[name])) > 1]
        if (
            known
            and (remark := _judge(facts.codes[rows], np.stack(known, axis=1), folds, family, chance))
            is not None
        ):
            remarks.append(remark)
    if len(remarks) == 2 and remarks[1].topic == remarks[0].topic:  # one family, and all of these: the same
        del remarks[1]
    return Found(remarks=tuple(remarks))


def _chosen(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the labelled images of classes with several; of very many a part."""
    rows = np.flatnonzero(codes >= 0)
    if len(rows) > _MOST:
        rows = np.sort(np.random.default_rng(0).choice(rows, _MOST, replace=False))
    counts = np.bincount(codes[rows], minlength=1)
    return rows[counts[codes[rows]] >= 2]


def _columns(facts: Facts, rows: NDArray[np.int64]) -> dict[str, Floats]:
    """Return what is known of the images as columns of numbers."""
    known = {
        name: np.asarray(values)[rows] for name, values in {**facts.statistics, **facts.metadata}.items()
    }
    if {"width", "height"} <= set(known):
        width, height = (np.maximum(known[name].astype(np.float64), 1) for name in ("width", "height"))
        known["aspect"] = width / height
        if "n_bytes" in known:
            known["bytes_per_pixel"] = known["n_bytes"].astype(np.float64) / (width * height)
    wanted = {name for names in FAMILIES.values() for name in names}
    return {name: _numbers(values) for name, values in known.items() if name in wanted}


def _numbers(values: NDArray[np.generic]) -> Floats:
    """Return numbers as they are (-1 for none), and words by how frequent they are, the first 40."""
    if values.dtype.kind in "fiu":
        return np.nan_to_num(values.astype(np.float64), nan=-1.0)
    _, codes, counts = np.unique(values.astype(np.str_), return_inverse=True, return_counts=True)
    rank = np.argsort(np.argsort(-counts, kind="stable"))
    return np.minimum(rank[codes], _MOST_WORDS).astype(np.float64)


def _folds(codes: NDArray[np.int64], pictures: NDArray[np.int64]) -> list[Fold]:
    """Return the rows that are learned from and judged in each fold; copies are never on both sides."""
    from sklearn.model_selection import StratifiedGroupKFold

    smallest = int(np.bincount(codes)[np.unique(codes)].min())
    n_folds = min(_FOLDS, smallest, len(np.unique(pictures)))
    if n_folds < 2:
        return []
    return list(StratifiedGroupKFold(n_folds, shuffle=True, random_state=0).split(codes, codes, pictures))


def _judge(
    codes: NDArray[np.int64], table: Floats, folds: list[Fold], family: str, chance: float
) -> Remark | None:
    from sklearn.tree import DecisionTreeClassifier

    if not folds:
        return None
    said = np.full(len(codes), -1)
    for learned, judged in folds:
        tree = DecisionTreeClassifier(max_depth=_DEPTH, min_samples_leaf=_LEAF, random_state=0)
        said[judged] = tree.fit(table[learned], codes[learned]).predict(table[judged])
    accuracy = float((said == codes).mean())
    low, high = wilson(int((said == codes).sum()), len(codes))
    if float(low) < chance + _LEAST_GAIN:
        return None
    gain = (accuracy - chance) / (1 - chance)
    text = (
        f"{family} alone tells{'' if family != 'all of these' else ', together,'} the label of {accuracy:.1%} of the "
        f"images (guessing: {chance:.1%}): a model may learn that instead of what is in the picture"
    )
    figures = {
        "family": family,
        "accuracy": accuracy,
        "low": float(low),
        "high": float(high),
        "chance": chance,
        "n": len(codes),
    }
    return Remark("shortcut", round(min(1.0, 0.3 + gain), 4), text, figures)
