"""`genus audit`: whether images and labels are fit to learn from."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genus.cli.audit_fix import fix_labels
from genus.cli.audit_folder import AuditFolder
from genus.cli.console import Console
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
    Workers,
    data_name,
    make_runtime,
    read_named,
)
from genus.cli.outcome import NO
from genus.cli.output import aligned, print_json, print_line
from genus.cli.training import print_notes
from genus.errors import ParameterError

if TYPE_CHECKING:
    from genus.estimators.audit import Audit

_MAX_REMARKS = 8


def audit(
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="Images: a folder a class, parts with such folders, or a table."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="The folder; with --fix, the new table. [default: DATA's name with -audit, or -fixed.csv]",
        ),
    ] = None,
    fix: Annotated[
        str | None,
        typer.Option(
            "--fix",
            metavar="FILE",
            help="Apply what has a yes in the column accept of this review.csv, to a new table of labels.",
        ),
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            "--fail-on",
            metavar="A,B>N%",
            help="Exit with code 1 if there are such issues, or more than N images, or N% of them: leaks,labels>2%.",
        ),
    ] = None,
    checks: Annotated[
        str | None,
        typer.Option(
            "--checks",
            metavar="A,B",
            help="Make these only: labels, duplicates, leaks, outliers, pictures, constants, shortcuts, balance, "
            "difficulty. [default: all]",
        ),
    ] = None,
    preset: Preset = PresetName.balanced,
    features: Features = None,
    precision: Precision = PrecisionChoice.int8,
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
    split_column: SplitColumn = None,
    group_column: GroupColumn = None,
) -> None:
    """Find out whether images and labels are fit to learn from.

    Ranks wrong labels, copies and leaks between training and test images, outliers, pictures with little in them, and
    metadata that give the label away. OUT then holds audit.html, the page to look at; audit.csv, everything found, the
    worst first; audit.json, the same; review.csv, in which you accept what shall be done. No image is ever changed.

    Examples:
      genus audit flowers/ -o out/
      genus audit labels.csv -o out/ --fail-on 'leaks,labels>2%'
      genus audit --fix out/review.csv -o fixed.csv
    """
    console = Console(quiet)
    columns = image_column, label_column, split_column, group_column
    asked = {
        "data": data,
        "reader": reader,
        "columns": list(columns),
        "multilabel": multi_label,
        "separator": label_separator,
    }
    if fix is not None:
        return fix_labels(fix, asked, output, force=force, json=json)
    if data is None:
        raise ParameterError("name the images to audit: genus audit DATA, or genus audit --fix review.csv.")

    from genus.estimators.audit import AuditOptions, audit_dataset
    from genus.estimators.audit_limits import exceeded_limits, parse_limits
    from genus.features.feature_set import chosen_features

    limits = parse_limits(fail_on or "")
    options = AuditOptions(
        chosen_features(preset.value, features, precision.value),
        _checks(checks),
        make_runtime(engine=engine, workers=workers, max_pixels=max_pixels, cache=not no_cache),
        seed,
    )
    dataset = read_named(data, reader, *columns, multilabel=multi_label, separator=label_separator)
    folder = AuditFolder(Path(output or f"{data_name(data)}-audit"))
    folder.prepare(force=force)
    found = audit_dataset(dataset, options, progress=console)
    folder.write(found, dataset, {**asked, "folder": os.getcwd()}, console)
    failed = exceeded_limits(found, limits)
    _show(found, folder, failed, json=json)
    if failed:
        raise typer.Exit(NO)


def _checks(text: str | None) -> tuple[Any, ...]:
    """Part the names of checks; raise for an unknown one before anything is computed."""
    from genus.audit.audit_checks import CHECKS
    from genus.estimators.audit import found_checks

    names = tuple(CHECKS) if text is None else tuple(name.strip() for name in text.split(","))
    found_checks(names)
    return names


def _show(found: "Audit", folder: AuditFolder, failed: list[str], *, json: bool) -> None:
    if json:
        print_json({**found.summary(), **folder.to_dict(), "failed": failed})
        return
    from genus.report.audit_words import basis, issue_words, more_images

    print_line(basis(found))
    print_line()
    rows = [(issue_words(name, n), _worst(found, name)) for name, n in found.counts.items()]
    print(*(aligned(rows) if rows else ["  Nothing wrong was found with single images."]), sep="\n")
    print_line()
    for remark in found.remarks[:_MAX_REMARKS]:
        if remark.severity > 0:
            print_line(f"{remark.text[0].upper()}{remark.text[1:]}.")
    if said := more_images(found.learning_curve):
        print_line(said)
    print_notes((*found.notes, *(f"not checked: {name}: {why}" for name, why in found.left_out.items())))
    print_line()
    print(
        *aligned([(name.capitalize(), str(path)) for name, path in folder.to_dict().items()], indent=""),
        sep="\n",
    )
    for reason in failed:
        print_line(f"Failed  {reason}")


def _worst(found: "Audit", issue: str) -> str:
    """Return the worst image of an issue, and what it is suspected to be."""
    worst = found.issue(issue)[0]
    wanted = f" -> {worst.suggestion}" if worst.suggestion not in ("", "-") else ""
    return f"first: {worst.image}{wanted}"
