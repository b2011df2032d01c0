"""A small builder for ONNX graphs, shared by backbones, heads and the model file.

Everything Genus writes uses plain ONNX operators of one opset, so that every engine can run it. `onnx` itself
is imported only when a graph is written; running one needs an engine only.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

OPSET = 17
_FLOAT = 1  # TensorProto.FLOAT
SCORES = "scores"
"""What the tensor of a classifier's logits before calibration is called."""
IR_VERSION = 8  # the oldest that carries opset 17: older runtimes still read the file


class GraphBuilder:
    """Collects nodes and constants, and names them.

    Parameters
    ----------
    prefix : str, default ""
        Put before every generated name, so that two builders' parts can live in one graph.

    Examples
    --------
    >>> b = GraphBuilder()
    >>> y = b.op("Add", "x", b.constant(np.float32(1)))
    >>> b.output(y, "y", np.float32, ["N"])
    >>> model = b.model([("x", np.float32, ["N"])])
    >>> [node.op_type for node in model.graph.node]
    ['Add', 'Identity']
    """

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._outputs: list[Any] = []
        self._count = 0

    def fresh(self, hint: str = "t") -> str:
        """Return a name nothing else in this builder has."""
        self._count += 1
        return f"{self.prefix}{hint}_{self._count}"

    def constant(self, value: NDArray[Any] | np.generic, name: str | None = None) -> str:
        """Add `value` as an initialiser and return its name."""
        from onnx import numpy_helper

        name = name or self.fresh("c")
        self._constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def half_constant(self, value: NDArray[Any]) -> str:
        """Add float32 values that half precision holds exactly; they take half the room in the file."""
        return self.op("Cast", self.constant(value.astype(np.float16)), to=_FLOAT)

    def op(self, kind: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        return self.op_many(kind, inputs, [name or self.fresh(kind.lower())], **attributes)[0]

    def op_many(
        self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any
    ) -> Sequence[str]:
        """Add a node with several named outputs."""
        from onnx import helper

        self._nodes.append(
            helper.make_node(kind, list(inputs), list(outputs), name=f"n_{outputs[0]}", **attributes)
        )
        return outputs

    def output(self, tensor: str, name: str, dtype: type, shape: Sequence[int | str]) -> None:
        """Declare `tensor` as a graph output called `name`."""
        from onnx import helper

        self.op("Identity", tensor, name=name)
        self._outputs.append(helper.make_tensor_value_info(name, _onnx_type(dtype), list(shape)))

    def model(self, inputs: Sequence[tuple[str, type, Sequence[int | str]]], *, name: str = "genus") -> Any:
        """Assemble the `onnx.ModelProto` with inputs `(name, dtype, shape)` and the declared outputs."""
        from onnx import helper

        values = [
            helper.make_tensor_value_info(n, _onnx_type(dtype), list(shape)) for n, dtype, shape in inputs
        ]
        graph = helper.make_graph(self._nodes, name, values, self._outputs, self._constants)
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="genus",
        )


def _onnx_type(dtype: type) -> int:
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def take_columns(graph: GraphBuilder, x: str, start: int, stop: int, *, of: int) -> str:
    """Return the tensor of some columns of `x` [N, of]; all of them are `x` itself.

    Examples
    --------
    >>> take_columns(GraphBuilder(), "x", 0, 9, of=9)
    'x'
    """
    if (start, stop) == (0, of):
        return x
    return graph.op("Slice", x, *(graph.constant(np.array([value], np.int64)) for value in (start, stop, 1)))
