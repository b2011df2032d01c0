"""EfficientNet-Lite0, -Lite1 and -Lite2 in PyTorch, made of what `genus.weights.lite` describes, with its weights.

Its scores are those of the ONNX graph that `genus.features` writes, so either can compute the first blocks for the
other: a frozen beginning in int8, and an end that is trained.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from genus.cnn.layers import BatchNorm, GlobalAveragePool, Normalise, Residual, SameConv2d, conv_norm
from genus.cnn.network import Network
from genus.cnn.spec import NetworkSpec
from genus.errors import ParameterError
from genus.weights.lite import (
    BATCH_NORM_EPSILON,
    HEAD_WIDTH,
    LITE_VARIANTS,
    MEAN,
    SCALE,
    STEM_STRIDE,
    STEM_WIDTH,
    LiteBlock,
    Weights,
    lite_blocks,
    load_weights,
)

_SMALLEST = 32
_MOMENTUM = 0.01  # of batch normalisation, as PyTorch counts; TensorFlow's 0.99
_DROPOUT = 0.2
_N_IMAGENET = 1000


def lite(spec: NetworkSpec, weights: str | None = None) -> Network:
    """Make EfficientNet-Lite.

    Parameters
    ----------
    spec : NetworkSpec
        Named "efficientnet-lite0", "-lite1" or "-lite2". With 1000 classes the classifier is ImageNet's, too.
    weights : {None, "random"}
        None for the packaged weights.

    Raises
    ------
    ParameterError
        The pictures are too small, or the weights are neither of the two.
    MissingExtraError
        The package with the weights is not installed.
    """
    if weights not in (None, "random"):
        raise ParameterError(f"{spec.name}: its weights come in a package; instead there is 'random' only.")
    variant = int(spec.family[-1])
    size = spec.size_or(LITE_VARIANTS[variant].native_size, smallest=_SMALLEST)
    blocks = lite_blocks(variant)
    body: OrderedDict[str, nn.Module] = OrderedDict()
    body["stem"] = _conv(3, STEM_WIDTH, 3, stride=STEM_STRIDE)
    for block in blocks:
        body[f"block{block.index}"] = _block(block)
    body["head"] = _conv(blocks[-1].n_out, HEAD_WIDTH, 1)
    network = Network(
        replace(spec, size=size),
        nn.Sequential(body),
        GlobalAveragePool(),
        nn.Linear(HEAD_WIDTH, spec.n_classes),
        normalise=Normalise((MEAN,) * 3, (SCALE,) * 3),
        dropout=_DROPOUT,
    )
    _initialise(network)
    if weights is None:
        _fill(network, blocks, load_weights(variant))
    return network


def _conv(
    n_in: int, n_out: int, kernel: int, *, stride: int = 1, depthwise: bool = False, active: bool = True
) -> nn.Sequential:
    layers = conv_norm(
        n_in,
        n_out,
        kernel,
        stride=stride,
        groups=n_in if depthwise else 1,
        norm=BatchNorm(n_out, eps=BATCH_NORM_EPSILON, momentum=_MOMENTUM),
        activation=nn.ReLU6() if active else None,
    )
    if stride > 1:  # with stride 1 the usual padding is the same on both sides
        layers.conv = SameConv2d(n_in, n_out, kernel, stride, groups=n_in if depthwise else 1, bias=False)
    return layers


def _block(block: LiteBlock) -> nn.Module:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if block.expands:
        layers["expand"] = _conv(block.n_in, block.n_wide, 1)
    layers["depthwise"] = _conv(block.n_wide, block.n_wide, block.kernel, stride=block.stride, depthwise=True)
    layers["project"] = _conv(block.n_wide, block.n_out, 1, active=False)
    inside = nn.Sequential(layers)
    return Residual(inside) if block.residual else inside


def _initialise(network: Network) -> None:
    for module in network.body.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


@torch.no_grad()
def _fill(network: Network, blocks: tuple[LiteBlock, ...], weights: Weights) -> None:
    """Copy the packaged weights into the network."""
    _copy(network.body.get_submodule("stem"), weights, "_conv_stem", "_bn0")
    for block in blocks:
        layer = network.body.get_submodule(f"block{block.index}")
        inside = layer.layers if isinstance(layer, Residual) else layer
        name, norms = f"_blocks.{block.index}.", 0 if block.expands else 1
        for number, (step, convolution) in enumerate(inside.named_children(), start=norms):
            _copy(convolution, weights, f"{name}_{step}_conv", f"{name}_bn{number}")
    _copy(network.body.get_submodule("head"), weights, "_conv_head", "_bn1")
    if network.n_classes == _N_IMAGENET:
        network.classifier.weight.copy_(torch.from_numpy(weights["_fc.weight"]))
        network.classifier.bias.copy_(torch.from_numpy(weights["_fc.bias"]))


def _copy(layers: nn.Module, weights: Weights, conv: str, norm: str) -> None:
    state: Mapping[str, str] = {
        "conv.weight": f"{conv}.weight",
        **{f"norm.{part}": f"{norm}.{part}" for part in ("weight", "bias", "running_mean", "running_var")},
    }
    missing, _ = layers.load_state_dict(
        {ours: torch.from_numpy(weights[theirs]) for ours, theirs in state.items()}, strict=False
    )
    if set(missing) - {"norm.num_batches_tracked"}:
        raise ParameterError(f"{conv}: the weights lack {', '.join(missing)}.")
