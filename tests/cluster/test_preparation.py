"""Preparation: unit rows along the leading directions, and the same in a graph."""

import numpy as np
import onnxruntime
import pytest
from sklearn.decomposition import PCA

from genus.cluster.preparation import Preparation
from genus.errors import DataError, ParameterError
from genus.graph import GraphBuilder


def features(n: int = 80, d: int = 30) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.maximum(rng.normal(size=(n, d)) * np.linspace(3, 0.1, d), 0).astype(np.float32)


@pytest.mark.parametrize("shape", [(80, 30), (20, 30)])
def test_the_directions_are_the_principal_ones(shape: tuple[int, int]) -> None:
    X = features(*shape)
    prepared = Preparation(5, power=1.0).fit(X)
    rows = X / np.linalg.norm(X, axis=1, keepdims=True)
    wanted = PCA(5).fit(rows).components_
    assert np.abs(np.sum(wanted * prepared.components_.T, axis=1)).min() > 0.999


@pytest.mark.parametrize("whiten", [0.0, 0.5, 1.0])
def test_whitening_evens_the_directions_out(whiten: float) -> None:
    X = features()
    prepared = Preparation(5, whiten=whiten, power=1.0).fit(X)
    rows = X / np.linalg.norm(X, axis=1, keepdims=True)
    spreads = ((rows - rows.mean(0)) @ prepared.components_).std(axis=0)
    plain = PCA(5).fit(rows).explained_variance_ ** 0.5
    np.testing.assert_allclose(spreads / spreads[0], (plain / plain[0]) ** (1 - whiten), rtol=0.02)


def test_rows_come_out_with_length_one_and_one_by_one_the_same() -> None:
    X = features()
    prepared = Preparation(8, blocks=[(0, 10), (10, 30)]).fit(X)
    Z = prepared.transform(X)
    np.testing.assert_allclose(np.linalg.norm(Z, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(
        np.concatenate([prepared.transform(X[i : i + 1]) for i in range(5)]), Z[:5], atol=1e-5
    )


def test_blocks_can_be_left_out() -> None:
    X = features()
    alone = Preparation(4).fit_transform(X[:, 10:30])
    used = Preparation(4, blocks=[(0, 10), (10, 30)], use=[1]).fit_transform(X)
    np.testing.assert_allclose(used, alone, atol=1e-5)


def test_the_graph_computes_the_same() -> None:
    X = features()
    prepared = Preparation(8, whiten=0.5, blocks=[(0, 10), (10, 30)], use=[0, 1]).fit(X)
    graph = GraphBuilder()
    graph.output(prepared.export(graph, "x"), "z", np.float32, ["N", 8])
    model = graph.model([("x", np.float32, ["N", 30])])
    session = onnxruntime.InferenceSession(model.SerializeToString())
    np.testing.assert_allclose(session.run(["z"], {"x": X})[0], prepared.transform(X), atol=1e-4)


def test_fewer_rows_than_directions() -> None:
    assert Preparation(64).fit_transform(features(5)).shape == (5, 5)


def test_rows_that_are_all_the_same_stay_finite() -> None:
    Z = Preparation(4, whiten=1.0).fit_transform(np.ones((10, 6), np.float32))
    assert np.isfinite(Z).all()


@pytest.mark.parametrize(("name", "value"), [("whiten", 1.5), ("n_components", 0), ("n_components", 2.5)])
def test_parameters_that_cannot_work(name: str, value: float) -> None:
    with pytest.raises(ParameterError, match=name):
        Preparation(**{name: value}).fit(features())


def test_not_a_number_is_refused() -> None:
    X = features()
    X[4, 2] = np.nan
    with pytest.raises(DataError, match="the first is row 4"):
        Preparation().fit(X)
