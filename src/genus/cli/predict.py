"""`genus predict`: say what is in images."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genus.cli.console import Console
from genus.cli.images import find_images
from genus.cli.options import (
    MAX_PIXELS,
    Engine,
    EngineName,
    Force,
    Json,
    MaxPixels,
    Quiet,
    Workers,
    make_runtime,
)
from genus.cli.output import Kind, check_different, check_table
from genus.cli.prediction import Prediction, predictions, set_maker
from genus.cli.sinks import JsonSink, Lines, Sink, Sorted, Summary, Table
from genus.cli.sorting import HowToFile, Sorter
from genus.cli.taxa import taxon_maker
from genus.errors import DataError, ImageError, ParameterError
from genus.progress import SILENT

if TYPE_CHECKING:
    from genus.metrics.costs import Costs
    from genus.predictor import Predictor


def predict(
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGES...", help="Images, folders, patterns, tables; - for names on stdin."),
    ],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="FILE", help="The model. [default: built in, 1000 classes]"),
    ] = None,
    top: Annotated[
        int, typer.Option("--top", "-k", metavar="K", min=1, help="How many guesses to give for each image.")
    ] = 5,
    csv: Annotated[str | None, typer.Option("--csv", metavar="FILE", help="Write a CSV table.")] = None,
    jsonl: Annotated[
        str | None, typer.Option("--jsonl", metavar="FILE", help="Write one JSON object a line.")
    ] = None,
    parquet: Annotated[
        str | None, typer.Option("--parquet", metavar="FILE", help="Write a Parquet table.")
    ] = None,
    sort_into: Annotated[
        str | None,
        typer.Option("--sort-into", metavar="DIR", help="Copy each image into DIR/<class>/ or DIR/unsure/."),
    ] = None,
    above: Annotated[
        float,
        typer.Option("--above", metavar="P", min=0, max=1, help="How sure is sure, for --sort-into."),
    ] = 0.8,
    move: Annotated[bool, typer.Option("--move", help="With --sort-into: move instead of copying.")] = False,
    link: Annotated[
        bool, typer.Option("--link", help="With --sort-into: make symbolic links instead of copies.")
    ] = False,
    coverage: Annotated[
        float | None,
        typer.Option(
            "--coverage",
            metavar="P",
            help="Give each image as many names as it takes for the true one to be among them so often: 0.95.",
        ),
    ] = None,
    by_class: Annotated[
        bool, typer.Option("--by-class", help="With --coverage: for each class by itself.")
    ] = False,
    threshold: Annotated[
        str | None,
        typer.Option(
            "--threshold",
            metavar="P|NAME=P,..",
            help="With several labels an image: name those at least so probable. [default: tuned in training]",
        ),
    ] = None,
    sure: Annotated[
        float | None,
        typer.Option(
            "--sure",
            metavar="P",
            help="Where the classes form a tree: stop at the deepest taxon that is right so often: 0.95.",
        ),
    ] = None,
    costs: Annotated[
        str | None,
        typer.Option(
            "--costs",
            metavar="FILE|none",
            help="What mistakes cost: give the answer that costs least. [default: as the model was trained]",
        ),
    ] = None,
    reject: Annotated[
        str | None,
        typer.Option(
            "--reject",
            metavar="P|auto",
            help='Answer "unknown" for images unlike the training images, at the price of this share of known ones.',
        ),
    ] = None,
    null: Annotated[
        bool, typer.Option("--null", "-0", help="Names on stdin end with NUL, as find -print0 writes them.")
    ] = False,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
    engine: Engine = EngineName.auto,
    workers: Workers = None,
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Say what is in images.

    Images that cannot be read are listed on stderr and the others done all the same; the exit code is 2 only if
    none could be read. Tables have the columns path, label, confidence, label_2, confidence_2 ... and error, so
    that `genus train` can read them. Of a model with several labels an image they have the columns path, labels
    (joined by |), error, and one for each label with its probability.

    With --sure, tables have the columns taxon, taxon_confidence, depth and rank as well, and --sort-into makes a
    folder in a folder for each taxon. With --reject, tables have the column novelty, how unlike the training images an
    image is, and the confidence of unknown is empty.

    --sort-into never replaces a file: another image of the same name gets a number, and an image that is there
    already is left alone.

    Examples:
      genus predict cat.jpg dog.jpg
      genus predict -m flowers.onnx new/ --csv found.csv
      genus predict -m flowers.onnx new/ --coverage 0.95
      genus predict -m plants.onnx new/ --sure 0.95 --csv found.csv
      genus predict -m flowers.onnx new/ --reject auto
      genus predict -m flowers.onnx new/ --sort-into sorted/ --above 0.9
      find . -name '*.jpg' -print0 | genus predict -m flowers.onnx -0 - --json
    """
    console = Console(quiet)
    kinds: dict[Kind, str | None] = {"csv": csv, "jsonl": jsonl, "parquet": parquet}
    tables = {kind: check_table(path, kind, force=force) for kind, path in kinds.items() if path is not None}
    check_different(*tables.values())
    sorter = Sorter(Path(sort_into), above, _how(move=move, link=link)) if sort_into else None
    sources = find_images(images, null_separated=null)

    from genus.predictor import built_in, load

    runtime = make_runtime(engine=engine, workers=workers, max_pixels=max_pixels)
    predictor = built_in(runtime) if model is None else load(model, runtime)
    make_sets = set_maker(predictor, coverage, by_class=by_class, threshold=_threshold(threshold))
    make_taxa = taxon_maker(predictor, sure, with_sets=coverage is not None)
    priced = _costs(predictor, costs)
    rejecting = predictor.rules.answers(costs=False, reject=_share(reject))
    labels = predictor.model.classes if predictor.model.multilabel else None
    if labels is not None and sort_into:
        raise ParameterError("--sort-into needs one class an image; this model gives any number of labels.")
    top = min(top, len(predictor.classes_))
    outputs = [*map(str, tables.values()), *([sort_into] if sort_into else [])]
    sinks = [_shown(model, outputs, json=json, alone=len(sources) == 1)]  # the first is closed last
    wanted = {
        "with_sets": coverage is not None,
        "with_taxa": sure is not None,
        "with_novelty": reject is not None,
    }
    sinks += [Table(path, kind, top, labels=labels, **wanted) for kind, path in tables.items()]
    if sorter:
        sinks.append(Sorted(sorter))
    # a bar and results on one terminal would write over each other
    both = not json and not outputs and sys.stdout.isatty()
    shown = SILENT if both else console
    found = predictions(
        predictor, sources, top, shown, make_sets, costs=priced, make_taxa=make_taxa, rejecting=rejecting
    )
    _hand_out(found, sinks, len(sources), console)


def _shown(model: str | None, outputs: Sequence[str], *, json: bool, alone: bool) -> Sink:
    """Return what tells on stdout what was found."""
    if json:
        return JsonSink(model or "built in", outputs)
    return Summary(outputs) if outputs else Lines(alone=alone)


def _hand_out(found: Iterator[Prediction], sinks: Sequence[Sink], n_images: int, console: Console) -> None:
    """Give every prediction to every sink; raise if there was nothing but errors."""
    failed: list[ImageError] = []
    with ExitStack() as stack:
        for sink in sinks:
            stack.enter_context(sink)
        for one in found:
            for sink in sinks:
                sink.take(one)
            if one.error is not None:
                failed.append(ImageError(one.name, one.error))
                if n_images > 1:
                    console.say(f"Skipped {failed[-1]}")
    if len(failed) == n_images == 1:
        raise failed[0]
    if len(failed) == n_images:
        raise DataError(f"none of the {n_images} images could be read; the first is {failed[0]}")


def _costs(predictor: "Predictor", given: str | None) -> "Costs | None":
    """Return what mistakes cost: as the file named says, else as the model does."""
    if given is None or given == "none":
        return predictor.rules.costs(None if given is None else False)
    from genus.data.cost_table import read_costs

    return predictor.rules.costs(read_costs(given))


def _threshold(text: str | None) -> float | dict[str, float] | None:
    """Read `0.3` or `cat=0.2,dog=0.5`."""
    if text is None:
        return None
    try:
        if "=" not in text:
            return float(text)
        pairs = (part.rpartition("=") for part in text.split(","))
        return {name.strip(): float(value) for name, _, value in pairs}
    except ValueError as error:
        raise ParameterError(
            f"--threshold {text}: expected a number, or label=number,label=number."
        ) from error


def _share(text: str | None) -> float | str | None:
    """Read `0.05` or `auto`."""
    if text is None or text == "auto":
        return text
    try:
        return float(text)
    except ValueError as error:
        raise ParameterError(f"--reject {text}: expected a share such as 0.05, or auto.") from error


def _how(*, move: bool, link: bool) -> HowToFile:
    if move and link:
        raise ParameterError("--move and --link exclude each other.")
    return HowToFile.move if move else HowToFile.link if link else HowToFile.copy
