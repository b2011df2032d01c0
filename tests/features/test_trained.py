"""A trained network as a backbone: its graph is copied into ours, behind what computes its input."""

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from genus.errors import ParameterError
from genus.features.backbone import Backbone
from genus.features.lite import LITE0, EfficientNetLite
from genus.features.quantized import int8_ranges
from genus.features.trained import FrozenPrefix, TrainedBackbone
from genus.graph import GraphBuilder

SIZE = 64
INT8 = LITE0.quantized(int8_ranges("efficientnet-lite0") or {})


def network(*, channels: int = 3, side: int = SIZE) -> bytes:
    """A network that mixes channels: of pixels if there are three, else of activations."""
    b = GraphBuilder()
    reads_pixels = channels == 3
    x = b.op("Transpose", "images", perm=[0, 3, 1, 2]) if reads_pixels else "activations"
    kernel = np.random.default_rng(0).standard_normal((5, channels, 1, 1)).astype(np.float32)
    x = b.op("Relu", b.op("Conv", x, b.constant(kernel)))
    b.output(b.op("Flatten", b.op("GlobalAveragePool", x), axis=1), "embedding", np.float32, ["N", 5])
    b.output(x, "feature_map", np.float32, ["N", 5, side, side])
    name, shape = ("images", [side, side, 3]) if reads_pixels else ("activations", [channels, side, side])
    return bytes(b.model([(name, np.float32, ["N", *shape])]).SerializeToString())


def computed(
    backbone: Backbone, images: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    b = GraphBuilder()
    tensors = backbone.build(b, "images", SIZE)
    b.output(tensors.embedding, "features", np.float32, ["N", tensors.n_features])
    b.output(tensors.feature_map or "", "map", np.float32, ["N", tensors.n_features, "h", "w"])
    model = b.model([("images", np.float32, ["N", SIZE, SIZE, 3])])
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    features, feature_map = session.run(["features", "map"], {"images": images})
    return features, feature_map


IMAGES = np.random.default_rng(1).uniform(0, 255, (2, SIZE, SIZE, 3)).astype(np.float32)


def test_it_computes_what_its_file_does() -> None:
    session = ort.InferenceSession(network(), providers=["CPUExecutionProvider"])
    wanted = session.run(["embedding", "feature_map"], {"images": IMAGES})
    for found, expected in zip(computed(TrainedBackbone(network(), SIZE), IMAGES), wanted, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("backbone", [LITE0, INT8], ids=["float32", "int8"])
def test_behind_a_prefix_it_reads_what_that_yields(backbone: EfficientNetLite) -> None:
    b = GraphBuilder()
    found = backbone.build_prefix(b, "images", SIZE, 3)
    b.output(found.tensor, "x", np.float32, ["N", found.n_channels, found.side, found.side])
    first = ort.InferenceSession(
        b.model([("images", np.float32, ["N", SIZE, SIZE, 3])]).SerializeToString(),
        providers=["CPUExecutionProvider"],
    )
    rest = network(channels=found.n_channels, side=found.side)
    (x,) = first.run(["x"], {"images": IMAGES})
    then = ort.InferenceSession(rest, providers=["CPUExecutionProvider"])
    (wanted,) = then.run(["embedding"], {"activations": x})
    features, _ = computed(TrainedBackbone(rest, SIZE, FrozenPrefix(backbone, 3)), IMAGES)
    np.testing.assert_allclose(features, wanted, rtol=1e-3, atol=1e-3)


def test_a_prefix_that_does_not_fit_is_refused() -> None:
    rest = network(channels=24, side=16)
    with pytest.raises(
        ParameterError, match="reads 24 x 16 x 16 values, and 1 blocks of efficientnet-lite0 yield 16 x 32"
    ):
        TrainedBackbone(rest, SIZE, FrozenPrefix(LITE0, 1)).build(GraphBuilder(), "images", SIZE)


def test_it_takes_pictures_of_its_own_size_only() -> None:
    with pytest.raises(ParameterError, match="trained on pictures of 64 pixels; it cannot take 32"):
        TrainedBackbone(network(), SIZE).build(GraphBuilder(), "images", 32)


def test_its_identity_is_its_bytes_and_its_prefix() -> None:
    whole, other = TrainedBackbone(network(), SIZE), TrainedBackbone(network(side=32), 32)
    rest = network(channels=24, side=16)
    cut = [
        TrainedBackbone(rest, SIZE, prefix)
        for prefix in (None, FrozenPrefix(LITE0, 3), FrozenPrefix(INT8, 3), FrozenPrefix(INT8, 2))
    ]
    assert len({backbone.identity for backbone in (whole, other, *cut)}) == 6
    assert whole.identity == TrainedBackbone(network(), SIZE).identity


def test_behind_int8_it_needs_exact_scales() -> None:
    assert TrainedBackbone(network(), SIZE).tolerates_bf16
    rest = network(channels=24, side=16)
    assert TrainedBackbone(rest, SIZE, FrozenPrefix(LITE0, 3)).tolerates_bf16
    assert not TrainedBackbone(rest, SIZE, FrozenPrefix(INT8, 3)).tolerates_bf16
