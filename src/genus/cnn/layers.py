"""The layers that PyTorch lacks, or that must behave a little differently here."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from genus.errors import ParameterError
from genus.weights.lite import same_padding

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_SCALE = (1 / 58.395, 1 / 57.12, 1 / 57.375)


class Normalise(nn.Module):
    """Pixels in 0..255, of any type of numbers, to the range that a network wants.

    Parameters
    ----------
    mean, scale : sequence of three floats
        What is taken from each channel, and what it is multiplied by then.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self, mean: Sequence[float] = IMAGENET_MEAN, scale: Sequence[float] = IMAGENET_SCALE
    ) -> None:
        super().__init__()
        for name, values in (("mean", mean), ("scale", scale)):
            # no part of a state dict: whoever builds the network again knows them
            self.register_buffer(name, torch.tensor(values).float().view(3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (x - mean) * scale, (n, 3, h, w)."""
        return (x - self.mean) * self.scale


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation that also takes a batch of a single value per channel.

    Such a batch has no variance, so PyTorch refuses it while training. It happens: the last batch of an epoch may hold
    one image, whose map may have one place. Here it is normalised by the running statistics, and leaves them alone.
    """

    def forward(self, input: Tensor) -> Tensor:  # the argument is called so in PyTorch
        """Normalise (n, c, h, w)."""
        if self.training and input.numel() == input.shape[1]:
            return functional.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(input)


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding: with stride 2, an even picture is padded on one side only."""

    def forward(self, input: Tensor) -> Tensor:  # the argument is called so in PyTorch
        """Convolve (n, c, h, w) to (n, c', ceil(h / stride), ceil(w / stride))."""
        top, bottom = same_padding(input.shape[2], self.kernel_size[0], self.stride[0])
        left, right = same_padding(input.shape[3], self.kernel_size[1], self.stride[1])
        return super().forward(functional.pad(input, (left, right, top, bottom)))


class DropPath(nn.Module):
    """Stochastic depth: while training, a block's output is left out for some images, and enlarged for the others.

    Huang et al., "Deep Networks with Stochastic Depth" (ECCV 2016).

    Parameters
    ----------
    rate : float, default 0
        The share of images that go without.
    """

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Return x (n, c, h, w), some images set to zero."""
        if not self.training or self.rate == 0:
            return x
        stays = torch.rand(len(x), 1, 1, 1, dtype=x.dtype, device=x.device) >= self.rate
        return x * stays / (1 - self.rate)


def set_stochastic_depth(network: nn.Module, rate: float) -> None:
    """Let the blocks that can be left out be left out: the last at this rate, those before it ever more rarely.

    Raises
    ------
    ParameterError
        The rate is no number from 0 to below 1.
    """
    if not 0 <= rate < 1:
        raise ParameterError(f"the rate of stochastic depth must be from 0 to below 1, not {rate}.")
    paths = [module for module in network.modules() if isinstance(module, DropPath)]
    for number, path in enumerate(paths, start=1):
        path.rate = rate * number / len(paths)


class Residual(nn.Module):
    """Layers whose input, or a linear function of it, is added to their output.

    He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition" (CVPR 2016).
    """

    def __init__(self, layers: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.layers = layers
        self.shortcut = nn.Identity() if shortcut is None else shortcut
        self.drop_path = DropPath()

    def forward(self, x: Tensor) -> Tensor:
        """Return shortcut(x) + layers(x)."""
        return self.shortcut(x) + self.drop_path(self.layers(x))


class GlobalAveragePool(nn.Module):
    """The mean of a map over its places."""

    def forward(self, x: Tensor) -> Tensor:
        """Pool (n, d, h, w) to (n, d)."""
        return x.mean(dim=(2, 3))


class GlobalMaxPool(nn.Module):
    """The largest values of a map over its places."""

    def forward(self, x: Tensor) -> Tensor:
        """Pool (n, d, h, w) to (n, d)."""
        return x.amax(dim=(2, 3))


class Scale(nn.Module):
    """Multiplication by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Return x times the factor."""
        return x * self.factor

    def extra_repr(self) -> str:
        """What `print` shows."""
        return str(self.factor)


def conv_norm(
    n_in: int,
    n_out: int,
    kernel: int,
    *,
    stride: int = 1,
    groups: int = 1,
    activation: nn.Module | None = None,
    norm: nn.Module | None = None,
) -> nn.Sequential:
    """Return convolution, batch normalisation and activation; the picture keeps its size, save for the stride."""
    layers = nn.Sequential()
    layers.add_module("conv", nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, groups=groups, bias=False))
    layers.add_module("norm", BatchNorm(n_out) if norm is None else norm)
    if activation is not None:
        layers.add_module("activation", activation)
    return layers
