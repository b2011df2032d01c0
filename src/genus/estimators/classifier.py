"""`ImageClassifier`: labelled images in, a tried, evaluated, portable classifier out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from genus.classify.leaderboard import LeaderboardRow
from genus.data.dataset import Dataset
from genus.data.read import read_dataset
from genus.data.taxonomies import TaxonomySource, TaxonomyWish
from genus.errors import ParameterError
from genus.estimators.adding import add_images
from genus.estimators.given_types import in_given_type, single_labels
from genus.estimators.network_options import NetworkOptions
from genus.estimators.planning import plan_training
from genus.estimators.result import TrainingPlan
from genus.estimators.training import train
from genus.estimators.training_options import TrainingOptions
from genus.features.feature_set import FeatureSet, PrecisionName, chosen_features
from genus.features.runtime import Runtime
from genus.judgement import EvaluationResult
from genus.metrics.evaluation import Evaluation
from genus.metrics.label_evaluation import LabelEvaluation
from genus.model_file import ModelFile
from genus.predictor import Predictor
from genus.progress import SILENT, Progress


class ImageClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Train an image classifier: features, several heads compared, the best kept, honestly evaluated.

    Parameters
    ----------
    preset : {"fast", "balanced", "best"}, default "balanced"
        How much is computed from each image, and how many heads are tried.
    features : str, FeatureSet or None
        What is computed instead, such as "efficientnet-lite2@320" (see `parse_feature_set`).
    precision : {"int8", "float32"}, default "int8"
        How networks are run, where `features` is a string or None.
    heads : sequence of str or heads, or None
        The heads to try; None for the preset's.
    metric : str, default "auto"
        What candidates are compared by: "accuracy" (which "auto" stands for), "balanced_accuracy", "macro_f1" or
        "log_loss"; with several labels an image "mean_average_precision" ("auto"), "macro_f1", "micro_f1" or
        "log_loss".
    multilabel : "auto" or bool, default "auto"
        Whether an image may have several labels, or none. "auto" finds out from the data: a table with lists of
        labels or with columns of 0 and 1, `y` as a list of lists or sets of names, or an indicator matrix.
    aim : str, default "f1"
        With several labels an image: what each label's threshold is tuned for. "f1", "precision>=0.9" (as many as
        can be found at that precision), "recall>=0.95" or "cost=5" (a missed label costs five false ones).
    taxonomy : "auto", str, sequence of str, mapping or None, default "auto"
        The tree that the classes form. "auto": class names such as "Plantae/Asteraceae" are paths, if two share their
        first part; "folders": so are folders within class folders; "family,species" or a list: columns of the table,
        the highest level first; a table's name: one with the columns `child` and `parent`; a mapping: the parent of
        each taxon; None: no tree. See `genus.data.taxonomies.TaxonomyWish`.
    time_budget : float or None
        Seconds for the whole of `fit`; when they are over, no further candidate is begun.
    test_size : float, default 0.2
        The share of images that only judge; ignored where the data marks its own test images.
    refit : bool, default True
        Whether the final model learns from all images, save those marked as test.
    class_weight : {"auto", "balanced"} or None, default "auto"
        Whether rare classes count more; "auto" finds out whether it helps.
    calibration : {"auto", "none", "temperature", "platt", "isotonic"}, default "auto"
        How scores become probabilities; "auto" takes the simplest that cross-validation cannot tell from a better one
        (see `genus.classify.calibration_choice`).
    costs : matrix, mapping, or None
        With one class an image: what it costs to take an image of one class for another, true by predicted: a (c, c)
        array in the order of the sorted classes, or by name, as in `{"tumour": {"healthy": 20}}` (what is left out
        costs 1). `predict` then answers what costs least; probabilities stay as they are.
    memory : bool, default True
        Whether the model keeps what `partial_fit` needs (the classes' means and the spread around them), and what
        `reject` needs (the features of up to 1,500 images): a few megabytes.
    cnn : str, NetworkOptions or None
        A convolutional network to train beside the heads, which needs the extra `cnn`: "finetune", "scratch" or a
        network's name (see `NetworkOptions`). It is kept, alone or together with the frozen features, if it is better.
    runtime : Runtime or None
        Engine, workers, cache, limits: nothing that changes what is learned.
    random_state : int or None
        The seed of the splits and of everything random.

    Attributes
    ----------
    classes_ : (c,) array
        The classes, naturally sorted, in the type they were given in.
    leaderboard_ : tuple of LeaderboardRow
        All candidates, best first.
    evaluation_ : Evaluation
        The honest figures, from images that were never used to choose anything.
    result_ : TrainingResult
        Everything worth knowing about the training.
    model_ : ModelFile
        What `save` writes; predictions run through it.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> images = np.repeat(np.repeat(digits.images[:200] * 15, 8, 1), 8, 2).astype(np.uint8)
    >>> clf = ImageClassifier("fast", features="thumbnail@32", random_state=0)
    >>> clf = clf.fit(images, digits.target[:200])
    >>> clf.predict(images[:3])
    array([0, 1, 2])
    """

    def __init__(
        self,
        preset: str = "balanced",
        *,
        features: str | FeatureSet | None = None,
        precision: PrecisionName = "int8",
        heads: Sequence[Any] | None = None,
        metric: str = "auto",
        multilabel: bool | str = "auto",
        aim: str = "f1",
        taxonomy: TaxonomySource = "auto",
        costs: Any = None,
        time_budget: float | None = None,
        test_size: float = 0.2,
        refit: bool = True,
        class_weight: str | None = "auto",
        calibration: str = "auto",
        memory: bool = True,
        cnn: str | NetworkOptions | None = None,
        runtime: Runtime | None = None,
        random_state: int | None = None,
    ) -> None:
        self.preset = preset
        self.features = features
        self.precision = precision
        self.heads = heads
        self.metric = metric
        self.multilabel = multilabel
        self.aim = aim
        self.taxonomy = taxonomy
        self.costs = costs
        self.time_budget = time_budget
        self.test_size = test_size
        self.refit = refit
        self.class_weight = class_weight
        self.calibration = calibration
        self.memory = memory
        self.cnn = cnn
        self.runtime = runtime
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        unlabelled: Any = None,
        progress: Progress = SILENT,
        command: str | None = None,
    ) -> Self:
        """Train.

        Parameters
        ----------
        X : folder, table, list of paths, arrays or PIL images, DataFrame, or Dataset
            Anything `genus.read_dataset` reads.
        y : sequence of n labels, of n lists of labels, indicator matrix (n, c), or None
            For images in a list or array.
        unlabelled : images or None
            A pile of images of the same kind without labels, which helps where there are up to five labelled ones a
            class; anything `genus.read_dataset` reads.
        progress : Progress
            Told what is being done.
        command : str or None
            Kept in the model file, so that others can repeat it.

        Raises
        ------
        DataError
            Nothing readable, one class only, too few images.
        ParameterError
            A parameter cannot work.
        """
        options = self._options(command)
        if unlabelled is not None:
            options = replace(options, unlabelled=read_dataset(unlabelled))
        data = self._read(X, y)
        self.model_, self.result_ = train(data, options, progress=progress)
        self.classes_ = in_given_type(self.model_.classes, y)
        self._predictor = Predictor(self.model_, options.runtime)
        return self

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        *,
        unlabelled: Any = None,
        progress: Progress = SILENT,
        command: str | None = None,
    ) -> Self:
        """Add images and classes without the images learned from before; the first call is `fit`.

        The classifier becomes a linear discriminant analysis, and `result_` tells of the new images only (see
        `genus.estimators.adding.add_images`).

        Parameters
        ----------
        X, y, unlabelled, progress, command
            As for `fit`; only the first call heeds `unlabelled`.

        Raises
        ------
        DataError
            There are no labelled images that are new and can be read.
        ParameterError
            The model has no memory: `memory=False`, or several labels an image.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> digits = load_digits()
        >>> images = np.repeat(np.repeat(digits.images[:200] * 15, 8, 1), 8, 2).astype(np.uint8)
        >>> small, more = digits.target[:200] < 3, digits.target[:200] == 3
        >>> clf = ImageClassifier("fast", features="thumbnail@32", random_state=0)
        >>> clf = clf.fit(images[small], digits.target[:200][small])
        >>> clf.partial_fit(images[more], digits.target[:200][more]).classes_
        array([0, 1, 2, 3])
        """
        if not hasattr(self, "model_"):
            return self.fit(X, y, unlabelled=unlabelled, progress=progress, command=command)
        old, runtime = self.classes_, self.runtime or Runtime()
        self.model_, self.result_ = add_images(
            self.model_,
            self._read(X, y),
            runtime=runtime,
            random_state=self.random_state,
            command=command,
            progress=progress,
        )
        given = {str(name): name for name in old.tolist()}
        if y is not None and not isinstance(y, Dataset):
            given |= {str(name): name for name in single_labels(y)}
        self.classes_ = np.asarray([given.get(name, name) for name in self.model_.classes])
        self._predictor = Predictor(self.model_, self.runtime)
        return self

    def resume(self, model: ModelFile) -> Self:
        """Take a finished model, as `genus.model_file.read_model_file` reads it, to predict with and to add to.

        `result_` and what hangs on it stay unknown until `partial_fit` or `fit`.
        """
        self.model_ = model
        self.classes_ = np.asarray(model.classes)
        self._predictor = Predictor(model, self.runtime)
        return self

    def plan(self, X: Any, y: Any = None) -> TrainingPlan:
        """Say what `fit` would do and what it would cost, without doing it."""
        return plan_training(self._read(X, y), self._options())

    @property
    def leaderboard_(self) -> tuple[LeaderboardRow, ...]:
        """All candidates, best first."""
        return self._fitted().result_.leaderboard

    @property
    def evaluation_(self) -> Evaluation | LabelEvaluation:
        """The honest figures."""
        return self._fitted().result_.evaluation

    def predict(
        self,
        X: Any,
        *,
        coverage: float | None = None,
        by_class: bool = False,
        threshold: float | Mapping[str, float] | None = None,
        costs: Any = None,
        reject: float | str | None = None,
    ) -> NDArray[Any]:
        """Return the most probable class of each image, or sets of classes.

        Where an image may have several labels, a set each: those above their threshold.

        Parameters
        ----------
        X : images
        coverage : float or None
            Between 0 and 1: return enough classes for the true one to be among them in so large a share of images.
        by_class : bool, default False
            With `coverage`: make that hold for each class by itself.
        threshold : float, mapping of str to float, or None
            With several labels an image: the probability from which on a label is named, for all or for some; None
            for those tuned in training.
        costs : matrix, mapping, or None
            What mistakes cost; None for those given in training, if any; False for none.
        reject : float, "auto" or None
            As for `genus.predictor.Predictor.predict`.

        Returns
        -------
        (n,) array
            Classes; for sets an object array of tuples of classes, the most probable first.
        """
        predictor = self._fitted()._predictor
        names, rules = self.classes_.tolist(), predictor.rules
        answers = rules.answers(
            coverage=coverage, by_class=by_class, threshold=threshold, costs=costs, reject=reject, names=names
        )
        return answers(*predictor.run(X, novelty=answers.needs_novelty))

    def predict_taxa(
        self, X: Any, *, coverage: float = 0.95, reject: float | str | None = None
    ) -> NDArray[np.str_]:
        """Return the deepest taxon that is sure of each image, (n,) str; see `genus.predictor.Predictor`."""
        return self._fitted()._predictor.predict_taxa(X, coverage=coverage, reject=reject)

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Return calibrated probabilities, float32 (n, c), columns in `classes_` order.

        Raises
        ------
        ImageError
            An image cannot be read.
        """
        return self._fitted()._predictor.predict_proba(X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the accuracy on labelled images; with several labels an image, the share of sets entirely right."""
        right = self._fitted()._predictor.is_right(self._read(X, y).labelled())
        return float(np.average(right, weights=sample_weight))

    def evaluate(self, X: Any, y: Any = None, *, progress: Progress = SILENT) -> EvaluationResult:
        """Measure on labelled images, with intervals."""
        data = self._read(X, y)
        return self._fitted()._predictor.evaluate(data, progress=progress)

    def save(self, path: str | PathLike[str], *, force: bool = False) -> None:
        """Write the model as one portable `.onnx` file (see `genus.model_file`).

        Raises
        ------
        OutputError
            It exists and `force` is false, or cannot be written.
        """
        model: ModelFile = self._fitted().model_
        model.save(path, force=force)

    def _fitted(self) -> Self:
        check_is_fitted(self, "model_")
        return self

    def _read(self, X: Any, y: Any) -> Dataset:
        if self.multilabel not in ("auto", True, False):
            raise ParameterError(f'multilabel={self.multilabel!r}: expected "auto", True or False.')
        wanted = None if self.multilabel == "auto" else bool(self.multilabel)
        reading = TaxonomyWish.of(self.taxonomy).table_options()
        return read_dataset(X, y, options=reading, multilabel=wanted)

    def _options(self, command: str | None = None) -> TrainingOptions:
        if not isinstance(self.test_size, (int, float)) or not 0 < self.test_size < 1:
            raise ParameterError(f"test_size must be between 0 and 1, not {self.test_size!r}.")
        if self.time_budget is not None and not self.time_budget > 0:  # NaN neither
            raise ParameterError(
                f"time_budget must be a number of seconds above 0, not {self.time_budget!r}."
            )
        return TrainingOptions(
            feature_set=chosen_features(self.preset, self.features, self.precision),
            heads=self.heads if self.heads is not None else self.preset,
            metric=self.metric,
            aim=self.aim,
            taxonomy=TaxonomyWish.of(self.taxonomy),
            costs=self.costs,
            time_budget=self.time_budget,
            test_size=self.test_size,
            refit=self.refit,
            class_weight=self.class_weight,
            calibration=self.calibration,
            memory=self.memory,
            network=NetworkOptions.of(self.cnn),
            runtime=self.runtime or Runtime(),
            random_state=self.random_state,
            command=command,
        )
