"""Labels of images that may have several: which one is missing, and which one is there but should not be."""

import numpy as np
from numpy.typing import NDArray

from genus.audit.duplicates import group_numbers
from genus.audit.facts import UNKNOWN, Facts, set_text
from genus.audit.finding import SUSPECT, Finding, Found, Remark
from genus.audit.label_noise import probability_wrong
from genus.metrics.intervals import wilson

_TINY = 1e-9
_NAMED = 3  # cells named in the evidence

Floats = NDArray[np.float64]
Cells = NDArray[np.bool_]


def check_label_sets(facts: Facts) -> Found:
    """Rank every labelled image by its most doubtful label, present or absent.

    Notes
    -----
    Each label is a question of its own (Thyagarajan, Snorrason, Northcutt and Mueller, 2023, "Identifying incorrect
    annotations in multi-label classification data"); an image is as doubtful as the worst of its answers. What is
    unknown is not judged.
    Whoever names a rare label has seen something: that a model finds it improbable is little evidence where it finds
    the label improbable everywhere. So a label that is named is doubted by how much less probable it is than among
    all images (Bayes' rule, with false names as frequent as the label), and one that is not named by its probability.
    """
    if facts.values is None:
        return Found(left_out="there are no labels")
    proba = np.full(facts.values.shape, np.nan) if facts.proba is None else facts.proba
    known = (facts.values != UNKNOWN) & np.isfinite(proba)
    rows = np.flatnonzero(known.any(axis=1))
    if not len(rows):
        return Found(tuple(unjudged(facts, rows, facts.why_no_proba)), left_out=facts.why_no_proba)
    has = facts.values == 1
    odds = _log_odds(proba)
    doubts = np.where(has, _log_odds(_frequency(has, known)) - odds, odds)
    flagged = _confidently_other(proba, has, known)
    wrong = np.zeros(doubts.shape)
    wrong[known] = probability_wrong(doubts[known], float(flagged[known].mean()))
    groups = group_numbers(facts.pictures)
    findings = [_finding(facts, row, wrong[row], groups.get(row)) for row in rows.tolist()]
    findings += unjudged(facts, rows, "its labels are on too few images, or on nearly all")
    return Found(tuple(findings), (_noise(flagged, known), *_labels(facts, has, wrong)))


def unjudged(facts: Facts, judged: NDArray[np.int64], why: str) -> list[Finding]:
    """Rank the labelled images that no model could be asked about last, so that each of them has a row."""
    rest = np.setdiff1d(np.flatnonzero(facts.labelled), judged)
    return [Finding(row, "label", 0.0, f"not judged: {why}") for row in rest.tolist()]


def _frequency(has: Cells, known: Cells) -> Floats:
    """Return the share of images with each label among those that are judged, (n_classes,)."""
    return np.asarray((has & known).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def _log_odds(proba: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(proba, _TINY)) - np.log(np.maximum(1 - proba, _TINY)))


def _confidently_other(proba: Floats, has: Cells, known: Cells) -> Cells:
    """Tell for each cell whether the other answer is at least as probable as is usual where it is given."""
    found = np.zeros(has.shape, bool)
    for c in range(has.shape[1]):
        yes, no = known[:, c] & has[:, c], known[:, c] & ~has[:, c]
        if yes.any() and no.any():
            found[:, c] |= no & (proba[:, c] >= proba[yes, c].mean()) & (proba[:, c] > 0.5)
            found[:, c] |= yes & (1 - proba[:, c] >= (1 - proba[no, c]).mean()) & (proba[:, c] < 0.5)
    return found


def _finding(facts: Facts, row: int, wrong: Floats, group: int | None) -> Finding:
    values = facts.values[row] if facts.values is not None else np.zeros(len(wrong), np.int8)
    has = values == 1
    worst = np.argsort(-wrong, kind="stable")[:_NAMED].tolist()
    suspects = [c for c in worst if wrong[c] >= SUSPECT] or worst[:1]
    proba = facts.proba[row] if facts.proba is not None else wrong
    evidence = "; ".join(
        f"{facts.classes[c]!r} {'is named, but only' if has[c] else 'is not named, but'} {proba[c]:.0%} probable"
        for c in suspects
    )
    changed = np.where(wrong >= SUSPECT, 1 - values, values).astype(np.int8)
    # that it has none of them cannot be suggested: an empty cell suggests nothing
    suggestion = set_text(facts.classes, changed) if (changed != values).any() else ""
    argues = _arguing(facts, row, suspects[0], not has[suspects[0]])
    return Finding(
        row,
        "label",
        round(float(wrong.max()), 6),
        evidence,
        suggestion,
        other=argues[0] if argues else None,
        group=group,
        argues=argues[1:],
    )


def _arguing(facts: Facts, row: int, label: int, present: bool) -> tuple[int, ...]:
    """Return the nearest images that have the label, or have it not."""
    if facts.values is None:
        return ()
    near = facts.nearest.indices[row]
    fits = (facts.values[near, label] == int(present)) & (facts.pictures[near] != facts.pictures[row])
    return tuple(int(i) for i in near[fits][:3])


def _noise(flagged: Cells, known: Cells) -> Remark:
    n, n_images = int(known.sum()), int(known.any(axis=1).sum())
    n_wrong, n_touched = int((flagged & known).sum()), int((flagged & known).any(axis=1).sum())
    low, high = (float(edge) for edge in wilson(n_wrong, n))
    text = (
        f"{n_wrong / n:.2%} of the answers (has this label, has it not) are wrong, by estimate ({low:.2%} to "
        f"{high:.2%}); they are on {n_touched:,} of {n_images:,} images"
    )
    figures = {"rate": n_wrong / n, "low": low, "high": high, "n": n, "n_suspect": n_touched}
    return Remark("noise", min(1.0, 0.2 + 0.8 * n_touched / n_images) if n_wrong else 0.0, text, figures)


def _labels(facts: Facts, has: Cells, wrong: Floats) -> list[Remark]:
    """Name the labels that are often missing, or often there when they should not be."""
    remarks = []
    for c, name in enumerate(facts.classes):
        suspect = wrong[:, c] >= SUSPECT
        for what, some, n in (
            ("lack the label", suspect & ~has[:, c], int((~has[:, c]).sum())),
            ("have the label wrongly", suspect & has[:, c], int(has[:, c].sum())),
        ):
            if some.sum() >= 3:
                text = f"{int(some.sum()):,} of {n:,} images seem to {what} {name!r}"
                figures = {"label": name, "n": int(some.sum()), "of": n}
                remarks.append(
                    Remark("confused", round(min(1.0, 0.4 + float(some.sum()) / n), 4), text, figures)
                )
    return sorted(remarks, key=lambda remark: -remark.severity)[:10]
