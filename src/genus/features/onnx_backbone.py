"""Any `.onnx` network as a backbone.

Its graph is copied into ours behind the usual normalisation. What an ONNX file does not say, a small JSON file
beside it may (`network.onnx.json`): `mean` and `std` per channel on the 0..255 scale, `layout` ("NCHW" or "NHWC")
and `output` (which tensor is the embedding). Without it: ImageNet's mean and standard deviation, the layout that the
input's shape suggests, the first output. A four-dimensional output is averaged over its positions.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genus.errors import ModelFileError
from genus.features.backbone import BackboneTensors
from genus.features.splice import dimensions, splice
from genus.graph import GraphBuilder

_MEAN = (123.675, 116.28, 103.53)
_STD = (58.395, 57.12, 57.375)
_EXACT = re.compile(
    "Quant|Integer|Greater|Less|Equal|Arg|TopK|Unique|Round|Floor|Ceil"
)  # operators that tip over


@dataclass(frozen=True, slots=True)
class OnnxBackbone:
    """The network in an `.onnx` file.

    Parameters
    ----------
    path : str
        The file. It has one input, of floating-point images.
    """

    path: str

    @property
    def native_size(self) -> int:
        """The picture size the file asks for; 224 where it takes any."""
        sides = [side for side in dimensions(self._load().graph.input[0])[1:] if side > 3]
        return sides[-1] if sides else 224

    @property
    def identity(self) -> str:
        """A hash of the file and of what is written beside it."""
        digest = hashlib.blake2b(self._read(), digest_size=16)
        digest.update(json.dumps(self._settings(), sort_keys=True).encode())
        return digest.hexdigest()

    @property
    def tolerates_bf16(self) -> bool:
        """Unless it is quantised or compares."""
        return not any(_EXACT.search(node.op_type) for node in self._load().graph.node)

    def build(self, b: GraphBuilder, images: str, size: int) -> BackboneTensors:
        """Add the network to the graph (see `Backbone.build`)."""
        from onnx import shape_inference

        model, settings = self._load(), self._settings()
        mean = b.constant(np.asarray(settings["mean"], np.float32))
        scale = b.constant(1 / np.asarray(settings["std"], np.float32))
        x = b.op("Mul", b.op("Sub", images, mean), scale)
        if settings["layout"] == "NCHW":
            x = b.op("Transpose", x, perm=[0, 3, 1, 2])
        names = splice(b, model, {model.graph.input[0].name: x}, hint="foreign")
        inferred = shape_inference.infer_shapes(model).graph
        output = self._output(inferred, settings["output"])
        shape, tensor = dimensions(output), names[output.name]
        if len(shape) == 4:
            pooled = b.op("ReduceMean", tensor, axes=[2, 3], keepdims=0)
            return BackboneTensors(pooled, shape[1], feature_map=tensor)
        if len(shape) != 2 or shape[1] < 1:
            raise ModelFileError(
                f"{self.path}: the output {output.name!r} has the shape {shape}; an embedding is [N, d] or "
                "[N, d, h, w]. "
                f'Name another in {self.path}.json: {{"output": "..."}}'
            )
        return BackboneTensors(tensor, shape[1])

    def _output(self, graph: Any, wanted: str | None) -> Any:
        outputs = {output.name: output for output in graph.output}
        if wanted is None:
            return graph.output[0]
        if wanted not in outputs:
            raise ModelFileError(f"{self.path}: no output {wanted!r}; there are {', '.join(outputs)}.")
        return outputs[wanted]

    def _settings(self) -> dict[str, Any]:
        shape = dimensions(self._load().graph.input[0])
        layout = "NHWC" if len(shape) == 4 and shape[3] == 3 else "NCHW"
        settings: dict[str, Any] = {"mean": _MEAN, "std": _STD, "layout": layout, "output": None}
        beside = Path(f"{self.path}.json")
        if not beside.exists():
            return settings
        try:
            given = json.loads(beside.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ModelFileError(f"{beside}: not readable as JSON: {error}.") from error
        if not isinstance(given, dict) or set(given) - set(settings):
            raise ModelFileError(f"{beside}: may have the keys {', '.join(settings)} only.")
        return settings | given

    def _read(self) -> bytes:
        try:
            return Path(self.path).read_bytes()
        except OSError as error:
            raise ModelFileError(f"{self.path}: cannot read the backbone: {error.strerror}.") from error

    def _load(self) -> Any:
        import onnx
        from google.protobuf.message import DecodeError

        try:
            model = onnx.load_model_from_string(self._read())
            onnx.checker.check_model(model)
        except (DecodeError, onnx.checker.ValidationError, ValueError) as error:
            raise ModelFileError(f"{self.path}: not a valid ONNX file: {str(error)[:200]}.") from error
        if len(model.graph.input) - len(model.graph.initializer) > 1:
            raise ModelFileError(f"{self.path}: a backbone has one input; this file has several.")
        return model
