"""The convolutional network of every primer, made of one short line (see `genus.cnn.textbook_words`).

LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition" (Proc. IEEE, 1998); weights
begin as in He et al., "Delving Deep into Rectifiers" (ICCV 2015).
"""

from collections import OrderedDict
from dataclasses import dataclass, field, replace

from torch import nn

from genus.cnn.layers import BatchNorm, GlobalAveragePool, conv_norm
from genus.cnn.network import Network
from genus.cnn.spec import NetworkSpec, check_weights
from genus.cnn.textbook_words import Word, parse
from genus.errors import ParameterError

DEFAULT = "conv32-pool-conv64-pool-flatten-dense128"
NATIVE_SIZE = 32


def textbook(spec: NetworkSpec, weights: str | None = None) -> Network:
    """Make the network that a name such as "textbook:conv32-pool-gap" describes.

    Raises
    ------
    ParameterError
        The description cannot be understood, a layer shrinks the pictures to nothing, or weights are named: there are
        none.
    """
    check_weights(spec, weights)
    size = spec.size_or(NATIVE_SIZE)
    words = parse(spec.details or DEFAULT)
    end = next(place for place, word in enumerate(words) if word.kind in ("flatten", "gap"))
    body = _Stack(f"{spec.name}, pictures of {size} pixels", size, 3)
    for word in words[:end]:
        body.add(word)
    neck = _Stack(body.where, 1, body.width)
    neck.add(words[end], n_places=body.side**2)
    for word in words[end + 1 :]:
        neck.add(word)
    pooling = next(iter(neck.layers.values()))
    network = Network(
        replace(spec, size=size),
        nn.Sequential(body.layers),
        pooling if len(neck.layers) == 1 else nn.Sequential(neck.layers),
        nn.Linear(neck.width, spec.n_classes),
    )
    _initialise(network)
    return network


@dataclass
class _Stack:
    """Layers one on the other, and what they have made of the picture: its side, and how many values a place has."""

    where: str
    side: int
    width: int
    layers: "OrderedDict[str, nn.Module]" = field(default_factory=OrderedDict)

    def add(self, word: Word, *, n_places: int = 1) -> None:
        """Put the layer that a word means on top; "flatten" turns a map of so many places into one row."""
        layer = self._layer(word, int(word.number or 2))
        number = 1 + sum(name.rstrip("0123456789") == word.kind for name in self.layers)
        self.layers[f"{word.kind}{number}"] = layer
        if word.kind in ("conv", "dense"):
            self.width = int(word.number or 0)
        elif word.kind == "flatten":
            self.width *= n_places
        elif word.kind in ("pool", "avgpool"):
            self._shrink(word, int(word.number or 2))

    def _layer(self, word: Word, number: int) -> nn.Module:
        match word.kind:
            case "conv":
                return _convolution(self.width, number, word)
            case "dense":
                return nn.Sequential(OrderedDict(linear=nn.Linear(self.width, number), relu=nn.ReLU()))
            case "pool":
                return nn.MaxPool2d(number)
            case "avgpool":
                return nn.AvgPool2d(number)
            case "norm":
                return BatchNorm(self.width)
            case "drop":
                return nn.Dropout(word.number or 0.0)
            case "gap":
                return GlobalAveragePool()
            case _:
                return nn.Flatten()

    def _shrink(self, word: Word, by: int) -> None:
        if self.side < by:
            raise ParameterError(
                f"{self.where}: the map is {self.side} wide where {word.text!r} (layer {len(self.layers)}) "
                f"shrinks it to nothing. Take larger pictures, or leave out some pooling."
            )
        self.side //= by


def _convolution(n_in: int, n_out: int, word: Word) -> nn.Sequential:
    if word.norm:
        return conv_norm(n_in, n_out, word.kernel, activation=nn.ReLU())
    conv = nn.Conv2d(n_in, n_out, word.kernel, padding=word.kernel // 2)
    return nn.Sequential(OrderedDict(conv=conv, relu=nn.ReLU()))


def _initialise(network: Network) -> None:
    """Draw weights so that a signal keeps its strength through ReLUs."""
    for module in (*network.body.modules(), *network.neck.modules()):
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
