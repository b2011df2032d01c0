"""Genus: from a folder of images to an honest, portable classifier in seconds.

What most people need, imported on first use so that `import genus` stays instant:

======================  ==========================================================
`ImageClassifier`       train, evaluate and use a classifier (scikit-learn's contract)
`ImageClusterer`        unlabelled images in, groups out (scikit-learn's contract)
`ImageIndex`            reverse image search: images like this one, known ones identified
`FeatureExtractor`      images in, feature vectors out; fits in any scikit-learn pipeline
`Explainer`             where in an image a model finds the evidence for a class
`Audit`                 whether images and labels are fit to learn from: wrong labels, copies ...
`NetworkOptions`        what is wanted of a convolutional network that is trained
`load`                  open a `.onnx` model file
`read_dataset`          folders, tables and lists of images as one `Dataset`
======================  ==========================================================
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from genus._version import __version__

if TYPE_CHECKING:
    from genus.data.read import read_dataset
    from genus.errors import GenusError
    from genus.estimators.audit import Audit
    from genus.estimators.classifier import ImageClassifier
    from genus.estimators.clusterer import ImageClusterer
    from genus.estimators.image_index import ImageIndex
    from genus.estimators.network_options import NetworkOptions
    from genus.explain.explainer import Explainer
    from genus.features.extractor import FeatureExtractor
    from genus.predictor import load

_EXPORTS = {
    "Audit": "genus.estimators.audit",
    "Explainer": "genus.explain.explainer",
    "FeatureExtractor": "genus.features.extractor",
    "GenusError": "genus.errors",
    "ImageClassifier": "genus.estimators.classifier",
    "ImageClusterer": "genus.estimators.clusterer",
    "ImageIndex": "genus.estimators.image_index",
    "NetworkOptions": "genus.estimators.network_options",
    "load": "genus.predictor",
    "read_dataset": "genus.data.read",
}

__all__ = [
    "Audit",
    "Explainer",
    "FeatureExtractor",
    "GenusError",
    "ImageClassifier",
    "ImageClusterer",
    "ImageIndex",
    "NetworkOptions",
    "__version__",
    "load",
    "read_dataset",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'genus' has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
