"""What a backbone is, and the backbones there are.

A backbone turns pictures into feature vectors. It is a function that adds plain ONNX operators to a graph, so
whatever Genus trains on also fits into the one model file, and every engine runs it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from genus.graph import GraphBuilder
from genus.registry import Registry


@dataclass(frozen=True, slots=True)
class MiddleTensor:
    """An activation inside a backbone, before pooling: float32 [N, n_channels, h, w]."""

    name: str
    tensor: str
    n_channels: int


@dataclass(frozen=True, slots=True)
class BackboneTensors:
    """The tensors a backbone leaves in the graph.

    Attributes
    ----------
    embedding : str
        float32 [N, n_features]: the pooled features.
    n_features : int
        Length of one feature vector.
    feature_map : str or None
        float32 [N, n_features, h, w]: what was pooled, for evidence maps. None where nothing was pooled.
    logits : str or None
        float32 [N, 1000]: the backbone's own ImageNet scores. None where it has none.
    middle : tuple of MiddleTensor
        Activations of middle layers: textures and parts, where the last layer knows objects.
    """

    embedding: str
    n_features: int
    feature_map: str | None = None
    logits: str | None = None
    middle: tuple[MiddleTensor, ...] = ()


class Backbone(Protocol):
    """Anything that can be registered as a backbone."""

    def build(self, b: GraphBuilder, images: str, size: int) -> BackboneTensors:
        """Add the backbone to a graph.

        Parameters
        ----------
        b : GraphBuilder
            The graph being built.
        images : str
            Name of a float32 tensor [N, size, size, 3], RGB in 0..255.
        size : int
            Height and width of the pictures in pixels.
        """

    @property
    def identity(self) -> str:
        """A text that changes whenever the numbers the backbone yields change."""

    @property
    def tolerates_bf16(self) -> bool:
        """Whether rounding to bfloat16 changes next to nothing: not with comparisons, nor in int8."""


@runtime_checkable
class QuantizableBackbone(Protocol):
    """A backbone that can also be written in int8."""

    def quantized(self, ranges: Mapping[str, tuple[float, float]]) -> Backbone:
        """Return the same backbone in int8, given its activations' smallest and largest values."""


BACKBONES = Registry(
    "backbone",
    {
        "efficientnet-lite0": "genus.features.lite:LITE0",
        "efficientnet-lite1": "genus.features.lite:LITE1",
        "efficientnet-lite2": "genus.features.lite:LITE2",
        "color-histogram": "genus.features.classical:COLOR_HISTOGRAM",
        "hog": "genus.features.classical:HOG",
        "lbp": "genus.features.classical:LBP",
        "thumbnail": "genus.features.classical:THUMBNAIL",
    },
    entry_point_group="genus.backbones",
)
