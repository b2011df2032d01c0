"""Images that are there twice: identical files, near copies, and the same picture under two labels."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genus.audit.facts import Facts
from genus.audit.finding import LEAVE_OUT, Finding, Found

_NEAR, _EXACT, _CONFLICT = 0.5, 0.6, 0.95  # severities
_SHOWN = 4  # images that contradict one


def check_duplicates(facts: Facts) -> Found:
    """Report every image of a picture that is there several times, and which of them have different labels.

    One image of each picture is reported without a suggestion: the one to keep. It is one to learn from where the
    picture is on both sides of a split, and else the first.

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
        found += _conflicts(facts, rows, number)
        found += _copies(facts, rows, number)
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


def _copies(facts: Facts, rows: list[int], number: int) -> Iterator[Finding]:
    """Report each image of a picture that is there several times."""
    kept = min(rows, key=facts.preference)
    files: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        files[str(facts.contents[row])].append(row)
    for row in rows:
        same = files[str(facts.contents[row])]
        is_exact = len(same) > 1
        others = same[:2] if is_exact else (kept, *rows[:2])
        yield Finding(
            row,
            "exact_duplicate" if is_exact else "near_duplicate",
            _EXACT if is_exact else _NEAR,
            "an identical file" if is_exact else "the same picture, changed or saved again",
            LEAVE_OUT if row != kept else "",
            other=next(i for i in others if i != row),
            group=number,
        )


def _conflicts(facts: Facts, rows: list[int], number: int) -> Iterator[Finding]:
    """Report all images of a picture that is there under several labels."""
    labels: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        if facts.labelled[row]:
            labels[facts.label_text(row)].append(row)
    if len(labels) < 2 or not _contradict(facts, [row for members in labels.values() for row in members]):
        return
    for label, members in labels.items():
        against = [row for other, some in labels.items() if other != label for row in some[:_SHOWN]]
        said = ", ".join(sorted(repr(other) for other in labels if other != label)[:3])
        contents = {str(facts.contents[i]) for i in against}
        for row in members:
            same = "an identical file" if str(facts.contents[row]) in contents else "the same picture"
            suggestion = _likelier(facts, row, against)
            evidence = f"{same} has the label {said}"
            yield Finding(
                row,
                "conflict",
                _CONFLICT,
                evidence,
                suggestion,
                other=against[0],
                group=number,
                argues=tuple(against[1:_SHOWN]),
            )


def _contradict(facts: Facts, rows: list[int]) -> bool:
    """Say whether labels contradict each other: of several an image, only what is known of them can."""
    if facts.values is None:
        return True
    parts = facts.values[rows]
    return bool(((parts == 1).any(axis=0) & (parts == 0).any(axis=0)).any())


def _likelier(facts: Facts, row: int, against: list[int]) -> str:
    """Suggest the label that models find likeliest among those that the picture has; nothing where none was asked."""
    if facts.codes is None or facts.proba is None or not np.isfinite(facts.proba[row]).all():
        return ""
    known = [int(facts.codes[row]), *(int(facts.codes[i]) for i in against)]
    best = max(known, key=lambda c: (float(facts.proba[row, c]), -c))  # type: ignore[index]
    return facts.classes[best] if best != known[0] else ""
