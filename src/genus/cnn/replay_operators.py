"""The ONNX operators that Genus writes, and those of common networks, as functions of PyTorch tensors.

Rounding has no slope, so `QuantizeLinear` hands gradients on as if it did not round: Bengio, Leonard and Courville
(2013), "Estimating or propagating gradients through stochastic neurons for conditional computation".
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from genus.weights.lite import same_padding

Attributes = Mapping[str, Any]
Inputs = Sequence[Tensor | None]
Operator = Callable[[Inputs, Attributes], Tensor | tuple[Tensor, ...]]

_TYPES = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
}
_LEVELS = {torch.uint8: (0, 255), torch.int8: (-128, 127)}


def _given(values: Inputs, place: int) -> Tensor:
    found = values[place]
    if found is None:
        raise ValueError(f"input {place} is missing")
    return found


def _optional(values: Inputs, place: int) -> Tensor | None:
    return values[place] if place < len(values) else None


def _numbers(values: Inputs, place: int, attributes: Attributes, name: str) -> list[int] | None:
    """Return a list that is an input in newer opsets and an attribute in older ones."""
    found = _optional(values, place)
    if found is not None:
        return [int(value) for value in found.reshape(-1).tolist()]
    return None if name not in attributes else [int(value) for value in attributes[name]]


def _elementwise(function: Callable[..., Tensor]) -> Operator:
    """Make an operator of a function of as many tensors as the node has inputs."""

    def run(values: Inputs, attributes: Attributes) -> Tensor:
        return function(*(_given(values, i) for i in range(len(values))))

    return run


def _folded(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    """Make an operator of any number of inputs of a function of two."""

    def run(values: Inputs, attributes: Attributes) -> Tensor:
        found = _given(values, 0)
        for i in range(1, len(values)):
            found = function(found, _given(values, i))
        return found

    return run


def _reduction(function: Callable[..., Tensor]) -> Operator:
    def run(values: Inputs, attributes: Attributes) -> Tensor:
        x = _given(values, 0)
        axes = _numbers(values, 1, attributes, "axes") or list(range(x.ndim))
        return function(x, dim=axes, keepdim=bool(attributes.get("keepdims", 1)))

    return run


def _padding(attributes: Attributes, sides: Sequence[int], kernel: Sequence[int]) -> tuple[list[int], bool]:
    """Return what to put before and after each axis, as PyTorch wants it, and whether there is anything."""
    spatial = len(sides)
    pads = list(attributes.get("pads", [0] * 2 * spatial))
    wish = attributes.get("auto_pad", b"NOTSET")
    wish = wish.decode() if isinstance(wish, bytes) else wish
    if wish in ("SAME_UPPER", "SAME_LOWER"):
        pads = _same_pads(attributes, sides, kernel, upper=wish == "SAME_UPPER")
    elif wish not in ("NOTSET", "VALID"):
        raise ValueError(f"auto_pad {wish} is not supported")
    before, after = pads[:spatial], pads[spatial:]
    last_first = [side for axis in reversed(range(spatial)) for side in (before[axis], after[axis])]
    return last_first, any(pads)


def _same_pads(
    attributes: Attributes, sides: Sequence[int], kernel: Sequence[int], *, upper: bool
) -> list[int]:
    """Return what to add so that as many places come out as strides fit; the odd one goes last, or first."""
    strides, dilations = (list(attributes.get(name, [1] * len(sides))) for name in ("strides", "dilations"))
    axes = zip(sides, kernel, strides, dilations, strict=True)
    pairs = [same_padding(side, dilation * (k - 1) + 1, stride) for side, k, stride, dilation in axes]
    less, more = zip(*pairs, strict=True)
    return [*less, *more] if upper else [*more, *less]


def _conv(values: Inputs, attributes: Attributes) -> Tensor:
    x, kernel = _given(values, 0), _given(values, 1)
    spatial = kernel.ndim - 2
    pads, any_ = _padding(attributes, x.shape[2:], kernel.shape[2:])
    convolve = {1: torch.conv1d, 2: torch.conv2d, 3: torch.conv3d}[spatial]
    return convolve(
        functional.pad(x, pads) if any_ else x,
        kernel,
        _optional(values, 2),
        stride=list(attributes.get("strides", [1] * spatial)),
        dilation=list(attributes.get("dilations", [1] * spatial)),
        groups=int(attributes.get("group", 1)),
    )


def _pool(values: Inputs, attributes: Attributes, *, largest: bool) -> Tensor:
    x, kernel = _given(values, 0), list(attributes["kernel_shape"])
    strides, ceil = list(attributes.get("strides", [1] * len(kernel))), bool(attributes.get("ceil_mode", 0))
    pads, any_ = _padding(attributes, x.shape[2:], kernel)
    if largest:
        x = functional.pad(x, pads, value=-torch.inf) if any_ else x
        return functional.max_pool2d(x, kernel, strides, ceil_mode=ceil)
    if any_ and not attributes.get("count_include_pad", 0):
        counted = functional.pad(torch.ones_like(x), pads)
        total = functional.avg_pool2d(functional.pad(x, pads), kernel, strides, ceil_mode=ceil)
        return total / functional.avg_pool2d(counted, kernel, strides, ceil_mode=ceil)
    return functional.avg_pool2d(functional.pad(x, pads) if any_ else x, kernel, strides, ceil_mode=ceil)


def _gemm(values: Inputs, attributes: Attributes) -> Tensor:
    a, b, c = _given(values, 0), _given(values, 1), _optional(values, 2)
    a = a.T if attributes.get("transA", 0) else a
    b = b.T if attributes.get("transB", 0) else b
    found = float(attributes.get("alpha", 1.0)) * (a @ b)
    return found if c is None else found + float(attributes.get("beta", 1.0)) * c


def _batch_norm(values: Inputs, attributes: Attributes) -> Tensor:
    x, scale, shift, mean, variance = (_given(values, i) for i in range(5))
    return functional.batch_norm(x, mean, variance, scale, shift, eps=float(attributes.get("epsilon", 1e-5)))


def _layer_norm(values: Inputs, attributes: Attributes) -> Tensor:
    x, axis = _given(values, 0), int(attributes.get("axis", -1))
    eps = float(attributes.get("epsilon", 1e-5))
    return functional.layer_norm(x, list(x.shape[axis:]), _optional(values, 1), _optional(values, 2), eps=eps)


def _clip(values: Inputs, attributes: Attributes) -> Tensor:
    low, high = _optional(values, 1), _optional(values, 2)
    return torch.clamp(_given(values, 0), low, high)


def _pad(values: Inputs, attributes: Attributes) -> Tensor:
    x, sides = _given(values, 0), _given(values, 1).tolist()
    pads = [side for axis in reversed(range(x.ndim)) for side in (sides[axis], sides[axis + x.ndim])]
    mode = attributes.get("mode", b"constant")
    if mode in (b"constant", "constant"):
        fill = _optional(values, 2)
        return functional.pad(x, pads, value=0.0 if fill is None else float(fill))
    if any(pads[4:]):
        raise ValueError("only the last two axes can be padded with what is there")
    return functional.pad(x, pads[:4], mode={b"edge": "replicate", b"reflect": "reflect"}[mode])


def _slice(values: Inputs, attributes: Attributes) -> Tensor:
    x = _given(values, 0)
    starts = _numbers(values, 1, attributes, "starts") or []
    ends = _numbers(values, 2, attributes, "ends") or []
    axes = _numbers(values, 3, attributes, "axes") or list(range(len(starts)))
    steps = _numbers(values, 4, {}, "steps") or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        places = torch.arange(x.shape[axis])[slice(start, end, step)] if step > 0 else None
        if places is None:
            raise ValueError("slices that run backwards are not supported")
        x = x.index_select(axis, places) if step > 1 else _narrow(x, axis, places)
    return x


def _narrow(x: Tensor, axis: int, places: Tensor) -> Tensor:
    return x.narrow(axis, int(places[0]) if len(places) else 0, len(places))


def _split(values: Inputs, attributes: Attributes) -> tuple[Tensor, ...]:
    x, axis = _given(values, 0), int(attributes.get("axis", 0))
    sizes = _numbers(values, 1, attributes, "split")
    n = int(attributes["n_outputs"])
    return tuple(torch.functional.split(x, sizes if sizes is not None else -(-x.shape[axis] // n), dim=axis))


def _gather(values: Inputs, attributes: Attributes) -> Tensor:
    x, places = _given(values, 0), _given(values, 1).long()
    axis = int(attributes.get("axis", 0)) % x.ndim
    places = torch.where(places < 0, places + x.shape[axis], places)
    found = x.index_select(axis, places.reshape(-1))
    return found.reshape(*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])


def _reshape(values: Inputs, attributes: Attributes) -> Tensor:
    x, shape = _given(values, 0), [int(side) for side in _given(values, 1).tolist()]
    return x.reshape([x.shape[i] if side == 0 else side for i, side in enumerate(shape)])


def _flatten(values: Inputs, attributes: Attributes) -> Tensor:
    x, axis = _given(values, 0), int(attributes.get("axis", 1))
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


def _squeeze(values: Inputs, attributes: Attributes) -> Tensor:
    axes = _numbers(values, 1, attributes, "axes")
    x = _given(values, 0)
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


def _unsqueeze(values: Inputs, attributes: Attributes) -> Tensor:
    x = _given(values, 0)
    axes = _numbers(values, 1, attributes, "axes") or []
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _top_k(values: Inputs, attributes: Attributes) -> tuple[Tensor, ...]:
    found = torch.topk(
        _given(values, 0),
        int(_given(values, 1).reshape(-1)[0]),
        dim=int(attributes.get("axis", -1)),
        largest=bool(attributes.get("largest", 1)),
        sorted=bool(attributes.get("sorted", 1)),
    )
    return found.values, found.indices


def _along(factor: Tensor, x: Tensor, axis: int) -> Tensor:
    """Bring one number a channel into the shape of `x`."""
    if factor.ndim == 0 or factor.numel() == 1:
        return factor.reshape(())
    shape = [1] * x.ndim
    shape[axis] = -1
    return factor.reshape(shape)


def _quantize(values: Inputs, attributes: Attributes) -> Tensor:
    x, scale, zero = _given(values, 0), _given(values, 1), _optional(values, 2)
    axis = int(attributes.get("axis", 1))
    kind = torch.uint8 if zero is None else zero.dtype
    exact = x / _along(scale, x, axis) + (0.0 if zero is None else _along(zero, x, axis).float())
    rounded = exact + (torch.round(exact) - exact).detach()
    return torch.clamp(rounded, *_LEVELS[kind])


def _dequantize(values: Inputs, attributes: Attributes) -> Tensor:
    x, scale, zero = _given(values, 0), _given(values, 1), _optional(values, 2)
    axis = int(attributes.get("axis", 1))
    levels = x.float() if zero is None else x.float() - _along(zero, x, axis).float()
    return levels * _along(scale, x, axis)


def _cast(values: Inputs, attributes: Attributes) -> Tensor:
    return _given(values, 0).to(_TYPES[int(attributes["to"])])


def _softmax(values: Inputs, attributes: Attributes) -> Tensor:
    return torch.softmax(_given(values, 0), dim=int(attributes.get("axis", -1)))


def _hard_sigmoid(values: Inputs, attributes: Attributes) -> Tensor:
    alpha, beta = float(attributes.get("alpha", 0.2)), float(attributes.get("beta", 0.5))
    return torch.clamp(alpha * _given(values, 0) + beta, 0, 1)


def _rounded(x: Tensor) -> Tensor:
    return x + (torch.round(x) - x).detach()


def _global_average(values: Inputs, attributes: Attributes) -> Tensor:
    return _given(values, 0).mean(dim=(2, 3), keepdim=True)


def _global_max(values: Inputs, attributes: Attributes) -> Tensor:
    x = _given(values, 0)
    return x.amax(dim=tuple(range(2, x.ndim)), keepdim=True)


def _transpose(values: Inputs, attributes: Attributes) -> Tensor:
    x = _given(values, 0)
    return x.permute(list(attributes.get("perm", reversed(range(x.ndim)))))


def _concat(values: Inputs, attributes: Attributes) -> Tensor:
    return torch.cat([_given(values, i) for i in range(len(values))], dim=int(attributes["axis"]))


def _length(x: Tensor, dim: list[int], keepdim: bool) -> Tensor:
    # the slope of a root at 0 is infinite: nothing times it would be no number
    return torch.sqrt(torch.clamp((x * x).sum(dim=dim, keepdim=keepdim), min=1e-30))


def _root(x: Tensor) -> Tensor:
    return torch.where(x > 0, torch.sqrt(torch.clamp(x, min=1e-12)), torch.zeros_like(x))


def _divided(a: Tensor, b: Tensor) -> Tensor:
    return a / b if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


OPERATORS: dict[str, Operator] = {
    "Abs": _elementwise(torch.abs),
    "Add": _elementwise(torch.add),
    "Atan": _elementwise(torch.atan),
    "AveragePool": lambda values, attributes: _pool(values, attributes, largest=False),
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "DequantizeLinear": _dequantize,
    "Div": _elementwise(_divided),
    "Dropout": lambda values, attributes: _given(values, 0),
    "Equal": _elementwise(torch.eq),
    "Erf": _elementwise(torch.erf),
    "Exp": _elementwise(torch.exp),
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": _elementwise(functional.gelu),
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average,
    "GlobalMaxPool": _global_max,
    "Greater": _elementwise(torch.gt),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _elementwise(functional.hardswish),
    "Identity": lambda values, attributes: _given(values, 0),
    "LayerNormalization": _layer_norm,
    "LeakyRelu": lambda values, attributes: functional.leaky_relu(
        _given(values, 0), float(attributes.get("alpha", 0.01))
    ),
    "Less": _elementwise(torch.lt),
    "Log": _elementwise(torch.log),
    "MatMul": _elementwise(torch.matmul),
    "Max": _folded(torch.maximum),
    "MaxPool": lambda values, attributes: _pool(values, attributes, largest=True),
    "Min": _folded(torch.minimum),
    "Mul": _elementwise(torch.mul),
    "Neg": _elementwise(torch.neg),
    "Pad": _pad,
    "Pow": _elementwise(torch.pow),
    "QuantizeLinear": _quantize,
    "ReduceL2": _reduction(_length),
    "ReduceMax": _reduction(torch.amax),
    "ReduceMean": _reduction(torch.mean),
    "ReduceMin": _reduction(torch.amin),
    "ReduceSum": _reduction(torch.sum),
    "ReduceSumSquare": _reduction(lambda x, dim, keepdim: (x * x).sum(dim=dim, keepdim=keepdim)),
    "Relu": _elementwise(torch.relu),
    "Reshape": _reshape,
    "Round": _elementwise(_rounded),
    "Sigmoid": _elementwise(torch.sigmoid),
    "Sign": _elementwise(torch.sign),
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "Sqrt": _elementwise(_root),
    "Squeeze": _squeeze,
    "Sub": _elementwise(torch.sub),
    "Tanh": _elementwise(torch.tanh),
    "TopK": _top_k,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _elementwise(torch.where),
}
"""What each operator does, by its ONNX name: from its inputs and attributes to its output, or a tuple of them."""
