"""Copying the graph of an ONNX file into a graph that is being built."""

from collections.abc import Mapping
from typing import Any

from genus.graph import OPSET, GraphBuilder


def splice(b: GraphBuilder, model: Any, inputs: Mapping[str, str], *, hint: str) -> dict[str, str]:
    """Add another graph's nodes and constants.

    Parameters
    ----------
    b : GraphBuilder
        The graph being built.
    model : onnx.ModelProto
        What is copied; of another opset, it is converted first.
    inputs : mapping of str to str
        For each of its inputs the tensor in `b` that takes its place.
    hint : str
        How the copies' names begin.

    Returns
    -------
    dict of str to str
        For each tensor of the copied graph its name in `b`.
    """
    from onnx import helper, numpy_helper, version_converter

    if next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx")) != OPSET:
        model = version_converter.convert_version(model, OPSET)
    prefix = f"{b.fresh(hint)}/"
    names = {**inputs, "": ""}
    for constant in model.graph.initializer:
        names[constant.name] = b.constant(numpy_helper.to_array(constant), prefix + constant.name)
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        outputs = [prefix + name if name else "" for name in node.output]
        names.update(zip(node.output, outputs, strict=True))
        b.op_many(node.op_type, [names[name] for name in node.input], outputs, **attributes)
    return names


def dimensions(value: Any) -> list[int]:
    """Return the shape of an input or output; 0 stands for what is not fixed."""
    return [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
