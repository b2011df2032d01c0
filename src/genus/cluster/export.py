"""A grouping in plain ONNX operators, for the model file."""

import numpy as np

from genus.cluster.clusterer import Clusterer
from genus.cluster.preparation import Preparation
from genus.graph import GraphBuilder


class ClusterHead:
    """Preparation, distances to the groups and confidence, as one head of a model file.

    Parameters
    ----------
    preparation : Preparation
        Fitted.
    clusterer : Clusterer
        Fitted on what `preparation` makes.
    temperature : float
        See `genus.cluster.confidence.soften`.

    Notes
    -----
    The logits are `-clusterer.squared_distances(...) / temperature`: one column a group, and a last one for noise
    where there is any.
    """

    def __init__(self, preparation: Preparation, clusterer: Clusterer, temperature: float) -> None:
        self.preparation = preparation
        self.clusterer = clusterer
        self.temperature = temperature

    @property
    def has_noise(self) -> bool:
        """Whether the last column stands for noise."""
        return bool(np.isfinite(self.clusterer.radius_))

    def export(self, graph: GraphBuilder, x: str) -> str:
        """Add the operators from features `x` [N, d] to logits [N, C]; returns the tensor's name."""
        found = self.clusterer
        order = np.argsort(found.prototype_labels_, kind="stable")
        points = found.prototypes_[order]
        counts = np.bincount(found.prototype_labels_, minlength=found.n_clusters_)
        z = self.preparation.export(graph, x)
        # |z|^2 + |p|^2 - 2 z p, but z is a unit row and the softmax does not mind what all columns share
        products = graph.op("MatMul", z, graph.constant(np.ascontiguousarray(-2.0 * points.T)))
        lengths = graph.constant((points**2).sum(axis=1) + np.float32(1))
        squared = graph.op("Add", products, lengths)
        groups = [
            graph.op("ReduceMin", part, axes=[1], keepdims=1)
            for part in _parts(graph, squared, counts.tolist())
        ]
        if self.has_noise:
            zero = graph.op("Mul", groups[0], graph.constant(np.float32(0)))
            groups.append(graph.op("Add", zero, graph.constant(np.float32(found.radius_**2))))
        joined = groups[0] if len(groups) == 1 else graph.op("Concat", *groups, axis=1)
        return graph.op("Mul", joined, graph.constant(np.float32(-1 / self.temperature)))


def _parts(graph: GraphBuilder, x: str, sizes: list[int]) -> list[str]:
    if len(sizes) == 1:
        return [x]
    names = [graph.fresh("group") for _ in sizes]
    return list(graph.op_many("Split", [x, graph.constant(np.array(sizes, np.int64))], names, axis=1))
