"""Layers as ONNX operators: each computes in both engines what it computes in PyTorch, or says that it cannot."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks are made in PyTorch")

from torch import nn  # noqa: E402

from genus.cnn.export import export_network  # noqa: E402
from genus.cnn.layers import (  # noqa: E402
    BatchNorm,
    GlobalAveragePool,
    GlobalMaxPool,
    Residual,
    SameConv2d,
    Scale,
    conv_norm,
)
from genus.cnn.network import Network  # noqa: E402
from genus.cnn.operators import UnwritableLayerError, write  # noqa: E402
from genus.cnn.spec import NetworkSpec  # noqa: E402
from genus.errors import ParameterError  # noqa: E402
from genus.features.trained import TrainedBackbone  # noqa: E402
from genus.graph import GraphBuilder  # noqa: E402

from .engines import run_everywhere  # noqa: E402

LAYERS = {
    "conv": nn.Conv2d(4, 6, 3, padding=1),
    "conv with gaps": nn.Conv2d(4, 6, (3, 1), stride=2, padding=(2, 0), dilation=(2, 1)),
    "conv in groups": nn.Conv2d(4, 6, 3, groups=2, bias=False),
    "conv, same": nn.Conv2d(4, 6, 3, padding="same"),
    "conv, valid": nn.Conv2d(4, 6, 5, padding="valid"),
    "TensorFlow's same": SameConv2d(4, 6, 3, 2),
    "TensorFlow's same, odd": nn.Sequential(nn.Conv2d(4, 4, 2), SameConv2d(4, 6, 5, 2)),
    "conv and norm": conv_norm(4, 6, 3, stride=2, activation=nn.ReLU()),
    "norm": BatchNorm(4),
    "norm of PyTorch": nn.BatchNorm2d(4, affine=False),
    "norm of rows": nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4 * 10 * 10)),
    "relu": nn.ReLU(inplace=True),
    "relu6": nn.ReLU6(),
    "gelu": nn.GELU(),
    "gelu by tanh": nn.GELU("tanh"),
    "silu": nn.SiLU(),
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "hardswish": nn.Hardswish(),
    "hardsigmoid": nn.Hardsigmoid(),
    "max pool": nn.MaxPool2d(3, stride=2, padding=1),
    "average pool": nn.AvgPool2d(3, stride=2, padding=1),
    "average pool of what is there": nn.AvgPool2d((2, 3), padding=1, count_include_pad=False),
    "adaptive": nn.AdaptiveAvgPool2d(1),
    "adaptive max": nn.AdaptiveMaxPool2d((1, 1)),
    "mean": GlobalAveragePool(),
    "largest": GlobalMaxPool(),
    "dense": nn.Sequential(nn.Flatten(), nn.Linear(400, 7), nn.Linear(7, 3, bias=False)),
    "scale": Scale(1 / 9),
    "residual": Residual(conv_norm(4, 4, 3)),
    "residual with shortcut": Residual(nn.Conv2d(4, 6, 1), nn.Conv2d(4, 6, 1)),
    "nothing": nn.Sequential(nn.Identity(), nn.Dropout(0.5), nn.Dropout2d(0.5), nn.ReLU()),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_computes_the_same_everywhere(kind: str) -> None:
    """Stated: 1e-5, relative to the largest value."""
    layer = LAYERS[kind].train()
    noise = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, 10, 10, generator=noise) * 4
    for module in layer.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d) and module.affine:
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias)
    with torch.no_grad():
        layer(x.clone())  # for the running statistics
        wanted = layer.eval()(x.clone()).numpy()
    b = GraphBuilder()
    b.output(write(layer, b, "x"), "y", np.float32, ["N", *wanted.shape[1:]])
    data = b.model([("x", np.float32, ["N", 4, 10, 10])]).SerializeToString()
    for engine, found in run_everywhere(data, x.numpy()):
        assert found["y"].shape == wanted.shape
        assert np.abs(found["y"] - wanted).max() <= 1e-5 * np.abs(wanted).max(), engine


class Doubled(nn.ReLU):
    """It is a ReLU by its class, and computes something else."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return 2 * input.relu()


@pytest.mark.parametrize(
    "layer",
    [
        Doubled(),
        nn.Softmax(1),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.AvgPool2d(2, ceil_mode=True),
        nn.AdaptiveAvgPool2d(2),
        nn.AdaptiveMaxPool2d(2),
        nn.Flatten(2),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.BatchNorm2d(4, track_running_stats=False),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_what_cannot_be_written_says_so(layer: nn.Module) -> None:
    with pytest.raises(UnwritableLayerError, match=r"written"):
        write(layer, GraphBuilder(), "x")


class Third(nn.Module):
    """A layer of somebody else's that says how it is written."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / 3

    def export(self, b: GraphBuilder, x: str) -> str:
        return b.op("Div", x, b.constant(np.float32(3)))


def network(*layers: nn.Module) -> Network:
    body = nn.Sequential(nn.Conv2d(3, 4, 3), *layers)
    return Network(NetworkSpec("mine", 2, 12), body, GlobalAveragePool(), nn.Linear(4, 2)).eval()


@pytest.mark.parametrize("layer", [Third(), Doubled()], ids=["written by itself", "by PyTorch's exporter"])
def test_layers_of_others_are_written_too(layer: nn.Module) -> None:
    made = network(layer)
    x = torch.rand(5, 3, 12, 12, generator=torch.Generator().manual_seed(0)) * 255
    with torch.no_grad():
        wanted = {"embedding": made.embedding(x).numpy(), "feature_map": made.feature_map(x).numpy()}
    for _, found in run_everywhere(export_network(made), x.permute(0, 2, 3, 1).contiguous().numpy()):
        for name, values in wanted.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", [Third(), Doubled()], ids=["written by itself", "by PyTorch's exporter"])
def test_either_way_it_becomes_a_backbone(layer: nn.Module) -> None:
    b = GraphBuilder()
    tensors = TrainedBackbone(export_network(network(layer)), 12).build(b, "images", 12)
    assert tensors.n_features == 4
    b.output(tensors.embedding, "embedding", np.float32, ["N", 4])
    data = b.model([("images", np.float32, ["N", 12, 12, 3])]).SerializeToString()
    for _, found in run_everywhere(data, np.ones((2, 12, 12, 3), np.float32)):
        assert found["embedding"].shape == (2, 4)


class Peculiar(nn.Module):
    """What no exporter can write."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.eigvals(x[..., :5, :5]).real[..., None]


def test_what_nobody_can_write_names_the_network() -> None:
    with pytest.raises(ParameterError, match=r"mine: cannot be written as ONNX"):
        export_network(network(Peculiar()))
