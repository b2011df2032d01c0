"""`genus cnn show`: filters of a network's layers, and what the layers make of an image."""

from pathlib import Path
from typing import Annotated, Any

import typer

from genus.cli.console import Console
from genus.cli.options import MAX_PIXELS, Force, Json, MaxPixels, Quiet
from genus.cli.output import print_json, print_line
from genus.wording import count

BUILT_IN = "built-in"
"""What the built-in model is called where a model must be named."""


def cnn_show(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model file, or built-in for the model of 1000 classes.")
    ],
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="The image that the layers look at.")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="The folder for pictures and the page.")
    ] = "layers",
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Show the filters of a network's layers, and what each layer makes of an image.

    Writes two pictures for each convolution, and layers.html with all of them. It works for any model file that has
    convolutions, and needs no PyTorch.

    Examples:
      genus cnn show built-in cat.jpg
      genus cnn show flowers.onnx rose.jpg -o layers/
    """
    from genus.cli.output_folder import empty_folder, make_folder, write_file

    console = Console(quiet)
    folder = empty_folder(output, force=force)

    from genus.explain.layers import feature_maps, find_layers
    from genus.images.decode import Limits
    from genus.images.preprocess import load_pixels
    from genus.images.source import as_source
    from genus.predictor import built_in, load
    from genus.report.layers import layer_pictures, write_layers

    found = (built_in() if model == BUILT_IN else load(model)).model
    layers = find_layers(found)
    pixels = load_pixels(as_source(image), found.preprocess, Limits(max_pixels=max_pixels))[0]
    make_folder(folder)
    drawn = []
    with console.task("drawing", total=len(layers), unit="layers") as task:
        for layer, maps in feature_maps(found, layers, pixels):
            one = layer_pictures(layer, maps)
            write_file(folder / f"{one.stem}-filters.png", one.filters)
            write_file(folder / f"{one.stem}-maps.png", one.maps)
            drawn.append(one)
            task.advance()
    page = folder / "layers.html"
    write_layers(page, drawn, model=model, image=image, seen=pixels)
    _tell([_row(one, folder) for one in drawn], model, image, page, json=json)


def _row(one: Any, folder: Path) -> dict[str, Any]:
    return {
        "layer": one.layer.number,
        "network": one.layer.network,
        "kind": one.layer.kind,
        "channels": one.layer.n_channels,
        "height": one.size[0],
        "width": one.size[1],
        "filters": str(folder / f"{one.stem}-filters.png"),
        "maps": str(folder / f"{one.stem}-maps.png"),
    }


def _tell(rows: list[dict[str, Any]], model: str, image: str, page: Path, *, json: bool) -> None:
    if json:
        print_json({"model": model, "image": image, "page": str(page), "layers": rows})
        return
    kinds = {row["network"] for row in rows}
    networks = count(len(kinds), "network")
    print_line(f"{len(rows)} convolutions of {networks}")
    print_line(f"Page  {page}")
