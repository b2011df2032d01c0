"""The classifier of a model file by itself: from pooled features to logits, cut out of its graph."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.graph import SCORES
from genus.model_file import ModelFile

Rows = NDArray[np.float32]
HeadFunction = Callable[[Rows], Rows]


def head_function(model: ModelFile) -> HeadFunction | None:
    """Return what computes scores (n, c) from features (n, d); None where the logits are made of more than these.

    The scores are the logits before calibration, where the file tells them apart: calibration may be flat where the
    model is sure, and nothing would then seem to matter.

    Only plain ONNX operators are run, by ONNX Runtime, as for the whole file.

    Examples
    --------
    >>> from genus.predictor import built_in
    >>> head = head_function(built_in().model)
    >>> head(np.zeros((2, 1280), np.float32)).shape
    (2, 1000)
    """
    import onnx
    import onnxruntime as ort

    whole = onnx.load_model_from_string(model.data)
    makers = {output: node for node in whole.graph.node for output in node.output}
    features, logits = (makers[name].input[0] for name in ("embedding", "logits"))
    if SCORES in makers:
        logits = SCORES
    constants = {value.name: value for value in whole.graph.initializer}
    names = _made_between(features, logits, makers, constants)
    if names is None:
        return None
    nodes = [node for node in whole.graph.node if node.output[0] in names]
    used = {name for node in nodes for name in node.input}
    graph = onnx.helper.make_graph(
        nodes,
        "head",
        [onnx.helper.make_tensor_value_info(features, onnx.TensorProto.FLOAT, ["N", None])],
        [onnx.helper.make_tensor_value_info(logits, onnx.TensorProto.FLOAT, ["N", len(model.classes)])],
        [value for name, value in constants.items() if name in used],
    )
    cut = onnx.helper.make_model(graph, opset_imports=whole.opset_import, ir_version=whole.ir_version)
    session = ort.InferenceSession(cut.SerializeToString(), providers=["CPUExecutionProvider"])

    def run(rows: Rows) -> Rows:
        found: Rows = session.run([logits], {features: np.ascontiguousarray(rows, np.float32)})[0]
        return found

    return run


def output_names(model: ModelFile) -> tuple[str, ...]:
    """Name the outputs of a model file."""
    import onnx

    return tuple(value.name for value in onnx.load_model_from_string(model.data).graph.output)


def _made_between(
    features: str, logits: str, makers: Mapping[str, Any], constants: Mapping[str, Any]
) -> set[str] | None:
    """Return the first outputs of the nodes that make one tensor of the other; None if there is a way round it."""
    found: set[str] = set()
    open_, reached = [logits], False
    while open_:
        name = open_.pop()
        if name == features:
            reached = True
        elif name in makers:
            node = makers[name]
            if node.output[0] not in found:
                found.add(node.output[0])
                open_ += node.input
        elif name and name not in constants:  # an input of the whole graph
            return None
    return found if reached else None
