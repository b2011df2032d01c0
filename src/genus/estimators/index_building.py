"""From images to an index: features, a metric, what its scores mean, and rows as they are kept."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import Dataset, SkippedImage
from genus.data.duplicates import duplicate_groups
from genus.errors import DataError
from genus.estimators.index_images import IndexedImages, check_columns, file_stamps, indexed_images
from genus.estimators.index_state import IndexState, as_codes
from genus.estimators.provenance import provenance_of
from genus.features.comparable import comparable, comparable_width
from genus.features.engines import choose_engine
from genus.features.feature_set import FeatureSet
from genus.features.runtime import Runtime
from genus.features.stream import compact, extract_batches
from genus.images.decode import ImageInfo
from genus.progress import SILENT, Progress
from genus.room import room
from genus.search.identity import Acquaintance
from genus.search.judging import Choice, Material, can_be_judged, choose_metric
from genus.search.metric import TUNINGS, Metric, centred
from genus.search.sampling import pair_odds, sample_rows
from genus.search.storage import StorageName, StoredRows, store_rows
from genus.search.strangers import acquaint_tuned
from genus.search.vector_index import EXACT_NUMBERS, VectorIndex

_HALF_ABOVE = 1 << 28  # numbers; more are held in half precision while the index is built
_MOST_LABELLED = 20_000  # rows that a metric is learned from

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """How an index is built.

    Parameters
    ----------
    feature_set : FeatureSet
    tune : bool, default True
        Whether the metric may be tuned to labels.
    storage : {"float32", "float16", "int8"} or None
        None: float32 while every row is compared, float16 with a graph.
    runtime : Runtime
    random_state : int, default 0
    command : str or None
        For the record.
    """

    feature_set: FeatureSet
    tune: bool = True
    storage: StorageName | None = None
    runtime: Runtime = field(default_factory=Runtime)
    random_state: int = 0
    command: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ReadImages:
    """Images that could be read, with their features as they are compared.

    Attributes
    ----------
    features : StoredRows of n rows
    images : IndexedImages
    skipped : tuple of SkippedImage
    """

    features: StoredRows
    images: IndexedImages
    skipped: tuple[SkippedImage, ...]


def build_index(
    data: Dataset,
    options: IndexOptions,
    metadata: Mapping[str, Sequence[Any]] | None = None,
    *,
    progress: Progress = SILENT,
) -> tuple[IndexState, tuple[SkippedImage, ...]]:
    """Build an index of the images of a data set that can be read.

    Returns
    -------
    IndexState, tuple of SkippedImage

    Raises
    ------
    DataError
        None of them can be read.
    """
    engine = choose_engine(options.runtime.engine, len(data))
    read = read_images(data, options.feature_set, options.runtime, metadata or {}, progress=progress)
    if not len(read.images):
        first = read.skipped[0] if read.skipped else None
        raise DataError(
            f"{data.origin}: "
            + (f"no image can be read: {first.source}: {first.reason}" if first else "no images.")
        )
    learned = _learn(read, options)
    vectors = VectorIndex(_placed(read.features, learned.metric, options.storage))
    if vectors.wants_graph():
        progress.say(
            f"{len(vectors):,} images: building a graph of neighbours, so that searching stays quick"
        )
        vectors.make_graph(progress=progress, random_state=options.random_state)
    elif len(vectors) * vectors.width > EXACT_NUMBERS:
        progress.say(
            f'{len(vectors):,} images are compared one by one; pip install "genus[search]" makes searching quicker'
        )
    state = IndexState(
        feature_set=options.feature_set,
        engine=engine,
        images=read.images,
        vectors=vectors,
        metric=learned.metric,
        likeness=None if learned.choice is None else learned.choice.chosen.likeness,
        acquaintance=learned.acquaintance,
        figures=learned.figures(),
        origin=data.origin,
        notes=(*data.notes, *learned.notes),
        provenance=provenance_of(options.command, options.random_state),
        n_built=len(read.images),
    )
    return state, (*data.skipped, *read.skipped)


def read_images(
    data: Dataset,
    feature_set: FeatureSet,
    runtime: Runtime,
    metadata: Mapping[str, Sequence[Any]],
    *,
    progress: Progress = SILENT,
) -> ReadImages:
    """Compute the features of images, in two or four bytes a number; those of millions of images on disk."""
    n, width = len(data), comparable_width(feature_set.blocks)
    check_columns(metadata, n)
    stamps = file_stamps(data.sources)  # before: what is written to meanwhile counts as changed
    features = room((n, width), np.float16 if n * width > _HALF_ABOVE else np.float32)
    infos: dict[int, ImageInfo] = {}
    hashes = np.zeros(n, np.uint64)
    skipped: dict[int, SkippedImage] = {}
    with closing(extract_batches(data.sources, feature_set, runtime=runtime, progress=progress)) as batches:
        for batch in batches:
            features[batch.indices] = comparable(batch.X, feature_set.blocks)
            hashes[batch.indices] = batch.hashes
            infos.update(zip(batch.indices.tolist(), batch.infos, strict=True))
            skipped.update(batch.skipped)
    kept = np.array(sorted(infos), np.int64)
    images = indexed_images(
        data.take(kept),
        [infos[i] for i in kept.tolist()],
        hashes[kept],
        stamps[kept],
        {name: [values[i] for i in kept.tolist()] for name, values in metadata.items()},
    )
    return ReadImages(StoredRows(compact(features, kept)), images, tuple(skipped[i] for i in sorted(skipped)))


@dataclass(frozen=True, slots=True, eq=False)
class _Learned:
    """The metric, and what was measured of it where there are labels."""

    metric: Metric
    choice: Choice | None
    notes: tuple[str, ...]
    acquaintance: Acquaintance | None = None  # where the metric has learned from the labels itself

    def figures(self) -> dict[str, Any]:
        """Return plain values."""
        found: dict[str, Any] = {"metric": self.metric.name}
        if self.choice is None:
            return found
        both = {"without_labels": self.choice.base, "chosen": self.choice.chosen}
        found["retrieval"] = {name: judged.retrieval.to_dict() for name, judged in both.items()}
        if len(self.choice.base.on_new_classes):
            found["retrieval_of_new_classes"] = {
                name: judged.retrieval_of_new_classes.to_dict() for name, judged in both.items()
            }
        return found


def _learn(read: ReadImages, options: IndexOptions) -> _Learned:
    labels, seed = read.images.labels.codes.astype(np.int64), options.random_state
    labelled = np.flatnonzero(labels >= 0)
    notes: tuple[str, ...] = ()
    if len(labelled) and read.images.several_labels:
        notes = ("images have several labels: scores are cosines, and the metric is not tuned",)
    elif len(labelled):
        material = _material(read, labelled, seed)
        if can_be_judged(material):
            tunings, odds = TUNINGS if options.tune else (), pair_odds(labels[labelled])
            choice = choose_metric(material, tunings=tunings, odds=odds, random_state=seed)
            known = None
            if choice.metric.is_tuned:
                known = acquaint_tuned(read.features, labels, material, choice, random_state=seed)
            return _Learned(choice.metric, choice, (), known)
        notes = ("fewer than two classes with two different images each: scores are cosines",)
    sample = np.sort(np.random.default_rng(seed).permutation(len(read.images))[:_MOST_LABELLED])
    return _Learned(centred(read.features.read(sample), random_state=seed), None, notes)


def _material(read: ReadImages, labelled: NDArray[np.int64], seed: int) -> Material:
    codes = as_codes(read.images.labels.codes[labelled])
    places = labelled[sample_rows(codes, _MOST_LABELLED, np.random.default_rng(seed))]
    rows = read.features.read(places)
    contents = [read.images.content(i) for i in places.tolist()]
    groups = duplicate_groups(contents, read.images.hashes[places], rows)
    return Material(rows, read.images.labels.codes[places].astype(np.int64), groups)


def _placed(features: StoredRows, metric: Metric, storage: StorageName | None) -> StoredRows:
    """Map features to vectors, a few at a time, in the form in which they are kept."""
    n, width = len(features), metric.width(features.width)
    chosen: StorageName = storage or ("float16" if n * width > EXACT_NUMBERS else "float32")
    empty = store_rows(np.empty((0, width), np.float32), chosen)
    values = room((n, width), empty.values.dtype)
    scales = None if empty.scales is None else np.empty(n, np.float32)
    for numbers, rows in features.blocks():
        part = store_rows(metric.apply(rows), chosen)
        values[numbers] = part.values
        if scales is not None and part.scales is not None:
            scales[numbers] = part.scales
    return StoredRows(values, scales)
