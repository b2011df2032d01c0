"""Layers of model files: filters as they are written, maps as the network makes them, all as pictures."""

import numpy as np
import pytest
from onnx import load_model_from_string, numpy_helper

from genus import ImageClassifier
from genus.errors import ParameterError
from genus.explain.layers import MAX_TILES, feature_maps, filters_picture, find_layers, maps_picture
from genus.model_file import ModelFile
from genus.predictor import built_in
from photographs import photographs


@pytest.fixture(scope="module")
def two_networks() -> ModelFile:
    """int8, two networks at two sizes, one of them mirrored."""
    pictures = photographs(64)
    features = "efficientnet-lite0@64/mirror+efficientnet-lite0@32/middle"
    model = ImageClassifier(features=features, heads=["prototype"], random_state=0)
    return model.fit(list(pictures), ["china"] * 5 + ["flower"] * 5 + ["china"] * 5 + ["flower"] * 5).model_


def test_the_filters_are_those_in_the_file() -> None:
    model = built_in().model
    layers = find_layers(model)
    graph = load_model_from_string(model.data).graph
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    kernels = {value.name: value for value in graph.initializer}
    assert [layer.number for layer in layers] == list(range(1, len(convolutions) + 1))
    for layer, node in zip(layers, convolutions, strict=True):
        assert np.array_equal(layer.kernel, numpy_helper.to_array(kernels[node.input[1]]))


def test_the_maps_are_what_the_file_gives_out() -> None:
    model = built_in().model
    pixels = photographs(260)[6]
    maps = dict(feature_maps(model, find_layers(model), pixels))
    last = model.open(engine="onnxruntime", outputs=("feature_map",))(pixels[None])["feature_map"][0]
    *_, found = maps.values()
    assert np.allclose(found, last, atol=1e-4)
    for layer, found in maps.items():
        assert found.shape[0] == layer.n_channels and np.isfinite(found).all()
    assert [found.shape[1] for found in maps.values()][:3] == [130, 130, 130]


def test_networks_are_told_apart_and_8_bit_filters_are_numbers(two_networks: ModelFile) -> None:
    layers = find_layers(two_networks)
    names = [layer.network for layer in layers]
    assert list(dict.fromkeys(names)) == ["efficientnet-lite0@64", "efficientnet-lite0@32"]
    first, second = layers[0], layers[len(layers) // 2]
    assert np.allclose(first.kernel, second.kernel) and 0 < np.abs(first.kernel).max() < 50
    sizes = [maps.shape[1] for _, maps in feature_maps(two_networks, layers, photographs(64)[6])]
    assert sizes[0] == 32 and sizes[len(layers) // 2] == 16


def test_pictures_show_the_strongest(two_networks: ModelFile) -> None:
    for layer, maps in feature_maps(two_networks, find_layers(two_networks), photographs(64)[6]):
        for picture in (filters_picture(layer.kernel), maps_picture(maps)):
            assert picture.dtype == np.uint8 and picture.ndim == 3 and max(picture.shape) < 1000
    maps = np.zeros((100, 5, 5), np.float32)
    maps[77, 2, 2] = 1
    assert maps_picture(maps)[:56, :56].max() > maps_picture(maps)[:56, 62:110].max()
    assert len(maps) > MAX_TILES


def test_a_model_without_convolutions_says_so() -> None:
    pictures = list(photographs(32))
    model = ImageClassifier(features="thumbnail@32", heads=["prototype"], random_state=0)
    model.fit(pictures, ["a", "b"] * 10)
    with pytest.raises(ParameterError, match="no convolutions"):
        find_layers(model.model_)
