"""The graph builder: plain ONNX that every runtime can load."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genus.graph import IR_VERSION, OPSET, GraphBuilder


def run(model: onnx.ModelProto, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def affine(b: GraphBuilder, x: str, factor: float, term: float) -> str:
    return b.op("Add", b.op("Mul", x, b.constant(np.float32(factor))), b.constant(np.float32(term)))


def test_a_graph_computes_what_was_built() -> None:
    b = GraphBuilder()
    b.output(affine(b, "x", 2, 1), "y", np.float32, ["N", 3])
    model = b.model([("x", np.float32, ["N", 3])])
    onnx.checker.check_model(model, full_check=True)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_allclose(run(model, x=x)["y"], 2 * x + 1)


def test_the_opset_and_the_format_are_old_enough_for_older_runtimes() -> None:
    b = GraphBuilder()
    b.output("x", "y", np.float32, ["N"])
    model = b.model([("x", np.float32, ["N"])])
    assert [(o.domain, o.version) for o in model.opset_import] == [("", OPSET)]
    assert model.ir_version == IR_VERSION == 8
    assert model.producer_name == "genus"


@given(st.lists(st.sampled_from(["t", "conv", "c", ""]), min_size=1, max_size=30))
def test_names_are_never_given_twice(hints: list[str]) -> None:
    b = GraphBuilder("p/")
    names = [b.fresh(hint) for hint in hints]
    assert len(set(names)) == len(names) and all(name.startswith("p/") for name in names)


def test_two_builders_parts_live_in_one_graph_when_their_prefixes_differ() -> None:
    one, other = GraphBuilder("a/"), GraphBuilder("b/")
    names = {
        one.constant(np.float32(1)),
        other.constant(np.float32(1)),
        one.op("Relu", "x"),
        other.op("Relu", "x"),
    }
    assert len(names) == 4


def test_several_outputs_keep_their_names_types_and_order() -> None:
    b = GraphBuilder()
    b.output("x", "first", np.float32, ["N", 2])
    b.output(b.op("Shape", "x"), "second", np.int64, [2])
    model = b.model([("x", np.float32, ["N", 2])], name="pair")
    assert model.graph.name == "pair"
    assert [o.name for o in model.graph.output] == ["first", "second"]
    result = run(model, x=np.ones((4, 2), np.float32))
    assert result["second"].tolist() == [4, 2] and result["second"].dtype == np.int64


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8, np.int8, np.float64, np.bool_])
def test_constants_keep_their_type_and_values(dtype: type) -> None:
    value = np.array([[0, 1], [1, 0], [1, 1]]).astype(dtype)
    b = GraphBuilder()
    b.output(b.op("Identity", b.constant(value, "k")), "y", dtype, value.shape)
    result = run(b.model([]))["y"]
    assert result.dtype == value.dtype
    np.testing.assert_array_equal(result, value)


def test_a_transposed_view_is_stored_as_it_looks() -> None:
    value = np.arange(6, dtype=np.float32).reshape(2, 3).T
    b = GraphBuilder()
    b.output(b.constant(value), "y", np.float32, [3, 2])
    np.testing.assert_array_equal(run(b.model([]))["y"], value)


def test_an_operator_with_several_outputs() -> None:
    b = GraphBuilder()
    left, right = b.op_many("Split", ["x"], ["l", "r"], axis=1)
    b.output(b.op("Sub", right, left), "y", np.float32, ["N", 1])
    x = np.array([[1, 5], [2, 2]], np.float32)
    assert run(b.model([("x", np.float32, ["N", 2])]), x=x)["y"].ravel().tolist() == [4, 0]
