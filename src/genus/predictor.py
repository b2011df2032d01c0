"""Using a model file: pictures in, class names and probabilities out.

No scikit-learn is imported here, so that one prediction from the command line starts in a fraction of a second.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import Dataset, SkippedImage
from genus.errors import DataError, ImageError
from genus.features.engines import Runner
from genus.features.in_order import in_order
from genus.features.runtime import Runtime
from genus.images.preprocess import load_pixels
from genus.images.source import ImageSource
from genus.judgement import (
    EvaluationResult,
    as_label_sets,
    evaluate_label_sets,
    evaluate_predictions,
)
from genus.judgement_of_unknown import with_rejection
from genus.metrics.conformal import ConformalScores
from genus.metrics.label_conformal import LabelScores
from genus.model_file import ModelFile, read_model_file
from genus.progress import SILENT, Progress
from genus.rules import Rules


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
    novelty : (k,) float32 or None
        How unlike the training images they are, where that was asked for.
    """

    indices: NDArray[np.int64]
    proba: NDArray[np.float32]
    skipped: tuple[tuple[int, SkippedImage], ...]
    content_hashes: tuple[str, ...]
    novelty: NDArray[np.float32] | None = None


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
    rules : Rules
        How probabilities become names: thresholds, sets, costs, trees, the unknown.

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
        self.rules = Rules(model)
        self._runners: dict[tuple[int, bool, bool], Runner] = {}

    def predict(
        self,
        images: Any,
        *,
        coverage: float | None = None,
        by_class: bool = False,
        threshold: float | Mapping[str, float] | None = None,
        costs: Any = None,
        reject: float | str | None = None,
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
        reject : float, "auto" or None
            Between 0 and 1: answer "unknown" for images less like the training images than all but so large a share of
            known ones is; "auto" is 0.05. None: name a class for any image.

        Returns
        -------
        (n,) str, or for sets of names (n,) object
            Names; or tuples of names, the most probable first; "unknown" alone for what is rejected.

        Raises
        ------
        ImageError
            An image cannot be read; use `stream` to be told and go on.
        ParameterError
            `coverage`, `threshold` or `reject` is not between 0 and 1, or the model has not what it takes.
        """
        answers = self.rules.answers(
            coverage=coverage, by_class=by_class, threshold=threshold, costs=costs, reject=reject
        )
        return answers(*self.run(images, novelty=answers.needs_novelty))

    def predict_taxa(
        self, images: Any, *, coverage: float = 0.95, reject: float | str | None = None
    ) -> NDArray[np.str_]:
        """Return the deepest taxon that is sure of each image, of a model whose classes form a tree.

        Parameters
        ----------
        images : anything `genus.read_dataset` reads
        coverage : float, default 0.95
            Between 0 and 1: in so large a share of images the true class shall be that taxon or below it.
        reject : float, "auto" or None
            As for `predict`.

        Returns
        -------
        (n,) str
            Paths such as "Plantae/Asteraceae"; empty where not even the uppermost taxon is sure.

        Raises
        ------
        ImageError
            An image cannot be read.
        ParameterError
            `coverage` or `reject` is not between 0 and 1, or the classes form no tree.
        """
        sure, answers = self.rules.sure_taxa(coverage), self.rules.answers(reject=reject)
        proba, novelty = self.run(images, novelty=answers.needs_novelty)
        paths, unknown = sure.paths(proba, coverage), answers.are_unknown(novelty)
        return paths if unknown is None else np.where(unknown, answers.unknown, paths)

    def predict_proba(self, images: Any) -> NDArray[np.float32]:
        """Return the calibrated probabilities, float32 (n, c); raises as `predict` does."""
        return self.run(images)[0]

    def novelty(self, images: Any) -> NDArray[np.float32]:
        """Return how unlike the training images each image is, float32 (n,): 0 for one of them, seldom above 1.

        Raises
        ------
        ImageError
            An image cannot be read.
        ParameterError
            The model cannot tell.
        """
        self.rules.reject_above("auto")  # raises where it cannot
        found = self.run(images, novelty=True)[1]
        return np.zeros(0, np.float32) if found is None else found

    def run(
        self, images: Any, *, novelty: bool = False
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return the probabilities, and if asked for the novelty of each image; raises as `predict` does."""
        sources = _sources(images)
        proba = np.empty((len(sources), len(self.classes_)), np.float32)
        novel = np.empty(len(sources), np.float32) if novelty else None
        for batch in self.stream(sources, novelty=novelty):
            for _, skipped in batch.skipped:
                raise ImageError(skipped.source, skipped.reason)
            proba[batch.indices] = batch.proba
            if novel is not None:
                novel[batch.indices] = batch.novelty
        return proba, novel

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
        named = self.rules.thresholds().apply(self.predict_proba(data))
        return np.asarray(((truth < 0) | (named == (truth == 1))).all(axis=1), np.bool_)

    def stream(
        self, sources: Sequence[ImageSource], *, progress: Progress = SILENT, novelty: bool = False
    ) -> Iterator[PredictedBatch]:
        """Predict batch by batch, in the order of the sources and in bounded memory.

        `novelty` asks for that of each image too, of a model that can tell it. An image that cannot be read is in its
        batch's `skipped`; nothing is raised for it.
        """
        n_workers = self.runtime.n_workers(max(1, len(sources)))
        size = max(1, min(self.runtime.batch_size, -(-len(sources) // n_workers)))
        runner = self._runner(n_workers, len(sources), novelty)
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
        known = self.rules.known_scores()
        batches = list(self.stream(data.sources, progress=progress, novelty=known is not None))
        kept = np.concatenate([batch.indices for batch in batches])
        skipped = tuple(skip for batch in batches for _, skip in batch.skipped)
        if not len(kept):
            raise DataError(
                f"{dataset.origin}: none of the {len(data)} images can be read: {skipped[0].reason}."
            )
        n_seen = self.model.n_seen([content for batch in batches for content in batch.content_hashes])
        result = self._judge(
            data.take(kept),
            np.concatenate([batch.proba for batch in batches]),
            skipped=(*data.skipped, *skipped),
            seconds=time.perf_counter() - start,
            random_state=random_state,
            n_seen=n_seen,
        )
        if known is None:
            return result
        novelty = np.concatenate([batch.novelty for batch in batches if batch.novelty is not None])
        return with_rejection(result, data.take(kept), novelty, known, self.model.classes, self.rules.sure())

    def _judge(self, data: Dataset, proba: NDArray[np.float32], **about: Any) -> EvaluationResult:
        scores = self.rules.scores()
        if self.model.multilabel:
            found = scores if isinstance(scores, LabelScores) else None
            return evaluate_label_sets(data, proba, self.rules.thresholds(), scores=found, **about)
        if data.is_multilabel:
            raise DataError(
                f"{data.origin}: its images may have several labels, but the model names one class an image."
            )
        plain = scores if isinstance(scores, ConformalScores) else None
        sure, costs = self.rules.sure(), self.rules.costs()
        return evaluate_predictions(
            data, proba, self.model.classes, scores=plain, sure=sure, costs=costs, **about
        )

    def _runner(self, n_workers: int, n_images: int, novelty: bool) -> Runner:
        key = n_workers, n_images >= 200, novelty
        if key not in self._runners:
            self._runners[key] = self.model.open(
                engine=self.runtime.engine,
                workers=n_workers,
                n_images=n_images,
                outputs=("probabilities", "novelty") if novelty else ("probabilities",),
            )
        return self._runners[key]

    def _predict_span(self, sources: Sequence[ImageSource], span: range, runner: Runner) -> PredictedBatch:
        indices: list[int] = []
        pixels: list[NDArray[np.uint8]] = []
        contents: list[str] = []
        skipped: list[tuple[int, SkippedImage]] = []
        for i in span:
            try:
                seen, info = load_pixels(sources[i], self.model.preprocess, self.runtime.limits)
                pixels.append(seen)
                contents.append(info.content_hash)
                indices.append(i)
            except ImageError as error:
                skipped.append((i, SkippedImage(error.source, error.reason)))
        found = runner(np.stack(pixels)) if pixels else {}
        proba = found.get("probabilities", np.empty((0, len(self.classes_)), np.float32))
        return PredictedBatch(
            np.array(indices, np.int64), proba, tuple(skipped), tuple(contents), found.get("novelty")
        )


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
