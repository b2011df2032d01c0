"""What is computed from a picture: one or several backbones, each at its own size, as one graph.

A `FeatureSet` is a small description; `model()` turns it into an ONNX graph from uint8 pixels to features, which is
built once and kept in the user's cache. Training extracts through this very graph and the model file embeds it, so
there is no second implementation to drift from.
"""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from genus.errors import OutputError, ParameterError
from genus.features.backbone import BACKBONES, Backbone, BackboneTensors, QuantizableBackbone
from genus.features.quantized import int8_ranges
from genus.features.resample import mirror, shrink
from genus.files import atomic_write, cache_dir
from genus.graph import GraphBuilder
from genus.images.preprocess import Preprocess

PrecisionName = Literal["float32", "int8"]
_MAX_SIZE = 1024


@dataclass(frozen=True, slots=True)
class Block:
    """The columns of `X` that one branch made: `X[:, start:stop]`."""

    name: str
    start: int
    stop: int


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
    """

    backbone: str
    size: int
    mirror: bool = False

    @property
    def name(self) -> str:
        """The branch as `parse_feature_set` reads it: "efficientnet-lite2@320/mirror"."""
        return f"{self.backbone}@{self.size}" + ("/mirror" if self.mirror else "")


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
        How a picture of any shape becomes the input, a square of the largest branch's size.
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
        return max(branch.size for branch in self.branches)

    @property
    def identity(self) -> str:
        """A hash of everything that changes the numbers, save the engine and the decoder."""
        parts = [self.precision, self.preprocess.to_json()]
        parts += [f"{b.name}={find_backbone(b.backbone).identity}" for b in self.branches]
        if self.precision == "int8":
            parts += [json.dumps(int8_ranges(b.backbone)) for b in self.branches]
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Which columns of the features each branch made."""
        blocks: list[Block] = []
        start = 0
        for branch in self.branches:
            stop = start + _branch_width(branch)
            blocks.append(Block(branch.name, start, stop))
            start = stop
        return tuple(blocks)

    @property
    def n_features(self) -> int:
        """Length of one feature vector."""
        return self.blocks[-1].stop

    def build(self, b: GraphBuilder, images: str) -> FeatureTensors:
        """Add all branches to a graph whose input `images` is uint8 [N, size, size, 3]."""
        pixels = b.op("Cast", images, to=_ONNX_FLOAT)
        parts = [self._build_branch(b, pixels, branch) for branch in self.branches]
        embeddings = [part.embedding for part in parts]
        features = embeddings[0] if len(parts) == 1 else b.op("Concat", *embeddings, axis=1)
        return FeatureTensors(features, parts[0].feature_map, parts[0].logits)

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

    def with_branches(self, keep: tuple[int, ...]) -> "FeatureSet":
        """Return the set of these branches only, at the input size of all of them.

        The input stays as it was, so that features computed from the larger set stay valid.
        """
        return FeatureSet(tuple(self.branches[i] for i in keep), self.precision, self.preprocess)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; `from_dict` reads them back."""
        return {
            "branches": [asdict(branch) for branch in self.branches],
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

    def _build_branch(self, b: GraphBuilder, pixels: str, branch: Branch) -> BackboneTensors:
        backbone = self._backbone(branch)
        seen = shrink(b, pixels, self.preprocess.height, branch.size)
        tensors = backbone.build(b, seen, branch.size)
        if not branch.mirror:
            return tensors
        flipped = backbone.build(b, mirror(b, seen, branch.size), branch.size)
        mean = b.op("Mul", b.op("Add", tensors.embedding, flipped.embedding), b.constant(np.float32(0.5)))
        return BackboneTensors(mean, tensors.n_features, tensors.feature_map, tensors.logits)

    def _backbone(self, branch: Branch) -> Backbone:
        backbone = find_backbone(branch.backbone)
        ranges = int8_ranges(branch.backbone) if self.precision == "int8" else None
        if ranges is None or not isinstance(backbone, QuantizableBackbone):
            return backbone
        return backbone.quantized(ranges)


_ONNX_FLOAT = 1  # TensorProto.FLOAT, spelt out so that onnx is not imported for it


@lru_cache(maxsize=64)
def _branch_width(branch: Branch) -> int:
    b = GraphBuilder()
    return find_backbone(branch.backbone).build(b, "x", branch.size).n_features


@lru_cache(maxsize=16)
def find_backbone(name: str) -> Backbone:
    """Return the backbone registered as `name`, or the one in the `.onnx` file of that path."""
    if name.lower().endswith(".onnx"):
        from genus.features.onnx_backbone import OnnxBackbone

        return OnnxBackbone(name)
    backbone: Backbone = BACKBONES.get(name)
    return backbone


def parse_feature_set(spec: str, *, precision: PrecisionName = "int8") -> FeatureSet:
    """Read a description such as "efficientnet-lite2@320/mirror+efficientnet-lite0@224".

    Parameters
    ----------
    spec : str
        Branches joined by "+": a backbone's name or an `.onnx` path, then optionally `@size` and `/mirror`.
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
    name, flag, _ = (
        text.strip().partition("/mirror") if text.strip().endswith("/mirror") else (text.strip(), "", "")
    )
    name, _, digits = name.rpartition("@") if "@" in name else (name, "", "")
    backbone = find_backbone(name)
    size = int(digits) if digits.isdigit() else (0 if digits else getattr(backbone, "native_size", 224))
    if not 32 <= size <= _MAX_SIZE:
        raise ParameterError(f"{text!r}: the size must be a number of pixels from 32 to {_MAX_SIZE}.")
    return Branch(name, size, bool(flag))


PRESETS: dict[str, str] = {
    "fast": "efficientnet-lite0@224",
    "balanced": "efficientnet-lite2@320",
    "best": "efficientnet-lite2@320/mirror+efficientnet-lite2@224/mirror+efficientnet-lite0@224/mirror",
}


def feature_set_for(preset: str) -> FeatureSet:
    """Return what a preset computes: "fast", "balanced" or "best".

    Raises
    ------
    ParameterError
        There is no such preset.
    """
    if preset not in PRESETS:
        raise ParameterError(f"no preset named {preset!r}; there are {', '.join(PRESETS)}.")
    return parse_feature_set(PRESETS[preset])
