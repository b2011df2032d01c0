"""The layers of the network in an ONNX file, read off its graph; nothing is run."""

from dataclasses import replace
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

from genus.errors import ModelFileError
from genus.layer_table import EVERYTHING, Layer, LayerTable, View, join_views

_MAX_BYTES = 2 << 30  # protobuf's own limit
_KINDS = {
    "Conv": "convolution",
    "Gemm": "dense",
    "MatMul": "dense",
    "MaxPool": "max pooling",
    "AveragePool": "average pooling",
    "GlobalAveragePool": "global average pooling",
    "GlobalMaxPool": "global max pooling",
}
"""The operators that are layers; all others belong to the layer before them."""
_ACTIVATIONS = {
    "Relu": "ReLU",
    "Clip": "ReLU6",
    "Erf": "GELU",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "HardSigmoid": "hard sigmoid",
    "Softmax": "softmax",
}
_WITH_PARAMETERS = ("Conv", "Gemm", "MatMul", "Add", "Sub", "Mul", "Div", "BatchNormalization")
_WINDOWS = ("Conv", "MaxPool", "AveragePool")

Shape = tuple[int | None, ...]


def read_layer_table(path: str | PathLike[str]) -> LayerTable:
    """Describe the network in an ONNX file.

    Raises
    ------
    ModelFileError
        The file is missing or no ONNX file.
    """
    import onnx
    from google.protobuf.message import DecodeError

    source = Path(path)
    try:
        if source.stat().st_size > _MAX_BYTES:
            raise ModelFileError(f"{source}: more than an ONNX file can have (2 GiB).")
        model = onnx.load_model_from_string(source.read_bytes())
        onnx.checker.check_model(model)
    except OSError as error:
        raise ModelFileError(f"{source}: cannot be read: {error.strerror or error}.") from error
    except (DecodeError, onnx.checker.ValidationError, ValueError) as error:
        raise ModelFileError(f"{source}: not a valid ONNX file: {str(error)[:200]}.") from error
    return onnx_layer_table(model, name=str(source))


def onnx_layer_table(model: Any, *, name: str) -> LayerTable:
    """Describe the network in an `onnx.ModelProto`.

    Examples
    --------
    >>> import numpy as np
    >>> from genus.graph import GraphBuilder
    >>> b = GraphBuilder()
    >>> x = b.op("Conv", "x", b.constant(np.zeros((4, 3, 3, 3), np.float32)), pads=[1, 1, 1, 1])
    >>> b.output(b.op("Relu", x), "y", np.float32, ["N", 4, 8, 8])
    >>> model = b.model([("x", np.float32, ["N", 3, 8, 8])])
    >>> (layer,) = onnx_layer_table(model, name="small").layers
    >>> layer.kind, layer.shape, layer.n_parameters, layer.n_multiply_adds, layer.receptive_field
    ('convolution, ReLU', (4, 8, 8), 108, 6912, 3)
    """
    from onnx import shape_inference

    reader = _Reader(shape_inference.infer_shapes(model).graph)
    return reader.table(name)


class _Reader:
    """Goes through a graph, node by node, and collects rows."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._stored: dict[str, Shape] = {
            constant.name: tuple(constant.dims) for constant in graph.initializer
        }
        values = (*graph.input, *graph.value_info, *graph.output)
        self._shapes: dict[str, Shape] = {value.name: _shape(value) for value in values}
        self._rows: list[Layer] = []
        self._row_of: dict[str, int] = {}
        self._view_of: dict[str, View | None] = {}
        self._side = 1

    def table(self, name: str) -> LayerTable:
        """Read the whole graph."""
        entry = next(value for value in self._graph.input if value.name not in self._stored)
        input_shape = self._shapes[entry.name][1:]
        self._side = max((side for side in input_shape if side), default=1)
        self._view_of[entry.name] = View()
        for node in self._graph.node:
            self._read(node)
        return LayerTable(name, input_shape, tuple(self._rows))

    def _read(self, node: Any) -> None:
        given = [name for name in node.input if name and name not in self._stored]
        if not given:  # arithmetic on what is stored, such as int8 weights with their scale
            first = next(iter(node.input), None)
            self._stored[node.output[0]] = self._stored.get(first, ()) if first else ()
            return
        view = self._view(node, given)
        if node.op_type in _KINDS:
            self._add_row(node, view)
            row = len(self._rows) - 1
        else:
            row = max(self._row_of.get(name, -1) for name in given)
            self._extend_row(row, node, given, view)
        for output in node.output:
            self._view_of[output], self._row_of[output] = view, row

    def _add_row(self, node: Any, view: View | None) -> None:
        attributes = _attributes(node)
        kernel = self._kernel(node, attributes)
        down, across = attributes.get("strides", (1, 1))
        self._rows.append(
            Layer(
                node.output[0],
                self._kind(node, attributes),
                self._shape_of(node),
                kernel,
                (down, across) if kernel else None,
                self._n_parameters(node),
                self._n_multiply_adds(node),
                view.pixels(self._side) if view else None,
            )
        )

    def _extend_row(self, row: int, node: Any, given: list[str], view: View | None) -> None:
        """Let an operator that is no layer of its own belong to the one before it."""
        if row < 0:
            return
        before = self._rows[row]
        word = _ACTIVATIONS.get(node.op_type, "sum" if node.op_type == "Add" and len(given) > 1 else "")
        is_new = word and word not in before.kind.split(", ")
        self._rows[row] = replace(
            before,
            kind=f"{before.kind}, {word}" if is_new else before.kind,
            n_parameters=before.n_parameters + self._n_parameters(node),
            receptive_field=view.pixels(self._side) if view else None,
        )

    def _kind(self, node: Any, attributes: dict[str, Any]) -> str:
        second = self._stored.get(node.input[1]) if len(node.input) > 1 else None
        if node.op_type == "Conv" and attributes.get("group", 1) > 1 and second and second[1] == 1:
            return "depthwise convolution"
        return "product" if node.op_type == "MatMul" and second is None else _KINDS[node.op_type]

    def _shape_of(self, node: Any) -> Shape:
        return self._shapes.get(node.output[0], (None,))[1:]

    def _kernel(self, node: Any, attributes: dict[str, Any]) -> tuple[int, int] | None:
        if node.op_type not in _WINDOWS:
            return None
        sides: Any = attributes.get("kernel_shape") or self._stored.get(node.input[1], ())[2:]
        return (sides[0], sides[1]) if len(sides) == 2 else None

    def _n_parameters(self, node: Any) -> int:
        """Count what is stored for a node; single numbers, such as the halves of a GELU, are none."""
        if node.op_type not in _WITH_PARAMETERS:
            return 0
        sizes = [prod(n or 0 for n in self._stored[name]) for name in node.input if name in self._stored]
        return sum(size for size in sizes if size > 1)

    def _n_multiply_adds(self, node: Any) -> int | None:
        shape = self._shape_of(node)
        if node.op_type == "Conv":
            each: Shape = self._stored.get(node.input[1], (None, None))[1:]
        elif node.op_type in ("Gemm", "MatMul"):
            each = (self._stored.get(node.input[0]) or self._shapes.get(node.input[0]) or (None,))[-1:]
        else:
            return 0
        numbers = [n for n in (*shape, *each) if n is not None]
        return prod(numbers) if len(numbers) == len(shape) + len(each) else None

    def _view(self, node: Any, given: list[str]) -> View | None:
        view = join_views([self._view_of.get(name) for name in given])
        attributes = _attributes(node)
        if node.op_type in _WINDOWS and view is not None:
            kernel = self._kernel(node, attributes)
            strides, dilations = attributes.get("strides", (1, 1)), attributes.get("dilations", (1, 1))
            return view.through(max(kernel), max(strides), max(dilations)) if kernel else None
        n_dims = len(self._shapes.get(given[0], ()))
        if node.op_type in ("GlobalAveragePool", "GlobalMaxPool", "Gemm") or attributes.get("axes") == [2, 3]:
            return EVERYTHING
        if node.op_type == "MatMul":  # of maps it resamples
            return EVERYTHING if n_dims == 2 else None
        return None if node.op_type == "Resize" else view


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _shape(value: Any) -> Shape:
    return tuple(
        side.dim_value if side.HasField("dim_value") else None for side in value.type.tensor_type.shape.dim
    )
