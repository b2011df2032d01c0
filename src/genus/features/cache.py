"""The feature cache: what was computed once is not computed again.

Rows are found by the content of an image and by everything that changes the numbers: decoder,
pre-processing, backbones with their weights and precision, engine family. So a file may be moved, renamed
or copied; a changed file or another setting is another row. Beside it a quick index remembers the content
hash of each file with its size, times and inode, so that an unchanged file is not even read.

The cache never stands in the way: where it cannot be opened, read or written, the work goes on without it,
and the reason is said once.
"""

import hashlib
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from genus.errors import OutputError
from genus.features.cache_file import (
    CacheUnusableError,
    file_number,
    is_damage,
    open_database,
    plain_words,
    set_aside,
    transaction,
)
from genus.features.cache_limit import read_limit
from genus.features.cache_rows import (
    CachedImage,
    FileStamp,
    bytes_in_use,
    clear_rows,
    count_rows,
    prune_rows,
    read_files,
    read_rows,
    touch_rows,
    write_files,
    write_rows,
)
from genus.files import cache_dir
from genus.images.decode import DECODER_VERSION
from genus.progress import SILENT, Progress

if TYPE_CHECKING:
    from genus.features.feature_set import FeatureSet

_TOUCH_AFTER = 3600  # seconds; "last used" is kept this coarsely, so that reading hardly ever writes
_KEEP_FREE = 256 << 20  # bytes of disk that the cache leaves to others

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What is in the cache.

    Attributes
    ----------
    path : str
        Its file.
    n_rows : int
        Feature vectors.
    n_images : int
        Different images among them.
    n_files : int
        Files in the quick index.
    n_bytes : int
        Bytes on disk.
    limit : int
        The most bytes it grows to.
    problem : str or None
        Why the cache is not working, or only for reading.
    """

    path: str
    n_rows: int
    n_images: int
    n_files: int
    n_bytes: int
    limit: int
    problem: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def feature_key(feature_set: "FeatureSet", family: str) -> str:
    """Name the numbers that a feature set yields on one family of engines.

    Parameters
    ----------
    feature_set : FeatureSet
    family : str
        `Runner.family`.

    Returns
    -------
    str
        A hash of everything that changes the numbers.
    """
    parts = (str(DECODER_VERSION), feature_set.preprocess.to_json(), feature_set.identity, family)
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


class FeatureCache:
    """Feature vectors by content hash and feature key, in one SQLite file.

    Parameters
    ----------
    path : Path or None
        The file; by default `features.sqlite` in the user's cache folder (`genus.files.cache_dir`).
    limit : int or None, default None
        The most bytes to keep; beyond it the rows unused for longest are deleted. None: the user's own limit, 4 GiB
        unless `genus cache limit` says otherwise.
    progress : Progress
        Told once, should the cache not work.

    Attributes
    ----------
    problem : str or None
        Why the cache is not working, or only for reading; None while all is well.

    Notes
    -----
    Threads share one connection under a lock; any number of processes may use the file at once. A
    transaction is written whole or not at all, also under `kill -9`. 60,000 rows of 1280 numbers are read
    in about a second.

    Examples
    --------
    >>> import tempfile
    >>> from genus.images.decode import ImageInfo
    >>> info = ImageInfo(640, 480, "JPEG", "RGB", 1000, "0123456789abcdef0123456789abcdef")
    >>> folder = tempfile.TemporaryDirectory()
    >>> with FeatureCache(Path(folder.name) / "features.sqlite") as cache:
    ...     cache.write("key", [CachedImage(info, 7)], np.ones((1, 4), np.float32))
    ...     X = np.zeros((2, 4), np.float32)
    ...     found = cache.read("key", [info.content_hash, "00" * 16], X)
    >>> [image is not None for image in found], X[:, 0]
    ([True, False], array([1., 0.], dtype=float32))
    >>> folder.cleanup()
    """

    def __init__(
        self, path: Path | None = None, *, limit: int | None = None, progress: Progress = SILENT
    ) -> None:
        self.path = path or cache_dir() / "features.sqlite"
        self.limit = read_limit() if limit is None else limit
        self.progress = progress
        self.problem: str | None = None
        self._readable = self._writable = True
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._start_process()

    def read(self, key: str, hashes: Sequence[str], out: NDArray[np.float32]) -> list[CachedImage | None]:
        """Look images up.

        Parameters
        ----------
        key : str
            See `feature_key`.
        hashes : sequence of n str
            Content hashes; may repeat.
        out : (n, d) float32
            Receives the rows that are found; the others are left alone.

        Returns
        -------
        list of n CachedImage or None
            None where an image is not in the cache.
        """
        rows = self._attempt(lambda db: read_rows(db, key, hashes, out))
        if not rows:
            return [None] * len(hashes)
        old = time.time() - _TOUCH_AFTER
        stale = [content for content, row in rows.items() if row.used < old]
        if stale:
            self._attempt(lambda db: touch_rows(db, key, stale), writing=True)
        return [rows[h].image if h in rows else None for h in hashes]

    def write(
        self,
        key: str,
        images: Sequence[CachedImage],
        X: NDArray[np.float32],
        stamps: Sequence[FileStamp | None] = (),
    ) -> None:
        """Keep rows, in one transaction; those that are there already are left alone.

        Parameters
        ----------
        key : str
            See `feature_key`.
        images : sequence of n CachedImage
        X : (n, d) float32
        stamps : sequence of n FileStamp or None, or empty
            For the quick index: taken before the file was read. None for what is not a file.
        """
        if not images:
            return
        self._attempt(lambda db: self._write(db, key, images, X, stamps), writing=True)

    def content_hashes(self, stamps: Sequence[FileStamp | None]) -> list[str | None]:
        """Return the content hashes of files that have not changed since they were last read."""
        wanted = [stamp.path for stamp in stamps if stamp is not None]
        known = self._attempt(lambda db: read_files(db, wanted)) or {}
        found: list[str | None] = []
        for stamp in stamps:
            state, content = known.get(stamp.path, (b"", b"")) if stamp else (b"", b"")
            found.append(content.hex() if stamp and content and state == stamp.state else None)
        return found

    def prune(self, limit: int | None = None) -> None:
        """Delete the rows unused for longest until at most `limit` bytes (default: the cache's own) are in use."""
        bound = self.limit if limit is None else limit
        self._attempt(lambda db: prune_rows(db, bound), writing=True)

    def clear(self) -> None:
        """Delete everything and give the disk space back.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        self._attempt(clear_rows, writing=True)
        if self.problem:
            raise OutputError(f"{self.path}: cannot clear the feature cache: {self.problem}.")

    def size(self) -> int:
        """Return the bytes on disk, with the log."""
        names = [self.path, self.path.with_name(self.path.name + "-wal")]
        total = 0
        for name in names:
            with suppress(OSError):
                total += name.stat().st_size
        return total

    def stats(self) -> CacheStats:
        """Count what is there."""
        n_rows, n_images, n_files = self._attempt(count_rows) or (0, 0, 0)
        return CacheStats(str(self.path), n_rows, n_images, n_files, self.size(), self.limit, self.problem)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None and self._pid == os.getpid():
                self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start_process(self) -> None:
        # SQLite forbids using a connection on both sides of a fork: the child opens its own
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._forked, self._connection = self._connection, None

    def _attempt(self, work: Callable[[sqlite3.Connection], _T], *, writing: bool = False) -> _T | None:
        """Run `work`; None where it cannot be done, which is said once. A damaged file is replaced by a fresh one."""
        if self._pid != os.getpid():
            self._start_process()
        with self._lock:
            for _ in range(2):
                if not (self._writable and self._readable if writing else self._readable):
                    break
                try:
                    return work(self._open())
                except (sqlite3.Error, OSError, CacheUnusableError) as error:
                    self._recover(error, writing)
        return None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._inode = file_number(self.path)
            self._connection = open_database(self.path)
            self._inode = file_number(self.path)
        return self._connection

    def _recover(self, error: Exception, writing: bool) -> None:
        opened = self._connection is not None
        if is_damage(error):
            self.close()
            if self._inode == file_number(self.path):  # else another process was quicker
                aside = set_aside(self.path)
                self.progress.say(
                    f"The feature cache {self.path} is damaged ({error}). "
                    f"It is set aside as {aside.name}, and a new one begins."
                )
            return
        self.problem = plain_words(error)
        self._writable = False
        self._readable = writing and opened
        done = "keeps nothing new" if self._readable else "is not used"
        self.progress.say(f"The feature cache {self.path} {done}: {self.problem}.")

    def _write(
        self,
        db: sqlite3.Connection,
        key: str,
        images: Sequence[CachedImage],
        X: NDArray[np.float32],
        stamps: Sequence[FileStamp | None],
    ) -> None:
        if shutil.disk_usage(self.path.parent).free < _KEEP_FREE + X.nbytes:
            raise CacheUnusableError("the disk is nearly full")
        hashes = [image.info.content_hash for image in images]
        files = {stamp: content for stamp, content in zip(stamps, hashes, strict=bool(stamps)) if stamp}
        with transaction(db, "IMMEDIATE"):
            write_rows(db, key, images, X)
            write_files(db, files)
        if bytes_in_use(db) > self.limit:
            prune_rows(db, self.limit)
