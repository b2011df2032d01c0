"""Which classes are hard, and which are taken for one another."""

import numpy as np
from numpy.typing import NDArray

from genus.audit.facts import Facts
from genus.audit.finding import Found, Remark
from genus.metrics.intervals import wilson

_HARD = 0.6  # share right of a class below which it is hard
_MIXED = 0.15  # share of two classes' images that are taken for the other from which they overlap
_LEAST_MIXED = 5  # images
_MAX_PAIRS = 10


def check_difficulty(facts: Facts) -> Found:
    """Say how well each class is told from the others, and which pairs of classes overlap.

    Everything is judged by models that had not seen the image. Classes that overlap may be labelled perfectly, and look
    alike.
    """
    if facts.codes is None or facts.proba is None:
        return Found(left_out=facts.why_no_proba or "several labels an image: classes exclude nothing")
    rows = np.flatnonzero((facts.codes >= 0) & np.isfinite(facts.proba).all(axis=1))
    if not len(rows):
        return Found(left_out=facts.why_no_proba)
    matrix = confusion(facts.codes[rows], facts.proba[rows])
    return Found(remarks=(_recalls(facts, matrix), *_overlaps(facts, matrix)))


def confusion(codes: NDArray[np.int64], proba: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how many images of each class (rows) are taken for each (columns), (c, c)."""
    matrix = np.zeros((proba.shape[1],) * 2, np.int64)
    np.add.at(matrix, (codes, proba.argmax(axis=1)), 1)
    return matrix


def _recalls(facts: Facts, matrix: NDArray[np.int64]) -> Remark:
    n, right = matrix.sum(axis=1), matrix.diagonal()
    each = []
    for code, name in enumerate(facts.classes):
        if n[code]:
            low, high = wilson(int(right[code]), int(n[code]))
            each.append(
                {
                    "label": name,
                    "n": int(n[code]),
                    "right": float(right[code] / n[code]),
                    "low": low,
                    "high": high,
                }
            )
    each.sort(key=lambda row: float(row["right"]))  # type: ignore[arg-type]
    overall = float(right.sum() / max(n.sum(), 1))
    hard = [str(row["label"]) for row in each if row["right"] < _HARD]  # type: ignore[operator]
    text = f"{overall:.1%} of the labels are what models that had not seen the images say"
    if hard:
        text += f"; hardest: {', '.join(hard[:5])}"
    return Remark("difficulty", 0.5 if hard else 0.0, text, {"accuracy": overall, "classes": each})


def _overlaps(facts: Facts, matrix: NDArray[np.int64]) -> list[Remark]:
    n = matrix.sum(axis=1)
    mixed = matrix + matrix.T
    share = mixed / np.maximum(n[:, None] + n[None], 1)
    first, second = np.nonzero(np.triu((share >= _MIXED) & (mixed >= _LEAST_MIXED), 1))
    order = np.argsort(-share[first, second], kind="stable")[:_MAX_PAIRS]
    remarks = []
    for i, j in zip(first[order].tolist(), second[order].tolist(), strict=True):
        one, other = facts.classes[i], facts.classes[j]
        text = (
            f"{one!r} and {other!r} overlap: {share[i, j]:.0%} of their images are taken for the other. Say more "
            "clearly what belongs where, or join them"
        )
        figures = {"labels": [one, other], "share": float(share[i, j]), "n": int(mixed[i, j])}
        remarks.append(Remark("overlap", float(min(1.0, 0.4 + share[i, j])), text, figures))
    return remarks
