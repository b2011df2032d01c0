"""The layers of the network in a file, also where it is in int8, or several networks side by side."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from genus.errors import ModelFileError
from genus.features.feature_set import parse_feature_set
from genus.features.lite import LITE0
from genus.features.quantized import int8_ranges
from genus.graph import GraphBuilder
from genus.layer_table import EVERYTHING, LayerTable, View, join_views
from genus.onnx_layers import onnx_layer_table, read_layer_table


def lite0(*, int8: bool) -> LayerTable:
    network = LITE0.quantized(int8_ranges("efficientnet-lite0") or {}) if int8 else LITE0
    b = GraphBuilder()
    b.output(network.build(b, "images", 224).logits or "", "logits", np.float32, ["N", 1000])
    return onnx_layer_table(b.model([("images", np.float32, ["N", 224, 224, 3])]), name="lite0")


def test_int8_is_the_same_network() -> None:
    exact, rounded = lite0(int8=False), lite0(int8=True)
    assert exact.n_multiply_adds == rounded.n_multiply_adds == pytest.approx(385e6, rel=0.01)
    assert exact.n_parameters == rounded.n_parameters == 4_652_008 - N_NORM
    assert [layer.kind for layer in exact.layers] == [layer.kind for layer in rounded.layers]
    assert [layer.receptive_field for layer in exact.layers] == [
        layer.receptive_field for layer in rounded.layers
    ]
    assert exact.layers[0].kind == "convolution, ReLU6" and exact.layers[0].stride == (2, 2)
    assert exact.layers[1].kind == "depthwise convolution, ReLU6"
    assert exact.layers[-1].kind == "dense" and exact.layers[-1].shape == (1000,)
    assert sum(layer.kind.endswith("sum") for layer in exact.layers) == 9


N_NORM = 21_008  # folding leaves one number of the two that batch normalisation learns for each channel


def test_networks_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "set.onnx"
    path.write_bytes(parse_feature_set("efficientnet-lite0@96+hog@64/mirror").model())
    table = read_layer_table(path)
    assert table.name == str(path) and table.input_shape == (96, 96, 3)
    assert table.layers[0].receptive_field == 3
    assert any(layer.receptive_field is None for layer in table.layers), "behind resampling it is not known"
    assert all(layer.n_multiply_adds is not None for layer in table.layers)


def test_plain_values_for_json() -> None:
    values = lite0(int8=False).to_dict()
    assert values["n_parameters"] == sum(layer["n_parameters"] for layer in values["layers"])
    assert values["layers"][0]["kernel"] == (3, 3)


def test_what_the_file_does_not_say_is_not_known() -> None:
    b = GraphBuilder()
    x = b.op("Conv", "x", b.constant(np.zeros((4, 3, 3, 3), np.float32)))
    b.output(b.op("Relu", x), "y", np.float32, ["N", 4, "h", "w"])
    (layer,) = onnx_layer_table(b.model([("x", np.float32, ["N", 3, "h", "w"])]), name="x").layers
    assert layer.shape == (4, None, None) and layer.n_multiply_adds is None
    b = GraphBuilder()
    b.output(b.op("MatMul", "x", "x"), "y", np.float32, ["N", "N"])
    (layer,) = onnx_layer_table(b.model([("x", np.float32, ["N", "N"])]), name="x").layers
    assert layer.kind == "product" and layer.n_parameters == 0


@pytest.mark.parametrize("content", [b"nothing", b"", None], ids=["foreign", "empty", "missing"])
def test_a_file_that_is_none_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"x\.onnx"):
        read_layer_table(path)


def test_views() -> None:
    assert View().through(3, 2).through(3, 1).width == 7
    assert View().through(3, 1, dilation=2).width == 5
    assert EVERYTHING.through(3, 2).pixels(50) == 50
    assert join_views([View(3), View(7)]) == View(7)
    assert join_views([View(3), None]) is None and join_views([]) is None


def test_the_layers_are_read_without_weights() -> None:
    """A file is described from its shapes: values do not matter."""
    b = GraphBuilder()
    b.output(b.op("MatMul", "x", b.constant(np.full((5, 2), np.nan, np.float32))), "y", np.float32, ["N", 2])
    model = b.model([("x", np.float32, ["N", 5])])
    assert isinstance(model, onnx.ModelProto)
    assert onnx_layer_table(model, name="x").n_multiply_adds == 10
