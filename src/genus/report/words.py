"""Numbers and findings in words that a newcomer understands."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from genus.metrics.calibration import overconfidence
from genus.metrics.conformal import Coverage
from genus.metrics.costs import CostFigures
from genus.metrics.evaluation import Evaluation
from genus.metrics.label_evaluation import LabelEvaluation
from genus.metrics.risk_coverage import RiskCoverage
from genus.wording import count

_FEW = 100  # below so many images "of 100" would pretend to a precision that is not there
_FEW_TO_PART = 20  # of fewer images no part says anything
_USUAL_COVERAGE = 0.95
_NOTICEABLE = 0.03  # a gap between confidence and accuracy that a reader would wonder at

MEANINGS = {
    "accuracy": "images that are right",
    "accuracy_with_unknown": "the same, if images of classes it never learned count as wrong",
    "top_5_accuracy": "images whose class is among its five best guesses",
    "balanced_accuracy": "how often it finds a class's images, averaged so that every class counts the same",
    "macro_precision": "how often a class is right when it is named, averaged over classes",
    "macro_f1": "both of these in one number, averaged over classes",
    "hierarchical_f1": "taxa that are right on the way down the tree, in one number",
    "mistake_distance": "levels up from a mistake to what is right; 1 is a near miss",
    "calibration_error": "how far its confidence is from how often it is right; 0 is perfect",
    "log_loss": "surprise at the truth; 0 is perfect, and sure mistakes cost most",
}
"""What the figures that a page shows mean, in the order shown."""

LABEL_MEANINGS = {
    "mean_average_precision": "how well the images with a label are ranked before those without, averaged over labels",
    "macro_f1": "labels found and names that are right, in one number, averaged over labels",
    "micro_f1": "the same over all labels together, so that frequent ones count more",
    "macro_auroc": "how often an image with a label is ranked before one without",
    "subset_accuracy": "images on which every single label is right",
    "hamming_loss": "share of all yes-or-no decisions that are wrong",
    "label_ranking_average_precision": "how far up an image's own labels stand in its list; 1 is perfect",
    "coverage_error": "how many names to take from the top of that list to have all of them",
    "calibration_error": "how far its probabilities are from how often it is right; 0 is perfect",
    "log_loss": "surprise at the truth; 0 is perfect, and sure mistakes cost most",
}
"""The same for several labels an image."""

CALIBRATIONS = {
    "none": "as they are",
    "temperature": "one temperature",
    "platt": "a scale and a bias for each {kind} (Platt)",
    "isotonic": "a rising curve for each {kind} (isotonic)",
}
"""How scores become probabilities."""


@dataclass(frozen=True, slots=True)
class Headline:
    """The finding in two sentences."""

    sentence: str
    range: str


def headline(evaluation: Evaluation) -> Headline:
    """Say how good the model is.

    Examples
    --------
    >>> from genus.metrics.evaluate import evaluate
    >>> print(headline(evaluate([0] * 8 + [1] * 8, [[0.9, 0.1]] * 9 + [[0.2, 0.8]] * 7, ["cat", "dog"])).sentence)
    Right on 15 of 16 test images.
    """
    right, n, figure = evaluation.n_right, evaluation.n, evaluation.accuracy
    if not n:
        return Headline(
            "How good it is was not measured.", "Test it on labelled images that it has not seen."
        )
    if seen := evaluation.n_seen:
        which = "all of which" if seen >= n + evaluation.n_unknown else f"{count(seen)} of which"
        return Headline(
            f"Right on {count(right)} of {count(n)} images, {which} it learned from.",
            "That says little about new images: test the model on others.",
        )
    low, high = figure.low or 0.0, 1.0 if figure.high is None else figure.high
    if right in (0, n):
        which = "none of the" if right == 0 else "all"
        sentence = f"Right on {which} {count(n)} test images."
        if n == 1:
            sentence = "Right on the one test image." if right else "Wrong on the one test image."
        bound = f"at most {math.ceil(100 * high)}" if right == 0 else f"at least {math.floor(100 * low)}"
        return Headline(sentence, f"Of 100 new images of the same kind, expect {bound} right.")
    if n < _FEW:
        between = f"{math.floor(100 * low)} to {math.ceil(100 * high)}"
        return Headline(
            f"Right on {right} of {n} test images.",
            f"Of 100 new images of the same kind, expect {between} right.",
        )
    scale = next(s for s in (100, 1000, 10_000, n) if round(s * figure.value) not in (0, s) or s == n)
    between = f"{count(round(scale * low))} to {count(round(scale * high))}"
    return Headline(
        f"Right on {count(round(scale * figure.value))} of {count(scale)} new images.",
        f"With 95% confidence, {between} of {count(scale)}.",
    )


def label_headline(evaluation: LabelEvaluation) -> Headline:
    """Say how good a model with several labels an image is."""
    hits = sum(round((row.recall or 0.0) * row.n) for row in evaluation.per_label)
    there = sum(row.n for row in evaluation.per_label)
    named = sum(row.n_predicted for row in evaluation.per_label)
    seen = evaluation.n_seen
    which = " (it learned from some of these images)" if seen else ""
    return Headline(
        f"Finds {percent(hits / max(there, 1))} of the labels on {count(evaluation.n, 'test image')}{which}.",
        f"Of those it names, {percent(hits / max(named, 1))} are right.",
    )


def trust(evaluation: Evaluation) -> str:
    """Say whether the model's confidence can be believed.

    Examples
    --------
    >>> from genus.metrics.evaluate import evaluate
    >>> print(trust(evaluate([0] * 90 + [1] * 10, [[0.9, 0.1]] * 100, ["cat", "dog"])))
    Its confidence can be believed: it says 90% on average and is right 90% of the time.
    """
    excess, low, high = overconfidence(evaluation.reliability)
    accuracy = evaluation.accuracy.value
    said = f"it says {percent(accuracy + excess)} on average and is right {percent(accuracy)} of the time"
    if low > 0:
        return f"It is too sure of itself: {said}."
    if high < 0:
        return f"It is too modest: {said}."
    if abs(excess) > _NOTICEABLE:
        return f"There are too few images to tell whether its confidence can be believed: {said}."
    return f"Its confidence can be believed: {said}."


def label_trust(evaluation: LabelEvaluation) -> str:
    """Say whether the probabilities of labels can be believed."""
    error = evaluation.figure("calibration_error")
    off = f"on average a probability is {percent(error.value, 1)} from how often the label is there"
    if error.value > _NOTICEABLE:
        return f"Its probabilities are to be taken with care: {off}."
    return f"Its probabilities can be believed: {off}."


def enough_labels(coverages: Sequence[Coverage]) -> str:
    """Say how many labels it takes for those that are there to be among them; nothing where not measured.

    Examples
    --------
    >>> print(enough_labels([Coverage(0.95, 0.96, 0.93, 0.98, 4.2, 0.1, 0.9, 300)]))
    For a label that is there to be among those given 95 times in 100, it takes 4.2 names an image.
    >>> print(enough_labels([Coverage(0.95, 0.96, 0.93, 0.98, 4.2, 0.1, 0.9, 300, unpromised=2)]))
    For a label that is there to be among those given 95 times in 100, it takes 4.2 names an image. 2 labels are on too
    few images to promise that of, and are always among them.
    """
    usual = next((row for row in coverages if row.asked == _USUAL_COVERAGE), None)
    if usual is None:
        return ""
    rare = ""
    if usual.unpromised:
        be = "is" if usual.unpromised == 1 else "are"
        labels = count(usual.unpromised, "label")
        rare = f" {labels} {be} on too few images to promise that of, and {be} always among them."
    return (
        f"For a label that is there to be among those given {100 * usual.asked:.0f} times in 100, "
        f"it takes {usual.names:.1f} names an image.{rare}"
    )


def enough_names(coverages: Sequence[Coverage]) -> str:
    """Say how many names it takes for the true one to be among them; nothing where that was not measured.

    Examples
    --------
    >>> print(enough_names([Coverage(0.95, 0.96, 0.93, 0.98, 1.2, 0.8, 0.9, 300)]))
    For the true name to be among those given 95 times in 100, it takes 1.2 names on average; for 80% of the images,
    one.
    """
    usual = next((row for row in coverages if row.asked == _USUAL_COVERAGE), None)
    if usual is None:
        return ""
    times = f"{100 * usual.asked:.0f} times in 100"
    if usual.alone == 1:
        return f"One name an image is the true one {percent(usual.covered, 0)} of the time; asked for was {times}."
    return (
        f"For the true name to be among those given {times}, it takes {usual.names:.1f} names on average; "
        f"for {percent(usual.alone, 0)} of the images, one."
    )


def surest(curve: RiskCoverage | None, share: float = 0.8) -> str:
    """Say how the model does if it answers only where it is sure; nothing where that was not measured.

    Examples
    --------
    >>> from genus.metrics.risk_coverage import risk_coverage
    >>> print(surest(risk_coverage([0.9] * 80 + [0.5] * 20, [True] * 90 + [False] * 10)))
    The surest 80% of the images (from 90% on) are right 100% of the time, all of them 90%.
    """
    if curve is None or curve.n < _FEW_TO_PART:
        return ""
    part, every = curve.at(share), curve.at(1.0)
    return (
        f"The surest {percent(share)} of the images (from {percent(part.confidence, 0)} on) are right "
        f"{percent(part.accuracy)} of the time, all of them {percent(every.accuracy)}."
    )


def costs_paid(costs: CostFigures) -> str:
    """Say what mistakes cost, and what it saves to give the cheapest answer.

    Examples
    --------
    >>> print(costs_paid(CostFigures(0.33, 0.1, 0.6, 3.33, 0.25, 0.0, 300)))
    An image costs 0.33 on average (0.1-0.6) with the cheapest answer, 3.33 with the most probable class; 25% of the
    answers differ.
    """
    span_ = "" if costs.low is None or costs.high is None else f" ({costs.low:.3g}-{costs.high:.3g})"
    unknown = f", {percent(costs.unknown)} are unknown" if costs.unknown else ""
    return (
        f"An image costs {costs.mean:.3g} on average{span_} with the cheapest answer, {costs.of_most_probable:.3g} "
        f"with the most probable class; {percent(costs.changed)} of the answers differ{unknown}."
    )


def percent(share: float | None, digits: int | None = None) -> str:
    """Write a share as a percentage; without `digits`, as coarsely as still tells it from 0 and 100.

    Examples
    --------
    >>> percent(0.94), percent(0.9964), percent(1.0), percent(0.0004), percent(0.123, 1), percent(None)
    ('94%', '99.6%', '100%', '0.04%', '12.3%', '–')
    """
    if share is None:
        return "–"
    if digits is None:
        digits = next((d for d in (0, 1, 2, 3) if 0 < round(100 * share, d) < 100), 0)
    return f"{100 * share:.{digits}f}%"


def span(low: float | None, high: float | None, digits: int = 0) -> str:
    """Write an interval of shares: "92–96".

    Examples
    --------
    >>> span(0.921, 0.958), span(0.921, 0.958, 1), span(None, None)
    ('92–96', '92.1–95.8', '')
    """
    return "" if low is None or high is None else f"{100 * low:.{digits}f}–{100 * high:.{digits}f}"


def duration(seconds: float | None) -> str:
    """Write a time span.

    Examples
    --------
    >>> [duration(x) for x in (0.0412, 7.234, 93, 7330)]
    ['0.041 s', '7.2 s', '1 min 33 s', '2 h 2 min']
    """
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def rate(per_second: float | None) -> str:
    """Write a speed in two significant digits.

    Examples
    --------
    >>> rate(664.2), rate(8.27), rate(123456), rate(None)
    ('660', '8.3', '120,000', '–')
    """
    if per_second is None or per_second <= 0:
        return "–"
    digits = 1 - math.floor(math.log10(per_second))
    rounded = round(per_second, digits)
    return f"{rounded:,.{max(0, digits)}f}"
