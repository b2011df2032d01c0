"""The contract that every clusterer keeps, as one function to hold a clusterer to it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score

from genus.errors import GenusError

N_GROUPS = 3
_SIZES = (40, 30, 20)
_LEAST_AGREEMENT = 0.95


class ClustererContractError(GenusError, AssertionError):
    """A clusterer breaks the contract; the message says which law."""


def check_clusterer(clusterer: Any, *, random_state: int = 0) -> None:
    """Fit clones of `clusterer` on three clear groups and hold them to every law of a clusterer.

    Parameters
    ----------
    clusterer : clusterer
        Unfitted; asked for three groups, unless it finds the number itself.
    random_state : int, default 0
        Seed of the made-up rows.

    Raises
    ------
    ClustererContractError
        A law is broken.

    Examples
    --------
    >>> from genus.cluster.kmeans import KMeans
    >>> check_clusterer(KMeans(3, random_state=0))
    """
    X, truth = made_up_groups(random_state)
    before = X.copy()
    fitted = clone(clusterer).fit(X)
    _require(np.array_equal(X, before), "fit leaves its input as it is")
    _check_labels(fitted, X, truth)
    _check_prediction(fitted, X)
    _check_invariance(clusterer, fitted, X)
    _check_refusals(clusterer, X)


def made_up_groups(random_state: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return three well-parted groups of different size: rows (90, 8) in random order, and their groups (90,)."""
    rng = np.random.default_rng(random_state)
    truth = rng.permutation(np.repeat(np.arange(N_GROUPS), _SIZES))
    centers = 8.0 * np.eye(N_GROUPS, 8)
    return (centers[truth] + rng.normal(size=(len(truth), 8))).astype(np.float32), truth


def _check_labels(fitted: Any, X: NDArray[np.float32], truth: NDArray[np.int64]) -> None:
    labels = fitted.labels_
    _require(labels.shape == truth.shape and labels.dtype == np.int64, "labels_ is int64 (n,)")
    member = labels >= 0
    score = adjusted_rand_score(truth[member], labels[member])
    _require(
        member.mean() > 0.8 and score > _LEAST_AGREEMENT,
        f"clear groups are found (adjusted Rand {score:.2f})",
    )
    counts = np.bincount(labels[member])
    _require(
        len(counts) == fitted.n_clusters_ and bool((np.diff(counts) <= 0).all()),
        "groups are numbered by size, 0 is the largest",
    )
    means = np.stack([X[labels == group].mean(axis=0) for group in range(len(counts))])
    _require(np.allclose(fitted.cluster_centers_, means, atol=1e-4), "cluster_centers_ are the groups' means")


def _check_prediction(fitted: Any, X: NDArray[np.float32]) -> None:
    predicted = fitted.predict(X)
    same = float((predicted == fitted.labels_).mean())
    _require(
        same >= _LEAST_AGREEMENT, f"predict says of the rows it learned from what labels_ says ({same:.0%})"
    )
    parts = np.concatenate([fitted.predict(X[:10]), fitted.predict(X[10:])])
    _require(np.array_equal(parts, predicted), "predict looks at each row by itself")
    distances = fitted.distances(X)
    _require(distances.shape == (len(X), fitted.n_clusters_), "distances is (n, n_clusters_)")
    inside = predicted >= 0
    _require(
        np.array_equal(distances.argmin(axis=1)[inside], predicted[inside]),
        "a row belongs to the group it is nearest to",
    )


def _check_invariance(clusterer: Any, fitted: Any, X: NDArray[np.float32]) -> None:
    again = clone(clusterer).fit(X)
    _require(np.array_equal(again.labels_, fitted.labels_), "the same seed gives the same groups")
    order = np.random.default_rng(1).permutation(len(X))
    shuffled = clone(clusterer).fit(X[order]).labels_
    score = adjusted_rand_score(fitted.labels_[order], shuffled)
    _require(score > _LEAST_AGREEMENT, f"the order of the rows does not matter (adjusted Rand {score:.2f})")
    twice = clone(clusterer).fit(np.concatenate([X, X])).labels_
    _require(np.array_equal(twice[: len(X)], twice[len(X) :]), "equal rows share a group")


def _check_refusals(clusterer: Any, X: NDArray[np.float32]) -> None:
    holed = X.copy()
    holed[3, 2] = np.nan
    _refuses(clusterer, holed, "rows with NaN are refused")
    if getattr(clusterer, "n_clusters", None) is not None:
        _refuses(clusterer, X[: clusterer.n_clusters - 1], "fewer rows than groups are refused")
    same = clone(clusterer).fit(np.ones_like(X))
    _require(len(same.labels_) == len(X) and same.n_clusters_ >= 1, "rows that are all the same are no error")


def _refuses(clusterer: Any, X: NDArray[np.float32], law: str) -> None:
    try:
        clone(clusterer).fit(X)
    except (GenusError, ValueError):
        return
    raise ClustererContractError(f"broken law: {law}.")


def _require(kept: bool, law: str) -> None:
    if not kept:
        raise ClustererContractError(f"broken law: {law}.")
