"""The layers of a network in PyTorch; shapes come from a run on one picture of zeros."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from genus.cnn.layers import DropPath, GlobalAveragePool, GlobalMaxPool, Residual, Scale
from genus.cnn.network import Network
from genus.cnn.timm_networks import TimmHead
from genus.layer_table import EVERYTHING, Layer, LayerTable, View, join_views

_KINDS: dict[type[nn.Module], str] = {
    nn.Conv2d: "convolution",
    nn.Linear: "dense",
    nn.MaxPool2d: "max pooling",
    nn.AvgPool2d: "average pooling",
    GlobalAveragePool: "global average pooling",
    GlobalMaxPool: "global max pooling",
    nn.AdaptiveAvgPool2d: "global average pooling",
    nn.AdaptiveMaxPool2d: "global max pooling",
    nn.Flatten: "flattening",
}
"""What is a layer; all else belongs to the layer before it."""
_SILENT = (nn.Identity, nn.Dropout, nn.Dropout2d, DropPath, Scale, TimmHead)
_EVERYTHING = (
    nn.Linear,
    GlobalAveragePool,
    GlobalMaxPool,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.Flatten,
)

Shape = tuple[int, ...]


def describe_network(network: Network) -> LayerTable:
    """List the layers of a network, from the first convolution to the classifier.

    Examples
    --------
    >>> from genus.cnn.networks import make_network
    >>> table = describe_network(make_network("conv8x5-norm-pool-gap", 3, size=16))
    >>> for layer in table.layers:
    ...     print(layer.name, layer.kind, layer.shape, layer.n_parameters, layer.receptive_field)
    body.conv1.conv convolution, norm, ReLU (8, 16, 16) 616 5
    body.pool1 max pooling (8, 8, 8) 0 6
    neck global average pooling (8,) 0 16
    classifier dense (3,) 27 16
    """
    still = copy.deepcopy(network).cpu().float().eval()
    walk = _Walk(_output_shapes(still), max(network.input_shape[1:]))
    view: View | None = View()
    for name in ("body", "neck", "classifier"):
        view = walk.enter(name, still.get_submodule(name), view)
    return LayerTable(network.name, network.input_shape, tuple(walk.rows))


@torch.no_grad()
def _output_shapes(network: Network) -> dict[nn.Module, Shape]:
    """Return the shape of each layer's output, in the order of the computation, the batch left out."""
    shapes: dict[nn.Module, Shape] = {}

    def note(module: nn.Module, given: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            shapes[module] = tuple(output.shape[1:])

    hooks = [module.register_forward_hook(note) for module in network.modules() if _is_part(module)]
    network(torch.zeros(1, *network.input_shape))
    for hook in hooks:
        hook.remove()
    return shapes


def _is_part(module: nn.Module) -> bool:
    """Whether a module is to be counted by itself: it has nothing inside, or parameters beside what is inside."""
    return not list(module.children()) or any(True for _ in module.parameters(recurse=False))


class _Walk:
    """Goes through modules in the order of the computation and collects rows."""

    def __init__(self, shapes: dict[nn.Module, Shape], side: int) -> None:
        self.rows: list[Layer] = []
        self._shapes = shapes
        self._side = side

    def enter(self, name: str, module: nn.Module, view: View | None) -> View | None:
        """Add what is in a module; returns what its output sees, None where that is not known."""
        if isinstance(module, Residual):
            beside = self.enter(f"{name}.shortcut", module.shortcut, view)
            view = join_views([self.enter(f"{name}.layers", module.layers, view), beside])
            self._extend("sum", 0, view)
            return view
        if isinstance(module, nn.Sequential):
            for child_name, child in module.named_children():
                view = self.enter(f"{name}.{child_name}", child, view)
            return view
        if not list(module.children()):
            return self._leaf(name, module, view)
        n_before = sum(row.n_parameters for row in self.rows)
        for child_name, child in self._computed(module):  # in an order that only its own code knows
            self._leaf(f"{name}.{child_name}", child, None)
        n_found = sum(row.n_parameters for row in self.rows) - n_before
        self._extend("", sum(parameter.numel() for parameter in module.parameters()) - n_found, None)
        return None

    def _computed(self, module: nn.Module) -> Sequence[tuple[str, nn.Module]]:
        """Return the smallest parts of a module, in the order in which they were run."""
        names = {part: name for name, part in module.named_modules()}
        return [(names[part], part) for part in self._shapes if part in names]

    def _leaf(self, name: str, module: nn.Module, view: View | None) -> View | None:
        n_parameters = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        kind = _kind(module)
        if kind is None and (self.rows or n_parameters == 0):
            self._extend(_word(module), n_parameters, view)
            return view
        view = _seen(module, view)
        shape = self._shapes.get(module, ())
        kernel, stride = _window(module)
        self.rows.append(
            Layer(
                name,
                kind or _word(module) or type(module).__name__,
                shape,
                kernel,
                stride,
                n_parameters,
                _n_multiply_adds(module, shape),
                view.pixels(self._side) if view else None,
            )
        )
        return view

    def _extend(self, word: str, n_parameters: int, view: View | None) -> None:
        """Let what is no layer of its own belong to the one before it."""
        if not self.rows:
            return
        before = self.rows[-1]
        is_new = word and word not in before.kind.split(", ")
        self.rows[-1] = replace(
            before,
            kind=f"{before.kind}, {word}" if is_new else before.kind,
            n_parameters=before.n_parameters + n_parameters,
            receptive_field=view.pixels(self._side) if view else None,
        )


def _kind(module: nn.Module) -> str | None:
    """Say what a layer does; None for what is none by itself."""
    if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1:
        return "depthwise convolution"
    return next((_KINDS[base] for base in type(module).__mro__ if base in _KINDS), None)


def _word(module: nn.Module) -> str:
    if isinstance(module, _BatchNorm):
        return "norm"
    return "" if isinstance(module, _SILENT) or list(module.children()) else type(module).__name__


def _seen(module: nn.Module, view: View | None) -> View | None:
    if isinstance(module, _EVERYTHING):
        return EVERYTHING
    kernel, stride = _window(module)
    if view is None or kernel is None or stride is None:
        return view
    dilation = max(module.dilation) if isinstance(module, nn.Conv2d) else 1
    return view.through(max(kernel), max(stride), dilation)


def _window(module: nn.Module) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    if not isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        return None, None
    return _pair(module.kernel_size), _pair(module.stride)


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _n_multiply_adds(module: nn.Module, shape: Shape) -> int:
    """Multiplications with their additions: for each output, one for each input that it looks at."""
    if not isinstance(module, nn.Conv2d | nn.Linear):
        return 0
    total = module.weight[0].numel()
    for side in shape:
        total *= side
    return total
