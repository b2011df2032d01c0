"""How many images each class has."""

import numpy as np

from genus.audit.facts import Facts
from genus.audit.finding import Found, Remark

_UNEVEN = 5.0  # largest over smallest class
_FEW = 10  # images of a class


def check_balance(facts: Facts) -> Found:
    """Say how uneven the classes are, and which have few images."""
    if not facts.classes:
        return Found(left_out="there are no labels")
    counts = class_counts(facts)
    order = np.argsort(counts, kind="stable")
    least, most = facts.classes[order[0]], facts.classes[order[-1]]
    ratio = float(counts.max()) / max(int(counts.min()), 1)
    figures = {
        "counts": dict(zip(facts.classes, counts.tolist(), strict=True)),
        "largest_over_smallest": ratio,
    }
    remarks = []
    if ratio >= _UNEVEN:
        text = (
            f"the largest class, {most!r}, has {counts.max():,} images, the smallest, {least!r}, {counts.min():,}: "
            "accuracy says little about small classes; look at macro F1"
        )
        remarks.append(Remark("balance", min(1.0, 0.4 + 0.02 * ratio), text, figures))
    else:
        remarks.append(
            Remark("balance", 0.0, f"classes have {counts.min():,} to {counts.max():,} images", figures)
        )
    if few := [facts.classes[i] for i in order if counts[i] < _FEW]:
        shown = ", ".join(few[:5]) + (" ..." if len(few) > 5 else "")
        remarks.append(Remark("few_images", 0.6, f"fewer than {_FEW} images: {shown}", {"classes": few}))
    return Found(remarks=tuple(remarks))


def class_counts(facts: Facts) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Return how many images have each label, (c,)."""
    if facts.codes is not None:
        return np.bincount(facts.codes[facts.codes >= 0], minlength=len(facts.classes)).astype(np.int64)
    if facts.values is not None:
        return np.asarray((facts.values == 1).sum(axis=0), np.int64)
    return np.zeros(len(facts.classes), np.int64)
