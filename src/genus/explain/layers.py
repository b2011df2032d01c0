"""The layers of a model file: their filters, and what they make of a picture, as numbers and as grids of pictures.

Everything is read from the file: the graph is given more outputs and run by ONNX Runtime.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from genus.errors import ParameterError
from genus.model_file import ModelFile

Maps = NDArray[np.float32]
Pixels = NDArray[np.uint8]

MAX_TILES = 64
"""Maps or filters in one grid, those that say most."""
_COLUMNS = 8
_TILE = 56  # of a map, in pixels
_FILTER_TILE = 28
_GAP = 3
_LEVELS = 17  # steps of brightness: enough to see, and a quarter of the bytes
_GROUND = 255
_MATRIX = 4 * MAX_TILES  # columns of a table of 1 x 1 filters
_CELL = 3  # of one, in pixels
# what a convolution's result goes through before anything else sees it
_AFTER = {
    "BatchNormalization",
    "Clip",
    "DequantizeLinear",
    "Gelu",
    "HardSwish",
    "LeakyRelu",
    "QuantizeLinear",
    "Relu",
}


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One convolution with what follows it: normalisation, activation, rounding.

    Attributes
    ----------
    number : int
        Its place in the file, from 1.
    network : str
        Of which network it is a part.
    kind : str
        In words: "depthwise convolution 5 × 5, step 2".
    tensor : str
        The name of what it makes.
    kernel : (channels, channels in, k, k) float32
        Its filters; of 8-bit ones what they stand for.
    """

    number: int
    network: str
    kind: str
    tensor: str
    kernel: NDArray[np.float32]

    @property
    def n_channels(self) -> int:
        """How many maps it makes."""
        return len(self.kernel)


def find_layers(model: ModelFile) -> tuple[Layer, ...]:
    """Find the convolutions of a model file, in the order in which they run.

    Raises
    ------
    ParameterError
        It has none.

    Examples
    --------
    >>> from genus.predictor import built_in
    >>> first, *_, last = find_layers(built_in().model)
    >>> first.kind, first.kernel.shape, last.n_channels
    ('convolution 3 × 3, step 2', (32, 3, 3, 3), 1280)
    """
    import onnx

    graph = onnx.load_model_from_string(model.data).graph
    tensors = _Tensors.of(graph)
    names = [str(branch["backbone"]) + f"@{branch['size']}" for branch in model.features.get("branches", ())]
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    network: dict[str, int] = {}
    for node in convolutions:
        before = tensors.layer_before(node.input[0], network)
        network[node.output[0]] = len(set(network.values())) if before is None else network[before]
    n_networks = len(set(network.values()))
    if len(names) != n_networks:
        names = [f"network {i + 1}" for i in range(n_networks)]
    found = tuple(
        Layer(
            number,
            names[network[node.output[0]]],
            _kind(node, tensors.kernel(node)),
            tensors.after(node.output[0]),
            tensors.kernel(node),
        )
        for number, node in enumerate(convolutions, 1)
    )
    if not found:
        raise ParameterError("this model has no convolutions, so there are no filters and no maps to show.")
    return found


def feature_maps(model: ModelFile, layers: Sequence[Layer], pixels: Pixels) -> Iterator[tuple[Layer, Maps]]:
    """Run a picture through the model and give out what each layer makes of it.

    Parameters
    ----------
    model : ModelFile
    layers : sequence of Layer
        From `find_layers`.
    pixels : (height, width, 3) uint8
        Preprocessed.

    Yields
    ------
    Layer, (channels, h, w) float32
    """
    import onnx
    import onnxruntime as ort

    whole = onnx.load_model_from_string(model.data)
    declared = {value.name for value in whole.graph.output}
    whole.graph.output.extend(
        onnx.helper.make_tensor_value_info(layer.tensor, onnx.TensorProto.FLOAT, None)
        for layer in layers
        if layer.tensor not in declared
    )
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(whole.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found = session.run([layer.tensor for layer in layers], {"images": pixels[None]})
    for layer, maps in zip(layers, found, strict=True):
        yield layer, maps[0]  # a mirrored picture, if there is one, comes second


def maps_picture(maps: Maps) -> Pixels:
    """Draw the maps of a layer side by side, the most active first, dark for the lowest value; uint8 (h, w, 3), RGB."""
    activity = np.abs(maps).mean(axis=(1, 2))
    shown = maps[np.argsort(-activity, kind="stable")[:MAX_TILES]]
    # one scale for the whole layer, so that what hardly answers looks like it
    low, high = min(0.0, float(np.quantile(shown, 0.001))), float(np.quantile(shown, 0.999))
    grey = np.asarray(np.clip(_LEVELS * (shown - low) / max(high - low, 1e-12), 0, _LEVELS), np.uint8)
    tiles = [_coloured(one) for one in grey]
    return _grid(tiles, _TILE)


def filters_picture(kernel: NDArray[np.float32]) -> Pixels:
    """Draw the filters of a layer, uint8 (h, w, 3), RGB: grey is 0, light above it, dark below.

    Filters that see the picture itself are shown in its colours; of others that look at many maps each shows the one
    that it weighs most; those of one pixel are shown as a table, a row for each filter.
    """
    n, n_in, height, width = kernel.shape
    if height == width == 1:
        return _matrix(kernel[:, :, 0, 0])
    size = np.abs(kernel).reshape(n, -1).max(axis=1)
    chosen = np.argsort(-size, kind="stable")[:MAX_TILES]
    scaled = kernel[chosen] / np.maximum(size[chosen], 1e-12)[:, None, None, None]
    if n_in == 3:
        planes = scaled.transpose(0, 2, 3, 1)
    else:
        strongest = np.abs(scaled).sum(axis=(2, 3)).argmax(axis=1)
        planes = np.repeat(scaled[np.arange(len(scaled)), strongest][..., None], 3, axis=3)
    return _grid(list(_grey(planes)), _FILTER_TILE)


def _matrix(values: NDArray[np.float32]) -> Pixels:
    """Draw the filters, and of what they look at the part, that weigh most."""
    rows, columns = (np.abs(values).sum(axis=axis) for axis in (1, 0))
    values = values[np.argsort(-rows, kind="stable")[:MAX_TILES]]
    values = values[:, np.argsort(-columns, kind="stable")[:_MATRIX]]
    top = max(float(np.quantile(np.abs(values), 0.995)), 1e-12)
    grey = _grey(values / top)
    return np.repeat(np.kron(grey, np.ones((_CELL, _CELL), np.uint8))[..., None], 3, axis=2)


def _grey(values: NDArray[np.float32]) -> Pixels:
    """Return -1 to 1 as dark to light."""
    return np.asarray(np.round((np.clip(values, -1, 1) + 1) * _LEVELS / 2) * (255 // _LEVELS), np.uint8)


def _coloured(grey: Pixels) -> Pixels:
    return np.asarray(cv2.applyColorMap(grey * (255 // _LEVELS), cv2.COLORMAP_VIRIDIS)[:, :, ::-1], np.uint8)


def _grid(tiles: Sequence[Pixels], side: int) -> Pixels:
    """Put small pictures side by side, each enlarged by whole pixels or shrunk to `side`."""
    n_columns = min(_COLUMNS if side == _TILE else 2 * _COLUMNS, len(tiles))
    n_rows = -(-len(tiles) // n_columns)
    sheet = np.full((n_rows * (side + _GAP) - _GAP, n_columns * (side + _GAP) - _GAP, 3), _GROUND, np.uint8)
    for place, tile in enumerate(tiles):
        way = cv2.INTER_AREA if min(tile.shape[:2]) > side else cv2.INTER_NEAREST
        top, left = (place // n_columns) * (side + _GAP), (place % n_columns) * (side + _GAP)
        sheet[top : top + side, left : left + side] = cv2.resize(tile, (side, side), interpolation=way)
    return sheet


def _kind(node: Any, kernel: NDArray[np.float32]) -> str:
    about = {value.name: value for value in node.attribute}
    group = about["group"].i if "group" in about else 1
    step = about["strides"].ints[0] if "strides" in about else 1
    depthwise = group > 1 and kernel.shape[1] == 1
    words = "depthwise convolution" if depthwise else ("grouped convolution" if group > 1 else "convolution")
    size = f"{kernel.shape[2]} × {kernel.shape[3]}"
    return f"{words} {size}" + (f", step {step}" if step > 1 else "")


@dataclass(frozen=True, slots=True, eq=False)
class _Tensors:
    """Who makes and who uses what in a graph."""

    makers: Mapping[str, Any]
    users: Mapping[str, Sequence[Any]]
    constants: Mapping[str, Any]

    @classmethod
    def of(cls, graph: Any) -> "_Tensors":
        users: dict[str, list[Any]] = {}
        for node in graph.node:
            for name in node.input:
                users.setdefault(name, []).append(node)
        makers = {name: node for node in graph.node for name in node.output}
        return cls(makers, users, {value.name: value for value in graph.initializer})

    def layer_before(self, name: str, known: Mapping[str, int]) -> str | None:
        """Return the output of a convolution, one of `known`, that a tensor is made of; None if there is none."""
        open_, seen = [name], set()
        while open_:
            name = open_.pop()
            if name in known:
                return name
            if name in seen or name not in self.makers:
                continue
            seen.add(name)
            open_ += self.makers[name].input
        return None

    def after(self, name: str) -> str:
        """Return the tensor after normalisation, activation and rounding."""
        while True:
            users = self.users.get(name, ())
            kinds = sorted(node.op_type for node in users)
            if len(users) == 1 and kinds[0] in _AFTER and users[0].input[0] == name:
                name = users[0].output[0]
            elif kinds == ["Mul", "Sigmoid"]:  # x * sigmoid(x), the swish
                name = next(node.output[0] for node in users if node.op_type == "Mul")
            else:
                return name

    def kernel(self, node: Any) -> NDArray[np.float32]:
        """Return a convolution's filters as numbers."""
        from onnx import numpy_helper

        name = node.input[1]
        if name in self.constants:
            return np.asarray(numpy_helper.to_array(self.constants[name]), np.float32)
        maker = self.makers[name]
        values = [numpy_helper.to_array(self.constants[one]).astype(np.float32) for one in maker.input]
        if maker.op_type != "DequantizeLinear":
            return np.asarray(values[0], np.float32)
        levels, scale, *zero = values
        shape = (-1, *(1,) * (levels.ndim - 1))
        shift = zero[0].reshape(shape) if zero else np.float32(0)
        return np.asarray((levels - shift) * scale.reshape(shape), np.float32)
