"""The words and tables in which `genus train` tells what it found, or what it would do."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from genus.cli.output import aligned, print_line, size_text

if TYPE_CHECKING:
    from genus.classify.novelty import LeftOut
    from genus.data.dataset import SkippedImage
    from genus.estimators.result import TrainingPlan, TrainingResult
    from genus.judgement import EvaluationResult
    from genus.metrics.conformal import Coverage
    from genus.metrics.evaluation import Evaluation
    from genus.metrics.label_evaluation import LabelEvaluation

_MAX_ROWS = 10
_MAX_SKIPPED = 10
_FIGURES = (
    "accuracy_with_unknown",
    "balanced_accuracy",
    "macro_f1",
    "top_5_accuracy",
    "log_loss",
    "calibration_error",
    "hierarchical_f1",
    "mistake_distance",
)
_LABEL_FIGURES = (
    "mean_average_precision",
    "macro_f1",
    "micro_f1",
    "macro_auroc",
    "subset_accuracy",
    "hamming_loss",
    "calibration_error",
)
_MAX_PAIRS = 3
_MAX_LABELS = 20


def print_result(result: "TrainingResult", model: Path, report: Path | None) -> None:
    """Print what training found out."""
    from genus.report.network import network_finding
    from genus.report.training_words import judged_on, more_images
    from genus.report.words import duration
    from genus.wording import count

    print_line(f"{count(result.n_images, 'image')} {_sorts(result)} from {result.origin}.")
    print_line(judged_on(result))
    print_line()
    print_headline(result.evaluation, result.test.coverages)
    print_surest(result.test)
    print_taxa(result.test)
    print_unknown(result.test, result.left_out)
    for said in (
        more_images(result.learning_curve),
        network_finding(result.network) if result.network else "",
    ):
        if said:
            print_line(said)
    print_line()
    _print_leaderboard(result)
    print_notes((*result.notes, *result.evaluation.notes))
    print_skipped(result.skipped)
    print_line()
    size = size_text(model.stat().st_size)
    rows = [("Model", f"{model} ({size})")]
    if report is not None:
        rows.append(("Report", str(report)))
    rows.append(("Time", duration(result.seconds["total"])))
    print(*aligned(rows, indent=""), sep="\n")


def _sorts(result: "TrainingResult") -> str:
    from genus.wording import count

    if result.test.thresholds is None:
        return f"in {count(len(result.classes), 'class', 'classes')}"
    return f"with any of {count(len(result.classes), 'label')}"


def print_plan(plan: "TrainingPlan") -> None:
    """Print what training would do."""
    from genus.report.words import duration
    from genus.wording import count

    stages = [(name, f"about {duration(seconds)}") for name, seconds in plan.seconds.items()]
    kinds = count(len(plan.counts), "class", "classes")
    sorts = f"with any of {count(len(plan.counts), 'label')}" if plan.multilabel else f"in {kinds}"
    print_line(f"{count(plan.n_images, 'labelled image')} {sorts} from {plan.origin}.")
    print_line(f"Features: {plan.features} ({plan.n_features:,} numbers an image)")
    print_line(f"Classifiers to try: {', '.join(plan.heads)}")
    if plan.network is not None:
        from genus.report.network import planned_network_words

        print_line(f"Network: {planned_network_words(plan.network)}")
    print_line("Time, less where features are in the cache already:")
    print(*aligned(stages), sep="\n")
    print_line(f"Memory: about {plan.memory_mb:,.0f} MB")
    print_line("Nothing was done.")


def print_headline(evaluation: "Evaluation | LabelEvaluation", coverages: "Sequence[Coverage]" = ()) -> None:
    """Print how good a model is: in words, then the figures, then how many names are enough."""
    from genus.metrics.label_evaluation import LabelEvaluation
    from genus.report.words import enough_labels, enough_names, headline

    if isinstance(evaluation, LabelEvaluation):
        _print_label_headline(evaluation)
        if enough := enough_labels(coverages):
            print_line(enough)
        return
    found = headline(evaluation)
    print_line(f"{found.sentence} {found.range}")
    figures = [evaluation.accuracy, *(f for f in evaluation.metrics if f.name in _FIGURES)]
    print(*aligned([(figure.label, figure.text()) for figure in figures]), sep="\n")
    pairs = evaluation.confused_pairs(_MAX_PAIRS)
    if pairs:
        names = evaluation.classes
        mixed = (f"{names[p.true]} taken for {names[p.predicted]} ({p.n})" for p in pairs)
        print_line(f"  Most often: {', '.join(mixed)}")
    if enough := enough_names(coverages):
        print_line(enough)


def print_surest(result: "EvaluationResult") -> None:
    """Print how the model does on the images it is surest of, where that was measured."""
    from genus.report.words import costs_paid, surest

    if said := surest(result.risk_coverage):
        print_line(said)
    if result.costs is not None:
        print_line(costs_paid(result.costs))


def print_taxa(result: "EvaluationResult") -> None:
    """Print how the model does in the tree of its classes, where they form one."""
    from genus.report.taxa import by_level, where_sure

    if result.taxa is not None:
        print_line(by_level(result.taxa))
        print_line(where_sure(result.taxa))


def print_unknown(result: "EvaluationResult", left_out: "Sequence[LeftOut]" = ()) -> None:
    """Print how well images of no known class are told, where that was measured."""
    from genus.report.unknown import new_classes, rejected

    for said in (rejected(result.rejection), new_classes(left_out)):
        if said:
            print_line(said)


def _print_label_headline(evaluation: "LabelEvaluation") -> None:
    from genus.report.words import label_headline, percent

    found = label_headline(evaluation)
    print_line(f"{found.sentence} {found.range}")
    figures = [figure for figure in evaluation.metrics if figure.name in _LABEL_FIGURES]
    print(*aligned([(figure.label, figure.text()) for figure in figures]), sep="\n")
    print_line()
    rows: list[tuple[str, ...]] = [
        ("Label", "images", "average precision", "precision", "recall", "F1", "named from")
    ]
    shown = sorted(evaluation.per_label, key=lambda row: -row.n)[:_MAX_LABELS]
    for row in shown:
        scores = (row.average_precision, row.precision, row.recall, row.f1)
        cut = "never" if row.threshold > 1 else percent(row.threshold, 0)
        rows.append((row.name, f"{row.n:,}", *(percent(score, 0) for score in scores), cut))
    print(*aligned(rows, right=[1, 2, 3, 4, 5, 6], indent=""), sep="\n")
    if len(evaluation.per_label) > _MAX_LABELS:
        print_line(f"and {len(evaluation.per_label) - _MAX_LABELS:,} rarer labels (--json lists them all)")


def print_notes(notes: Sequence[str]) -> None:
    """Print what one should know to read the figures."""
    if notes:
        print_line()
    for note in dict.fromkeys(notes):
        print_line(f"Note: {note}")


def print_skipped(skipped: "Sequence[SkippedImage]") -> None:
    """Print which images were left out, and why."""
    if not skipped:
        return
    print_line()
    print_line(f"Left out, {len(skipped):,} in all:")
    for one in skipped[:_MAX_SKIPPED]:
        print_line(f"  {one.source}: {one.reason}")
    if len(skipped) > _MAX_SKIPPED:
        print_line(f"  and {len(skipped) - _MAX_SKIPPED:,} more (--json lists them all)")


def _print_leaderboard(result: "TrainingResult") -> None:
    from genus.report.training import leaderboard
    from genus.report.words import duration, percent, rate

    shown = leaderboard(result)[:_MAX_ROWS]
    rows = [("", "Tried", result.metric.replace("_", " "), "", "tried in", "images/s")]
    for row in shown:
        if row.score is None:
            rows.append(("*" if row.is_winner else "", row.name, "", "", row.note, ""))
            continue
        half = 0.0 if row.low is None else row.score - row.low
        rows.append(
            (
                "*" if row.is_winner else "",
                row.name,
                percent(row.score, 1),
                f"± {100 * half:.1f}{' †' if row.elsewhere else ''}",
                duration(row.fit_seconds),
                rate(row.images_per_second),
            )
        )
    print(*aligned(rows, right=[2, 4, 5], indent=""), sep="\n")
    for note in dict.fromkeys(row.note for row in shown if row.elsewhere):
        print_line(f"† {note}")
