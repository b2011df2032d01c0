"""Images in, features out, as fast as the machine allows and in memory that does not grow with their number.

Each worker thread takes the next few images, decodes them and runs the network on its own core, so no core waits
for another stage and nothing is handed over between them (`genus.features.workers`). The calling thread looks
images up in the cache beforehand, collects results in order, and writes new rows to the cache every second or two.
"""

import os
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import SkippedImage
from genus.features.cache import FeatureCache
from genus.features.engines import Runner, open_runner, runner_family
from genus.features.feature_set import FeatureSet
from genus.features.runtime import Runtime
from genus.features.table import FeatureBatch, FeatureTable
from genus.features.workers import Engine, Extraction
from genus.images.decode import ImageInfo
from genus.images.source import ImageSource
from genus.progress import SILENT, Progress

_COMPACT_ROWS = 512


def extract(
    sources: Sequence[ImageSource],
    feature_set: FeatureSet,
    *,
    runtime: Runtime | None = None,
    progress: Progress = SILENT,
) -> FeatureTable:
    """Compute the features of images, as one table in memory.

    Parameters
    ----------
    sources : sequence of n ImageSource
        May repeat; each is decoded once.
    feature_set : FeatureSet
        What to compute.
    runtime : Runtime or None
        How to compute it; None for the defaults.
    progress : Progress
        Told how many images are done.

    Returns
    -------
    FeatureTable
        In the order of the sources; the same for any number of workers and any batch size. An image that
        cannot be read is listed in `skipped`.

    Raises
    ------
    EngineError
        The engine failed, or gave values that are not finite for an image.
    ParameterError
        The runtime's options cannot work.

    Notes
    -----
    Takes `4 n d` bytes for the table and a few tens of MB for each worker. Interrupted, it stops after the
    image at hand; what was computed is in the cache.
    """
    start = time.perf_counter()
    first = _first_places(sources)
    unique = [i for i, place in enumerate(first) if place == i]
    X = np.empty((len(sources), feature_set.n_features), np.float32)
    infos: list[ImageInfo | None] = [None] * len(sources)
    hashes = np.zeros(len(sources), np.uint64)
    failed: dict[int, SkippedImage] = {}
    n_cached = 0
    chosen = [sources[i] for i in unique]
    with closing(extract_batches(chosen, feature_set, runtime=runtime, progress=progress)) as batches:
        for batch in batches:
            places = [unique[i] for i in batch.indices]
            X[places], hashes[places] = batch.X, batch.hashes
            for place, info in zip(places, batch.infos, strict=True):
                infos[place] = info
            failed.update((unique[i], skipped) for i, skipped in batch.skipped.items())
            n_cached += batch.n_cached
    for i, place in enumerate(first):
        if place != i and infos[place] is not None:
            X[i], hashes[i], infos[i] = X[place], hashes[place], infos[place]
    kept = np.array([i for i, info in enumerate(infos) if info is not None], np.int64)
    return FeatureTable(
        X=compact(X, kept),
        blocks=feature_set.blocks,
        kept=kept,
        infos=tuple(info for info in infos if info is not None),
        hashes=hashes[kept],
        skipped=tuple(
            SkippedImage(sources[i].name, failed[first[i]].reason)
            for i in range(len(first))
            if infos[i] is None
        ),
        n_cached=n_cached,
        seconds=time.perf_counter() - start,
    )


def extract_batches(
    sources: Sequence[ImageSource],
    feature_set: FeatureSet,
    *,
    runtime: Runtime | None = None,
    progress: Progress = SILENT,
) -> Generator[FeatureBatch, None, None]:
    """Compute the features of images batch by batch, in bounded memory, for writers to disk.

    Parameters
    ----------
    sources, feature_set, runtime, progress
        See `extract`.

    Yields
    ------
    FeatureBatch
        Every source is in exactly one batch. Batches come nearly, not strictly, in the order of the
        sources: cached rows are not held back for those still to be computed. A consumer that is slow slows
        the workers.

    Raises
    ------
    EngineError, ParameterError
        See `extract`.
    """
    runtime = runtime or Runtime()
    n_workers = runtime.n_workers(len(sources))
    if not len(sources):
        return
    wanted: dict[str, Any] = {"n_images": len(sources), "allow_bf16": feature_set.tolerates_bf16}
    family = runner_family(runtime.engine, **wanted)

    def open_engine() -> Runner:
        return open_runner(
            feature_set.model(), engine=runtime.engine, workers=n_workers, outputs=["features"], **wanted
        )

    cache = FeatureCache(progress=progress) if runtime.cache else None
    job = Extraction(sources, feature_set, runtime, Engine(family, open_engine), cache, n_workers)
    try:
        with progress.task("features", total=len(sources), unit="images") as task:
            for batch in job.batches():
                task.advance(len(batch.indices) + len(batch.skipped))
                yield batch
    finally:
        if cache is not None:
            cache.close()


def _first_places(sources: Sequence[ImageSource]) -> list[int]:
    """For each source the first index at which it occurs."""
    seen: dict[object, int] = {}
    return [seen.setdefault(_place(source), i) for i, source in enumerate(sources)]


def _place(source: ImageSource) -> object:
    """Where the image lies: equal for the same file, the same bytes object, the same memory."""
    if source.path is not None:
        return os.path.abspath(source.path)
    if isinstance(source.data, np.ndarray):
        return source.data.__array_interface__["data"], source.data.shape, source.data.strides
    return id(source.data)


def compact(X: NDArray[np.float32], kept: NDArray[np.int64]) -> NDArray[np.float32]:
    """Move the kept rows to the front, a few at a time: a copy of the whole would need the memory twice."""
    if len(kept) == len(X):
        return X
    for start in range(0, len(kept), _COMPACT_ROWS):
        rows = kept[start : start + _COMPACT_ROWS]
        X[start : start + len(rows)] = X[rows]
    return X[: len(kept)]
