"""The groups as ONNX operators: the same confidence as in Python."""

import numpy as np
import onnxruntime
import pytest
from scipy.special import softmax

from genus.cluster.agglomerative import Agglomerative
from genus.cluster.clusterer import Clusterer
from genus.cluster.confidence import soften
from genus.cluster.export import ClusterHead
from genus.cluster.hdbscan import Hdbscan
from genus.cluster.kmeans import KMeans
from genus.cluster.preparation import Preparation
from genus.graph import GraphBuilder

TEMPERATURE = 0.3


@pytest.fixture(scope="module")
def X() -> np.ndarray:
    rng = np.random.default_rng(0)
    X = 3 * np.eye(20)[rng.integers(0, 4, 160)] + rng.normal(0, 0.6, (160, 20))
    return np.concatenate([X, rng.normal(0, 2, (12, 20))]).astype(np.float32)


@pytest.mark.parametrize(
    "clusterer",
    [KMeans(4, random_state=0), Agglomerative(6, linkage="average"), Hdbscan(random_state=0), KMeans(1)],
    ids=["one prototype a group", "several prototypes a group", "noise", "one group"],
)
def test_the_graph_is_as_sure_as_the_groups(X: np.ndarray, clusterer: Clusterer) -> None:
    preparation = Preparation(8).fit(X)
    Z = preparation.transform(X)
    found = clusterer.fit(Z)
    head = ClusterHead(preparation, found, TEMPERATURE)
    graph = GraphBuilder()
    n_columns = found.n_clusters_ + head.has_noise
    graph.output(head.export(graph, "x"), "logits", np.float32, ["N", n_columns])
    model = graph.model([("x", np.float32, ["N", 20])]).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    shares = softmax(session.run(["logits"], {"x": X})[0], axis=1)
    np.testing.assert_allclose(shares, soften(found.squared_distances(Z), TEMPERATURE), atol=1e-4)
    assert head.has_noise == bool((found.labels_ < 0).any())
