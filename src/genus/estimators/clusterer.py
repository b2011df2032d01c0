"""`ImageClusterer`: unlabelled images in, groups out."""

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_is_fitted

from genus.cluster.clusterer import NOISE
from genus.cluster.tree import MergeTree
from genus.cluster.trials import Trial
from genus.data.read import read_dataset
from genus.errors import ModelFileError
from genus.estimators.grouped import GroupedImages
from genus.estimators.grouping import group_images, model_of
from genus.estimators.grouping_cost import GroupingPlan, plan_grouping
from genus.estimators.grouping_options import GroupingOptions, Pair, Wishes
from genus.features.feature_set import FeatureSet, PrecisionName, chosen_features
from genus.features.runtime import Runtime
from genus.model_file import ModelFile, read_model_file
from genus.predictor import Predictor
from genus.progress import SILENT, Progress


class ImageClusterer(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Sort images into groups: several algorithms compared, the one that fits best kept.

    Parameters
    ----------
    n_clusters : int, (int, int) or None, default None
        The number of groups, a range to search, or None to search from 2 to 40.
    preset : {"fast", "balanced", "best"}, default "balanced"
        How much is computed from each image.
    features : str, FeatureSet or None
        What is computed instead, such as "efficientnet-lite2@320" (see `parse_feature_set`).
    precision : {"int8", "float32"}, default "int8"
        How networks are run, where `features` is a string or None.
    n_components : int or None
        How many principal components of the features are kept; None for what usually serves.
    algorithms : sequence of str or None
        Names from `genus.cluster.trials.ALGORITHMS`; None tries all.
    metric : str, default "agreement"
        What groupings are ranked by; see `genus.cluster.trials.METRICS`.
    runtime : Runtime or None
        Engine, workers, cache, limits: nothing that changes what is found.
    random_state : int or None
        The seed of everything random.

    Attributes
    ----------
    labels_ : (n,) int64
        Group of each image, 0 is the largest; -1 for noise, and for what cannot be read.
    n_clusters_ : int
    cluster_centers_ : (n_clusters_, d) float32
        Mean of each group's prepared features.
    results_ : tuple of Trial
        What was tried, best first.
    outliers_ : (k,) int64
        Images unlike all groups, by their place.
    grouped_ : GroupedImages
        Everything worth knowing about the groups.
    model_ : ModelFile
        What `save` writes; `predict` runs through it.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits(n_class=3)
    >>> images = np.repeat(np.repeat(digits.images[:150] * 15, 8, 1), 8, 2).astype(np.uint8)
    >>> clusterer = ImageClusterer(3, features="thumbnail@32", algorithms=["K-Means"], random_state=0)
    >>> clusterer.fit_predict(images).shape, len(clusterer.representatives(5)[0])
    ((150,), 5)
    """

    def __init__(
        self,
        n_clusters: int | tuple[int, int] | None = None,
        *,
        preset: str = "balanced",
        features: str | FeatureSet | None = None,
        precision: PrecisionName = "int8",
        n_components: int | None = None,
        algorithms: Sequence[str] | None = None,
        metric: str = "agreement",
        runtime: Runtime | None = None,
        random_state: int | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.preset = preset
        self.features = features
        self.precision = precision
        self.n_components = n_components
        self.algorithms = algorithms
        self.metric = metric
        self.runtime = runtime
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        seeds: Sequence[str | None] | None = None,
        must_link: Iterable[Pair] = (),
        cannot_link: Iterable[Pair] = (),
        progress: Progress = SILENT,
        command: str | None = None,
    ) -> Self:
        """Find the groups.

        Parameters
        ----------
        X : folder, table, list of paths, arrays or PIL images, DataFrame, or Dataset
            Anything `genus.read_dataset` reads.
        y : sequence of n labels, or None
            Known labels. The groups are measured by them, and not made by them.
        seeds : sequence of n (str or None), or None
            Labels of a few images that the groups shall follow: equal ones together, different ones apart.
        must_link, cannot_link : pairs of int
            Images, by their place, that belong together, or do not.
        progress : Progress
        command : str or None
            Kept in the model file.

        Raises
        ------
        DataError
            Nothing readable, fewer different images than groups, wishes that contradict each other.
        ParameterError
            A parameter cannot work.
        """
        options = self._options(command)
        wishes = Wishes(seeds, must_link, cannot_link)
        data = read_dataset(X, y, multilabel=None if y is None else False)
        self.grouped_, compared = group_images(data, options, wishes, progress=progress)
        self.results_: tuple[Trial, ...] = compared.rows
        self.labels_ = self.grouped_.labels
        self.n_clusters_ = len(self.grouped_.numbers)
        self.cluster_centers_ = self.grouped_.clusterer.cluster_centers_
        self.outliers_ = self.grouped_.outliers
        self.model_ = model_of(self.grouped_)
        self._predictor = Predictor(self.model_, options.runtime)
        return self

    def fit_predict(self, X: Any, y: Any = None, **kwargs: Any) -> NDArray[np.int64]:
        """Find the groups and return `labels_`."""
        labels: NDArray[np.int64] = self.fit(X, y, **kwargs).labels_
        return labels

    def plan(self, X: Any) -> GroupingPlan:
        """Say what `fit` would cost, without doing it."""
        return plan_grouping(read_dataset(X), self._options())

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Return the group of each image, int64 (n,); -1 for noise.

        Raises
        ------
        ImageError
            An image cannot be read.
        """
        check_is_fitted(self, "model_")
        names = self.model_.classes
        numbers: NDArray[np.int64] = np.array([NOISE if name == "noise" else int(name) for name in names])
        groups: NDArray[np.int64] = numbers[self._predictor.predict_proba(X).argmax(axis=1)]
        return groups

    def representatives(self, k: int = 1) -> dict[int, NDArray[np.int64]]:
        """Return each group's `k` most typical images, by their place; the first is its medoid."""
        return self._groups().representatives(k)

    def borderline(self, k: int = 10) -> dict[int, NDArray[np.int64]]:
        """Return each group's `k` most doubtful images, by their place, the least confident first."""
        return self._groups().borderline(k)

    def hierarchy(self) -> MergeTree:
        """Return how the groups join to larger ones (see `GroupedImages.hierarchy`)."""
        return self._groups().hierarchy()

    def save(self, path: str | PathLike[str], *, force: bool = False) -> None:
        """Write the groups as one portable `.onnx` file: an image in, its group out.

        Raises
        ------
        OutputError
            It exists and `force` is false, or cannot be written.
        """
        check_is_fitted(self, "model_")
        self.model_.save(path, force=force)

    @classmethod
    def load(cls, path: str | PathLike[str], runtime: Runtime | None = None) -> Self:
        """Open a model file that `save` wrote, to `predict` with; the images it was made of are not in it.

        Raises
        ------
        ModelFileError
            It is missing, damaged, or a classifier's.
        """
        model: ModelFile = read_model_file(path)
        if model.details.get("kind") != "clusterer":
            raise ModelFileError(f"{path}: a classifier, not groups. Open it with genus.load.")
        made = cls(runtime=runtime)
        made.model_, made.n_clusters_ = model, sum(name != "noise" for name in model.classes)
        made._predictor = Predictor(model, runtime)
        return made

    def _groups(self) -> GroupedImages:
        check_is_fitted(self, "grouped_")
        groups: GroupedImages = self.grouped_
        return groups

    def _options(self, command: str | None = None) -> GroupingOptions:
        return GroupingOptions(
            feature_set=chosen_features(self.preset, self.features, self.precision),
            n_clusters=self.n_clusters,
            n_components=self.n_components,
            algorithms=self.algorithms,
            metric=self.metric,
            runtime=self.runtime or Runtime(),
            random_state=self.random_state,
            command=command,
        )
