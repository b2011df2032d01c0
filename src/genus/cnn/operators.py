"""Layers of PyTorch as plain ONNX operators.

`write(layer, b, x)` adds what a layer computes in use (not in training) to a graph. It knows PyTorch's usual layers and
ours; a layer of somebody else's may have a method `export(b, x)` that returns the name of its output.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from genus.cnn.layers import (
    BatchNorm,
    DropPath,
    GlobalAveragePool,
    GlobalMaxPool,
    Normalise,
    Residual,
    SameConv2d,
    Scale,
)
from genus.errors import GenusError
from genus.graph import GraphBuilder


class UnwritableLayerError(GenusError):
    """A layer is neither known here nor says how it is written."""


Writer = Callable[[Any, GraphBuilder, str], str]
_WRITERS: dict[type[nn.Module], Writer] = {}


def _writes(*kinds: type[nn.Module]) -> Callable[[Writer], Writer]:
    """Register a function as the one that writes layers of these kinds."""

    def register(writer: Writer) -> Writer:
        _WRITERS.update(dict.fromkeys(kinds, writer))
        return writer

    return register


def write(layer: nn.Module, b: GraphBuilder, x: str) -> str:
    """Add a layer to a graph.

    Parameters
    ----------
    layer : nn.Module
        It is written as it computes in use: no dropout, batch normalisation by its running statistics.
    b : GraphBuilder
    x : str
        Name of the input, float32.

    Returns
    -------
    str
        Name of the output.

    Raises
    ------
    UnwritableLayerError
        Nobody knows how the layer is written.

    Examples
    --------
    >>> b = GraphBuilder()
    >>> y = write(nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU()), b, "x")
    >>> b.output(y, "y", np.float32, ["N", 8, "h", "w"])
    >>> [node.op_type for node in b.model([("x", np.float32, ["N", 3, 9, 9])]).graph.node]
    ['Conv', 'Relu', 'Identity']
    """
    export = getattr(layer, "export", None)
    if export is not None:
        return str(export(b, x))
    kind = _known(layer)
    if kind is None:
        raise UnwritableLayerError(f"{type(layer).__name__} cannot be written as plain ONNX operators.")
    return _WRITERS[kind](layer, b, x)


def _known(layer: nn.Module) -> type[nn.Module] | None:
    """Return the kind of a layer; a class that inherits from a known one but computes differently is unknown."""
    kind = next((kind for kind in type(layer).__mro__ if kind in _WRITERS), nn.Module)
    return kind if type(layer).forward is kind.forward else None


@_writes(nn.Sequential)
def _sequence(layer: nn.Sequential, b: GraphBuilder, x: str) -> str:
    """Write one layer after the other; a convolution takes the batch normalisation behind it along."""
    layers, place = [each for each in layer if not isinstance(each, nn.Identity)], 0
    while place < len(layers):
        conv, norm = layers[place], layers[place + 1] if place + 1 < len(layers) else None
        if isinstance(conv, nn.Conv2d) and isinstance(norm, _BatchNorm) and _known(conv) and _known(norm):
            x, place = _write_conv(b, x, conv, norm), place + 2
        else:
            x, place = write(conv, b, x), place + 1
    return x


@_writes(nn.Conv2d, SameConv2d)
def _conv(layer: nn.Conv2d, b: GraphBuilder, x: str) -> str:
    return _write_conv(b, x, layer, None)


@_writes(nn.BatchNorm2d, nn.BatchNorm1d, BatchNorm)
def _batch_norm(layer: _BatchNorm, b: GraphBuilder, x: str) -> str:
    factor, shift = _affine(layer)
    shape = (-1, 1, 1) if isinstance(layer, nn.BatchNorm2d) else (-1,)
    x = b.op("Mul", x, b.constant(_float32(factor).reshape(shape)))
    return b.op("Add", x, b.constant(_float32(shift).reshape(shape)))


@_writes(Normalise)
def _normalise(layer: Normalise, b: GraphBuilder, x: str) -> str:
    x = b.op("Sub", x, b.constant(_float32(layer.mean)))
    return b.op("Mul", x, b.constant(_float32(layer.scale)))


@_writes(Residual)
def _residual(layer: Residual, b: GraphBuilder, x: str) -> str:
    return b.op("Add", write(layer.shortcut, b, x), write(layer.layers, b, x))


@_writes(nn.Identity, nn.Dropout, nn.Dropout2d, DropPath)
def _nothing(layer: nn.Module, b: GraphBuilder, x: str) -> str:
    return x


@_writes(nn.Linear)
def _linear(layer: nn.Linear, b: GraphBuilder, x: str) -> str:
    x = b.op("MatMul", x, b.constant(_float32(layer.weight.T)))
    return x if layer.bias is None else b.op("Add", x, b.constant(_float32(layer.bias)))


@_writes(Scale)
def _scale(layer: Scale, b: GraphBuilder, x: str) -> str:
    return b.op("Mul", x, b.constant(np.float32(layer.factor)))


@_writes(nn.ReLU)
def _relu(layer: nn.ReLU, b: GraphBuilder, x: str) -> str:
    return b.op("Relu", x)


@_writes(nn.ReLU6)
def _relu6(layer: nn.ReLU6, b: GraphBuilder, x: str) -> str:
    return b.op("Clip", x, b.constant(np.float32(0)), b.constant(np.float32(6)))


@_writes(nn.GELU)
def _gelu(layer: nn.GELU, b: GraphBuilder, x: str) -> str:
    """Write x * Phi(x), opset 17 having no Gelu; the approximation by tanh as it is."""
    half, one = b.constant(np.float32(0.5)), b.constant(np.float32(1))
    if layer.approximate == "none":
        curve = b.op("Erf", b.op("Mul", x, b.constant(np.float32(0.5**0.5))))
    else:
        cube = b.op("Mul", b.op("Mul", x, x), b.op("Mul", x, b.constant(np.float32(0.044715))))
        curve = b.op("Tanh", b.op("Mul", b.op("Add", x, cube), b.constant(np.float32((2 / np.pi) ** 0.5))))
    return b.op("Mul", b.op("Mul", x, half), b.op("Add", curve, one))


@_writes(nn.SiLU)
def _silu(layer: nn.SiLU, b: GraphBuilder, x: str) -> str:
    return b.op("Mul", x, b.op("Sigmoid", x))


@_writes(nn.Sigmoid)
def _sigmoid(layer: nn.Sigmoid, b: GraphBuilder, x: str) -> str:
    return b.op("Sigmoid", x)


@_writes(nn.Tanh)
def _tanh(layer: nn.Tanh, b: GraphBuilder, x: str) -> str:
    return b.op("Tanh", x)


@_writes(nn.Hardsigmoid)
def _hardsigmoid(layer: nn.Hardsigmoid, b: GraphBuilder, x: str) -> str:
    return b.op("HardSigmoid", x, alpha=1 / 6, beta=0.5)


@_writes(nn.Hardswish)
def _hardswish(layer: nn.Hardswish, b: GraphBuilder, x: str) -> str:
    return b.op("Mul", x, b.op("HardSigmoid", x, alpha=1 / 6, beta=0.5))


@_writes(nn.MaxPool2d)
def _max_pool(layer: nn.MaxPool2d, b: GraphBuilder, x: str) -> str:
    if _pair(layer.dilation) != [1, 1] or layer.ceil_mode:
        raise UnwritableLayerError("a pooling with gaps, or with rounding up, cannot be written.")
    return b.op("MaxPool", x, **_window(layer))


@_writes(nn.AvgPool2d)
def _average_pool(layer: nn.AvgPool2d, b: GraphBuilder, x: str) -> str:
    if layer.divisor_override is not None or layer.ceil_mode:
        raise UnwritableLayerError(
            "a mean with a divisor of its own, or with rounding up, cannot be written."
        )
    return b.op("AveragePool", x, count_include_pad=int(layer.count_include_pad), **_window(layer))


@_writes(nn.AdaptiveAvgPool2d)
def _adaptive_average(layer: nn.AdaptiveAvgPool2d, b: GraphBuilder, x: str) -> str:
    if _pair(layer.output_size) != [1, 1]:
        raise UnwritableLayerError("an adaptive pooling can be written only if one place is left.")
    return b.op("GlobalAveragePool", x)


@_writes(nn.AdaptiveMaxPool2d)
def _adaptive_max(layer: nn.AdaptiveMaxPool2d, b: GraphBuilder, x: str) -> str:
    if _pair(layer.output_size) != [1, 1]:
        raise UnwritableLayerError("an adaptive pooling can be written only if one place is left.")
    return b.op("GlobalMaxPool", x)


@_writes(GlobalAveragePool)
def _global_average(layer: GlobalAveragePool, b: GraphBuilder, x: str) -> str:
    return b.op("Flatten", b.op("GlobalAveragePool", x), axis=1)


@_writes(GlobalMaxPool)
def _global_max(layer: GlobalMaxPool, b: GraphBuilder, x: str) -> str:
    return b.op("Flatten", b.op("GlobalMaxPool", x), axis=1)


@_writes(nn.Flatten)
def _flatten(layer: nn.Flatten, b: GraphBuilder, x: str) -> str:
    if (layer.start_dim, layer.end_dim) != (1, -1):
        raise UnwritableLayerError("only a flattening of all but the batch can be written.")
    return b.op("Flatten", x, axis=1)


def _write_conv(b: GraphBuilder, x: str, conv: nn.Conv2d, norm: _BatchNorm | None) -> str:
    if conv.padding_mode != "zeros":
        raise UnwritableLayerError(f"a convolution with the padding {conv.padding_mode!r} cannot be written.")
    kernel = conv.weight.detach().double()
    bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
    bias = bias.double()
    if norm is not None:
        factor, shift = _affine(norm)
        kernel, bias = kernel * factor.view(-1, 1, 1, 1), bias * factor + shift
    return b.op(
        "Conv",
        x,
        b.constant(_float32(kernel)),
        b.constant(_float32(bias)),
        strides=list(conv.stride),
        dilations=list(conv.dilation),
        group=conv.groups,
        **_padding(conv),
    )


def _padding(conv: nn.Conv2d) -> dict[str, Any]:
    if isinstance(conv, SameConv2d):
        return {"auto_pad": "SAME_UPPER"}
    if isinstance(conv.padding, str):
        return {"auto_pad": {"same": "SAME_UPPER", "valid": "VALID"}[conv.padding]}
    return {"pads": [*conv.padding, *conv.padding]}


def _affine(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    """Return the factor and the shift of each channel that a batch normalisation comes to, in double precision."""
    if norm.running_mean is None or norm.running_var is None:
        raise UnwritableLayerError("batch normalisation without running statistics cannot be written.")
    factor = 1 / (norm.running_var.double() + norm.eps).sqrt()
    if norm.weight is not None:
        factor = factor * norm.weight.detach().double()
    shift = -norm.running_mean.double() * factor
    return factor, shift if norm.bias is None else shift + norm.bias.detach().double()


def _window(layer: nn.MaxPool2d | nn.AvgPool2d) -> dict[str, Any]:
    padding = _pair(layer.padding)
    stride = _pair(layer.kernel_size if layer.stride is None else layer.stride)
    return {"kernel_shape": _pair(layer.kernel_size), "strides": stride, "pads": padding + padding}


def _pair(value: object) -> list[int]:
    return [int(v) for v in value] if isinstance(value, Sequence) else [value, value]  # type: ignore[list-item]


def _float32(values: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(values.detach().float().cpu().numpy())
