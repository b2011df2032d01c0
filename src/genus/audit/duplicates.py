"""Images that are there twice: identical files, near copies, and the same picture under two labels."""

import numpy as np
from numpy.typing import NDArray

from genus.audit.facts import Facts
from genus.audit.finding import LEAVE_OUT, Finding, Found

_NEAR, _EXACT, _CONFLICT = 0.5, 0.6, 0.95  # severities


def check_duplicates(facts: Facts) -> Found:
    """Report every image of a picture that is there several times, and which of them have different labels.

    The first image of a picture is reported without a suggestion: it is the one to keep.

    Examples
    --------
    >>> from genus.neighbors import nearest_others
    >>> X = np.eye(3, dtype=np.float32)
    >>> facts = Facts(X, np.array(["a", "a", "b"]), np.array([0, 0, 1]), nearest_others(X, 1))
    >>> [(f.row, f.issue, f.other, f.suggestion) for f in check_duplicates(facts).findings]
    [(0, 'exact_duplicate', 1, ''), (1, 'exact_duplicate', 0, '-')]
    """
    found: list[Finding] = []
    for number, rows in enumerate(copies(facts.pictures)):
        found += _conflict(facts, rows, number)
        found += (_copy(facts, row, rows, number) for row in rows)
    return Found(tuple(found))


def copies(pictures: NDArray[np.int64]) -> list[list[int]]:
    """Return the images of each picture that is there more than once, by their place, in the order of the first."""
    order = np.argsort(pictures, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(pictures[order]) != 0]) if len(order) else order
    groups = [part.tolist() for part in np.split(order, starts[1:]) if len(part) > 1]
    return sorted(groups)


def group_numbers(pictures: NDArray[np.int64]) -> dict[int, int]:
    """Return the number that the report gives each picture that is there more than once, by any of its images."""
    return {row: number for number, rows in enumerate(copies(pictures)) for row in rows}


def _copy(facts: Facts, row: int, rows: list[int], number: int) -> Finding:
    """Report one image of a picture that is there several times."""
    others = [i for i in rows if i != row]
    same = [i for i in others if facts.contents[i] == facts.contents[row]]
    return Finding(
        row,
        "exact_duplicate" if same else "near_duplicate",
        _EXACT if same else _NEAR,
        "an identical file" if same else "the same picture, changed or saved again",
        LEAVE_OUT if row != rows[0] else "",
        other=(same or others)[0],
        group=number,
    )


def _conflict(facts: Facts, rows: list[int], number: int) -> list[Finding]:
    """Report all images of a picture that is there under several labels."""
    labels = {row: facts.label_text(row) for row in rows if facts.labelled[row]}
    if facts.values is not None:
        some = [row for row in labels]
        parts = facts.values[some]
        if not ((parts == 1).any(axis=0) & (parts == 0).any(axis=0)).any():
            return []
    elif len(set(labels.values())) < 2:
        return []
    found = []
    for row, label in labels.items():
        against = [i for i, other in labels.items() if other != label]
        if not against:
            continue
        said = ", ".join(sorted({repr(labels[i]) for i in against})[:3])
        exact = any(facts.contents[i] == facts.contents[row] for i in against)
        found.append(
            Finding(
                row,
                "conflict",
                _CONFLICT,
                f"{'an identical file' if exact else 'the same picture'} has the label {said}",
                _likelier(facts, row, against),
                other=against[0],
                group=number,
                argues=tuple(against[1:4]),
            )
        )
    return found


def _likelier(facts: Facts, row: int, against: list[int]) -> str:
    """Suggest the label that models find likeliest among those that the picture has; nothing where none was asked."""
    if facts.codes is None or facts.proba is None or not np.isfinite(facts.proba[row]).all():
        return ""
    known = [int(facts.codes[row]), *(int(facts.codes[i]) for i in against)]
    best = max(known, key=lambda c: (float(facts.proba[row, c]), -c))  # type: ignore[index]
    return facts.classes[best] if best != known[0] else ""
