"""`genus search`: find images like this one."""

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from genus.cli.console import Console
from genus.cli.options import (
    MAX_PIXELS,
    Engine,
    EngineName,
    Features,
    Force,
    ImageColumn,
    Json,
    LabelColumn,
    MaxPixels,
    NoCache,
    Precision,
    PrecisionChoice,
    Preset,
    PresetName,
    Quiet,
    ReaderName,
    Workers,
    make_runtime,
)
from genus.cli.search_data import SearchedData, read_box
from genus.cli.search_output import print_found, print_identified, print_index, write_page, write_results
from genus.cli.search_wishes import SearchWishes, check_targets

if TYPE_CHECKING:
    from genus.estimators.image_index import ImageIndex


def search(
    context: typer.Context,
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="Where to search: a folder, pattern or table, or an index.")
    ],
    queries: Annotated[
        list[str] | None,
        typer.Argument(metavar="[QUERY]...", help="The image; several are examples of one thing."),
    ] = None,
    k: Annotated[int, typer.Option("-k", metavar="K", min=1, help="How many images to find.")] = 10,
    box: Annotated[
        str | None,
        typer.Option(
            "--box",
            metavar="L,T,R,B",
            help="Only this part of the query: left, top, right, bottom in pixels, or in parts of its sides (0 to 1).",
        ),
    ] = None,
    unlike: Annotated[
        list[str] | None,
        typer.Option("--not", metavar="IMAGE", help="An image that is not meant; repeatable."),
    ] = None,
    of_class: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Find images such as those with this label.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="CONDITION",
            help="Only such images: label=rose|tulip, split!=test, width>=800, image~holiday, any column of a csv, "
            "tsv or jsonl table; repeatable.",
        ),
    ] = None,
    diversity: Annotated[
        float,
        typer.Option(
            "--diversity", metavar="D", min=0, max=1, help="How much they shall differ from each other."
        ),
    ] = 0.0,
    copies: Annotated[bool, typer.Option("--copies", help="Show copies of a picture one by one.")] = False,
    identify: Annotated[
        float | None,
        typer.Option(
            "--identify",
            metavar="RATE",
            help="Say which label the query has, or that it is unknown, at this false-accept rate, such as 0.01.",
        ),
    ] = None,
    tune: Annotated[
        bool, typer.Option("--tune/--no-tune", help="Whether likeness may be tuned to labels.")
    ] = True,
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="Write a page with the pictures.")
    ] = None,
    save: Annotated[
        str | None,
        typer.Option("--save", metavar="DIR", help="Write the index there, to search in it later."),
    ] = None,
    export: Annotated[
        str | None, typer.Option("--export", metavar="FILE", help="Write all vectors as a Parquet table.")
    ] = None,
    preset: Preset = PresetName.balanced,
    features: Features = None,
    precision: Precision = PrecisionChoice.int8,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
    engine: Engine = EngineName.auto,
    workers: Workers = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    no_cache: NoCache = False,
    reader: ReaderName = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
) -> None:
    """Find images like this one.

    The first search in a folder makes an index of it, which is kept in the cache; the next ones are quick, and see
    what was added or removed. Labels, where there are some, make the search better, and turn scores into the
    probability that two images are of the same class. Without a query it describes the index.

    ImageNet's features are no face features: to find or identify people, give a network of your own, --features
    faces.onnx.

    Examples:
      genus search photos/ query.jpg
      genus search photos/ query.jpg -k 20 --html found.html
      genus search photos/ street.jpg --box 120,80,260,300
      genus search photos/ one.jpg two.jpg --not other.jpg --diversity 0.3
      genus search flowers/ --class rose --where "label!=rose"
      genus search flowers/ --save flowers.index
      genus search flowers.index query.jpg --json
      genus search flowers.index query.jpg --identify 0.05
    """
    console = Console(quiet)
    asked, against = queries or [], unlike or []
    wishes = SearchWishes(asked, of_class, box, against, where or (), diversity, copies, identify, html)
    wishes.check()
    check_targets(html, export, save, force=force)
    region = None if box is None else read_box(box)
    runtime = make_runtime(engine=engine, workers=workers, max_pixels=max_pixels, cache=not no_cache)
    source = SearchedData(
        data,
        features=features,
        preset=preset.value,
        precision=precision.value,
        tune=tune,
        runtime=runtime,
        columns=(reader, image_column, label_column),
        keeps_index=not no_cache,
        command=shlex.join(context.obj),
    )
    index: ImageIndex = source.index(console)
    write_results(index, save=save, export=export, force=force, console=console)
    if identify is not None:
        print_identified(asked, index, identify, json=json)
    elif not wishes.wants_hits:
        print_index(index, data, save=save, export=export, json=json)
    else:
        found = index.search(
            asked or None,
            k,
            box=region,
            unlike=against or None,
            of_class=of_class,
            where=where or (),
            diversity=diversity,
            fold_copies=not copies,
        )
        if html is not None:
            write_page(html, found, asked, against, region, index=index, data=data, runtime=runtime)
        print_found(found, index, k, html=html, json=json, console=console)
