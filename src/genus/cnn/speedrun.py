"""The network of the CIFAR speed runs: few wide convolutions behind a first layer that takes neighbours' likeness away.

Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (arXiv:2404.00498, 2024), "airbench94", which goes back to
Page, "How to Train Your ResNet" (2018) and Coleman et al., "DAWNBench" (2017). What makes it quick: the first
convolution, of 2 x 2 places, is not learned but made of the training pictures' own patches (`WhiteningConv`); the
others begin by handing their input on; batch normalisation without scale forgets quickly; scores are made small.

"speedrun" has groups of 64, 256 and 256 channels, "speedrun:32-64-128-128" of as many as stand there. Each group
halves the picture. It takes pictures of any size that the groups do not shrink to nothing.
"""

from collections import OrderedDict
from dataclasses import replace

import torch
from torch import Tensor, nn

from genus.cnn.layers import BatchNorm, GlobalMaxPool, Scale
from genus.cnn.network import Network
from genus.cnn.spec import NetworkSpec, check_weights
from genus.cnn.widths import parse_widths

WIDTHS = (64, 256, 256)
NATIVE_SIZE = 32
_SMALLEST = 16
_KERNEL = 2  # of the whitening convolution
_EPSILON = 5e-4  # added to the patches' variances
_MOMENTUM = 0.4  # of batch normalisation, as PyTorch counts: how much the newest batch weighs
_LOGIT_SCALE = 1 / 9
_MAX_PATCHES = 1_000_000


def speedrun(spec: NetworkSpec, weights: str | None = None) -> Network:
    """Make the network; `Network.prepare` must see training pictures before training begins.

    Raises
    ------
    ParameterError
        The widths cannot be understood, the pictures are too small, or weights are named: there are none.
    """
    check_weights(spec, weights)
    widths = parse_widths(spec, WIDTHS)
    size = spec.size_or(NATIVE_SIZE, smallest=max(_SMALLEST, 2 ** len(widths) + _KERNEL - 1))
    whiten = WhiteningConv()
    body: OrderedDict[str, nn.Module] = OrderedDict(whiten=whiten, gelu=nn.GELU())
    n_in = whiten.out_channels
    for number, n_out in enumerate(widths):
        body[f"group{number}"] = _group(n_in, n_out)
        n_in = n_out
    return Network(
        replace(spec, size=size),
        nn.Sequential(body),
        nn.Sequential(OrderedDict(largest=GlobalMaxPool(), scale=Scale(_LOGIT_SCALE))),
        nn.Linear(n_in, spec.n_classes),
    )


class WhiteningConv(nn.Conv2d):
    """A convolution that projects each patch on the principal axes of all patches, scaled to variance one.

    Every axis comes twice, as it is and reversed, so that the activation behind it loses nothing. The filters stay as
    `prepare` made them; the biases are learned.
    """

    def __init__(self) -> None:
        super().__init__(3, 2 * 3 * _KERNEL**2, _KERNEL)
        self.weight.requires_grad_(False)

    def prepare(self, x: Tensor) -> None:
        """Make the filters of normalised pictures (n, 3, h, w); of as many as have enough patches."""
        x = x[:: 1 + x.shape[0] * x.shape[2] * x.shape[3] // (2 * _MAX_PATCHES)]
        patches = x.float().unfold(2, _KERNEL, 1).unfold(3, _KERNEL, 1)  # (n, 3, h', w', k, k)
        patches = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3 * _KERNEL**2)
        patches = patches[:: 1 + len(patches) // _MAX_PATCHES].double()
        variances, axes = torch.linalg.eigh(patches.T @ patches / len(patches))
        whitened = axes.T.flip(0) / (variances.flip(0).clamp(min=0) + _EPSILON).sqrt()[:, None]
        filters = whitened.reshape(-1, 3, _KERNEL, _KERNEL)
        self.weight.copy_(torch.cat([filters, -filters]))


def _group(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            conv1=_dirac_conv(n_in, n_out),
            pool=nn.MaxPool2d(2),
            norm1=_norm(n_out),
            gelu1=nn.GELU(),
            conv2=_dirac_conv(n_out, n_out),
            norm2=_norm(n_out),
            gelu2=nn.GELU(),
        )
    )


def _dirac_conv(n_in: int, n_out: int) -> nn.Conv2d:
    """Return a convolution whose first filters hand their input on; the others begin by chance."""
    conv = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
    nn.init.dirac_(conv.weight.data[:n_in])
    return conv


def _norm(width: int) -> BatchNorm:
    norm = BatchNorm(width, momentum=_MOMENTUM)
    norm.weight.requires_grad_(False)
    return norm
