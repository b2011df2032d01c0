"""Running an exported graph in both engines, in float32."""

from collections.abc import Iterator

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

Outputs = dict[str, NDArray[np.float32]]


def run_everywhere(data: bytes, x: NDArray[np.float32]) -> Iterator[tuple[str, Outputs]]:
    """What each engine makes of the one input of a graph."""
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    names = [output.name for output in session.get_outputs()]
    yield "onnxruntime", dict(zip(names, session.run(names, {entry.name: x}), strict=True))
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(data), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled({entry.name: x})
    yield "openvino", {name: np.array(found[name]) for name in names}
