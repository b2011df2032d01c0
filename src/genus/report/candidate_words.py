"""What the rows of a leaderboard are called, for people."""

from collections.abc import Mapping

NAMES = {
    "logistic": "logistic regression",
    "linear_svm": "linear SVM",
    "lda": "shrinkage LDA",
    "knn": "k-nearest neighbours",
    "prototype": "nearest class prototype",
    "rbf": "RBF kernel",
    "mlp": "small neural network",
    "ensemble": "weighted ensemble",
    "cooccurrence": "labels that go together",
    "chain": "classifier chain",
    "network": "convolutional network",
    "network and features": "network and frozen features together",
}
"""Names of heads, and of what a network of one's own takes part in."""

_ABOUT_FEATURES = {"use", "power", "blocks"}


def candidate_name(name: str, params: Mapping[str, object]) -> str:
    """Name a candidate and its settings in words.

    Examples
    --------
    >>> candidate_name("rbf", {"gamma": 1.5, "power": 0.5})
    'RBF kernel (gamma 1.5)'
    >>> candidate_name("network", {"network": "efficientnet-lite0", "size": 224})
    'convolutional network (efficientnet-lite0 at 224 pixels)'
    """
    known = NAMES.get(name, name)
    if "network" in params:
        return f"{known} ({network_title(str(params['network']), str(params.get('size', '?')))})"
    settings = ", ".join(f"{key} {value}" for key, value in params.items() if key not in _ABOUT_FEATURES)
    return f"{known} ({settings})" if settings else known


def network_title(name: str, size: int | str) -> str:
    """Name a network and the size of its pictures.

    Examples
    --------
    >>> network_title("textbook:conv32-pool-gap", 32)
    'conv32-pool-gap at 32 pixels'
    """
    return f"{name.removeprefix('textbook:')} at {size} pixels"
