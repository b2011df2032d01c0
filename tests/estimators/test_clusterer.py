"""`ImageClusterer`: unlabelled images in, groups out."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score

from genus import load
from genus.errors import ModelFileError, OutputError, ParameterError
from genus.estimators.classifier import ImageClassifier
from genus.estimators.clusterer import ImageClusterer

N_DIGITS = 4
N_EACH = 24

Digits = tuple[np.ndarray, np.ndarray]


def cheap(n_clusters: int | tuple[int, int] | None = N_DIGITS, **changes: object) -> ImageClusterer:
    """A clusterer that needs a second: pixels as features, few algorithms."""
    known = {"features": "thumbnail@32", "algorithms": ["K-Means", "Ward", "BIRCH"], "random_state": 0}
    return ImageClusterer(n_clusters, **{**known, **changes})


@pytest.fixture(scope="module")
def some(digits: Digits) -> Digits:
    """The pictures of the digits 0 to 3, with their labels."""
    pictures, labels = digits
    return pictures[labels < N_DIGITS], labels[labels < N_DIGITS].astype(str)


@pytest.fixture(scope="module")
def fitted(some: Digits) -> ImageClusterer:
    return cheap().fit(some[0])


@pytest.fixture(scope="module")
def path(fitted: ImageClusterer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The groups in a file."""
    path = tmp_path_factory.mktemp("groups") / "groups.onnx"
    fitted.save(path)
    return path


class TestScikitLearnContract:
    def test_it_can_be_cloned(self) -> None:
        one = cheap((3, 9), metric="silhouette", n_components=7)
        assert clone(one).get_params() == one.get_params()
        assert one.set_params(n_clusters=5).n_clusters == 5

    def test_fit_predict_returns_the_labels(self, some: Digits, fitted: ImageClusterer) -> None:
        assert (cheap().fit_predict(some[0]) == fitted.labels_).all()

    def test_labels_count_groups_by_size(self, fitted: ImageClusterer) -> None:
        sizes = np.bincount(fitted.labels_)
        assert fitted.labels_.dtype == np.int64 and len(fitted.labels_) == N_DIGITS * N_EACH
        assert fitted.n_clusters_ == N_DIGITS == len(sizes)
        assert list(sizes) == sorted(sizes, reverse=True)

    def test_every_group_has_a_centre(self, fitted: ImageClusterer) -> None:
        assert fitted.cluster_centers_.shape == (N_DIGITS, fitted.grouped_.rows.shape[1])

    def test_groups_are_what_a_person_would_say(self, some: Digits, fitted: ImageClusterer) -> None:
        assert adjusted_rand_score(some[1], fitted.labels_) > 0.6

    def test_before_fit_there_is_nothing(self) -> None:
        with pytest.raises(Exception, match="not fitted"):
            cheap().predict([np.zeros((8, 8), np.uint8)])


class TestResults:
    def test_best_first(self, fitted: ImageClusterer) -> None:
        agreement = [row.agreement for row in fitted.results_]
        assert agreement == sorted(agreement, reverse=True)
        assert {row.name for row in fitted.results_} == {"K-Means", "Ward", "BIRCH", "consensus"}

    def test_ranked_as_asked(self, some: Digits) -> None:
        found = cheap(metric="silhouette").fit(some[0]).results_
        assert [row.silhouette for row in found] == sorted((row.silhouette for row in found), reverse=True)

    def test_known_labels_measure_and_change_nothing(self, some: Digits, fitted: ImageClusterer) -> None:
        measured = cheap().fit(*some)
        assert (measured.labels_ == fitted.labels_).all()
        assert all(row.truth is None for row in fitted.results_)
        expected = adjusted_rand_score(some[1], measured.results_[0].labels)
        assert measured.results_[0].truth.adjusted_rand == pytest.approx(expected)

    def test_a_range_is_searched(self, some: Digits) -> None:
        found = cheap((3, 5)).fit(some[0])
        assert 3 <= found.n_clusters_ <= 5
        assert [row["n_clusters"] for row in found.grouped_.comparison["numbers"]] == [3, 4, 5]

    def test_the_number_is_found_where_none_is_given(self, some: Digits) -> None:
        assert 2 <= cheap(None).fit(some[0]).n_clusters_ <= 9


class TestLookingAtGroups:
    def test_the_most_typical_is_nearest_to_the_middle(self, fitted: ImageClusterer) -> None:
        rows = fitted.grouped_.rows
        for group, places in fitted.representatives(3).items():
            members = np.flatnonzero(fitted.labels_ == group)
            middle = rows[members].mean(axis=0)
            assert places[0] == members[(rows[members] @ middle).argmax()]
            assert set(places) <= set(members) and len(places) == 3

    def test_the_most_doubtful_come_first(self, fitted: ImageClusterer) -> None:
        confidence = fitted.grouped_.row_confidence
        for group, places in fitted.borderline(5).items():
            assert (fitted.labels_[places] == group).all()
            assert list(confidence[places]) == sorted(confidence[places])
            assert confidence[places[0]] == confidence[fitted.labels_ == group].min()

    def test_outliers_are_those_farthest_from_the_middle_of_their_group(self, digits: Digits) -> None:
        found = cheap(10).fit(digits[0])
        assert 0 < len(found.outliers_) < 0.1 * len(digits[0])
        for group in range(10):
            away = found.grouped_.row_distances[found.labels_ == group]
            far = np.isin(np.flatnonzero(found.labels_ == group), found.outliers_)
            assert not far.any() or away[far].min() > away[~far].max()

    def test_the_tree_joins_all_groups(self, fitted: ImageClusterer) -> None:
        tree = fitted.hierarchy()
        assert tree.merges.shape == (N_DIGITS - 1, 2)
        assert (np.diff(tree.heights) >= 0).all()


class TestModelFile:
    def test_it_finds_the_groups_again(self, some: Digits, fitted: ImageClusterer, path: Path) -> None:
        found = fitted.predict(some[0])
        assert (found == fitted.labels_).mean() > 0.95
        assert (ImageClusterer.load(path).predict(some[0]) == found).all()

    def test_anything_that_opens_models_opens_it(self, some: Digits, path: Path) -> None:
        assert load(path).model.classes == ("0", "1", "2", "3")
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        shape = [d if isinstance(d, int) else 1 for d in session.get_inputs()[0].shape]
        proba = session.run(["probabilities"], {"images": np.zeros(shape, np.uint8)})[0]
        assert proba.shape == (1, N_DIGITS) and proba.sum() == pytest.approx(1, abs=1e-5)

    def test_its_confidence_is_that_of_the_groups(self, some: Digits, fitted: ImageClusterer) -> None:
        proba = fitted._predictor.predict_proba(some[0])
        groups = fitted.grouped_
        assert np.allclose(proba[np.arange(len(proba)), fitted.labels_], groups.row_confidence, atol=0.02)

    def test_it_says_what_it_is_and_where_it_comes_from(self, path: Path) -> None:
        details = load(path).model.details
        assert details["kind"] == "clusterer" and details["head"]["params"]["groups"] == "4"
        assert (
            details["provenance"]["n_images"] == N_DIGITS * N_EACH
            and details["provenance"]["random_state"] == 0
        )

    def test_noise_is_a_class_of_its_own(self, some: Digits, tmp_path: Path) -> None:
        found = cheap(algorithms=["HDBSCAN"]).fit(some[0])
        assert (found.labels_ == -1).any() and "noise" in found.model_.classes
        found.save(tmp_path / "noise.onnx")
        again = ImageClusterer.load(tmp_path / "noise.onnx")
        assert again.n_clusters_ == found.n_clusters_
        assert set(again.predict(some[0])) <= {-1, *range(found.n_clusters_)}

    def test_a_classifier_is_no_clusterer(self, trained: ImageClassifier, tmp_path: Path) -> None:
        trained.save(tmp_path / "classifier.onnx")
        with pytest.raises(ModelFileError, match=r"classifier\.onnx: a classifier, not groups"):
            ImageClusterer.load(tmp_path / "classifier.onnx")

    def test_nothing_is_replaced_unasked(self, fitted: ImageClusterer, path: Path) -> None:
        with pytest.raises(OutputError, match="exists already"):
            fitted.save(path)
        fitted.save(path, force=True)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"algorithms": ["magic"]}, "no algorithm named 'magic'"),
        ({"metric": "beauty"}, "no metric named 'beauty'"),
        ({"metric": "adjusted_rand"}, "needs labels"),
        ({"features": "no-such-network"}, "no-such-network"),
    ],
)
def test_parameters_that_cannot_work_are_found_before_the_work(
    some: Digits, changes: dict[str, object], match: str
) -> None:
    with pytest.raises(ParameterError, match=match):
        cheap(**changes).fit(some[0])
