"""`genus features`: turn images into feature vectors."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from genus.cli.console import Console
from genus.cli.feature_file import check_feature_file, write_features
from genus.cli.images import find_images
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
    read_named,
)
from genus.cli.output import print_json, print_line
from genus.cli.training import print_skipped
from genus.wording import count

if TYPE_CHECKING:
    from genus.data.dataset import Dataset


def features(
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGES...", help="Images, folders, patterns, tables; - for names on stdin."),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Ends in .npz, .npy, .parquet or .csv.")
    ],
    preset: Preset = PresetName.balanced,
    spec: Features = None,
    precision: Precision = PrecisionChoice.int8,
    null: Annotated[
        bool, typer.Option("--null", "-0", help="Names on stdin end with NUL, as find -print0 writes them.")
    ] = False,
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
    """Turn images into feature vectors.

    One row an image, in the order of the images, for any number of them: memory does not grow. .npz holds `X`,
    `paths`, `labels` and `columns`; .npy holds the numbers alone, and a table FILE.images.csv beside it says which
    row is which image; .parquet and .csv have the columns path, label and the features. Images that cannot be read
    have no row and are listed.

    Examples:
      genus features photos/ -o photos.npz
      genus features photos/ -o photos.parquet --preset best
      genus features photos/ -o hog.csv --features hog@64+lbp@64
    """
    target = check_feature_file(output, force=force)
    dataset = _read(images, null, reader, image_column, label_column)

    from genus.features.feature_set import chosen_features

    feature_set = chosen_features(preset.value, spec, precision.value)
    runtime = make_runtime(engine=engine, workers=workers, max_pixels=max_pixels, cache=not no_cache)
    written = write_features(target, dataset, feature_set, runtime, Console(quiet))
    if json:
        print_json({"output": target, "features": feature_set.name, **written.to_dict()})
        return
    print_line(
        f"{count(written.n_images, 'image')}, {count(written.n_features, 'feature')} each ({feature_set.name}), "
        f"{written.n_cached:,} of them from the cache; {written.seconds:.1f} s."
    )
    print_skipped((*dataset.skipped, *written.skipped))
    print_line(f"Written to {target}")


def _read(
    images: Sequence[str], null: bool, reader: str | None, image_column: str | None, label_column: str | None
) -> "Dataset":
    """Read one folder, table or pattern with its labels; of several things, the images alone."""
    if len(images) == 1 and images[0] != "-":
        return read_named(images[0], reader, image_column, label_column, None, None)

    from genus.data.dataset import Dataset

    return Dataset(tuple(find_images(images, null_separated=null)), origin="images")
