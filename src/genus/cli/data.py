"""`genus data`: what a folder or table holds."""

from typing import TYPE_CHECKING, Annotated

import typer

from genus.cli.console import Console
from genus.cli.options import (
    MAX_PIXELS,
    Force,
    GroupColumn,
    ImageColumn,
    Json,
    LabelColumn,
    LabelSeparator,
    MaxPixels,
    MultiLabel,
    Preset,
    PresetName,
    Quiet,
    ReaderName,
    SplitColumn,
    Tree,
    Workers,
    make_runtime,
    read_named,
)
from genus.cli.output import aligned, print_json, print_line
from genus.cli.training import print_notes, print_skipped
from genus.wording import count

if TYPE_CHECKING:
    from genus.data.dataset import Dataset
    from genus.data.describe import Description, Spread
    from genus.data.label_summary import LabelSummary
    from genus.features.runtime import Runtime

_MAX_CLASSES = 40
_MAX_NAMES = 3
_MAX_PAIRS = 5


def data(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="A folder, a table (CSV, JSONL, Parquet), a pattern.")
    ],
    preview: Annotated[
        str | None,
        typer.Option(
            "--preview",
            metavar="FILE",
            help="Write pictures before and after pre-processing, as .html or .png.",
        ),
    ] = None,
    preset: Preset = PresetName.balanced,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
    workers: Workers = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    reader: ReaderName = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    multi_label: MultiLabel = None,
    label_separator: LabelSeparator = None,
    taxonomy: Tree = "auto",
    split_column: SplitColumn = None,
    group_column: GroupColumn = None,
) -> None:
    """Describe images before training: how many, of what kind, what is wrong with them.

    Every image is opened once: what cannot be read here will be left out by training.

    Examples:
      genus data flowers/
      genus data labels.csv --label-column species --json
      genus data flowers/ --preview flowers.html
    """
    if preview is not None:
        _check_preview(preview, force)

    from genus.data.describe import describe

    runtime = make_runtime(workers=workers, max_pixels=max_pixels)
    columns = image_column, label_column, split_column, group_column
    dataset = read_named(
        path, reader, *columns, multilabel=multi_label, separator=label_separator, taxonomy=taxonomy
    )
    n_workers = runtime.n_workers(len(dataset))
    found = describe(dataset, workers=n_workers, limits=runtime.limits, progress=Console(quiet))
    if preview is not None:
        _write_preview(preview, dataset, preset, runtime)
    if json:
        print_json({**found.to_dict(), "preview": preview})
        return
    _print(found)
    if preview is not None:
        print_line()
        print_line(f"Preview  {preview}")


def _check_preview(preview: str, force: bool) -> None:
    from genus.files import check_writable
    from genus.report.preview import check_preview

    check_preview(preview)
    check_writable(preview, force=force)


def _write_preview(preview: str, dataset: "Dataset", preset: PresetName, runtime: "Runtime") -> None:
    from genus.features.feature_set import feature_set_for
    from genus.report.preview import preview_pictures, write_preview

    preprocess = feature_set_for(preset.value).preprocess
    pictures = preview_pictures(dataset, preprocess, limits=runtime.limits)
    write_preview(preview, pictures, dataset.origin, preprocess)


def _print(found: "Description") -> None:
    labelled = f", {found.n_labelled:,} with a label" if found.n_labelled != found.n_images else ""
    print_line(f"{found.origin}: {count(found.n_images, 'image')}{labelled}, {found.n_readable:,} readable.")
    facts = [
        *_label_facts(found.labels),
        ("Width", _spread(found.widths)),
        ("Height", _spread(found.heights)),
        ("Formats", _counted(found.formats)),
        ("Modes", _counted(found.modes)),
        ("Groups", "" if found.n_groups is None else f"{found.n_groups:,}"),
    ]
    print(*aligned([fact for fact in facts if fact[1]]), sep="\n")
    _print_counts(found)
    _print_problems(found)
    print_notes(found.notes)
    print_skipped(found.skipped)


def _label_facts(labels: "LabelSummary | None") -> list[tuple[str, str]]:
    """Say in a few lines what is known of the labels of images that may have several."""
    if labels is None:
        return []
    n_unknown = sum(labels.unknown.values())
    cells = f"{n_unknown:,} of {labels.n_labelled * labels.n_labels:,} cells" if n_unknown else ""
    pairs = (f"{first} + {second} {n:,}" for first, second, n in labels.pairs[:_MAX_PAIRS])
    return [
        (
            "Labels",
            f"{labels.n_labels:,}, several an image: {labels.mean:.1f} on average, {labels.most:,} at most",
        ),
        ("No label", f"{count(labels.n_none, 'image')} known to have none" if labels.n_none else ""),
        ("Unlabelled", count(labels.n_unlabelled, "image") if labels.n_unlabelled else ""),
        ("Unknown", cells),
        ("Together", ", ".join(pairs)),
    ]


def _spread(spread: "Spread | None") -> str:
    if spread is None:
        return ""
    return f"{spread.low:,} to {spread.high:,} pixels, middle {spread.median:,}"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())


def _print_counts(found: "Description") -> None:
    if not found.counts:
        return
    parts = list(found.split_counts)
    unknown = found.labels.unknown if found.labels else {}
    rows = [("label" if found.labels else "class", "images", *parts, *(["unknown"] if unknown else []))]
    for name, n in list(found.counts.items())[:_MAX_CLASSES]:
        in_parts = (f"{found.split_counts[part].get(name, 0):,}" for part in parts)
        rows.append((name, f"{n:,}", *in_parts, *([f"{unknown.get(name, 0):,}"] if unknown else [])))
    if len(found.counts) > _MAX_CLASSES:
        rows.append((f"and {len(found.counts) - _MAX_CLASSES:,} more", *[""] * (len(rows[0]) - 1)))
    if found.labels is None:  # the counts of labels overlap: they add up to nothing
        totals = (f"{sum(found.split_counts[part].values()):,}" for part in parts)
        rows.append((f"{len(found.counts):,} classes", f"{sum(found.counts.values()):,}", *totals))
    print_line()
    print(*aligned(rows, right=range(1, len(rows[0]))), sep="\n")


def _print_problems(found: "Description") -> None:
    others = [problem for problem in found.problems if problem.kind != "unreadable"]
    if others:
        print_line()
    for problem in others:
        shown = ", ".join(problem.images[:_MAX_NAMES])
        more = " ..." if problem.n > _MAX_NAMES else ""
        print_line(f"Problem: {problem.text}: {shown}{more}" if shown else f"Problem: {problem.text}")
