"""`genus evaluate`: measure a model on labelled images."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genus._version import __version__
from genus.cli.console import Console
from genus.cli.images import chosen_part
from genus.cli.options import (
    MAX_PIXELS,
    Engine,
    EngineName,
    Force,
    GroupColumn,
    ImageColumn,
    Json,
    LabelColumn,
    LabelSeparator,
    MaxPixels,
    MultiLabel,
    Quiet,
    ReaderName,
    Seed,
    Split,
    SplitColumn,
    Tree,
    Workers,
    make_runtime,
    read_named,
)
from genus.cli.output import print_json, print_line
from genus.cli.training import (
    print_headline,
    print_notes,
    print_skipped,
    print_surest,
    print_taxa,
    print_unknown,
)
from genus.files import check_writable
from genus.wording import count

if TYPE_CHECKING:
    from genus.data.dataset import Dataset
    from genus.judgement import EvaluationResult
    from genus.predictor import Predictor


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The .onnx file that genus train wrote.")],
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="Labelled images: a folder with a folder a class, or a table."),
    ],
    report: Annotated[
        str | None, typer.Option("--report", metavar="FILE", help="Write a report, one HTML page.")
    ] = None,
    split: Split = None,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
    seed: Seed = 0,
    engine: Engine = EngineName.auto,
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
    """Measure a model on labelled images it was not trained on.

    Classes are matched by name. Images of classes that the model does not know are left out of the figures; a second
    accuracy counts them as wrong. Images that the model learned from are counted and said. Where the classes form a
    tree, labels may be taxa above them, and are read as in training unless --taxonomy says otherwise.

    Examples:
      genus evaluate flowers.onnx flowers-test/
      genus evaluate flowers.onnx flowers-test/ --report flowers-test.html
      genus evaluate flowers.onnx labels.csv --split val --json
    """
    page = None if report is None else check_writable(report, force=force)

    from genus.predictor import load

    predictor = load(model, make_runtime(engine=engine, workers=workers, max_pixels=max_pixels))
    columns = image_column, label_column, split_column, group_column
    if taxonomy == "auto":  # labels are read as in training
        taxonomy = predictor.model.details.get("taxonomy", {}).get("reading") or taxonomy
    dataset = read_named(
        data, reader, *columns, multilabel=multi_label, separator=label_separator, taxonomy=taxonomy
    )
    dataset = chosen_part(dataset, split)
    result = predictor.evaluate(dataset, progress=Console(quiet), random_state=seed)
    if page is not None:
        _write_report(result, dataset, predictor, model, page)
    if json:
        print_json({"model": model, "data": dataset.origin, **result.to_dict(), "report": page})
        return
    print_line(f"{model} on {dataset.origin}: {count(len(result.names), 'image')}, {result.seconds:.1f} s.")
    print_line()
    print_headline(result.evaluation, result.coverages)
    print_surest(result)
    print_taxa(result)
    print_unknown(result)
    print_notes((*result.notes, *result.evaluation.notes))
    print_skipped(result.skipped)
    if page is not None:
        print_line()
        print_line(f"Report  {page}")


def _write_report(
    result: "EvaluationResult", dataset: "Dataset", predictor: "Predictor", model: str, page: Path
) -> None:
    from genus.report.mistakes import with_evidence
    from genus.report.page import write_report
    from genus.report.training import evaluation_report

    sources = {source.name: source for source in dataset.sources}
    content = evaluation_report(
        result,
        title=Path(model).stem,
        model=model,
        created=f"{datetime.now(UTC).isoformat(timespec='seconds')} by Genus {__version__}",
        head=predictor.model.details.get("head"),
        sources=sources,
    )
    write_report(
        with_evidence(content, predictor.model, result, sources=sources, runtime=predictor.runtime), page
    )
