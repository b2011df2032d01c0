"""Decoding many images on several threads, a bounded number at a time."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from genus.errors import ImageError
from genus.images.decode import Limits
from genus.images.preprocess import Preprocess, load_pixels
from genus.images.source import ImageSource
from genus.progress import Progress

_CHUNK = 16  # images a thread decodes before it takes the next ones
_TIMED = 4  # images that are decoded first, by one thread
_AHEAD = 4  # chunks in flight for each thread
_PATIENCE = 0.2  # seconds
_QUICK = 0.0004  # seconds: images that take less are done sooner by one thread than by several that wait for Python

Pixels = NDArray[np.uint8]
_T = TypeVar("_T")


class Decoder:
    """Decodes the images of a list.

    Parameters
    ----------
    sources : sequence of ImageSource
    preprocess : Preprocess
    limits : Limits
    n_workers : int
        Threads.
    """

    def __init__(
        self, sources: Sequence[ImageSource], preprocess: Preprocess, limits: Limits, n_workers: int
    ) -> None:
        self.sources = sources
        self.preprocess = preprocess
        self.limits = limits
        self.n_workers = n_workers

    def run(self, write: Callable[[int, Pixels], None], progress: Progress) -> dict[int, str]:
        """Decode all images, handing pixels to `write`; return why some cannot be read, by their places."""
        stop = threading.Event()

        def work(rows: range) -> dict[int, str]:
            failed = {}
            for i in rows:
                if stop.is_set():
                    break
                try:
                    write(i, self.pixels(i))
                except ImageError as error:
                    failed[i] = error.reason
            return failed

        n = len(self.sources)
        first = range(min(_TIMED, n))
        chunks = iter([range(start, min(start + _CHUNK, n)) for start in range(len(first), n, _CHUNK)])
        skipped, n_workers = self._begin(first, work)
        waiting: deque[tuple[int, Future[dict[int, str]]]] = deque()
        pool = ThreadPoolExecutor(n_workers, thread_name_prefix="genus-pixels")
        try:
            with progress.task("decoding", total=n, unit="images") as task:
                task.advance(len(first))
                while True:
                    for rows in islice(chunks, _AHEAD * n_workers - len(waiting)):
                        waiting.append((len(rows), pool.submit(work, rows)))
                    if not waiting:
                        return skipped
                    count, done = waiting.popleft()
                    failed: dict[int, str] = result_of(done)
                    skipped |= failed
                    task.advance(count)
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _begin(self, rows: range, work: Callable[[range], dict[int, str]]) -> tuple[dict[int, str], int]:
        """Decode the first images here; returns what `run` does, and how many threads suit the others."""
        skipped: dict[int, str] = {}
        seconds = []
        for i in rows:
            begun = time.perf_counter()
            skipped |= work(range(i, i + 1))
            seconds.append(time.perf_counter() - begun)
        return skipped, 1 if np.median(seconds) < _QUICK else self.n_workers

    def fetch(self, rows: NDArray[np.int64]) -> Pixels:
        """Decode images for one batch."""
        found = np.empty((len(rows), self.preprocess.height, self.preprocess.width, 3), np.uint8)

        def work(place: int) -> None:
            found[place] = self.pixels(int(rows[place]))

        with ThreadPoolExecutor(self.n_workers, thread_name_prefix="genus-pixels") as pool:
            list(pool.map(work, range(len(rows))))
        return found

    def pixels(self, i: int) -> Pixels:
        """Decode one image."""
        return load_pixels(self.sources[i], self.preprocess, self.limits)[0]


def result_of(work: "Future[_T]") -> _T:
    """Wait for a result, and let the wait be interrupted."""
    while not work.done():
        wait([work], timeout=_PATIENCE)  # an endless wait cannot be interrupted on Windows
    return work.result()
