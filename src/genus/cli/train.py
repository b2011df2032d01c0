"""`genus train`: labelled images in, a model file and a report out."""

import shlex
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genus.cli.console import Console
from genus.cli.networks import (
    Augment,
    Cnn,
    CnnSize,
    Depth,
    Device,
    Epochs,
    Patience,
    Resume,
    network_wish,
    remove_checkpoints,
    tell_of_checkpoint,
)
from genus.cli.options import (
    MAX_PIXELS,
    Engine,
    EngineName,
    Features,
    Force,
    GroupColumn,
    ImageColumn,
    Json,
    LabelColumn,
    LabelSeparator,
    MaxPixels,
    MultiLabel,
    NoCache,
    Precision,
    PrecisionChoice,
    Preset,
    PresetName,
    Quiet,
    ReaderName,
    Seed,
    SplitColumn,
    Tree,
    Workers,
    data_name,
    make_runtime,
    read_named,
)
from genus.cli.output import check_different, print_json
from genus.cli.training import print_plan, print_result
from genus.errors import ParameterError
from genus.files import check_writable

if TYPE_CHECKING:
    from genus.data.dataset import Dataset
    from genus.estimators.classifier import ImageClassifier
    from genus.estimators.result import TrainingPlan, TrainingResult


class MetricName(StrEnum):
    """What candidates are compared by (`genus.classify.scores.METRICS`, `label_scores.LABEL_METRICS`)."""

    auto = "auto"
    accuracy = "accuracy"
    balanced_accuracy = "balanced_accuracy"
    macro_f1 = "macro_f1"
    micro_f1 = "micro_f1"
    mean_average_precision = "mean_average_precision"
    log_loss = "log_loss"


class CalibrationName(StrEnum):
    """How scores become probabilities (`genus.classify.calibration_choice.METHODS`)."""

    auto = "auto"
    none = "none"
    temperature = "temperature"
    platt = "platt"
    isotonic = "isotonic"


def train(
    context: typer.Context,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA", help="A folder with a folder a class, or a table (CSV, JSONL, Parquet)."
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The model. [default: DATA's name with .onnx, here]"
        ),
    ] = None,
    preset: Preset = PresetName.balanced,
    features: Features = None,
    precision: Precision = PrecisionChoice.int8,
    heads: Annotated[
        str | None,
        typer.Option(
            "--heads",
            metavar="A,B",
            help="Try these classifiers: logistic, linear_svm, lda, prototype, knn, rbf, mlp, ensemble. "
            "[default: the preset's]",
        ),
    ] = None,
    metric: Annotated[
        MetricName,
        typer.Option(
            "--metric",
            metavar="|".join(MetricName),
            help="What they are compared by; auto: accuracy, or with several labels mean average precision.",
        ),
    ] = MetricName.auto,
    aim: Annotated[
        str,
        typer.Option(
            "--aim",
            metavar="AIM",
            help="With several labels an image, what thresholds are tuned for: f1, precision>=P, recall>=P, cost=C.",
        ),
    ] = "f1",
    costs: Annotated[
        str | None,
        typer.Option(
            "--costs",
            metavar="FILE",
            help="What mistakes cost, a CSV (true class by predicted class) or JSON; predictions then cost least.",
        ),
    ] = None,
    calibration: Annotated[
        CalibrationName,
        typer.Option(
            "--calibration",
            metavar="|".join(CalibrationName),
            help="How scores become probabilities; auto: the simplest that does, by cross-validation.",
        ),
    ] = CalibrationName.auto,
    time_budget: Annotated[
        float | None,
        typer.Option(
            "--time-budget", metavar="S", help="Seconds in all; when they are over, nothing new is tried."
        ),
    ] = None,
    test_size: Annotated[
        float,
        typer.Option(
            "--test-size", metavar="P", help="The share set aside to judge, unless the data marks its own."
        ),
    ] = 0.2,
    no_refit: Annotated[
        bool,
        typer.Option(
            "--no-refit", help="Keep the model that was judged; do not learn from all images after."
        ),
    ] = False,
    unlabelled: Annotated[
        str | None,
        typer.Option(
            "--unlabelled",
            metavar="FOLDER",
            help="More images without labels; they help where there are up to 5 labelled ones a class.",
        ),
    ] = None,
    add: Annotated[
        str | None,
        typer.Option(
            "--add",
            metavar="DATA",
            help="Add these images and classes to a --model, without its old images; --output is the new one.",
        ),
    ] = None,
    old: Annotated[
        str | None, typer.Option("--model", "-m", metavar="FILE", help="With --add: the model to add to.")
    ] = None,
    no_memory: Annotated[
        bool,
        typer.Option(
            "--no-memory", help="Keep nothing of the images that --add, and predict --reject, would need."
        ),
    ] = False,
    cnn: Cnn = None,
    cnn_size: CnnSize = None,
    epochs: Epochs = None,
    patience: Patience = None,
    augment: Augment = None,
    depth: Depth = "auto",
    device: Device = "auto",
    resume: Resume = False,
    report: Annotated[
        str | None,
        typer.Option(
            "--report", metavar="FILE", help="The report. [default: the model's name with .report.html]"
        ),
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no report.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what would be done, how long and how much memory; do nothing."),
    ] = False,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
    seed: Seed = 0,
    engine: Engine = EngineName.auto,
    workers: Workers = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    no_cache: NoCache = False,
    reader: ReaderName = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    multi_label: MultiLabel = None,
    label_separator: LabelSeparator = None,
    taxonomy: Tree = "auto",
    split_column: SplitColumn = None,
    group_column: GroupColumn = None,
) -> None:
    """Train a classifier on labelled images.

    A fifth of the images is set aside first and only judges, unless the data has test images of its own. On the
    others several classifiers are compared; the best one learns from all images and is written as one .onnx file,
    with a report beside it. Files that exist are only replaced with --force.

    Examples:
      genus train flowers/
      genus train flowers/ -o flowers.onnx --preset best
      genus train labels.csv --group-column patient --metric macro_f1
      genus train plants/ --taxonomy folders
      genus train findings.csv --multi-label --aim 'recall>=0.95'
      genus train --add more_flowers/ -m flowers.onnx -o all_flowers.onnx
      genus train flowers/ --cnn finetune --time-budget 600
      genus train flowers/ --dry-run
    """
    console, data = Console(quiet), _data(data, add, old)
    model = Path(output) if output else Path(f"{data_name(data)}.onnx")
    page = None if dry_run else _check_outputs(model, report, no_report=no_report, force=force)
    network = network_wish(cnn, model, cnn_size, epochs, patience, augment, depth, device, resume=resume)

    from genus.estimators.classifier import ImageClassifier
    from genus.estimators.network_team import is_helper

    classifier = ImageClassifier(
        preset.value,
        features=features,
        precision=precision.value,
        heads=_heads(heads),
        metric=metric.value,
        aim=aim,
        taxonomy=taxonomy,
        costs=None if costs is None else read_cost_file(costs),
        calibration=calibration.value,
        time_budget=time_budget,
        test_size=test_size,
        refit=not no_refit,
        memory=not no_memory,
        cnn=network,
        runtime=make_runtime(engine=engine, workers=workers, max_pixels=max_pixels, cache=not no_cache),
        random_state=seed,
    )
    columns = image_column, label_column, split_column, group_column
    dataset = read_named(
        data, reader, *columns, multilabel=multi_label, separator=label_separator, taxonomy=taxonomy
    )
    given = {"heads": heads, "features": features, "costs": costs, "cnn": cnn, "unlabelled": unlabelled}
    _take_old(classifier, old, {**given, "dry_run": dry_run})
    if dry_run:
        return _show_plan(classifier.plan(dataset), json=json)
    tell_of_checkpoint(network, console)
    # the first partial_fit is a fit: so both ways are one
    classifier.partial_fit(dataset, unlabelled=unlabelled, progress=console, command=shlex.join(context.obj))
    if not is_helper():
        _save(classifier, dataset, model, page, force=force)
        _show(classifier.result_, model, page, json=json)


def _show_plan(plan: "TrainingPlan", *, json: bool) -> None:
    print_json(plan.to_dict()) if json else print_plan(plan)


def _show(result: "TrainingResult", model: Path, page: Path | None, *, json: bool) -> None:
    if json:
        print_json({**result.to_dict(), "model": model, "report": page})
    else:
        print_result(result, model, page)


def _check_outputs(model: Path, report: str | None, *, no_report: bool, force: bool) -> Path | None:
    """Find out before the work whether the results can be written; returns where the report goes."""
    check_writable(model, force=force)
    if no_report:
        return None
    page = check_writable(report or model.with_suffix(".report.html"), force=force)
    check_different(str(model), str(page))
    return page


def _data(data: str | None, add: str | None, old: str | None) -> str:
    """Return what is to be learned from: DATA for a new model, or with --add what is added to an old one."""
    if add is None:
        if old is not None:
            raise ParameterError(
                "--model names a model to --add images to; the new model's name is --output."
            )
        if data is None:
            raise ParameterError(
                "name the labelled images: genus train DATA, or genus train --add DATA -m MODEL."
            )
        return data
    if data is not None:
        raise ParameterError(f"give either {data} to train on, or --add {add} to add to a model, not both.")
    if old is None:
        raise ParameterError(f"--add {add}: name the model to add to with --model.")
    return add


def _take_old(classifier: "ImageClassifier", old: str | None, given: Mapping[str, object]) -> None:
    """Let a classifier go on from a model, if one is named; options that say how to train anew cannot go with it."""
    if old is None:
        return
    from genus.model_file import read_model_file

    if wrong := [f"--{name.replace('_', '-')}" for name, value in given.items() if value]:
        raise ParameterError(f"{', '.join(wrong)} cannot go with --add, which follows the model added to.")
    classifier.resume(read_model_file(old))


def read_cost_file(path: str) -> dict[str, dict[str, object]]:
    """Read what mistakes cost."""
    from genus.data.cost_table import read_costs

    return read_costs(path)


def _heads(text: str | None) -> list[str] | None:
    """Part the names of heads; raise for an unknown one now, not after the features are computed."""
    if text is None:
        return None
    from genus.classify.heads import HEADS

    names = [name.strip() for name in text.split(",")]
    for name in names:
        HEADS.get(name)
    return names


def _save(
    classifier: "ImageClassifier", dataset: "Dataset", model: Path, page: Path | None, *, force: bool
) -> None:
    from genus.estimators.network_options import NetworkOptions

    classifier.save(model, force=force)
    remove_checkpoints(NetworkOptions.of(classifier.cnn))
    if page is None:
        return
    from genus.report.mistakes import with_evidence
    from genus.report.page import write_report
    from genus.report.training import training_report

    result = classifier.result_
    sources = {source.name: source for source in dataset.sources}
    content = training_report(result, title=model.stem, model=str(model), sources=sources)
    content = with_evidence(
        content,
        classifier.model_,
        result.test,
        # else the file's own: that of a network that has learned again, or of all images that were judged in turn
        scores=None if result.judged is None else result.judged.uncalibrated_logits,
        sources=sources,
        runtime=classifier.runtime,
    )
    write_report(content, page)
