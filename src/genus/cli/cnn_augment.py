"""`genus cnn augment`: what augmentation does to a person's own images."""

from enum import StrEnum
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
    Quiet,
    ReaderName,
    Seed,
    SplitColumn,
    make_runtime,
    read_named,
)
from genus.cli.output import print_json, print_line
from genus.wording import count

if TYPE_CHECKING:
    from genus.cnn.augmentation import Augmentation
    from genus.data.dataset import SkippedImage
    from genus.report.augmentation import AugmentedImage


class FitName(StrEnum):
    """How an image of any shape becomes a square (`genus.images.preprocess.Fit`)."""

    squash = "squash"
    crop = "crop"
    pad = "pad"


def cnn_augment(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="A folder, a table (CSV, JSONL, Parquet), a pattern.")
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="What is written, as .html or .png.")
    ] = "augmentation.html",
    augment: Annotated[
        str,
        typer.Option(
            "--augment",
            metavar="SPEC",
            help="none, light, standard, strong or small (for pictures of some 32 pixels), and what is different: "
            "standard,quarter_turns=true,mixup=0.2.",
        ),
    ] = "standard",
    n: Annotated[
        int, typer.Option("--n", "-n", metavar="N", min=1, max=64, help="How often each image is drawn.")
    ] = 8,
    images: Annotated[
        int, typer.Option("--images", metavar="N", min=1, max=100, help="How many images, of all classes.")
    ] = 6,
    size: Annotated[
        int, typer.Option("--size", metavar="SIDE", min=1, max=1024, help="What the network sees, in pixels.")
    ] = 224,
    fit: Annotated[
        FitName,
        typer.Option(
            "--fit",
            metavar="squash|crop|pad",
            help="How it becomes square: the whole squashed, the middle cropped, or the whole padded.",
        ),
    ] = FitName.squash,
    seed: Seed = 0,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
    max_pixels: MaxPixels = MAX_PIXELS,
    reader: ReaderName = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    multi_label: MultiLabel = None,
    label_separator: LabelSeparator = None,
    split_column: SplitColumn = None,
    group_column: GroupColumn = None,
) -> None:
    """Show what augmentation does to your own images, before a network is trained with it.

    One row an image: as it is, then as the network would see it in one epoch after the other.

    Examples:
      genus cnn augment flowers/
      genus cnn augment flowers/ --augment strong -o strong.html
      genus cnn augment cells/ --augment standard,quarter_turns=true,hue=0 -n 12
      genus cnn augment tiny.parquet --augment small --size 32 -o tiny.png
    """
    from genus.cnn.augmentation import parse_augmentation
    from genus.files import check_writable
    from genus.report.augmentation import Sampling, augmented_images, write_augmentation
    from genus.report.preview import check_preview

    wish = parse_augmentation(augment)
    check_preview(output)
    check_writable(output, force=force)
    columns = image_column, label_column, split_column, group_column
    dataset = read_named(data, reader, *columns, multilabel=multi_label, separator=label_separator)
    sampling = Sampling(images, n, size, fit.value, seed)
    shown, skipped = augmented_images(
        dataset, wish, sampling, limits=make_runtime(max_pixels=max_pixels).limits
    )
    write_augmentation(output, shown, wish, dataset.origin)
    for image in skipped:
        Console(quiet).say(f"Skipped {image.source}: {image.reason}")
    _tell(output, wish, shown, skipped, json=json)


def _tell(
    output: str,
    wish: "Augmentation",
    shown: "tuple[AugmentedImage, ...]",
    skipped: "tuple[SkippedImage, ...]",
    *,
    json: bool,
) -> None:
    if not json:
        print_line(
            f"{count(len(shown), 'image')}, each in {len(shown[0].draws)} epochs of training: {output}"
        )
        return
    print_json(
        {
            "output": output,
            "augmentation": wish.to_dict(),
            "images": [{"image": image.name, "label": image.label, "mixed": image.shares} for image in shown],
            "skipped": [{"source": image.source, "reason": image.reason} for image in skipped],
        }
    )
