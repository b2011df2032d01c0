"""`genus cnn describe`: the layers of a network."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genus.cli.options import Json
from genus.cli.output import aligned, print_json, print_line
from genus.errors import ParameterError

if TYPE_CHECKING:
    from genus.layer_table import Layer, LayerTable

_N_CLASSES = 10
_HEADINGS = ("layer", "what it does", "output", "window", "parameters", "multiply-adds", "sees")
_NUMBERS = (4, 5, 6)


def cnn_describe(
    network: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help="A network, such as resnet18, or an .onnx file.")
    ],
    classes: Annotated[
        int | None,
        typer.Option("--classes", metavar="N", help="How many classes it tells apart. [default: 10]"),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option("--size", metavar="PIXELS", help="The side of its pictures. [default: its own]"),
    ] = None,
    json: Json = False,
) -> None:
    """List the layers of a network.

    Of each its output, how many numbers are learned, how much is computed for one image, and how wide the part of the
    picture is that one value sees. Networks have names (textbook, speedrun, resnet10, resnet18, efficientnet-lite0,
    -lite1, -lite2, timm:NAME), some with widths behind a colon; or write a textbook one down, from left to right:
    convN or convNxK, pool, avgpool, norm, dropP, flatten or gap, denseN. A file needs no PyTorch.

    Examples:
      genus cnn describe resnet18 --size 64
      genus cnn describe speedrun:32-64-128 --classes 100
      genus cnn describe conv32-pool-conv64-pool-flatten-dense128
      genus cnn describe flowers.onnx --json
    """
    table = _of_file(network, classes, size) if _is_file(network) else _of_name(network, classes, size)
    if json:
        print_json(table.to_dict())
    else:
        _print(table)


def _is_file(name: str) -> bool:
    return name.lower().endswith(".onnx") or Path(name).is_file()


def _of_file(path: str, classes: int | None, size: int | None) -> "LayerTable":
    if classes is not None or size is not None:
        raise ParameterError(
            f"{path}: the classes and the size of a file are its own; --classes and --size are for names."
        )
    from genus.onnx_layers import read_layer_table

    return read_layer_table(path)


def _of_name(name: str, classes: int | None, size: int | None) -> "LayerTable":
    from genus.cnn.networks import make_network, require_torch

    require_torch("Describing a network by its name")
    from genus.cnn.describe import describe_network
    from genus.estimators.network_plan import CANDIDATES

    if name in CANDIDATES:
        raise ParameterError(
            f"{name} is a way to train, no network: it takes {' or '.join(CANDIDATES[name])}, whichever suits the "
            "images and the preset. Describe one of these."
        )

    n_classes = _N_CLASSES if classes is None else classes
    return describe_network(make_network(name, n_classes, size=size, weights="random", random_state=0))


def _print(table: "LayerTable") -> None:
    print_line(f"{table.name}, input {_shape(table.input_shape)}")
    print_line()
    print(*aligned([_HEADINGS, *map(_row, table.layers)], right=_NUMBERS, indent=""), sep="\n")
    print_line()
    print_line(f"{table.n_parameters:,} parameters, {table.n_multiply_adds:,} multiply-adds an image")


def _row(layer: "Layer") -> tuple[str, ...]:
    return (
        layer.name,
        layer.kind,
        _shape(layer.shape),
        _window(layer),
        f"{layer.n_parameters:,}" if layer.n_parameters else "",
        "?"
        if layer.n_multiply_adds is None
        else f"{layer.n_multiply_adds:,}"
        if layer.n_multiply_adds
        else "",
        "?" if layer.receptive_field is None else str(layer.receptive_field),
    )


def _shape(shape: tuple[int | None, ...]) -> str:
    return " x ".join("?" if side is None else str(side) for side in shape)


def _window(layer: "Layer") -> str:
    if layer.kernel is None:
        return ""
    kernel = " x ".join(map(str, layer.kernel))
    return kernel if layer.stride in (None, (1, 1)) else f"{kernel} / {max(layer.stride or (1,))}"
