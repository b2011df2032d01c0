"""Labels that are likely to be wrong: all of them ranked, with what they should be and what argues for it."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genus.audit.duplicates import group_numbers
from genus.audit.facts import Facts
from genus.audit.finding import SUSPECT, Finding, Found, Remark
from genus.audit.label_noise import NoiseRate, doubt, noise_rate, probability_wrong
from genus.audit.label_sets import check_label_sets, unjudged

_ARGUING = 3  # images shown against a label
_SEEN = 10  # neighbours that are counted
_LEAST_CONFUSED = 3  # suspect images of one class that look like another
_MAX_CONFUSED = 10


def check_labels(facts: Facts) -> Found:
    """Rank every labelled image by how likely its label is wrong; the severity is that probability.

    Notes
    -----
    See `genus.audit.label_noise`. What is suggested is the likeliest other class; the images that argue for it are the
    nearest ones that have it.
    """
    if facts.values is not None:
        return check_label_sets(facts)
    if facts.codes is None:
        return Found(left_out="there are no labels")
    judged = facts.codes >= 0
    if facts.proba is not None:
        judged &= np.isfinite(facts.proba).all(axis=1)
    rows = np.flatnonzero(judged)
    if facts.proba is None or not len(rows):
        return Found(tuple(unjudged(facts, rows[:0], facts.why_no_proba)), left_out=facts.why_no_proba)
    proba, codes = facts.proba[rows], facts.codes[rows]
    rate = noise_rate(proba, codes)
    severity = probability_wrong(doubt(proba, codes), rate.value)
    others = proba.copy()
    others[np.arange(len(rows)), codes] = -1
    better = others.argmax(axis=1)
    groups = group_numbers(facts.pictures)
    findings = [
        _finding(facts, int(row), int(code), float(wrong), groups.get(int(row)))
        for row, code, wrong in zip(rows, better, severity, strict=True)
    ]
    findings += unjudged(facts, rows, "its class has too few different images")
    return Found(tuple(findings), (_noise(rate, severity), *_confused(facts, findings)))


def arguing(facts: Facts, row: int, code: int) -> tuple[int, ...]:
    """Return the nearest images that have a class and show another picture."""
    if facts.codes is None:
        return ()
    near = facts.nearest.indices[row]
    fits = (facts.codes[near] == code) & (facts.pictures[near] != facts.pictures[row])
    return tuple(int(i) for i in near[fits][:_ARGUING])


def _finding(facts: Facts, row: int, better: int, wrong: float, group: int | None) -> Finding:
    codes, proba = facts.codes, facts.proba
    if codes is None or proba is None:
        raise ValueError("labels are judged with probabilities only")
    given, likely = float(proba[row, codes[row]]), float(proba[row, better])
    near = [
        int(i)
        for i in facts.nearest.indices[row]
        if codes[i] >= 0 and facts.pictures[i] != facts.pictures[row]
    ]
    seen = near[:_SEEN]
    n_for = sum(codes[i] == better for i in seen)
    n_given = sum(codes[i] == codes[row] for i in seen)
    evidence = (
        f"{facts.classes[better]!r} {likely:.0%}, {facts.classes[codes[row]]!r} {given:.0%}; "
        f"of its {len(seen)} nearest images {n_for} and {n_given} have these labels"
    )
    suspect = wrong >= SUSPECT
    argues = arguing(facts, row, better if likely > given else int(codes[row]))
    return Finding(
        row,
        "label",
        round(wrong, 6),
        evidence,
        facts.classes[better] if suspect else "",
        other=argues[0] if argues else None,
        group=group,
        argues=argues[1:],
    )


def _noise(rate: NoiseRate, severity: NDArray[np.float64]) -> Remark:
    n_suspect = int((severity >= SUSPECT).sum())
    text = (
        f"{rate.value:.1%} of the labels are wrong, by estimate ({rate.low:.1%} to {rate.high:.1%}); {n_suspect:,} of "
        f"{rate.n:,} are likelier wrong than right"
    )
    figures = {"rate": rate.value, "low": rate.low, "high": rate.high, "n": rate.n, "n_suspect": n_suspect}
    return Remark("noise", float(min(1.0, 0.2 + 6 * rate.value)) if n_suspect else 0.0, text, figures)


def _confused(facts: Facts, findings: list[Finding]) -> Iterator[Remark]:
    """Name the pairs of classes of which one is often labelled as the other."""
    suspects = [finding for finding in findings if finding.suggestion]
    pairs = Counter((facts.label_text(finding.row), finding.suggestion) for finding in suspects)
    for (given, likely), n in pairs.most_common(_MAX_CONFUSED):
        if n < _LEAST_CONFUSED:
            return
        n_given = int(np.count_nonzero(np.asarray(facts.codes) == facts.classes.index(given)))
        text = f"{n:,} of the {n_given:,} images labelled {given!r} look like {likely!r}"
        figures = {"given": given, "likely": likely, "n": n, "share": n / n_given}
        yield Remark("confused", round(min(1.0, 0.4 + 2 * n / n_given), 4), text, figures)
