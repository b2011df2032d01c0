"""A trained network's embeddings as features: alone, or beside those of frozen networks, from one picture."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genus.estimators.learned import Learned
from genus.estimators.network_trainer import TrainedNetwork
from genus.features.feature_set import Block, Branch, FeatureSet
from genus.features.runtime import Runtime
from genus.features.stream import extract
from genus.images.preprocess import Preprocess
from genus.progress import Progress

_TRAINED = "trained"  # behind the network's name


@dataclass(frozen=True, slots=True, eq=False)
class NetworkFeatures:
    """What is computed by a trained network from images.

    Attributes
    ----------
    feature_set : FeatureSet
        The frozen networks, if they have a part in it, then the trained one.
    start : int
        The first column of the trained network's embedding.
    learned : Learned
        The images with these features. Columns of the trained network are filled for the images that were asked for
        only, and 0 otherwise.
    images_per_second : float
        How fast the trained network was.
    """

    feature_set: FeatureSet
    start: int
    learned: Learned
    images_per_second: float


def fits_beside(trained: TrainedNetwork, frozen: FeatureSet) -> bool:
    """Say whether a network sees no more of a picture than the frozen ones."""
    return trained.backbone.native_size <= frozen.size


def network_features(
    name: str,
    trained: TrainedNetwork,
    learned: Learned,
    rows: NDArray[np.int64],
    *,
    beside: FeatureSet | None,
    runtime: Runtime,
    progress: Progress,
) -> NetworkFeatures:
    """Compute what a trained network makes of some images, through the graph that goes into the model file.

    Parameters
    ----------
    name : str
        The network's.
    trained : TrainedNetwork
    learned : Learned
        With the features of `beside`, whatever is asked for.
    rows : (k,) int64
        The images.
    beside : FeatureSet or None
        The frozen networks that it shares its picture with.
    runtime : Runtime
    progress : Progress
    """
    size = trained.backbone.native_size
    branch = Branch(f"{name}-{_TRAINED}", size, mirror=trained.mirror, trained=trained.backbone)
    precision = "float32" if beside is None else beside.precision
    seen = Preprocess(size, size) if beside is None else beside.preprocess
    own = FeatureSet((branch,), precision, seen)
    some = np.unique(rows)
    # a network of its own for each training: its rows would be of no use to anybody in the cache
    table = extract(
        [learned.data.sources[i] for i in some], own, runtime=replace(runtime, cache=False), progress=progress
    )
    start = 0 if beside is None else beside.n_features
    X = np.zeros((len(learned.data), start + own.n_features), np.float32)
    X[:, :start] = learned.table.X[:, :start]
    X[some[table.kept], start:] = table.X
    blocks = (() if beside is None else beside.blocks) + (Block(branch.name, start, X.shape[1]),)
    both = own if beside is None else replace(beside, branches=(*beside.branches, branch))
    wider = replace(learned.table, X=X, blocks=tuple(blocks))
    return NetworkFeatures(both, start, replace(learned, table=wider), table.images_per_second)
