"""The worker threads of feature extraction, the plan they follow and the rows on their way to the cache.

`genus.features.stream` is what others use.
"""

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import SkippedImage
from genus.errors import EngineError, ImageError
from genus.features.cache import FeatureCache, feature_key
from genus.features.cache_rows import CachedImage, FileStamp
from genus.features.engines import Runner
from genus.features.feature_set import FeatureSet
from genus.features.runtime import Runtime
from genus.features.table import FeatureBatch
from genus.images.preprocess import load_image
from genus.images.source import ImageSource

_LOOKUP = 512  # images looked up in the cache at once
_AHEAD = 4  # batches in flight for each worker, so that a slow image holds up nobody else
_FLUSH_ROWS = 1000
_FLUSH_SECONDS = 2.0
_PATIENCE = 0.2  # seconds

# OpenVINO's Python bindings set themselves up in the first call; two first calls at once can wait for each other
# for ever (one holds the interpreter's lock, the other that of a C++ static; seen with 2026.4 in one start of six)
_FIRST_CALL = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Item:
    """An image to compute: the index of its source, and its file's state before it is read."""

    index: int
    stamp: FileStamp | None


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """A result; with a stamp where the cache does not know the file yet."""

    index: int
    image: CachedImage
    x: NDArray[np.float32]
    stamp: FileStamp | None


@dataclass(slots=True)
class _Done:
    """A finished piece of work."""

    cached: list[_Row] = field(default_factory=list)
    computed: list[_Row] = field(default_factory=list)
    skipped: dict[int, SkippedImage] = field(default_factory=dict)

    def batch(self, n_features: int) -> FeatureBatch:
        rows = sorted(self.cached + self.computed, key=attrgetter("index"))
        return FeatureBatch(
            indices=np.array([row.index for row in rows], np.int64),
            X=np.array([row.x for row in rows], np.float32).reshape(-1, n_features),
            infos=tuple(row.image.info for row in rows),
            hashes=np.array([row.image.perceptual_hash for row in rows], np.uint64),
            skipped=self.skipped,
            n_cached=len(self.cached),
        )


class _Stopped(Exception):
    """The work was given up; nobody waits for the result."""


class Engine:
    """A runner that is opened when the first image needs it: where all is cached, none does.

    Parameters
    ----------
    family : str
        What the runner's family will be (`runner_family`).
    open_runner : function
        Opens it.
    """

    def __init__(self, family: str, open_runner: Callable[[], Runner]) -> None:
        self.family = family
        self._open = open_runner
        self._runner: Runner | None = None

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the features (n, d) of pixels (n, h, w, 3); thread-safe."""
        if self._runner is not None:
            return self._runner(pixels)["features"]
        with _FIRST_CALL:
            runner = self._runner or self._open()
            X = runner(pixels)["features"]
            self._runner = runner
            return X


class Extraction:
    """One run over the sources: the plan, the workers and the rows on their way to the cache."""

    def __init__(
        self,
        sources: Sequence[ImageSource],
        feature_set: FeatureSet,
        runtime: Runtime,
        engine: "Engine",
        cache: FeatureCache | None,
        n_workers: int,
    ) -> None:
        self.sources = sources
        self.runtime = runtime
        self.engine = engine
        self.cache = cache
        self.n_workers = n_workers
        self.preprocess = feature_set.preprocess
        self.n_features = feature_set.n_features
        self.key = feature_key(feature_set, engine.family)
        # few images are shared evenly rather than all given to the first worker
        self.batch_size = min(runtime.batch_size, -(-len(sources) // n_workers))
        self.stop = threading.Event()
        self.unsaved: list[_Row] = []
        self.last_flush = time.monotonic()

    def batches(self) -> Iterator[FeatureBatch]:
        """Keep the workers busy a few batches ahead of whoever consumes the results."""
        plan = self._plan()
        ahead: deque[Future[_Done] | _Done] = deque()
        pool = ThreadPoolExecutor(self.n_workers, thread_name_prefix="genus-features")
        try:
            while True:
                for work in islice(plan, _AHEAD * self.n_workers - len(ahead)):
                    ahead.append(work if isinstance(work, _Done) else pool.submit(self._run, work))
                if not ahead:
                    break
                done = _result(ahead[0])
                ahead.popleft()
                self._keep(done)
                yield done.batch(self.n_features)
        finally:
            self.stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            for left in ahead:  # finished, but not waited for any more
                if isinstance(left, Future) and not left.cancelled() and left.exception() is None:
                    self._keep(left.result())
            self._flush()

    def _plan(self) -> Iterator[_Done | list[_Item]]:
        """Divide the sources into rows from the cache and batches to compute."""
        waiting: list[_Item] = []
        for start in range(0, len(self.sources), _LOOKUP):
            chunk = range(start, min(start + _LOOKUP, len(self.sources)))
            found, missing = self._look_up(chunk)
            if found.cached:
                yield found
            waiting += missing
            while len(waiting) >= self.batch_size:
                yield waiting[: self.batch_size]
                waiting = waiting[self.batch_size :]
        if waiting:
            yield waiting

    def _look_up(self, chunk: range) -> tuple[_Done, list[_Item]]:
        """Find those files of a chunk whose content and features are known without reading them."""
        done = _Done()
        if self.cache is None:
            return done, [_Item(i, None) for i in chunk]
        stamps = [_stamp(self.sources[i]) for i in chunk]
        hashes = [None] * len(chunk) if self.runtime.verify else self.cache.content_hashes(stamps)
        known = [(i, content) for i, content in zip(chunk, hashes, strict=True) if content is not None]
        X = np.empty((len(known), self.n_features), np.float32)
        images = self.cache.read(self.key, [content for _, content in known], X)
        for (i, _), image, x in zip(known, images, X, strict=True):
            if image is not None:
                done.cached.append(_Row(i, image, x, None))
        there = {row.index for row in done.cached}
        return done, [_Item(i, stamp) for i, stamp in zip(chunk, stamps, strict=True) if i not in there]

    def _run(self, items: list[_Item]) -> _Done:
        """Compute a batch; runs in a worker."""
        done = _Done()
        loaded: list[tuple[_Item, CachedImage, NDArray[np.uint8]]] = []
        for item in items:
            if self.stop.is_set():
                raise _Stopped
            try:
                result = self._load(item)
            except ImageError as error:
                done.skipped[item.index] = SkippedImage(self.sources[item.index].name, error.reason)
                continue
            if isinstance(result, _Row):
                done.cached.append(result)
            else:
                loaded.append((item, *result))
        if loaded and not self.stop.is_set():
            X = self.engine(np.stack([pixels for *_, pixels in loaded]))
            done.computed = [
                _Row(i.index, image, x, i.stamp) for (i, image, _), x in zip(loaded, X, strict=True)
            ]
            self._check_finite(X, done.computed)
        return done

    def _load(self, item: _Item) -> _Row | tuple[CachedImage, NDArray[np.uint8]]:
        """Read an image; its row where the cache has its content, else what is known of it and its pixels."""
        source = self.sources[item.index]
        encoded = not isinstance(source.data, np.ndarray)
        if encoded and self.cache is not None:
            data = source.read(self.runtime.limits.max_bytes)
            if row := self._cached(item, hashlib.blake2b(data, digest_size=16).hexdigest()):
                return row
            source = ImageSource(source.name, data)  # so that it is not read twice
        image = load_image(source, self.preprocess, self.runtime.limits)
        if not encoded and (row := self._cached(item, image.info.content_hash)):
            return row
        return CachedImage(image.info, int(image.phash)), image.pixels

    def _cached(self, item: _Item, content: str) -> _Row | None:
        if self.cache is None:
            return None
        X = np.empty((1, self.n_features), np.float32)
        (image,) = self.cache.read(self.key, [content], X)
        return _Row(item.index, image, X[0], item.stamp) if image is not None else None

    def _check_finite(self, X: NDArray[np.float32], rows: list[_Row]) -> None:
        bad = np.flatnonzero(~np.isfinite(X).all(axis=1))
        if bad.size:
            name = self.sources[rows[bad[0]].index].name
            raise EngineError(
                f"{name}: {self.engine.family} gave features that are not finite numbers. "
                "Try another engine or the precision float32."
            )

    def _keep(self, done: _Done) -> None:
        """Put rows on their way to the cache."""
        self.unsaved += done.computed
        self.unsaved += [row for row in done.cached if row.stamp is not None]  # known, but under another path
        late = time.monotonic() - self.last_flush > _FLUSH_SECONDS
        if late or len(self.unsaved) >= _FLUSH_ROWS:
            self._flush()

    def _flush(self) -> None:
        rows, self.unsaved = self.unsaved, []
        self.last_flush = time.monotonic()
        if self.cache is not None and rows:
            X = np.array([row.x for row in rows])
            self.cache.write(self.key, [row.image for row in rows], X, [row.stamp for row in rows])


def _result(work: "Future[_Done] | _Done") -> _Done:
    if isinstance(work, _Done):
        return work
    while not work.done():
        wait([work], timeout=_PATIENCE)  # an endless wait cannot be interrupted on Windows
    return work.result()


def _stamp(source: ImageSource) -> FileStamp | None:
    return FileStamp.of(source.path) if source.path is not None else None
