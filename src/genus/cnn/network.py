"""A network that ends in a linear classifier on an embedding, whatever it is made of before that."""

import copy
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from genus.cnn.layers import GlobalAveragePool, Normalise
from genus.cnn.spec import NetworkSpec
from genus.errors import ParameterError


@runtime_checkable
class Preparable(Protocol):
    """A first layer that is made from pictures before training begins."""

    def prepare(self, x: Tensor) -> None:
        """Look at normalised pictures (n, 3, h, w)."""


class Network(nn.Module):
    """Pictures -> `normalise` -> `body` -> feature map -> `neck` -> embedding -> `classifier` -> logits.

    Parameters
    ----------
    spec : NetworkSpec
        What it is called; its size is a number.
    body : nn.Sequential
        Named layers from normalised pictures to a feature map (n, d, h, w).
    neck : nn.Module
        From the feature map to an embedding (n, e): pooling, or flattening and dense layers.
    classifier : nn.Linear
        From the embedding to logits (n, c).
    normalise : Normalise, optional
        What the body wants pixels to be; by default ImageNet's mean and deviation. It is part of the network, so that
        nobody else has to know. None where the input is no pixels (see `split`).
    input_shape : tuple of int, optional
        Channels, height and width of the input; by default those of a picture.
    dropout : float, default 0
        The share of the embedding that is left out while training.

    Attributes
    ----------
    name : str
        The spec's.
    size : int
        Height and width of the pictures in pixels.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        body: nn.Sequential,
        neck: nn.Module,
        classifier: nn.Linear,
        *,
        normalise: nn.Module | None = None,
        input_shape: tuple[int, int, int] | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.name = spec.name
        self.size = spec.size_or(0)
        self.input_shape = input_shape or (3, self.size, self.size)
        self.normalise = Normalise() if normalise is None else normalise
        self.body = body
        self.neck = neck
        self.dropout = nn.Dropout(dropout)
        self.classifier = classifier

    @property
    def reads_pixels(self) -> bool:
        """Whether the input is pictures; else it is what the first layers of a whole network yield."""
        return self.spec.prefix_blocks is None

    @property
    def averages(self) -> bool:
        """Whether the embedding is the mean of the feature map over its places.

        If so, the classifier applied to each place of the map gives an exact class activation map (Zhou et al.,
        "Learning Deep Features for Discriminative Localization", CVPR 2016).
        """
        return isinstance(self.neck, GlobalAveragePool)

    @property
    def n_classes(self) -> int:
        """How many scores it gives."""
        return self.classifier.out_features

    @property
    def n_features(self) -> int:
        """Length of the embedding."""
        return self.classifier.in_features

    def feature_map(self, x: Tensor) -> Tensor:
        """Return what is pooled (n, d, h, w), of pixels (n, 3, h, w) in 0..255, of any type of numbers."""
        return self.body(self.normalise(x))

    def embedding(self, x: Tensor) -> Tensor:
        """Return what the classifier reads (n, e)."""
        return self.neck(self.feature_map(x))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, c) of pixels (n, 3, h, w) in 0..255."""
        return self.classifier(self.dropout(self.embedding(x)))

    @torch.no_grad()
    def prepare(self, images: Tensor) -> None:
        """Look at some training pictures before training begins; most networks have no need of it.

        Parameters
        ----------
        images : (n, 3, h, w) tensor
            Pixels in 0..255, of any type of numbers. A few thousand are enough.
        """
        first = self.body[0]
        if isinstance(first, Preparable):
            first.prepare(self.normalise(images))

    def split(self, n_blocks: int) -> "tuple[nn.Sequential, Network]":
        """Cut the network in two that share its layers: what is computed first, and a network that goes on from there.

        Parameters
        ----------
        n_blocks : int
            How many layers of the body behind its first one, the stem, belong to the first part: from 0 to two less
            than the body has layers.

        Raises
        ------
        ParameterError
            There are not that many, or the network has been cut already.
        """
        most = len(self.body) - 2
        if not self.reads_pixels or not 0 <= n_blocks <= most:
            can = f"0 to {most} blocks can be" if self.reads_pixels else "it has been"
            raise ParameterError(f"{self.name}: {n_blocks} blocks cannot be cut off; {can} cut off.")
        layers = list(self.body.named_children())
        prefix = nn.Sequential(OrderedDict([("normalise", self.normalise), *layers[: n_blocks + 1]]))
        suffix = Network(
            replace(self.spec, prefix_blocks=n_blocks),
            nn.Sequential(OrderedDict(layers[n_blocks + 1 :])),
            self.neck,
            self.classifier,
            normalise=nn.Identity(),
            input_shape=output_shape(prefix, self.input_shape),
            dropout=self.dropout.p,
        )
        suffix.training = prefix.training = self.training
        return prefix, suffix


@torch.no_grad()
def output_shape(module: nn.Module, input_shape: Sequence[int]) -> tuple[int, int, int]:
    """Return channels, height and width of what a module makes of one input of this shape."""
    # a run on real zeros: PyTorch's "meta" device takes seconds to get ready
    still = copy.deepcopy(module).cpu().float().eval()
    _, channels, height, width = still(torch.zeros(1, *input_shape)).shape
    return channels, height, width
