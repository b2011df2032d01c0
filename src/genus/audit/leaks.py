"""Pictures that lie on both sides of a split: what they do to a reported accuracy."""

import numpy as np

from genus.audit.duplicates import copies
from genus.audit.facts import PARTS, Facts
from genus.audit.finding import LEAVE_OUT, Finding, Found, Remark

_SEVERITY = 0.9


def check_leaks(facts: Facts) -> Found:
    """Report the images of a judging part whose picture is in the training part (or of "test", in "val") too.

    Examples
    --------
    >>> from genus.neighbors import nearest_others
    >>> X, splits = np.eye(3, dtype=np.float32), np.array(["train", "test", "test"])
    >>> facts = Facts(X, np.array(["a", "a", "b"]), np.array([0, 0, 1]), nearest_others(X, 1), splits=splits)
    >>> [(f.row, f.issue, f.other) for f in check_leaks(facts).findings]
    [(1, 'leak', 0)]
    """
    if facts.splits is None:
        return Found(left_out="the data marks no parts: no training and test images to leak between")
    found = []
    for number, rows in enumerate(copies(facts.pictures)):
        ranks = {row: PARTS.index(part) for row in rows if (part := str(facts.splits[row])) in PARTS}
        other = min(ranks, key=facts.preference, default=-1)
        for row, rank in ranks.items():
            if rank == ranks[other]:
                continue
            exact = facts.contents[row] == facts.contents[other]
            evidence = (
                f"{'an identical file' if exact else 'the same picture'} of the part {PARTS[rank]!r} is in "
                f"{PARTS[ranks[other]]!r}"
            )
            found.append(Finding(row, "leak", _SEVERITY, evidence, LEAVE_OUT, other=other, group=number))
    learned = {f.row for f in found if f.other is not None and facts.splits[f.other] == PARTS[0]}
    return Found(tuple(found), tuple(_effects(facts, learned)))


def _effects(facts: Facts, leaked: set[int]) -> list[Remark]:
    """Say what the accuracy is on a judging part with the leaked images, and without."""
    remarks = []
    for part, right in facts.leak_scores.items():
        judged = np.flatnonzero(np.isfinite(right))
        without = np.array([row for row in judged.tolist() if row not in leaked], np.int64)
        n_leaked = len(judged) - len(without)
        if not n_leaked or not len(without):
            continue
        seen, honest = float(right[judged].mean()), float(right[without].mean())
        among = float(right[[row for row in judged.tolist() if row in leaked]].mean())
        text = (
            f"{n_leaked:,} of {len(judged):,} images of {part!r} are in the training images too. A plain model is "
            f"right on {among:.1%} of them, on {seen:.1%} of the whole part, and on {honest:.1%} without them"
        )
        figures = {
            "part": part,
            "n_leaked": n_leaked,
            "n": len(judged),
            "accuracy": seen,
            "accuracy_of_leaked": among,
            "accuracy_without": honest,
        }
        remarks.append(Remark("leak", min(1.0, 0.5 + 5 * max(0.0, seen - honest)), text, figures))
    return remarks
