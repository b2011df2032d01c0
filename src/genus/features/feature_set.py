"""What is computed from a picture: one or several backbones, each at its own size, as one graph.

A `FeatureSet` is a small description; `model()` turns it into an ONNX graph from uint8 pixels to features, which is
built once and kept in the user's cache. Training extracts through this very graph and the model file embeds it, so
there is no second implementation to drift from.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from genus.errors import OutputError, ParameterError
from genus.features.backbone import BACKBONES, Backbone, BackboneTensors, QuantizableBackbone
from genus.features.precision import INT8_VERSION
from genus.features.quantized import int8_ranges
from genus.features.resample import mirror, shrink
from genus.files import atomic_write, cache_dir
from genus.graph import GraphBuilder
from genus.images.preprocess import Preprocess

PrecisionName = Literal["float32", "int8"]
_MAX_SIZE = 1024
_GRAPH_VERSION = 2  # part of the identity: raise it when pooling, resampling or mirroring change


@dataclass(frozen=True, slots=True)
class Block:
    """Columns of `X` that belong together, `X[:, start:stop]`: one layer of one branch, its last or a `middle` one."""

    name: str
    start: int
    stop: int
    middle: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """One backbone at one size.

    Parameters
    ----------
    backbone : str
        A registered name, or the path of an `.onnx` file.
    size : int
        Height and width of the picture it sees, in pixels.
    mirror : bool, default False
        Whether the features are averaged with those of the mirrored picture (twice the cost).
    middle : bool, default False
        Whether the pooled activations of two middle layers are features too (next to no cost).
    trained : Backbone or None
        What `backbone` names, where it is in no registry and no file: a network that was trained for these images.
    """

    backbone: str
    size: int
    mirror: bool = False
    middle: bool = False
    trained: Backbone | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The branch as `parse_feature_set` reads it: "efficientnet-lite2@320/middle/mirror"."""
        flags = "/middle" * self.middle + "/mirror" * self.mirror
        return f"{self.backbone}@{self.size}{flags}"

    @property
    def network(self) -> Backbone:
        """The backbone itself.

        Raises
        ------
        ParameterError
            None is registered under that name.
        """
        return find_backbone(self.backbone) if self.trained is None else self.trained

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON. A trained network is not among them: it is in its model file only."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "trained"}


@dataclass(frozen=True, slots=True)
class FeatureTensors:
    """What a feature set leaves in a graph: names of float32 tensors (see `BackboneTensors`).

    `features` [N, n_features] is all branches side by side; `feature_map` and `logits` are the first branch's.
    """

    features: str
    feature_map: str | None
    logits: str | None


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """One or several branches that share one input picture.

    Parameters
    ----------
    branches : tuple of Branch
        At least one; the first is the main one (its feature map is kept for evidence maps).
    precision : {"float32", "int8"}
        How networks are written; int8 is two to three times faster on a CPU.
    preprocess : Preprocess
        How a picture of any shape becomes the input, a square; no branch sees a larger one.
    """

    branches: tuple[Branch, ...]
    precision: PrecisionName
    preprocess: Preprocess

    @property
    def name(self) -> str:
        """The branches' names, joined by "+"."""
        return "+".join(branch.name for branch in self.branches)

    @property
    def size(self) -> int:
        """Height and width of the input picture in pixels."""
        return self.preprocess.height

    @property
    def identity(self) -> str:
        """A hash of everything that changes the numbers, save the engine and the decoder."""
        parts = [f"version {_GRAPH_VERSION}", self.precision, self.preprocess.to_json()]
        parts += [f"{b.name}={b.network.identity}" for b in self.branches]
        if self.precision == "int8":
            parts.append(f"int8 version {INT8_VERSION}")
            parts += [json.dumps(int8_ranges(b.backbone)) for b in self.branches]
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()

    @property
    def tolerates_bf16(self) -> bool:
        """Whether an engine may compute in bfloat16: where every branch's backbone says so."""
        return all(self._backbone(branch).tolerates_bf16 for branch in self.branches)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Which columns of the features each layer of each branch made."""
        blocks: list[Block] = []
        for branch in self.branches:
            for place, (name, width) in enumerate(_branch_widths(branch)):
                start = blocks[-1].stop if blocks else 0
                blocks.append(Block(name, start, start + width, middle=place > 0))
        return tuple(blocks)

    @property
    def n_features(self) -> int:
        """Length of one feature vector."""
        return self.blocks[-1].stop

    def build(self, b: GraphBuilder, images: str) -> FeatureTensors:
        """Add all branches to a graph whose input `images` is uint8 [N, size, size, 3]."""
        pixels = b.op("Cast", images, to=_ONNX_FLOAT)
        parts = [self._build_branch(b, pixels, branch) for branch in self.branches]
        columns = [name for columns, _ in parts for name in columns]
        features = columns[0] if len(columns) == 1 else b.op("Concat", *columns, axis=1)
        main = parts[0][1]
        return FeatureTensors(features, main.feature_map, main.logits)

    def model(self) -> bytes:
        """Return the serialised ONNX graph: `images` uint8 [N, H, W, 3] to `features` float32 [N, n_features].

        It is built on first use (about a second) and kept in the cache folder; without a writable cache it is
        built anew.
        """
        kept = cache_dir() / "graphs" / f"{self.identity}.onnx"
        with suppress(OSError):
            return kept.read_bytes()
        b = GraphBuilder()
        b.output(self.build(b, "images").features, "features", np.float32, ["N", self.n_features])
        data = bytes(b.model([("images", np.uint8, ["N", self.size, self.size, 3])]).SerializeToString())
        with suppress(OutputError, OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(kept) as file:
                file.write(data)
        return data

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; `from_dict` reads them back."""
        return {
            "branches": [branch.to_dict() for branch in self.branches],
            "precision": self.precision,
            "preprocess": json.loads(self.preprocess.to_json()),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "FeatureSet":
        """Read what `to_dict` wrote."""
        return cls(
            tuple(Branch(**branch) for branch in values["branches"]),
            values["precision"],
            Preprocess.from_json(json.dumps(values["preprocess"])),
        )

    def _build_branch(
        self, b: GraphBuilder, pixels: str, branch: Branch
    ) -> tuple[list[str], BackboneTensors]:
        seen = shrink(b, pixels, self.preprocess.height, branch.size)
        if branch.mirror:  # one pass over twice the batch, so that the weights are in the graph once
            seen = b.op("Concat", seen, mirror(b, seen, branch.size), axis=0)
        tensors = self._backbone(branch).build(b, seen, branch.size)
        columns = _columns(b, tensors, branch)
        if not branch.mirror:
            return columns, tensors
        feature_map = None if tensors.feature_map is None else _halves(b, tensors.feature_map)[0]
        logits = None if tensors.logits is None else _mean_of_halves(b, tensors.logits)
        columns = [_mean_of_halves(b, column) for column in columns]
        return columns, BackboneTensors(columns[0], tensors.n_features, feature_map, logits)

    def _backbone(self, branch: Branch) -> Backbone:
        backbone = branch.network
        ranges = int8_ranges(branch.backbone) if self.precision == "int8" else None
        if ranges is None or not isinstance(backbone, QuantizableBackbone):
            return backbone
        return backbone.quantized(ranges)


_ONNX_FLOAT = 1  # TensorProto.FLOAT, spelt out so that onnx is not imported for it


def _columns(b: GraphBuilder, tensors: BackboneTensors, branch: Branch) -> list[str]:
    """Pool what the branch wants; one tensor [N, width] a block."""
    middle = tensors.middle if branch.middle else ()
    pooled = [b.op("ReduceMean", layer.tensor, axes=[2, 3], keepdims=0) for layer in middle]
    return [tensors.embedding, *pooled]


def _halves(b: GraphBuilder, x: str) -> Sequence[str]:
    """Undo the doubling of the batch: the pictures as they are, and mirrored."""
    return b.op_many("Split", [x], [b.fresh("half"), b.fresh("half")], axis=0)


def _mean_of_halves(b: GraphBuilder, x: str) -> str:
    one, other = _halves(b, x)
    return b.op("Mul", b.op("Add", one, other), b.constant(np.float32(0.5)))


@lru_cache(maxsize=64)
def _branch_widths(branch: Branch) -> tuple[tuple[str, int], ...]:
    tensors = branch.network.build(GraphBuilder(), "x", branch.size)
    middle = tensors.middle if branch.middle else ()
    layers = [(f"{branch.name}/{layer.name}", layer.n_channels) for layer in middle]
    return ((branch.name, tensors.n_features), *layers)


@lru_cache(maxsize=16)
def find_backbone(name: str) -> Backbone:
    """Return the backbone registered as `name`, or the one in the `.onnx` file of that path."""
    if name.lower().endswith(".onnx"):
        from genus.features.onnx_backbone import OnnxBackbone

        return OnnxBackbone(name)
    backbone: Backbone = BACKBONES.get(name)
    return backbone


def parse_feature_set(spec: str, *, precision: PrecisionName = "int8") -> FeatureSet:
    """Read a description such as "efficientnet-lite2@320/mirror+efficientnet-lite0@224/middle".

    Parameters
    ----------
    spec : str
        Branches joined by "+": a backbone or an `.onnx` path, then optionally `@size`, `/middle` and `/mirror`
        (see `Branch`).
    precision : {"int8", "float32"}, default "int8"
        See `FeatureSet`.

    Raises
    ------
    ParameterError
        An unknown backbone, or a size that is no number between 32 and 1024.

    Examples
    --------
    >>> parse_feature_set("efficientnet-lite0").name
    'efficientnet-lite0@224'
    >>> parse_feature_set("efficientnet-lite0@22").name
    Traceback (most recent call last):
    genus.errors.ParameterError: 'efficientnet-lite0@22': the size must be a number of pixels from 32 to 1024.
    """
    if precision not in ("float32", "int8"):
        raise ParameterError(f"precision must be 'float32' or 'int8', not {precision!r}.")
    branches = tuple(_parse_branch(part) for part in spec.split("+"))
    side = max(branch.size for branch in branches)
    return FeatureSet(branches, precision, Preprocess(height=side, width=side))


def _parse_branch(text: str) -> Branch:
    name, flags = text.strip(), {"/mirror": False, "/middle": False}
    while flag := next((flag for flag in flags if name.endswith(flag)), None):
        name, flags[flag] = name.removesuffix(flag), True
    name, _, digits = name.rpartition("@") if "@" in name else (name, "", "")
    backbone = find_backbone(name)
    size = int(digits) if digits.isdigit() else (0 if digits else getattr(backbone, "native_size", 224))
    if not 32 <= size <= _MAX_SIZE:
        raise ParameterError(f"{text!r}: the size must be a number of pixels from 32 to {_MAX_SIZE}.")
    return Branch(name, size, mirror=flags["/mirror"], middle=flags["/middle"])


PRESETS: dict[str, str] = {
    "fast": "efficientnet-lite0@224/middle",
    "balanced": "efficientnet-lite2@260/middle+efficientnet-lite0@224/middle",
    "best": "efficientnet-lite2@320/middle/mirror+efficientnet-lite2@260/middle/mirror"
    "+efficientnet-lite0@224/middle/mirror",
}


def feature_set_for(preset: str, *, precision: PrecisionName = "int8") -> FeatureSet:
    """Return what a preset computes: "fast", "balanced" or "best".

    Raises
    ------
    ParameterError
        There is no such preset.
    """
    if preset not in PRESETS:
        raise ParameterError(f"no preset named {preset!r}; there are {', '.join(PRESETS)}.")
    return parse_feature_set(PRESETS[preset], precision=precision)


def chosen_features(
    preset: str, features: "str | FeatureSet | None" = None, precision: PrecisionName = "int8"
) -> FeatureSet:
    """Return what `features` describes, or what the preset computes if it is None.

    Raises
    ------
    ParameterError
        There is no such preset, or the description cannot be understood.
    """
    preset_features = feature_set_for(preset, precision=precision)
    if features is None:
        return preset_features
    return parse_feature_set(features, precision=precision) if isinstance(features, str) else features
