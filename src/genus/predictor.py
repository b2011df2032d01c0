"""Using a model file: pictures in, class names and probabilities out.

No scikit-learn is imported here, so that one prediction from the command line starts in a fraction of a second.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import Dataset, SkippedImage
from genus.errors import DataError, ImageError, ParameterError
from genus.features.engines import Runner
from genus.features.in_order import in_order
from genus.features.runtime import Runtime
from genus.images.preprocess import load_image
from genus.images.source import ImageSource
from genus.judgement import (
    EvaluationResult,
    as_label_sets,
    evaluate_label_sets,
    evaluate_predictions,
    name_sets,
)
from genus.metrics.conformal import ConformalScores, check_coverage
from genus.metrics.costs import Costs
from genus.metrics.label_conformal import LabelScores
from genus.metrics.sure import SureTaxa
from genus.metrics.thresholds import Thresholds
from genus.model_file import ModelFile, read_model_file
from genus.progress import SILENT, Progress


@dataclass(frozen=True, slots=True, eq=False)
class PredictedBatch:
    """Predictions for a few images.

    Attributes
    ----------
    indices : (k,) int64
        Index of each row's source.
    proba : (k, c) float32
        Calibrated probabilities.
    skipped : tuple of (int, SkippedImage)
        The images of this batch that could not be read, with the index of their source.
    content_hashes : tuple of k str
        What the images are, byte by byte.
    """

    indices: NDArray[np.int64]
    proba: NDArray[np.float32]
    skipped: tuple[tuple[int, SkippedImage], ...]
    content_hashes: tuple[str, ...]


class Predictor:
    """A model file, ready for use.

    Parameters
    ----------
    model : ModelFile
        From `genus.model_file.read_model_file`, or built by training.
    runtime : Runtime
        Engine, workers, limits.

    Attributes
    ----------
    classes_ : (c,) str
        Class names, in the order of the columns of `predict_proba`.

    Examples
    --------
    >>> from sklearn.datasets import load_sample_image
    >>> model = built_in()
    >>> str(model.predict([load_sample_image("china.jpg")])[0])
    'palace'
    """

    def __init__(self, model: ModelFile, runtime: Runtime | None = None) -> None:
        self.model = model
        self.runtime = runtime or Runtime()
        self.classes_ = np.asarray(model.classes)
        self._runners: dict[tuple[int, bool], Runner] = {}

    def predict(
        self,
        images: Any,
        *,
        coverage: float | None = None,
        by_class: bool = False,
        threshold: float | Mapping[str, float] | None = None,
        costs: Any = None,
    ) -> NDArray[Any]:
        """Return the most probable class name of each image, or sets of names.

        Where an image may have several labels, a set of names each: those above their threshold.

        Parameters
        ----------
        images : anything `genus.read_dataset` reads
            A folder, a list of paths, arrays or PIL images ...
        coverage : float or None
            Between 0 and 1: return enough names for the true one to be among them in so large a share of images.
        by_class : bool, default False
            With `coverage`: make that hold for each class by itself. With several labels an image it always does.
        threshold : float, mapping of str to float, or None
            With several labels an image: the probability from which on a label is named, for all or for some; None
            for those tuned in training.
        costs : matrix, mapping, or None
            What mistakes cost (see `genus.metrics.costs.Costs.of`): return the cheapest answer instead of the most
            probable one. None for the costs in the file, if there are any; False for none.

        Returns
        -------
        (n,) str, or for sets of names (n,) object
            Names; or tuples of names, the most probable first.

        Raises
        ------
        ImageError
            An image cannot be read; use `stream` to be told and go on.
        ParameterError
            `coverage` or `threshold` is not between 0 and 1, or the model has nothing to make sets from.
        """
        choose = self.chooser(coverage, by_class=by_class, threshold=threshold)
        proba = self.predict_proba(images)
        if choose is None:
            priced = self.costs(costs)
            return np.asarray(self.classes_[proba.argmax(axis=1)] if priced is None else priced.names(proba))
        return name_sets(proba, choose(proba), self.model.classes)

    def chooser(
        self,
        coverage: float | None = None,
        *,
        by_class: bool = False,
        threshold: float | Mapping[str, float] | None = None,
    ) -> Callable[[NDArray[np.float32]], NDArray[np.bool_]] | None:
        """Return what chooses names from probabilities, (n, c) to bool (n, c); None: the most probable one.

        Raises
        ------
        ParameterError
            See `predict`.
        """
        several = self.model.multilabel
        if threshold is not None and (not several or coverage is not None):
            with_one = "a threshold is for models with several labels an image; this one names one class"
            raise ParameterError(f"{with_one}." if not several else "take either a threshold or a coverage.")
        if coverage is not None:
            scores = self.conformal(coverage)
            if isinstance(scores, LabelScores):
                return lambda proba: scores.sets(proba, coverage)
            return lambda proba: scores.sets(proba, coverage, by_class=by_class)
        if not several:
            return None
        tuned = self.thresholds()
        return (tuned if threshold is None else tuned.changed(threshold)).apply

    def costs(self, given: Any = None) -> Costs | None:
        """Return what mistakes cost: as given, else as the file says, else None; False is None.

        Raises
        ------
        ParameterError
            They do not fit the classes, or the model gives several labels an image.
        """
        stored = self.model.details.get("costs")
        if given is False or (given is None and stored is None):
            return None
        if self.model.multilabel:
            raise ParameterError(
                "with several labels an image, say what a missed label costs when training: aim."
            )
        return Costs.of(stored if given is None else given, self.model.classes)

    def thresholds(self) -> Thresholds:
        """Return the thresholds in the file of a model with several labels an image.

        Raises
        ------
        ParameterError
            It names one class an image.
        """
        if not self.model.multilabel:
            raise ParameterError("this model names one class an image, so it has no thresholds.")
        return Thresholds.from_dict(self.model.details["thresholds"], self.model.classes)

    def conformal(self, coverage: float) -> ConformalScores | LabelScores:
        """Return what sets of names are made with.

        Raises
        ------
        ParameterError
            `coverage` is not between 0 and 1, or the model has nothing to make sets from.
        """
        check_coverage(coverage)
        found = self._scores()
        if found is None:
            raise ParameterError(
                "this model cannot say how many names are enough: it is no classifier that this version of Genus has "
                "trained. Train it anew."
            )
        return found

    def _scores(self) -> ConformalScores | LabelScores | None:
        known = self.model.details.get("conformal")
        if known is None:
            return None
        return LabelScores.from_dict(known) if self.model.multilabel else ConformalScores.from_dict(known)

    def predict_taxa(self, images: Any, *, coverage: float = 0.95) -> NDArray[np.str_]:
        """Return the deepest taxon that is sure of each image, of a model whose classes form a tree.

        Parameters
        ----------
        images : anything `genus.read_dataset` reads
        coverage : float, default 0.95
            Between 0 and 1: in so large a share of images the true class shall be that taxon or below it.

        Returns
        -------
        (n,) str
            Paths such as "Plantae/Asteraceae"; empty where not even the uppermost taxon is sure. Raises as
            `predict_proba` and `sure_taxa` do.
        """
        return self.sure_taxa(coverage).paths(self.predict_proba(images), coverage)

    def sure_taxa(self, coverage: float = 0.95) -> SureTaxa:
        """Return the tree that the classes form, and what is needed to stop where it is sure.

        Raises
        ------
        ParameterError
            `coverage` is not between 0 and 1, or the classes form no tree.
        """
        check_coverage(coverage)
        if (found := self._sure()) is None:
            raise ParameterError(
                "this model's classes form no tree: train it with names such as Plantae/Rosa, or with --taxonomy."
            )
        return found

    def _sure(self) -> SureTaxa | None:
        known = self.model.details.get("taxonomy")
        return None if known is None else SureTaxa.from_dict(known)

    def predict_proba(self, images: Any) -> NDArray[np.float32]:
        """Return the calibrated probabilities, float32 (n, c); raises as `predict` does."""
        sources = _sources(images)
        proba = np.empty((len(sources), len(self.classes_)), np.float32)
        for batch in self.stream(sources):
            for _, skipped in batch.skipped:
                raise ImageError(skipped.source, skipped.reason)
            proba[batch.indices] = batch.proba
        return proba

    def score(self, X: Any, y: Any = None) -> float:
        """Return the accuracy on labelled images; X and y as for `genus.read_dataset`.

        With several labels an image it is scikit-learn's subset accuracy: the share of images whose set is right.
        """
        from genus.data.read import read_dataset

        data = read_dataset(X, y).labelled()
        if not len(data):
            raise DataError(f"{data.origin}: no labelled images, so there is no score.")
        return float(np.mean(self.is_right(data)))

    def is_right(self, data: Dataset) -> NDArray[np.bool_]:
        """Tell which labelled images are predicted right, (n,); unknown labels are given the benefit."""
        if not self.model.multilabel:
            return np.asarray(self.predict(data) == np.asarray(data.labels), np.bool_)
        truth = as_label_sets(data).aligned(self.model.classes)
        named = self.thresholds().apply(self.predict_proba(data))
        return np.asarray(((truth < 0) | (named == (truth == 1))).all(axis=1), np.bool_)

    def stream(
        self, sources: Sequence[ImageSource], *, progress: Progress = SILENT
    ) -> Iterator[PredictedBatch]:
        """Predict batch by batch, in the order of the sources and in bounded memory.

        An image that cannot be read is in its batch's `skipped`; nothing is raised for it.
        """
        n_workers = self.runtime.n_workers(max(1, len(sources)))
        size = max(1, min(self.runtime.batch_size, -(-len(sources) // n_workers)))
        runner = self._runner(n_workers, len(sources))
        spans = (range(i, min(i + size, len(sources))) for i in range(0, len(sources), size))
        with progress.task("predictions", total=len(sources), unit="images") as task:
            for batch in in_order(lambda span: self._predict_span(sources, span, runner), spans, n_workers):
                task.advance(len(batch.indices) + len(batch.skipped))
                yield batch

    def evaluate(
        self, dataset: Dataset, *, progress: Progress = SILENT, random_state: int | None = 0
    ) -> EvaluationResult:
        """Measure the model on labelled images.

        Raises
        ------
        DataError
            No image has a label, none can be read, or none belongs to a class of the model.
        """
        start = time.perf_counter()
        data = dataset.labelled()
        if not len(data):
            raise DataError(f"{dataset.origin}: no labelled images to evaluate on.")
        batches = list(self.stream(data.sources, progress=progress))
        kept = np.concatenate([batch.indices for batch in batches])
        skipped = tuple(skip for batch in batches for _, skip in batch.skipped)
        if not len(kept):
            raise DataError(
                f"{dataset.origin}: none of the {len(data)} images can be read: {skipped[0].reason}."
            )
        n_seen = self.model.n_seen([content for batch in batches for content in batch.content_hashes])
        return self._judge(
            data.take(kept),
            np.concatenate([batch.proba for batch in batches]),
            skipped=(*data.skipped, *skipped),
            seconds=time.perf_counter() - start,
            random_state=random_state,
            n_seen=n_seen,
        )

    def _judge(self, data: Dataset, proba: NDArray[np.float32], **about: Any) -> EvaluationResult:
        scores = self._scores()
        if self.model.multilabel:
            found = scores if isinstance(scores, LabelScores) else None
            return evaluate_label_sets(data, proba, self.thresholds(), scores=found, **about)
        if data.is_multilabel:
            raise DataError(
                f"{data.origin}: its images may have several labels, but the model names one class an image."
            )
        plain = scores if isinstance(scores, ConformalScores) else None
        sure, costs = self._sure(), self.costs()
        return evaluate_predictions(
            data, proba, self.model.classes, scores=plain, sure=sure, costs=costs, **about
        )

    def _runner(self, n_workers: int, n_images: int) -> Runner:
        key = n_workers, n_images >= 200
        if key not in self._runners:
            self._runners[key] = self.model.open(
                engine=self.runtime.engine, workers=n_workers, n_images=n_images
            )
        return self._runners[key]

    def _predict_span(self, sources: Sequence[ImageSource], span: range, runner: Runner) -> PredictedBatch:
        indices: list[int] = []
        pixels: list[NDArray[np.uint8]] = []
        contents: list[str] = []
        skipped: list[tuple[int, SkippedImage]] = []
        for i in span:
            try:
                image = load_image(sources[i], self.model.preprocess, self.runtime.limits)
                pixels.append(image.pixels)
                contents.append(image.info.content_hash)
                indices.append(i)
            except ImageError as error:
                skipped.append((i, SkippedImage(error.source, error.reason)))
        proba = np.empty((0, len(self.classes_)), np.float32)
        if pixels:
            proba = runner(np.stack(pixels))["probabilities"]
        return PredictedBatch(np.array(indices, np.int64), proba, tuple(skipped), tuple(contents))


def load(path: str | PathLike[str], runtime: Runtime | None = None) -> Predictor:
    """Open a model file for use.

    Raises
    ------
    ModelFileError
        It is missing, damaged, not written by Genus, or written by a newer version.
    """
    return Predictor(read_model_file(path), runtime)


def built_in(runtime: Runtime | None = None) -> Predictor:
    """Return the built-in model: EfficientNet-Lite2 and the 1000 classes of ImageNet.

    It is put together from the installed weights on first use (about a second) and kept in the cache folder.
    """
    from genus.imagenet import imagenet_model

    return Predictor(imagenet_model(), runtime)


def _sources(images: Any) -> Sequence[ImageSource]:
    from genus.data.read import read_dataset

    sources: Sequence[ImageSource] = read_dataset(images).sources
    return sources
