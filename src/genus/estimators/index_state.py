"""All that an index is: its images, their vectors, and what was learned of them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import SkippedImage
from genus.estimators.index_images import IndexedImages
from genus.features.feature_set import FeatureSet
from genus.images.decode import DECODER_VERSION
from genus.search.identity import Acquaintance
from genus.search.likeness import Likeness
from genus.search.metric import Metric
from genus.search.vector_index import VectorIndex


@dataclass(frozen=True, slots=True, eq=False)
class IndexState:
    """The parts of an index.

    Attributes
    ----------
    feature_set : FeatureSet
        What is computed from an image.
    engine : str
        What computed it: the numbers of two engines are nearly, not quite, the same.
    images : IndexedImages
    vectors : VectorIndex
        A row for each of the images, removed ones too.
    metric : Metric
        What makes vectors of features.
    likeness : Likeness or None
        What a cosine means, where there are labels.
    acquaintance : Acquaintance or None
        How alike known and unknown ones are, for a metric that was tuned to labels.
    figures : mapping of str to Any
        What was measured, in plain values.
    origin : str
        What the images were read from.
    notes : tuple of str
    provenance : mapping of str to Any
    listing : str
        A hash of the files that it was made of, where it is kept for a folder.
    skipped : tuple of SkippedImage
        What could not be read then.
    n_built : int
        The first rows, from which the metric was learned; what came later it does not know.
    """

    feature_set: FeatureSet
    engine: str
    images: IndexedImages
    vectors: VectorIndex
    metric: Metric
    likeness: Likeness | None = None
    acquaintance: Acquaintance | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)
    origin: str = ""
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    listing: str = ""
    skipped: tuple[SkippedImage, ...] = ()
    n_built: int = 0


def identity_of(feature_set: FeatureSet) -> str:
    """Return a hash of everything that changes the numbers, wherever a network's own file lies."""
    if not any(branch.backbone.lower().endswith(".onnx") for branch in feature_set.branches):
        return f"{DECODER_VERSION} {feature_set.identity}"
    parts = [[b.size, b.mirror, b.middle, b.network.identity] for b in feature_set.branches]
    text = json.dumps([feature_set.precision, feature_set.preprocess.to_json(), parts])
    return f"{DECODER_VERSION} {hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}"


def as_codes(labels: NDArray[np.int32]) -> NDArray[np.int64]:
    """Number classes from 0 without gaps."""
    return np.asarray(np.unique(labels, return_inverse=True)[1], np.int64)
