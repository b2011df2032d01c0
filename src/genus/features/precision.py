"""The precision a network is written in: float32 as it is, or int8 with known activation ranges.

int8 follows Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference" (CVPR 2018): weights symmetric and per output channel, activations unsigned with one scale a tensor,
written as QuantizeLinear/DequantizeLinear pairs that every engine fuses into integer convolutions.

x86 processors without VNNI (before about 2019; AMD before Zen 4) multiply unsigned by signed bytes with `vpmaddubsw`,
which adds two neighbouring products in 16 bits and cuts off what does not fit. Activations and weights are scaled so
that it does: the same file then gives the same numbers on every processor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from genus.graph import GraphBuilder

INT8_VERSION = 2
"""Part of the identity of int8 features: raise it when weights or activations are rounded in another way."""
_LEVELS = 230  # of the 255 that an activation might have
_MOST, _MOST_OF_TWO = (
    127,
    142,
)  # of a weight, and of two that stand beside each other: 230 * 142 fits into 16 bits


class Precision(Protocol):
    """How weights and activations are written into a graph."""

    def weight(self, b: GraphBuilder, kernel: NDArray[np.float32]) -> str:
        """Add a convolution's kernel (out, in, k, k) and return the tensor to use."""

    def activation(self, b: GraphBuilder, x: str, name: str) -> str:
        """Mark the activation called `name` and return the tensor to use from here on."""


class Float32:
    """Everything as it is."""

    def weight(self, b: GraphBuilder, kernel: NDArray[np.float32]) -> str:
        """Add the kernel as float32."""
        return b.constant(kernel)

    def activation(self, b: GraphBuilder, x: str, name: str) -> str:
        """Leave the activation alone."""
        return x


FLOAT32 = Float32()


@dataclass(frozen=True)
class Int8:
    """8-bit weights and activations.

    Parameters
    ----------
    ranges : mapping of str to (float, float)
        For each activation's name the smallest and largest value to represent.
    """

    ranges: Mapping[str, tuple[float, float]]

    def weight(self, b: GraphBuilder, kernel: NDArray[np.float32]) -> str:
        """Add the kernel as int8, one scale an output channel, with its DequantizeLinear."""
        scale = np.maximum(weight_scales(kernel), np.finfo(np.float32).tiny).astype(np.float32)
        levels = np.clip(np.rint(kernel / scale[:, None, None, None]), -_MOST, _MOST).astype(np.int8)
        zero = np.zeros(len(kernel), np.int8)
        return b.op("DequantizeLinear", b.constant(levels), b.constant(scale), b.constant(zero), axis=0)

    def activation(self, b: GraphBuilder, x: str, name: str) -> str:
        """Round the activation to 231 levels between its smallest and largest value."""
        low, high = self.ranges[name]
        low, high = min(low, 0.0), max(high, 1e-6)  # zero must be exact: padding is zero
        scale = np.float32((high - low) / _LEVELS)
        zero = np.uint8(np.clip(round(-low / float(scale)), 0, 255))
        scale_name, zero_name = b.constant(scale), b.constant(zero)
        levels = b.op("QuantizeLinear", x, scale_name, zero_name)
        return b.op("DequantizeLinear", levels, scale_name, zero_name)


def weight_scales(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what one level of a weight is worth in each output channel.

    Parameters
    ----------
    kernel : (out, in, k, k) float32

    Returns
    -------
    (out,) float32
        Such that the largest weight is at most 127, and two weights of one sign that stand beside each other are at
        most 142 together.

    Notes
    -----
    How near the networks stay to float32 with it is held by the tests, on whatever processor these run.

    Examples
    --------
    >>> kernel = np.float32([[1.0, 1.0], [1.0, -1.0]])[:, :, None, None]
    >>> (1 / weight_scales(kernel)).round()
    array([ 71., 127.], dtype=float32)
    """
    # neighbours along the input channels, or in a depthwise kernel, which has one, along its places
    across = kernel.shape[1] > 1
    taps = kernel.reshape(len(kernel), kernel.shape[1], -1) if across else kernel.reshape(len(kernel), -1, 1)
    largest = np.abs(taps).max(axis=(1, 2))
    one, other = taps[:, :-1], taps[:, 1:]
    pairs = np.where(one * other > 0, np.abs(one + other), 0).max(axis=(1, 2), initial=0.0)
    return np.asarray(np.maximum(largest / _MOST, pairs / _MOST_OF_TWO), np.float32)


@dataclass(frozen=True)
class Recording:
    """Float32 that declares every activation as a graph output, to find out their ranges."""

    names: list[str]

    def weight(self, b: GraphBuilder, kernel: NDArray[np.float32]) -> str:
        """Add the kernel as float32."""
        return b.constant(kernel)

    def activation(self, b: GraphBuilder, x: str, name: str) -> str:
        """Declare the smallest and largest value of `x` as outputs `name/min` and `name/max`."""
        self.names.append(name)
        flat = b.op("Flatten", x, axis=1)
        b.output(b.op("ReduceMin", flat, axes=[1], keepdims=0), f"{name}/min", np.float32, ["N"])
        b.output(b.op("ReduceMax", flat, axes=[1], keepdims=0), f"{name}/max", np.float32, ["N"])
        return x
