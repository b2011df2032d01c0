"""The model file: one portable `.onnx` with everything in it.

uint8 pictures in, calibrated probabilities out; classes, pre-processing, metrics and provenance in the metadata.
Nothing in it is executable beyond plain ONNX operators, and plain ONNX Runtime runs it without Genus.

Inputs and outputs of every file:

==================  ============================  ==========================================================
`images`            uint8 [N, H, W, 3]            RGB, pre-processed as `genus.preprocess` says
`probabilities`     float32 [N, C]                calibrated, columns as in `genus.classes`; rows sum to 1, unless
                                                  an image may have several labels (`details["multilabel"]`)
`logits`            float32 [N, C]                before the softmax, or the sigmoid
`embedding`         float32 [N, d]                the pooled features
`feature_map`       float32 [N, d0, h, w]         what was pooled by the main backbone; not in every file
`novelty`           float32 [N]                   how unlike the training images it is; not in every file
==================  ============================  ==========================================================
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from genus._version import __version__
from genus.errors import ModelFileError
from genus.features.engines import Runner, open_runner
from genus.features.feature_set import FeatureSet, FeatureTensors
from genus.files import atomic_write, check_writable
from genus.graph import GraphBuilder
from genus.images.preprocess import Preprocess

FORMAT_VERSION = 2
_PLAIN_FORMAT = 1  # of a file with one label an image, which older versions read as well
_BULKY = ("learned_from", "memory")  # for programs only
_MARK_BYTES = 6  # of a content hash: among 100,000 images one in a billion strangers is mistaken for one
_MAX_BYTES = 2 << 30  # protobuf's own limit


def image_marks(content_hashes: Sequence[str]) -> str:
    """Return a short mark of each image's content: enough to recognise it, not to know anything of it.

    Kept in the file as `details["learned_from"]`, so that a model tested on its own training images says so.
    """
    marks = sorted({bytes.fromhex(content)[:_MARK_BYTES] for content in content_hashes})
    return base64.b64encode(b"".join(marks)).decode("ascii")


def joined_marks(*texts: str) -> str:
    """Join what `image_marks` returned for several sets of images."""
    every = {mark for text in texts for mark in _marks(text)}
    return base64.b64encode(b"".join(sorted(every))).decode("ascii")


def _marks(text: str) -> list[bytes]:
    marks = base64.b64decode(text)
    return [marks[i : i + _MARK_BYTES] for i in range(0, len(marks), _MARK_BYTES)]


class ExportableNovelty(Protocol):
    """What the model file needs to tell how unlike the training images an image is."""

    def export(self, graph: GraphBuilder, x: str, n_features: int) -> str:
        """Add the operators from features [N, n_features] to a score [N]; returns the tensor's name."""


class ExportableHead(Protocol):
    """What the model file needs of a fitted head: its logits in plain ONNX operators."""

    def export(self, graph: GraphBuilder, x: str) -> str:
        """Add the operators from features [N, d] to calibrated logits [N, C]; returns the tensor's name."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """All that is inside a model file, save the weights.

    Attributes
    ----------
    data : bytes
        The whole file.
    classes : tuple of str
        Class names in the order of the probability columns.
    preprocess : Preprocess
        How any picture becomes an input.
    features : dict
        The feature set (`FeatureSet.from_dict` reads it).
    details : dict
        What training wanted kept: "metrics", "provenance", "leaderboard", "calibration", "head", "parity",
        "learned_from" ...; where an image may have several labels, "multilabel" is true.
    path : Path or None
        Where it was read from.
    """

    data: bytes = field(repr=False)
    classes: tuple[str, ...]
    preprocess: Preprocess
    features: Mapping[str, Any]
    details: Mapping[str, Any]
    path: Path | None = None

    @property
    def multilabel(self) -> bool:
        """Whether an image may have several labels, or none: each column is then a probability of its own."""
        return bool(self.details.get("multilabel", False))

    def open(
        self,
        *,
        engine: str = "auto",
        workers: int = 1,
        outputs: Sequence[str] = ("probabilities",),
        n_images: int = 1,
    ) -> Runner:
        """Prepare the graph for running (see `genus.features.engines.open_runner`)."""
        # distances to stored rows are differences of nearly equal numbers: bfloat16 has too few digits for them
        stores_rows = self.details.get("head", {}).get("n_stored_examples", 0) > 0 or "novelty" in outputs
        return open_runner(
            self.data,
            engine=engine,
            workers=workers,
            outputs=outputs,
            n_images=n_images,
            allow_bf16=not stores_rows,
        )

    def save(self, path: str | PathLike[str], *, force: bool = False) -> None:
        """Write the file, whole or not at all.

        Raises
        ------
        OutputError
            It exists and `force` is false, or cannot be written.
        """
        check_writable(path, force=force)
        with atomic_write(path) as file:
            file.write(self.data)

    def with_details(self, **more: Any) -> "ModelFile":
        """Return the same model with more details in its metadata."""
        import onnx

        details = {**self.details, **more}
        model = onnx.load_model_from_string(self.data)
        for entry in model.metadata_props:
            if entry.key == "genus.details":
                entry.value = json.dumps(details)
        return replace(self, data=bytes(model.SerializeToString()), details=details)

    def n_seen(self, content_hashes: Sequence[str]) -> int:
        """Count the images that the model learned from, by what `image_marks` left in the file."""
        return sum(self.has_seen(content_hashes))

    def has_seen(self, content_hashes: Sequence[str]) -> list[bool]:
        """Say of each image whether the model learned from it."""
        known = set(_marks(self.details.get("learned_from", "")))
        return [bytes.fromhex(content)[:_MARK_BYTES] in known for content in content_hashes]

    def to_dict(self) -> dict[str, Any]:
        """Return what is inside as plain values, for `genus info --json`."""
        return {
            "path": None if self.path is None else str(self.path),
            "bytes": len(self.data),
            "classes": list(self.classes),
            "preprocess": json.loads(self.preprocess.to_json()),
            "features": dict(self.features),
            **{key: value for key, value in self.details.items() if key not in _BULKY},
        }


def build_model_file(
    feature_set: FeatureSet,
    head: ExportableHead,
    classes: tuple[str, ...],
    details: Mapping[str, Any],
    novelty: ExportableNovelty | None = None,
) -> ModelFile:
    """Join a feature set and a fitted head to one graph from pixels to probabilities.

    Parameters
    ----------
    feature_set : FeatureSet
        What the head was trained on.
    head : ExportableHead
        The fitted, calibrated head.
    classes : tuple of str
        Names of the head's columns.
    details : mapping
        JSON-able values for the metadata (see `ModelFile.details`).
    novelty : ExportableNovelty or None
        What makes the output `novelty`.
    """
    b = GraphBuilder()
    tensors = feature_set.build(b, "images")
    logits = head.export(b, tensors.features)
    score = None if novelty is None else novelty.export(b, tensors.features, feature_set.n_features)
    return _finish(b, feature_set, tensors, logits, score, classes, details)


def build_pretrained_file(
    feature_set: FeatureSet, classes: tuple[str, ...], details: Mapping[str, Any]
) -> ModelFile:
    """Make a model file of a backbone's own classifier, such as the built-in ImageNet model.

    Raises
    ------
    ModelFileError
        The backbone has no classifier of its own.
    """
    b = GraphBuilder()
    tensors = feature_set.build(b, "images")
    if tensors.logits is None:
        raise ModelFileError(f"{feature_set.name}: this backbone has no classes of its own.")
    return _finish(b, feature_set, tensors, tensors.logits, None, classes, details)


def _finish(
    b: GraphBuilder,
    feature_set: FeatureSet,
    tensors: FeatureTensors,
    logits: str,
    novelty: str | None,
    classes: tuple[str, ...],
    details: Mapping[str, Any],
) -> ModelFile:
    several = bool(details.get("multilabel", False))
    proba = b.op("Sigmoid", logits) if several else b.op("Softmax", logits, axis=1)
    b.output(proba, "probabilities", np.float32, ["N", len(classes)])
    b.output(logits, "logits", np.float32, ["N", len(classes)])
    b.output(tensors.features, "embedding", np.float32, ["N", feature_set.n_features])
    if tensors.feature_map is not None:
        b.output(tensors.feature_map, "feature_map", np.float32, ["N", "channels", "h", "w"])
    if novelty is not None:
        b.output(novelty, "novelty", np.float32, ["N"])
    side = feature_set.preprocess
    model = b.model([("images", np.uint8, ["N", side.height, side.width, 3])])
    model.producer_version = __version__
    metadata = {  # ASCII: names of files and folders may hold what UTF-8 cannot
        "genus.format": str(FORMAT_VERSION if several else _PLAIN_FORMAT),
        "genus.classes": json.dumps(classes),
        "genus.preprocess": feature_set.preprocess.to_json(),
        "genus.features": json.dumps(feature_set.to_dict()),
        "genus.details": json.dumps(dict(details)),
    }
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    data = bytes(model.SerializeToString())
    return ModelFile(data, classes, feature_set.preprocess, feature_set.to_dict(), dict(details))


def read_model_file(path: str | PathLike[str]) -> ModelFile:
    """Read and verify a model file; nothing in it is run.

    Raises
    ------
    ModelFileError
        It is missing, no ONNX file, damaged, not written by Genus, or written by a newer version.
    """
    source = Path(path)
    try:
        size = source.stat().st_size
        if size > _MAX_BYTES:
            raise ModelFileError(f"{source}: {size >> 20} MiB is more than a model file can have (2 GiB).")
        data = source.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{source}: cannot read the model file: {error.strerror or error}.") from error
    return _parse(data, source)


def _parse(data: bytes, source: Path) -> ModelFile:
    graph = _inspect(data, source)
    metadata = graph.metadata
    if "genus.format" not in metadata:
        raise ModelFileError(
            f"{source}: an ONNX file, but not a Genus model (no class names inside). "
            f'To use it as a backbone: genus train DATA --features "{source}"'
        )
    version = metadata["genus.format"]
    if not version.isdecimal() or int(version) > FORMAT_VERSION:
        raise ModelFileError(
            f"{source}: written by a newer Genus (format {version}; this one, {__version__}, reads up to "
            f"{FORMAT_VERSION}). Upgrade: pip install --upgrade genus"
        )
    try:
        classes = json.loads(metadata["genus.classes"])
        details = json.loads(metadata["genus.details"])
        features = json.loads(metadata["genus.features"])
        preprocess = Preprocess.from_json(metadata["genus.preprocess"])
    except (KeyError, ValueError, TypeError) as error:
        raise ModelFileError(f"{source}: damaged: its metadata cannot be read ({error}).") from error
    if not _are_names(classes) or not isinstance(details, dict) or not isinstance(features, dict):
        raise ModelFileError(f"{source}: damaged: its metadata is not what Genus writes.")
    if graph.image_shape != [preprocess.height, preprocess.width, 3] or graph.n_classes != len(classes):
        raise ModelFileError(f"{source}: damaged: its classes or image size are not those of its graph.")
    return ModelFile(data, tuple(classes), preprocess, features, details, source)


@dataclass(frozen=True, slots=True)
class _Graph:
    """What an ONNX file says of itself."""

    metadata: dict[str, str]
    image_shape: list[Any]
    n_classes: Any


def _inspect(data: bytes, source: Path) -> _Graph:
    """Load an ONNX file into ONNX Runtime, which also proves that it can run, and ask it."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        metadata = dict(session.get_modelmeta().custom_metadata_map)
        inputs = {value.name: value.shape for value in session.get_inputs()}
        outputs = {value.name: value.shape for value in session.get_outputs()}
    except Exception as error:  # onnxruntime's exceptions share no base class
        raise ModelFileError(
            f"{source}: not a readable ONNX model file (damaged, cut short, or another format)."
        ) from error
    return _Graph(metadata, inputs.get("images", [])[1:], outputs.get("probabilities", [None])[-1])


def _are_names(classes: Any) -> bool:
    return isinstance(classes, list) and len(classes) > 0 and all(isinstance(name, str) for name in classes)
