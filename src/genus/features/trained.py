"""A network that was trained, as a backbone: an ONNX graph, perhaps behind a frozen beginning in int8."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from genus.errors import ParameterError
from genus.features.backbone import BackboneTensors
from genus.features.lite import EfficientNetLite
from genus.features.precision import Int8
from genus.features.splice import dimensions, splice
from genus.graph import GraphBuilder


@dataclass(frozen=True, slots=True)
class FrozenPrefix:
    """The first blocks of a network that stayed as they were.

    Parameters
    ----------
    backbone : EfficientNetLite
        At the precision in which they are computed.
    n_blocks : int
        How many behind the stem.
    """

    backbone: EfficientNetLite
    n_blocks: int

    @property
    def identity(self) -> str:
        """Which network, how much of it, and at what precision."""
        precision = self.backbone.precision
        ranges = json.dumps(precision.ranges) if isinstance(precision, Int8) else "float32"
        return f"{self.backbone.identity}/{self.n_blocks}/{ranges}"


@dataclass(frozen=True, slots=True, eq=False)
class TrainedBackbone:
    """A trained network.

    Parameters
    ----------
    data : bytes
        A serialised ONNX graph as `genus.cnn.export.export_network` writes it: one input, of float32 pictures
        [N, size, size, 3] in 0..255, or of what the prefix yields [N, c, h, w]; outputs `embedding` [N, d] and
        `feature_map` [N, d0, h, w].
    native_size : int
        Height and width of the pictures it was trained on: the only size it takes.
    prefix : FrozenPrefix or None
        What computes the graph's input from pictures, where that is not pictures itself.
    """

    data: bytes = field(repr=False)
    native_size: int
    prefix: FrozenPrefix | None = None

    @property
    def identity(self) -> str:
        """A hash of the graph and of what stands before it."""
        digest = hashlib.blake2b(self.data, digest_size=16)
        if self.prefix is not None:
            digest.update(self.prefix.identity.encode())
        return digest.hexdigest()

    @property
    def tolerates_bf16(self) -> bool:
        """A network in floating point does; behind one in int8, scales must be exact."""
        return self.prefix is None or self.prefix.backbone.tolerates_bf16

    def build(self, b: GraphBuilder, images: str, size: int) -> BackboneTensors:
        """Add the network to the graph (see `Backbone.build`).

        Raises
        ------
        ParameterError
            The size is not the one that it was trained at, or the prefix does not yield what it reads.
        """
        import onnx

        if size != self.native_size:
            raise ParameterError(
                f"this network was trained on pictures of {self.native_size} pixels; it cannot take {size}."
            )
        model = onnx.load_model_from_string(self.data)
        (value,) = model.graph.input
        names = splice(b, model, {value.name: self._input(b, images, value)}, hint="trained")
        shapes = {output.name: dimensions(output) for output in model.graph.output}
        return BackboneTensors(names["embedding"], shapes["embedding"][1], feature_map=names["feature_map"])

    def _input(self, b: GraphBuilder, images: str, value: Any) -> str:
        """Return the tensor that the trained graph reads."""
        if self.prefix is None:
            return images
        found = self.prefix.backbone.build_prefix(b, images, self.native_size, self.prefix.n_blocks)
        wanted, yields = dimensions(value)[1:], [found.n_channels, found.side, found.side]
        if wanted != yields:
            raise ParameterError(
                f"this network reads {' x '.join(map(str, wanted))} values, and {self.prefix.n_blocks} blocks of "
                f"efficientnet-lite{self.prefix.backbone.variant} yield {' x '.join(map(str, yields))}."
            )
        return found.tensor
