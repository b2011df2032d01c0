"""`ImageIndex`: find images like this one."""

import time
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import SkippedImage
from genus.data.read import read_dataset
from genus.errors import DataError, ParameterError
from genus.estimators.index_building import IndexOptions, build_index, read_images
from genus.estimators.index_facts import check_files, facts_of
from genus.estimators.index_file import check_target, read_index, write_index
from genus.estimators.index_hits import Identification, IndexCheck, SearchResult
from genus.estimators.index_identity import acquaintance_of, identify
from genus.estimators.index_images import columns_of, no_images
from genus.estimators.index_query import (
    Box,
    Wish,
    allowed_by,
    ask,
    hits_for,
    images_of,
    places_named,
    runtime_for,
    sources_named,
    vectors_of,
    warnings_about,
)
from genus.estimators.index_state import IndexState
from genus.features.comparable import comparable_width
from genus.features.engines import choose_engine
from genus.features.feature_set import FeatureSet, PrecisionName, chosen_features
from genus.features.runtime import Runtime
from genus.progress import SILENT, Progress
from genus.search.identity import Acquaintance
from genus.search.metric import RAW
from genus.search.storage import StorageName
from genus.search.vector_index import VectorIndex

CLASS, COSINE = "probability of the same class", "cosine"
MEAN, AGAINST = "mean cosine", "similarity, less that to what is not meant"


class ImageIndex:
    """Images to search in: by an image, a part of one, several, or a class.

    Make one with `ImageIndex.build`, `ImageIndex.empty` or `ImageIndex.open`.

    Attributes
    ----------
    skipped : tuple of SkippedImage
        What could not be read when images were last given.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits(n_class=3)
    >>> images = np.repeat(np.repeat(digits.images[:150] * 15, 8, 1), 8, 2).astype(np.uint8)
    >>> index = ImageIndex.build(images, digits.target[:150], features="thumbnail@32")
    >>> found = index.search(images[4], k=3)
    >>> found[0].image, found[0].same_file, [hit.label for hit in found] == [found[0].label] * 3
    ('image 4', True, True)
    """

    def __init__(
        self,
        state: IndexState,
        *,
        runtime: Runtime | None = None,
        path: Path | None = None,
        skipped: tuple[SkippedImage, ...] = (),
    ) -> None:
        self._state = state
        self._runtime = runtime or Runtime()
        self._path = path
        self._known: Acquaintance | None = None
        self.skipped = skipped

    @classmethod
    def build(
        cls,
        source: Any,
        y: Any = None,
        *,
        preset: str = "balanced",
        features: str | FeatureSet | None = None,
        precision: PrecisionName = "int8",
        tune: bool = True,
        storage: StorageName | None = None,
        metadata: Any = None,
        runtime: Runtime | None = None,
        random_state: int = 0,
        progress: Progress = SILENT,
        command: str | None = None,
    ) -> Self:
        """Build an index of images.

        Parameters
        ----------
        source : folder, table, list of paths, arrays or PIL images, DataFrame, or Dataset
            Anything `genus.read_dataset` reads.
        y : sequence of n labels, or None
        preset : {"fast", "balanced", "best"}, default "balanced"
            How much is computed from each image.
        features : str, FeatureSet or None
            What is computed instead; for faces your own network, "faces.onnx".
        precision : {"int8", "float32"}, default "int8"
        tune : bool, default True
            Whether what "alike" means may be tuned to the labels, where that is better on images held out.
        storage : {"float32", "float16", "int8"} or None
            How vectors are kept; None for what suits their number.
        metadata : DataFrame, mapping of str to sequence of n values, or None
            Further columns to filter by.
        runtime : Runtime or None
        random_state : int, default 0
        progress : Progress
        command : str or None
            For the record.

        Raises
        ------
        DataError
            None of the images can be read, or the data cannot be understood.
        ParameterError
            A parameter cannot work.
        """
        runtime = runtime or Runtime()
        options = IndexOptions(
            feature_set=chosen_features(preset, features, precision),
            tune=tune,
            storage=storage,
            runtime=runtime,
            random_state=random_state,
            command=command,
        )
        state, skipped = build_index(
            read_dataset(source, y), options, columns_of(metadata), progress=progress
        )
        return cls(state, runtime=runtime, skipped=skipped)

    @classmethod
    def empty(
        cls,
        *,
        preset: str = "balanced",
        features: str | FeatureSet | None = None,
        precision: PrecisionName = "int8",
        runtime: Runtime | None = None,
    ) -> Self:
        """Return an index without images, to `add` to or `enrol` in; its vectors are the features as they are."""
        feature_set = chosen_features(preset, features, precision)
        vectors = VectorIndex.of(np.empty((0, comparable_width(feature_set.blocks)), np.float32))
        engine = choose_engine((runtime or Runtime()).engine, 1)
        return cls(IndexState(feature_set, engine, no_images(), vectors, RAW), runtime=runtime)

    @classmethod
    def open(
        cls,
        path: str | PathLike[str],
        *,
        features: str | FeatureSet | None = None,
        runtime: Runtime | None = None,
    ) -> Self:
        """Open an index that `save` wrote; its vectors are mapped from the file, not read.

        Parameters
        ----------
        path : path
        features : str, FeatureSet or None
            The features it must have; or where its own network lies now: "faces.onnx".
        runtime : Runtime or None

        Raises
        ------
        DataError
            It is missing, half-written, damaged, too new, or made with another backbone or pre-processing.
        ModelFileError
            Its own network is not where it was.
        """
        wanted = None if features is None else chosen_features("balanced", features)
        return cls(read_index(path, wanted), runtime=runtime, path=Path(path))

    def __len__(self) -> int:
        return len(self._state.vectors)

    def __repr__(self) -> str:
        return (
            f"<ImageIndex of {len(self):,} images, {self._state.feature_set.name}, {self._state.metric.name}>"
        )

    @property
    def names(self) -> tuple[str, ...]:
        """What the images are called."""
        return tuple(self._state.images.names[i] for i in self._places().tolist())

    @property
    def labels(self) -> tuple[str | None, ...]:
        """The images' labels."""
        return tuple(self._state.images.labels[i] for i in self._places().tolist())

    @property
    def vectors(self) -> NDArray[np.float32]:
        """The images' vectors, float32 (n, p), of unit length."""
        return self._state.vectors.read(self._places())

    @property
    def score_means(self) -> str:
        """What a score is for one image: "probability of the same class" where there are labels, else "cosine"."""
        return COSINE if self._state.likeness is None else CLASS

    def search(
        self,
        query: Any = None,
        k: int = 10,
        *,
        box: Box | None = None,
        unlike: Any = None,
        of_class: str | None = None,
        where: Any = (),
        diversity: float = 0.0,
        fold_copies: bool = True,
    ) -> SearchResult:
        """Find the images most like a query.

        Parameters
        ----------
        query : image, sequence of images, or None
            Path, array (h, w, 3), bytes or PIL image; several are examples of one thing.
        k : int, default 10
            How many; all there are, if there are no more.
        box : (left, top, right, bottom) or None
            Only this part of the query: in pixels, or in parts of its sides (numbers up to 1).
        unlike : image, sequence of images, or None
            Examples of what is not meant.
        of_class : str or None
            Images such as those with this label.
        where : str, sequence of str, or mapping
            Conditions: "label=rose|tulip", "split!=test", "width>=800", "image~holiday", {"label": ["rose"]}.
        diversity : float in [0, 1], default 0
            How much hits shall differ from each other (maximal marginal relevance).
        fold_copies : bool, default True
            Whether copies of a picture are one hit.

        Raises
        ------
        DataError
            The index is empty, or there are no labels where one was asked for.
        ImageError
            The query cannot be read.
        ParameterError
            A parameter cannot work.
        """
        begun = time.perf_counter()
        wish = Wish(images_of(query), images_of(unlike), of_class, box, where, diversity, fold_copies)
        wish.check(k)
        allowed = allowed_by(self._state, where)
        asked = ask(self._state, wish, self._runtime)
        hits = hits_for(self._state, asked, wish, k, allowed)
        recall = self._state.vectors.recall
        return SearchResult(
            hits=hits,
            query=wish.in_words(),
            n_images=len(self),
            n_allowed=int(allowed.sum()),
            score_means={"one": self.score_means, "mean": MEAN, "against": AGAINST}[asked.kind],
            method="exact" if self._state.vectors.is_exact else "graph",
            recall=1.0 if recall is None else recall.value,
            seconds=time.perf_counter() - begun,
            notes=warnings_about(hits, wish, k, int(allowed.sum())),
        )

    def add(self, source: Any, y: Any = None, *, metadata: Any = None, progress: Progress = SILENT) -> Self:
        """Add images; the metric and what scores mean stay as they are.

        Raises
        ------
        DataError
            None of them can be read.
        """
        data = read_dataset(source, y)
        runtime = runtime_for(self._state, self._runtime)
        read = read_images(data, self._state.feature_set, runtime, columns_of(metadata), progress=progress)
        if not len(read.images):
            reason = f"{read.skipped[0].source}: {read.skipped[0].reason}" if read.skipped else "no images"
            raise DataError(f"{data.origin}: no image can be read: {reason}.")
        for _, rows in read.features.blocks():
            self._state.vectors.add(self._state.metric.apply(rows))
        self._state = replace(self._state, images=self._state.images.joined(read.images))
        self.skipped, self._known = (*data.skipped, *read.skipped), None
        return self

    def remove(self, images: Any) -> int:
        """Take images out, by their names or paths; returns how many that were.

        Raises
        ------
        DataError
            One of them is not in the index.
        """
        places = places_named(self._state, [str(image) for image in images_of(images)])
        self._state.vectors.remove(places)
        self._known = None
        return len(places)

    def enrol(self, name: str, images: Any, *, progress: Progress = SILENT) -> Self:
        """Add a few images of one known person or item; `identify` can answer its name from then on.

        Raises
        ------
        ImageError
            One of them cannot be read; none is added then.
        ParameterError
            There is no name, or no image.
        """
        given = images_of(images)
        if not name or not given:
            raise ParameterError("enrol takes a name and at least one image.")
        data = read_dataset(sources_named(self._state, given, name), [name] * len(given), multilabel=False)
        vectors_of(
            self._state, data.sources, self._runtime, progress=progress
        )  # raises for an unreadable one
        return self.add(data)

    def identify(self, image: Any, *, false_accept_rate: float = 0.01) -> Identification:
        """Say whether an image shows one of those with a label, and which; or that it is unknown.

        Parameters
        ----------
        image : image
        false_accept_rate : float in (0, 1), default 0.01
            How often somebody who is not enrolled may get a name.

        Raises
        ------
        DataError
            No image has a label, or so small a rate cannot be shown with so few images.
        ImageError
            It cannot be read.
        """
        if self._known is None:
            self._known = acquaintance_of(self._state)
        vector = vectors_of(self._state, [image], self._runtime)[0]
        return identify(self._state, self._known, vector, false_accept_rate)

    def check(self, *, progress: Progress = SILENT) -> IndexCheck:
        """Find the images whose files have changed or vanished since they were indexed."""
        return check_files(self._state, progress)

    def save(self, path: str | PathLike[str], *, force: bool = False, progress: Progress = SILENT) -> Self:
        """Write the index to a folder: whole, or not at all, also after `kill -9`.

        Raises
        ------
        OutputError
            It exists and `force` is false (unless it was opened there), or cannot be written.
        """
        own = self._path is not None and self._path.resolve() == Path(path).resolve()
        folder = check_target(path, force=force or own)
        sources = self._state.images.take(self._places()).sources
        state = write_index(self._state, folder, progress=progress)
        self._state = replace(state, images=replace(state.images, sources=sources))
        self._path = folder
        return self

    def export(self, path: str | PathLike[str], *, force: bool = False) -> None:
        """Write images, labels and vectors as a Parquet table, for a vector database.

        Raises
        ------
        OutputError
            It exists and `force` is false, or cannot be written.
        MissingExtraError
            pyarrow is not installed.
        """
        from genus.estimators.index_export import export_index

        export_index(self._state, path, force=force)

    def info(self) -> dict[str, Any]:
        """Return what is worth knowing of the index, in plain values: size, metric, what was measured."""
        return {**facts_of(self._state), "score_means": self.score_means}

    def _places(self) -> NDArray[np.int64]:
        return np.flatnonzero(self._state.vectors.alive)
