"""What a network consists of, layer by layer: shapes, parameters, multiply-adds, and how much of the picture it sees.

`genus.cnn.describe` makes the table of a network in PyTorch, `genus.onnx_layers` that of an ONNX file.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import inf
from typing import Any


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer, with what belongs to it: batch normalisation, activation, the sum with a shortcut.

    Attributes
    ----------
    name, kind : str
        What it is called in the network or file, and what it does: "convolution, norm, ReLU".
    shape : tuple of int or None
        Of its output, the batch left out: channels first. None for what a file does not say.
    kernel, stride : tuple of two ints, or None
        Where it looks through a window.
    n_parameters : int
        Numbers that are stored for it.
    n_multiply_adds : int or None
        Multiplications, each with its addition, for one image; None where shapes are not known.
    receptive_field : int or None
        How wide the part of the picture is that one value sees, in pixels; the picture's side where that is all.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]
    kernel: tuple[int, int] | None = None
    stride: tuple[int, int] | None = None
    n_parameters: int = 0
    n_multiply_adds: int | None = 0
    receptive_field: int | None = None


@dataclass(frozen=True, slots=True)
class LayerTable:
    """All layers of a network.

    Attributes
    ----------
    name : str
    input_shape : tuple of int or None
        Of one input, as the network wants it.
    layers : tuple of Layer
        In the order of the computation.

    Examples
    --------
    >>> dense = Layer("classifier", "dense", (10,), n_parameters=650, n_multiply_adds=640)
    >>> table = LayerTable("small", (64,), (dense,))
    >>> table.n_parameters, table.n_multiply_adds
    (650, 640)
    """

    name: str
    input_shape: tuple[int | None, ...]
    layers: tuple[Layer, ...] = field(repr=False)

    @property
    def n_parameters(self) -> int:
        """Numbers that are stored for all layers."""
        return sum(layer.n_parameters for layer in self.layers)

    @property
    def n_multiply_adds(self) -> int:
        """Multiplications with their additions for one image, as far as they are known."""
        return sum(layer.n_multiply_adds or 0 for layer in self.layers)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "input_shape": list(self.input_shape),
            "n_parameters": self.n_parameters,
            "n_multiply_adds": self.n_multiply_adds,
            "layers": [asdict(layer) for layer in self.layers],
        }


@dataclass(frozen=True, slots=True)
class View:
    """How much of the picture one place of a map sees: so many pixels, and so many further on for the next place.

    Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks" (Distill, 2019).

    Examples
    --------
    >>> View().through(7, 2).through(3, 2).width
    11
    """

    width: float = 1
    step: float = 1

    def through(self, kernel: int, stride: int, dilation: int = 1) -> "View":
        """Return what is seen through a window of this size."""
        return View(self.width + (kernel - 1) * dilation * self.step, self.step * stride)

    def pixels(self, side: int) -> int:
        """Return the width, at most the picture's."""
        return int(min(self.width, side))


EVERYTHING = View(inf)
"""What a dense layer or a global pooling sees."""


def join_views(views: Sequence[View | None]) -> View | None:
    """Return the widest view; None if one is not known."""
    known = [view for view in views if view is not None]
    return max(known, key=lambda view: view.width) if known and len(known) == len(views) else None
