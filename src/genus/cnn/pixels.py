"""Training images, decoded once: in memory, in a file, or again and again where they fit in neither.

A network in training sees every image in every epoch. Decoding costs as much as a small network; pixels that are there
already cost a copy.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from math import ceil
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from genus.cnn.chance import as_indices
from genus.cnn.decoding import Decoder, result_of
from genus.cnn.pixel_files import GrowingFile, has_room
from genus.data.dataset import SkippedImage
from genus.errors import DataError, ParameterError
from genus.images.decode import DEFAULT_LIMITS, Limits
from genus.images.preprocess import Preprocess
from genus.images.source import ImageSource
from genus.progress import SILENT, Progress

Where = Literal["memory", "file", "nowhere"]

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Storage:
    """How decoded pixels are kept.

    Parameters
    ----------
    memory : int, default 1 GiB
        Up to so many bytes they are kept in memory.
    disk : int, default 32 GiB
        Up to so many in a file in the cache folder, if the disk has room; beyond it images are decoded for each batch.
        The file is gone with the process, also after `kill -9`.
    workers : int or None, default None
        Threads that decode; None: one a core.
    """

    memory: int = 1 << 30
    disk: int = 32 << 30
    workers: int | None = None

    def __post_init__(self) -> None:
        for name in ("memory", "disk"):
            if getattr(self, name) < 0:
                raise ParameterError(f"{name} must be a number of bytes, not {getattr(self, name)!r}.")
        if self.workers is not None and self.workers < 1:
            raise ParameterError(f"workers must be at least 1, not {self.workers!r}.")

    @property
    def n_workers(self) -> int:
        """Threads that decode."""
        return self.workers or os.cpu_count() or 1


def enlarged(preprocess: Preprocess, margin: float = 8 / 7) -> Preprocess:
    """Return the pre-processing of pictures that are stored for training: the model's, with a margin for crops.

    Parameters
    ----------
    preprocess : Preprocess
        What the model sees.
    margin : float, default 8/7
        How much larger sides become: 224 pixels are stored as 256. 1: not at all.

    Returns
    -------
    Preprocess
        With "crop" the margin is more of the image at the same scale, as far as there is more, so that the middle of
        the stored picture is what the model sees; otherwise it is the same part at a larger scale.

    Examples
    --------
    >>> enlarged(Preprocess(224, 224, "crop", 0.875))
    Preprocess(height=256, width=256, fit='crop', crop_fraction=1.0)
    """
    if not 1 <= margin <= 4:
        raise ParameterError(f"margin must be from 1 to 4, not {margin!r}.")
    most = 1 / preprocess.crop_fraction if preprocess.fit == "crop" else margin
    # sides of one parity: the middle of the stored picture is what the model sees, to the pixel
    height, width = (_wider(side, min(margin, most)) for side in (preprocess.height, preprocess.width))
    fraction = preprocess.crop_fraction
    if preprocess.fit == "crop":  # at the model's scale, whatever rounding did to the margin
        fraction = min(1.0, fraction * min(height / preprocess.height, width / preprocess.width))
    return replace(preprocess, height=height, width=width, crop_fraction=fraction)


def _wider(side: int, margin: float) -> int:
    return side + 2 * int((margin - 1) * side / 2 + 1e-9)


class PixelStore:
    """Pixels of images of one size, by their places in a data set; see `store_pixels`, which makes one.

    Attributes
    ----------
    kept : (m,) int64
        The places, among the sources, of the images that can be read. Rows of the store are these, in this order.
    skipped : tuple of SkippedImage
        The others, by name and reason.
    where : {"memory", "file", "nowhere"}
        Where the pixels are; "nowhere": images are decoded for each batch.

    Examples
    --------
    >>> from genus.images.source import as_source
    >>> pictures = [as_source(np.full((20, 30, 3), i, np.uint8)) for i in (10, 20, 30)]
    >>> store = store_pixels(pictures, Preprocess(16, 16))
    >>> len(store), store.batch([2, 0])[:, 0, 0, 0].tolist()
    (3, [30, 10])
    """

    def __init__(
        self,
        fetch: Callable[[NDArray[np.int64]], Pixels],
        kept: NDArray[np.int64],
        skipped: tuple[SkippedImage, ...],
        where: Where,
    ) -> None:
        self._fetch = fetch
        self.kept = kept
        self.skipped = skipped
        self.where = where

    def __len__(self) -> int:
        return len(self.kept)

    def batch(self, indices: ArrayLike) -> Tensor:
        """Return images.

        Parameters
        ----------
        indices : (n,) int
            Rows, from 0 to `len(store)` - 1; may repeat.

        Returns
        -------
        (n, 3, h, w) uint8 tensor, channels_last
            A copy.

        Raises
        ------
        ParameterError
            An index is out of range.
        ImageError
            Images are decoded for each batch, and one cannot be read any more.
        """
        rows = as_indices(indices)
        if rows.size and not 0 <= rows.min() <= rows.max() < len(self):
            raise ParameterError(
                f"indices must be from 0 to {len(self) - 1}; got {rows.min()} to {rows.max()}."
            )
        return torch.from_numpy(self._fetch(self.kept[rows])).permute(0, 3, 1, 2)

    def batches(self, indices: Iterable[ArrayLike], *, ahead: int = 2) -> Iterator[Tensor]:
        """Return batch after batch, each read while those before it are worked on.

        Parameters
        ----------
        indices : iterable of (n,) int
            As for `batch`. Taken one by one, `ahead` in advance.
        ahead : int, default 2
            How many batches may wait in memory.
        """
        wanted = iter(indices)
        waiting: deque[Future[Tensor]] = deque()
        pool = ThreadPoolExecutor(1, thread_name_prefix="genus-pixels")
        try:
            while True:
                for rows in islice(wanted, max(1, ahead) - len(waiting)):
                    waiting.append(pool.submit(self.batch, rows))
                if not waiting:
                    return
                yield result_of(waiting.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def store_pixels(
    sources: Sequence[ImageSource],
    preprocess: Preprocess,
    *,
    storage: Storage | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress = SILENT,
) -> PixelStore:
    """Decode images once and keep their pixels.

    Parameters
    ----------
    sources : sequence of n ImageSource
    preprocess : Preprocess
        What is stored; see `enlarged`.
    storage : Storage, optional
        Where and how much.
    limits : Limits
        What is refused as too large.
    progress : Progress
        Told how many images are done, and what was decided.

    Returns
    -------
    PixelStore
        Of the images that can be read.

    Raises
    ------
    DataError
        There are none.

    Notes
    -----
    An image takes `3 * height * width` bytes. Even where pixels are kept nowhere all images are decoded once, so that
    what cannot be read is known before training and not in the middle of it.
    """
    if not sources:
        raise DataError("there are no images.")
    storage = storage or Storage()
    decoder = Decoder(sources, preprocess, limits, storage.n_workers)
    shape = (len(sources), preprocess.height, preprocess.width, 3)
    n_bytes = ceil(np.prod(shape, dtype=np.float64))
    if n_bytes <= storage.memory:
        pixels = np.empty(shape, np.uint8)
        return _store(_taking(pixels), sources, decoder.run(pixels.__setitem__, progress), "memory")
    if n_bytes <= storage.disk and has_room(n_bytes):
        try:
            return _in_file(sources, shape, decoder, progress)
        except OSError as error:
            progress.say(f"The pixels cannot be kept on disk: {error.strerror or error}.")
    progress.say(
        f"{len(sources):,} images need {n_bytes / 1e9:,.1f} GB: they are decoded again in every epoch."
    )
    skipped = decoder.run(lambda row, pixels: None, progress)
    return _store(decoder.fetch, sources, skipped, "nowhere")


def _in_file(
    sources: Sequence[ImageSource],
    shape: tuple[int, int, int, int],
    decoder: Decoder,
    progress: Progress,
) -> PixelStore:
    file, lock = GrowingFile(shape), threading.Lock()

    def write(row: int, pixels: Pixels) -> None:
        with lock:
            file.write(row, pixels)

    try:
        skipped = decoder.run(write, progress)
        return _store(_taking(file.finish()), sources, skipped, "file")
    except BaseException:
        file.abandon()
        raise


def _taking(pixels: Pixels) -> Callable[[NDArray[np.int64]], Pixels]:
    def fetch(rows: NDArray[np.int64]) -> Pixels:
        return np.asarray(pixels[rows])

    return fetch


def _store(
    fetch: Callable[[NDArray[np.int64]], Pixels],
    sources: Sequence[ImageSource],
    skipped: dict[int, str],
    where: Where,
) -> PixelStore:
    kept = np.array([i for i in range(len(sources)) if i not in skipped], np.int64)
    left_out = tuple(SkippedImage(sources[i].name, skipped[i]) for i in sorted(skipped))
    if not len(kept):
        why = f": {left_out[0].source}: {left_out[0].reason}" if left_out else ""
        raise DataError(f"none of the {len(sources):,} images can be read{why}.")
    return PixelStore(fetch, kept, left_out, where)
