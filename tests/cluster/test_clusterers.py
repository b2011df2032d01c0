"""Every algorithm of the registry keeps the contract, and scikit-learn's."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from genus.cluster.agglomerative import Agglomerative
from genus.cluster.checks import N_GROUPS, ClustererContractError, check_clusterer
from genus.cluster.clusterers import CLUSTERERS
from genus.cluster.hdbscan import Hdbscan
from genus.cluster.minibatch import MiniBatchKMeans
from genus.cluster.preparation import Preparation
from genus.cluster.tree import LINKAGES
from genus.errors import DataError, ParameterError


def made(name: str, n_clusters: int, **parameters: Any) -> Any:
    """An algorithm of the registry, told how many groups there are if it wants to know."""
    if name == "hdbscan":
        return CLUSTERERS.get(name)(min_cluster_size=8, **parameters)
    return CLUSTERERS.get(name)(n_clusters, random_state=0, **parameters)


@pytest.fixture(scope="module")
def digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    X, y = load_digits(return_X_y=True)
    return Preparation(24).fit_transform(X.astype(np.float32)), y


@pytest.mark.parametrize("name", CLUSTERERS)
def test_the_contract(name: str) -> None:
    check_clusterer(made(name, N_GROUPS))


@pytest.mark.parametrize("linkage", LINKAGES)
def test_the_contract_for_every_linkage(linkage: Any) -> None:
    check_clusterer(Agglomerative(N_GROUPS, linkage=linkage))


def test_a_clusterer_that_breaks_the_contract_is_found_out() -> None:
    class Parity(ClusterMixin, BaseEstimator):  # type: ignore[misc]
        n_clusters = 2

        def fit(self, X: Any, y: Any = None) -> "Parity":
            self.labels_ = np.arange(len(X)) % 2
            return self

    with pytest.raises(ClustererContractError, match="clear groups are found"):
        check_clusterer(Parity())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [*(CLUSTERERS.get(name)() for name in CLUSTERERS), Preparation(4)],
)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("name", [name for name in CLUSTERERS if name != "hdbscan"])
def test_handwritten_digits_are_told_apart_without_labels(name: str, digits: Any) -> None:
    X, y = digits
    assert adjusted_rand_score(y, made(name, 10).fit_predict(X)) > 0.4


@pytest.mark.parametrize("name", ["agglomerative", "spectral", "birch"])
def test_many_rows_are_represented_by_few_points(name: str, digits: Any) -> None:
    X, y = digits
    rng = np.random.default_rng(0)
    many = np.concatenate([X + rng.normal(0, 0.01, X.shape).astype(np.float32) for _ in range(4)])
    labels = made(name, 10).fit_predict(many)
    assert len(labels) == 4 * len(y)
    assert adjusted_rand_score(np.tile(y, 4), labels) > 0.4


def test_density_finds_groups_of_any_shape_and_leaves_the_rest_alone() -> None:
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 400)
    radius = np.repeat([1.0, 6.0], 200) + rng.normal(0, 0.1, 400)
    rings = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    X = np.concatenate([rings, [[30, 30], [-30, 20]]]).astype(np.float32)
    fitted = Hdbscan(min_cluster_size=20).fit(X)
    assert fitted.n_clusters_ == 2
    assert fitted.labels_[-2:].tolist() == [-1, -1]
    assert adjusted_rand_score(np.repeat([0, 1], 200), fitted.labels_[:-2]) == 1
    assert fitted.predict([[100.0, 100.0]]).tolist() == [-1]


def test_mini_batches_are_never_in_memory_together(digits: Any) -> None:
    X, y = digits
    served = []

    def batches() -> Any:
        for start in range(0, len(X), 300):
            served.append(start)
            yield X[start : start + 300]

    fitted = MiniBatchKMeans(10, random_state=0).fit_batches(batches())
    assert served == list(range(0, len(X), 300))
    assert adjusted_rand_score(y, fitted.predict(X)) > 0.35


def test_a_first_batch_smaller_than_the_number_of_groups_is_an_error() -> None:
    with pytest.raises(DataError, match="10 groups need as many rows in the first batch; there are 4"):
        MiniBatchKMeans(10).fit_batches([np.ones((4, 2), np.float32)])


@pytest.mark.parametrize("number", [0, -1, 2.5, "three"])
@pytest.mark.parametrize("name", [name for name in CLUSTERERS if name != "hdbscan"])
def test_an_impossible_number_of_groups(name: str, number: Any) -> None:
    with pytest.raises(ParameterError, match="n_clusters must be a whole number above 0"):
        CLUSTERERS.get(name)(number).fit(np.eye(4))


def test_an_unknown_linkage() -> None:
    with pytest.raises(ParameterError, match="linkage must be one of ward, average, complete, single"):
        Agglomerative(2, linkage="median").fit(np.eye(4))  # type: ignore[arg-type]


def test_masses_of_equal_rows_stay_together() -> None:
    X = np.repeat(np.float32([[0, 0], [5, 5], [9, 0]]), 500, axis=0)
    for name in CLUSTERERS:
        labels = made(name, 3).fit_predict(X)
        assert all(len(np.unique(labels[i : i + 500])) == 1 for i in (0, 500, 1000)), name


@pytest.mark.parametrize("name", [name for name in CLUSTERERS if name != "hdbscan"])
def test_one_row_is_one_group(name: str) -> None:
    fitted = made(name, 1).fit(np.float32([[1, 2]]))
    assert fitted.labels_.tolist() == [0]
    assert fitted.predict([[9.0, 9.0]]).tolist() == [0]
