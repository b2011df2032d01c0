"""Options that several verbs share, spelt and explained once."""

from enum import Enum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from genus.data.dataset import Dataset
    from genus.features.runtime import Runtime


class EngineName(StrEnum):
    """What runs the networks (`genus.features.engines.ENGINES`)."""

    auto = "auto"
    onnxruntime = "onnxruntime"
    openvino = "openvino"


class PresetName(StrEnum):
    """How much is computed from an image (`genus.features.feature_set.PRESETS`)."""

    fast = "fast"
    balanced = "balanced"
    best = "best"


class PrecisionChoice(StrEnum):
    """How networks compute (`genus.features.feature_set.PrecisionName`)."""

    int8 = "int8"
    float32 = "float32"


class SplitName(StrEnum):
    """The part of a data set that marks its parts."""

    train = "train"
    val = "val"
    test = "test"
    all = "all"


def _choices(names: type[Enum]) -> str:
    return "|".join(name.value for name in names)


Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else there.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Nothing on stderr but errors: no progress, no messages.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist already.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of everything random.")]
Engine = Annotated[
    EngineName,
    typer.Option("--engine", metavar=_choices(EngineName), help="What runs the networks."),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers", metavar="N", min=1, max=256, help="Threads at work, a core each. [default: all]"
    ),
]
MaxPixels = Annotated[
    int,
    typer.Option(
        "--max-pixels",
        metavar="N",
        min=1,
        help="Refuse larger images (JPEG: after scaled decoding), before they take memory.",
    ),
]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Neither look features up in the cache nor keep them there.")
]
Features = Annotated[
    str | None,
    typer.Option(
        "--features",
        metavar="SPEC",
        help="What is computed from an image, instead of the preset's: backbones joined by +, each with an "
        "optional @SIZE, such as efficientnet-lite2@320 or hog@64+lbp@64, or an .onnx file.",
    ),
]
Preset = Annotated[
    PresetName,
    typer.Option("--preset", metavar=_choices(PresetName), help="How much work an image is worth."),
]
Precision = Annotated[
    PrecisionChoice,
    typer.Option("--precision", metavar=_choices(PrecisionChoice), help="How networks compute."),
]
Split = Annotated[
    SplitName | None,
    typer.Option(
        "--split",
        metavar=_choices(SplitName),
        help="Which part to use, where the data marks its parts. [default: test if there is one, else all]",
    ),
]
ReaderName = Annotated[
    str | None,
    typer.Option(
        "--reader",
        metavar="NAME",
        help="How to read: folders, flat, table, parquet, coco, voc. [default: by looking]",
    ),
]
ImageColumn = Annotated[
    str | None, typer.Option("--image-column", metavar="NAME", help="The table's column with the images.")
]
LabelColumn = Annotated[
    str | None,
    typer.Option(
        "--label-column",
        metavar="NAME",
        help="The table's column with the classes, or several of 0 and 1, a label each: cat,dog,bird.",
    ),
]
MultiLabel = Annotated[
    bool | None,
    typer.Option(
        "--multi-label/--single-label",
        help="Whether an image may have several labels, or none. [default: by looking]",
    ),
]
LabelSeparator = Annotated[
    str | None,
    typer.Option(
        "--label-separator",
        metavar="TEXT",
        help="What stands between several labels in one cell. [default: | or ; or , by looking]",
    ),
]
Tree = Annotated[
    str,
    typer.Option(
        "--taxonomy",
        metavar="TREE",
        help="The tree of the classes: folders (in class folders), columns (family,species), a table of child and "
        "parent, paths (class names such as Rosa/canina) or none. [default: paths, where there are some]",
        show_default=False,
    ),
]
SplitColumn = Annotated[
    str | None,
    typer.Option("--split-column", metavar="NAME", help="The table's column with train, val or test."),
]
GroupColumn = Annotated[
    str | None,
    typer.Option(
        "--group-column",
        metavar="NAME",
        help="The table's column that names what must stay on one side of every split: patient, video ...",
    ),
]

MAX_PIXELS = 180_000_000
"""`genus.images.decode.Limits`' own; a test holds them together."""


def make_runtime(
    *,
    engine: EngineName = EngineName.auto,
    workers: int | None = None,
    max_pixels: int = MAX_PIXELS,
    cache: bool = True,
) -> "Runtime":
    """Turn the options of a command line into a `Runtime`."""
    from genus.features.runtime import Runtime
    from genus.images.decode import Limits

    return Runtime(engine=engine.value, workers=workers, cache=cache, limits=Limits(max_pixels=max_pixels))


def data_name(data: str) -> str:
    """Return a name for what is made of data: the data's own."""
    path = Path(data).expanduser().resolve()
    name = path.stem if path.is_file() else path.name
    return name if name and not any(c in name for c in "*?[") else "model"


def read_named(
    data: str,
    reader: str | None,
    image: str | None,
    label: str | None,
    split: str | None,
    group: str | None,
    *,
    multilabel: bool | None = None,
    separator: str | None = None,
    taxonomy: str = "auto",
) -> "Dataset":
    """Read the data that a command line names, with the columns it names."""
    from genus.data.read import read_dataset
    from genus.data.tables import TableOptions
    from genus.data.taxonomies import TaxonomyWish

    options = TableOptions(
        image_column=image,
        label_column=label,
        split_column=split,
        group_column=group,
        multilabel=multilabel,
        label_separator=separator,
    )
    options = TaxonomyWish.of(taxonomy).table_options(options)
    return read_dataset(data, reader=reader, options=options)
