"""Residual networks with basic blocks: "resnet10" and "resnet18", for small pictures and large ones.

He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition" (CVPR 2016). Large pictures are first shrunk
fourfold, as there; those up to 96 pixels only halved, and those up to 40 not at all, or nothing would be left to see.
The last normalisation of each block begins with zeros, so that blocks begin by handing their input on (Goyal et al.,
"Accurate, Large Minibatch SGD", 2017).

"resnet10:32-64-128-256" has other widths than the usual 64, 128, 256 and 512.
"""

from collections import OrderedDict
from dataclasses import replace

from torch import nn

from genus.cnn.layers import BatchNorm, GlobalAveragePool, Residual, conv_norm
from genus.cnn.network import Network
from genus.cnn.spec import NetworkSpec, check_weights
from genus.cnn.widths import parse_widths

WIDTHS = (64, 128, 256, 512)
NATIVE_SIZE = 64
_SMALLEST = 16
_N_BLOCKS = {"resnet10": (1, 1, 1, 1), "resnet18": (2, 2, 2, 2)}
_UNSHRUNK, _HALVED = 40, 96  # the largest pictures of which the stem leaves all, or every second place


def residual(spec: NetworkSpec, weights: str | None = None) -> Network:
    """Make the network with weights drawn by chance.

    Raises
    ------
    ParameterError
        The widths cannot be understood, the pictures are too small, or weights are named: there are none.
    """
    check_weights(spec, weights)
    size = spec.size_or(NATIVE_SIZE, smallest=_SMALLEST)
    widths = parse_widths(spec, WIDTHS, n_stages=len(WIDTHS))
    body: OrderedDict[str, nn.Module] = OrderedDict(stem=_stem(size, widths[0]))
    n_in = widths[0]
    for stage, (n_blocks, n_out) in enumerate(zip(_N_BLOCKS[spec.family], widths, strict=True)):
        for repeat in range(n_blocks):
            stride = 2 if stage > 0 and repeat == 0 else 1
            body[f"block{len(body) - 1}"] = basic_block(n_in, n_out, stride)
            n_in = n_out
    network = Network(
        replace(spec, size=size), nn.Sequential(body), GlobalAveragePool(), nn.Linear(n_in, spec.n_classes)
    )
    _initialise(network)
    return network


def basic_block(n_in: int, n_out: int, stride: int) -> nn.Sequential:
    """Return two convolutions of 3 x 3 beside a shortcut, which is a convolution only where shapes change."""
    layers = nn.Sequential(
        OrderedDict(
            first=conv_norm(n_in, n_out, 3, stride=stride, activation=nn.ReLU()),
            second=conv_norm(n_out, n_out, 3),
        )
    )
    changes = stride > 1 or n_in != n_out
    shortcut = conv_norm(n_in, n_out, 1, stride=stride) if changes else None
    return nn.Sequential(OrderedDict(add=Residual(layers, shortcut), relu=nn.ReLU()))


def _stem(size: int, width: int) -> nn.Sequential:
    if size <= _HALVED:
        return conv_norm(3, width, 3, stride=1 if size <= _UNSHRUNK else 2, activation=nn.ReLU())
    stem = conv_norm(3, width, 7, stride=2, activation=nn.ReLU())
    stem.add_module("pool", nn.MaxPool2d(3, stride=2, padding=1))
    return stem


def _initialise(network: Network) -> None:
    for module in network.body.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, Residual):
            *_, last = (each for each in module.layers.modules() if isinstance(each, BatchNorm))
            nn.init.zeros_(last.weight)
