"""What a person has accepted of an audit, applied: labels changed, images left out, in a new table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from genus.audit.finding import LEAVE_OUT, SUSPECT
from genus.data.dataset import Dataset
from genus.errors import DataError
from genus.estimators.audit import Audit

REVIEW_COLUMNS = ("accept", "image", "label", "issue", "suggestion", "severity", "evidence", "other_image")
_YES = frozenset({"yes", "y", "x", "1", "true", "ok"})
_NO = frozenset({"", "no", "n", "0", "false"})


@dataclass(frozen=True, slots=True)
class Fixed:
    """What is left of the labels once accepted suggestions are applied.

    Attributes
    ----------
    rows : tuple of (int, str)
        Each image that is kept, by its place, with its label; empty where it has none.
    changed : tuple of (str, str, str)
        Image, old label, new label.
    left_out : tuple of str
    """

    rows: tuple[tuple[int, str], ...]
    changed: tuple[tuple[str, str, str], ...]
    left_out: tuple[str, ...]


def review_rows(audit: Audit) -> list[dict[str, object]]:
    """Return what a person can accept or not: every finding that somebody should look at and that suggests something.

    The column `accept` is empty: nothing is applied that nobody has accepted.
    """
    rows = [row for row in audit.rows if row.suggestion and row.severity >= SUSPECT]
    return [
        {"accept": "", **{name: getattr(row, name) for name in REVIEW_COLUMNS if name != "accept"}}
        for row in rows
    ]


def accepted(rows: Sequence[Mapping[str, str]], origin: str) -> dict[str, str]:
    """Return the suggestion that was accepted for each image: a label, or "-".

    Parameters
    ----------
    rows : sequence of mappings
        With the columns `accept`, `image` and `suggestion`.
    origin : str
        The file's name, for errors.

    Raises
    ------
    DataError
        A column is missing, a cell of `accept` is neither yes nor no, nothing is suggested where something was
        accepted, or two labels were accepted for one image.

    Examples
    --------
    >>> accepted([{"accept": "yes", "image": "a.jpg", "suggestion": "cat"},
    ...           {"accept": "", "image": "b.jpg", "suggestion": "-"}], "review.csv")
    {'a.jpg': 'cat'}
    """
    found: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):  # as editors count: the first line is the header
        if missing := [name for name in ("accept", "image", "suggestion") if row.get(name) is None]:
            raise DataError(
                f"{origin}: line {number} has no column {missing[0]!r}. Take the review.csv that genus audit writes, "
                "and put yes into the column 'accept'."
            )
        word = row["accept"].strip().lower()
        if word not in _YES | _NO:
            raise DataError(
                f"{origin}: line {number}: accept is {row['accept']!r}; put yes, or leave it empty."
            )
        if word in _NO:
            continue
        image, suggestion = row["image"], row["suggestion"].strip()
        if not suggestion:
            raise DataError(
                f"{origin}: line {number}: {image} is accepted, but nothing is suggested; write a label or -."
            )
        before = found.get(image, suggestion)
        if before != suggestion and LEAVE_OUT not in (before, suggestion):
            raise DataError(
                f"{origin}: line {number}: {image} gets two labels, {before!r} and {suggestion!r}."
            )
        found[image] = LEAVE_OUT if LEAVE_OUT in (before, suggestion) else suggestion
    return found


def fixed_labels(dataset: Dataset, wanted: Mapping[str, str], origin: str) -> Fixed:
    """Apply what was accepted.

    Raises
    ------
    DataError
        An image is not in the data.
    """
    skipped = {skip.source for skip in dataset.skipped}
    known = skipped.union(dataset.names)
    if unknown := [image for image in wanted if image not in known]:
        raise DataError(
            f"{origin}: {unknown[0]} is not among the {len(dataset)} images of {dataset.origin}. Name the data "
            "that the audit was made of, in the same words."
        )
    if LEAVE_OUT in dataset.classes and LEAVE_OUT in wanted.values():
        raise DataError(
            f"{dataset.origin}: a class is called {LEAVE_OUT!r}, which in a review means to leave the image out. Give "
            "the class another name first."
        )
    rows, changed, left_out = [], [], [image for image in wanted if image in skipped]
    texts = dataset.label_texts() or (None,) * len(dataset)
    for place, (image, text) in enumerate(zip(dataset.names, texts, strict=True)):
        old, new = text or "", wanted.get(image, text or "")
        if image in wanted and new == LEAVE_OUT:
            left_out.append(image)
            continue
        rows.append((place, new))
        if new != old:
            changed.append((image, old, new))
    return Fixed(tuple(rows), tuple(changed), tuple(left_out))
