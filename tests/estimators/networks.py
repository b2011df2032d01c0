"""A network that learns handwritten digits in a second, beside heads that are strong or weak."""

from functools import cache
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from genus.estimators.classifier import ImageClassifier
from genus.estimators.network_options import NetworkOptions

NET = "conv8-norm-pool-conv16-norm-pool-flatten-dense32"
WEAK = {"features": "color-histogram@32", "heads": ["prototype"]}  # of grey digits it sees the ink alone
STRONG = {"features": "thumbnail@32", "heads": ["rbf"]}


@cache
def pictures(n: int = 120, side: int = 16, n_classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """The first of the digits 0 to 4, uint8 grey, and which they are."""
    digits = load_digits()
    rows = np.flatnonzero(digits.target < n_classes)[:n]
    grey = (digits.images[rows] * 15.9).astype(np.uint8)
    return grey.repeat(side // 8, axis=1).repeat(side // 8, axis=2), digits.target[rows]


def small(network: str = NET, **changes: Any) -> NetworkOptions:
    """What is wanted of the network; the same on every processor."""
    wish = {"size": 16, "epochs": 8, "batch_size": 16, "learning_rate": 0.01, "augment": "none"}
    return NetworkOptions(network, **{**wish, "device": "cpu", "precision": "float32", **changes})


def beside(heads: dict[str, Any], cnn: NetworkOptions | str | None = None, **changes: Any) -> ImageClassifier:
    """A classifier with a network beside its heads."""
    wish = {"precision": "float32", "random_state": 0, "cnn": cnn or small()}
    return ImageClassifier("fast", **{**heads, **wish, **changes})
