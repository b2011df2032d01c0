"""`genus compare`: which of two models is better."""

from typing import TYPE_CHECKING, Annotated

import typer

from genus.cli.console import Console
from genus.cli.images import chosen_part
from genus.cli.options import (
    MAX_PIXELS,
    Engine,
    EngineName,
    GroupColumn,
    ImageColumn,
    Json,
    LabelColumn,
    LabelSeparator,
    MaxPixels,
    MultiLabel,
    Quiet,
    ReaderName,
    Split,
    SplitColumn,
    Workers,
    make_runtime,
    read_named,
)
from genus.cli.output import aligned, print_json, print_line
from genus.cli.training import print_notes

if TYPE_CHECKING:
    from genus.estimators.comparison import ModelComparison


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A model file.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="Labelled images that neither was trained on.")],
    split: Split = None,
    json: Json = False,
    quiet: Quiet = False,
    engine: Engine = EngineName.auto,
    workers: Workers = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    reader: ReaderName = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    multi_label: MultiLabel = None,
    label_separator: LabelSeparator = None,
    split_column: SplitColumn = None,
    group_column: GroupColumn = None,
) -> None:
    """Find out which of two models is better.

    Both see the same images, so what counts is on which images they differ: that is far sharper than looking
    whether two intervals overlap. The test is McNemar's (exact), the interval Tango's (95%).

    Examples:
      genus compare old.onnx new.onnx flowers-test/
      genus compare fast.onnx best.onnx labels.csv --split test --json
    """
    from genus.estimators.comparison import compare as compare_predictors
    from genus.predictor import load

    runtime = make_runtime(engine=engine, workers=workers, max_pixels=max_pixels)
    predictors = load(first, runtime), load(second, runtime)
    columns = image_column, label_column, split_column, group_column
    dataset = read_named(data, reader, *columns, multilabel=multi_label, separator=label_separator)
    dataset = chosen_part(dataset, split)
    found = compare_predictors(*predictors, dataset, progress=Console(quiet))
    if json:
        models = {"first_model": first, "second_model": second, "data": dataset.origin}
        print_json({**models, **found.to_dict(), "verdict": verdict(found, first, second)})
    else:
        _print(found, first, second, dataset.origin)


def verdict(found: "ModelComparison", first: str, second: str) -> str:
    """Say in one sentence which model is better."""
    paired = found.paired
    differ = paired.only_first + paired.only_second
    if not differ:
        return "The two are right and wrong on the same images."
    split = f"where only one of them is right, {paired.only_first} to {paired.only_second}"
    if found.winner is None:
        return f"These images cannot tell which is better ({split}; p = {paired.p_value:.2g})."
    better = (first, second)[found.winner]
    return f"{better} is better ({split}; p = {paired.p_value:.2g})."


def _print(found: "ModelComparison", first: str, second: str, origin: str) -> None:
    paired = found.paired
    print_line(f"{paired.n:,} images from {origin}.")
    difference = (
        f"{100 * paired.difference:+.1f} points ({100 * paired.low:+.1f} to {100 * paired.high:+.1f})"
    )
    rows = [(first, found.first.text()), (second, found.second.text()), ("difference", difference)]
    print(*aligned(rows), sep="\n")
    print_line(verdict(found, first, second))
    print_notes(found.notes)
