import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genus.errors import DataError, GenusError
from genus.graph import GraphBuilder
from genus.normalize import BlockNormalizer

_ROWS = arrays(np.float32, (3, 6), elements=st.floats(-100, 100, width=16))


@given(_ROWS, st.sampled_from([0.3, 0.5, 1.0]), st.sampled_from([None, [(0, 2), (2, 6)], [(1, 3), (4, 5)]]))
def test_rows_come_out_with_length_one_or_empty_blocks(X, power, blocks) -> None:
    Z = BlockNormalizer(power, blocks).fit_transform(X)
    n_blocks = len(blocks or [1])
    for start, stop in blocks or [(0, 6)]:
        filled = np.linalg.norm(X[:, start:stop].astype(float) ** 2, axis=1) > 1e-6
        width = stop - start
        part, Z = Z[:, :width], Z[:, width:]
        lengths = np.linalg.norm(part, axis=1)
        np.testing.assert_allclose(lengths[filled], 1 / np.sqrt(n_blocks), rtol=1e-4)
        assert np.isfinite(part).all()
    assert Z.shape[1] == 0


@given(_ROWS, st.floats(0.1, 10))
def test_scale_of_a_row_does_not_matter(X, scale) -> None:
    X = np.where(np.abs(X) < 0.01, 0, X)
    normalizer = BlockNormalizer().fit(X)
    np.testing.assert_allclose(
        normalizer.transform(X), normalizer.transform(X * np.float32(scale)), atol=1e-5
    )


def test_use_keeps_the_named_blocks_only() -> None:
    X = np.random.default_rng(0).random((5, 6))
    blocks = [(0, 2), (2, 4), (4, 6)]
    both = BlockNormalizer(blocks=blocks, use=[0, 2]).fit(X)
    alone = BlockNormalizer(blocks=[(0, 2), (2, 4)]).fit_transform(X[:, [0, 1, 4, 5]])
    np.testing.assert_array_equal(both.transform(X), alone)
    assert list(both.get_feature_names_out()) == ["x0", "x1", "x4", "x5"]


@pytest.mark.parametrize("power", [0.5, 0.35, 1.0])
@pytest.mark.parametrize(("blocks", "use"), [(None, None), ([(0, 3), (3, 8)], None), ([(0, 3), (3, 8)], [1])])
def test_exported_graph_agrees(power, blocks, use) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    X = np.random.default_rng(0).standard_normal((7, 8)).astype(np.float32)
    X[0] = 0
    normalizer = BlockNormalizer(power, blocks, use).fit(X)
    graph = GraphBuilder()
    graph.output(normalizer.export(graph, "x"), "z", np.float32, ["N", "W"])
    model = graph.model([("x", np.float32, ["N", 8])]).SerializeToString()
    (ours,) = onnxruntime.InferenceSession(model).run(None, {"x": X})
    np.testing.assert_allclose(ours, normalizer.transform(X), atol=1e-6)


@pytest.mark.parametrize(
    "parameters",
    [
        {"power": 0.0},
        {"power": 1.5},
        {"blocks": [(0, 9)]},
        {"blocks": [(0, 3), (2, 5)]},
        {"blocks": [(2, 2)]},
        {"blocks": []},
        {"blocks": [(0, 3), (3, 6)], "use": [2]},
        {"blocks": [(0, 3), (3, 6)], "use": []},
        {"blocks": [(0, 3), (3, 6)], "use": [1, 1]},
    ],
)
def test_parameters_that_cannot_work_are_refused(parameters) -> None:
    with pytest.raises(GenusError, match="expected"):
        BlockNormalizer(**parameters).fit(np.ones((2, 6)))


def test_bad_rows_are_counted() -> None:
    X = np.ones((6, 3))
    X[[1, 4], [0, 2]] = np.nan, np.inf
    with pytest.raises(DataError, match=r"2 of 6 feature rows contain NaN or inf \(the first is row 1\)"):
        BlockNormalizer().fit(X)
