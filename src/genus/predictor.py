"""Using a model file: pictures in, class names and probabilities out.

No scikit-learn is imported here, so that one prediction from the command line starts in a fraction of a second.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import Dataset, SkippedImage
from genus.errors import DataError, ImageError, ParameterError
from genus.features.engines import Runner
from genus.features.runtime import Runtime
from genus.images.preprocess import load_image
from genus.images.source import ImageSource
from genus.judgement import EvaluationResult, evaluate_predictions, name_sets
from genus.metrics.conformal import ConformalScores, check_coverage
from genus.model_file import ModelFile, read_model_file
from genus.progress import SILENT, Progress

if TYPE_CHECKING:
    pass

_AHEAD = 3  # batches in flight for each worker


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

    def predict(self, images: Any, *, coverage: float | None = None, by_class: bool = False) -> NDArray[Any]:
        """Return the most probable class name of each image, or sets of names.

        Parameters
        ----------
        images : anything `genus.read_dataset` reads
            A folder, a list of paths, arrays or PIL images ...
        coverage : float or None
            Between 0 and 1: return enough names for the true one to be among them in so large a share of images.
        by_class : bool, default False
            With `coverage`: make that hold for each class by itself.

        Returns
        -------
        (n,) str, or with `coverage` (n,) object
            Names; or tuples of names, the most probable first.

        Raises
        ------
        ImageError
            An image cannot be read; use `stream` to be told and go on.
        ParameterError
            `coverage` is not between 0 and 1, or the model has nothing to make sets from.
        """
        if coverage is None:
            return np.asarray(self.classes_[self.predict_proba(images).argmax(axis=1)])
        scores = self.conformal(coverage)
        proba = self.predict_proba(images)
        return name_sets(proba, scores.sets(proba, coverage, by_class=by_class), self.model.classes)

    def conformal(self, coverage: float) -> ConformalScores:
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

    def _scores(self) -> ConformalScores | None:
        known = self.model.details.get("conformal")
        return None if known is None else ConformalScores.from_dict(known)

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
        """Return the accuracy on labelled images; X and y as for `genus.read_dataset`."""
        from genus.data.read import read_dataset

        data = read_dataset(X, y).labelled()
        if not len(data):
            raise DataError(f"{data.origin}: no labelled images, so there is no score.")
        return float(np.mean(self.predict(data) == np.asarray(data.labels)))

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
            for batch in _in_order(self._predict_span, sources, spans, runner, n_workers):
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
        readable = data.take(kept)
        return evaluate_predictions(
            readable,
            np.concatenate([batch.proba for batch in batches]),
            self.model.classes,
            skipped=(*data.skipped, *skipped),
            seconds=time.perf_counter() - start,
            random_state=random_state,
            scores=self._scores(),
            n_seen=self.model.n_seen([content for batch in batches for content in batch.content_hashes]),
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


def _in_order(
    work: Any, sources: Sequence[ImageSource], spans: Iterator[range], runner: Runner, n_workers: int
) -> Iterator[PredictedBatch]:
    """Run `work` on the spans in threads, a few ahead of the consumer; yield the results in order."""
    if n_workers == 1:
        for span in spans:
            yield work(sources, span, runner)
        return
    pool = ThreadPoolExecutor(n_workers, thread_name_prefix="genus-predict")
    ahead: deque[Future[PredictedBatch]] = deque()
    try:
        while True:
            for span in islice(spans, _AHEAD * n_workers - len(ahead)):
                ahead.append(pool.submit(work, sources, span, runner))
            if not ahead:
                return
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
