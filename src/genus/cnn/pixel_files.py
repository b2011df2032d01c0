"""Where decoded pixels lie on disk: nameless files that end with the process, and files that are kept.

A file in the making is locked by whoever makes it, so that what a killed process left can be told from what is in use.
A kept file appears whole under its name, or not at all. Files are kept in `pixels/` in the user's cache folder.
"""

import json
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from genus.files import cache_dir, write_text

_KEEP_FREE = 1 << 30  # bytes of disk that are left to others
_PART = ".part"
_MOMENT = 0.1  # seconds


@dataclass(frozen=True, slots=True)
class KeptPixels:
    """What was found under a key.

    Attributes
    ----------
    pixels : (n, h, w, 3) uint8
        A memory-mapped file.
    skipped : dict of int to str
        Why images could not be read, by their places.
    """

    pixels: NDArray[np.uint8]
    skipped: dict[int, str]


def pixel_folder() -> Path:
    """Return the folder of pixel files."""
    return cache_dir() / "pixels"


def has_room(n_bytes: int) -> bool:
    """Return whether so many bytes fit on the disk of the pixel files, with 1 GiB left to others."""
    folder = pixel_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(folder).free >= n_bytes + _KEEP_FREE
    except OSError:
        return False


class GrowingFile:
    """A file of pixels in the making; nameless from the start where the system allows it and it is not to be kept.

    Parameters
    ----------
    shape : (n, h, w, 3)
    key : str or None
        The name under which it is kept in the end; None: it ends with the process.

    Raises
    ------
    OSError
        It cannot be made.
    """

    def __init__(self, shape: tuple[int, int, int, int], key: str | None) -> None:
        folder = pixel_folder()
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers()
        self.key = key
        self.path = folder / f"{key or 'pixels'}.{os.getpid()}.{os.urandom(4).hex()}{_PART}"
        self._file: IO[bytes] = self.path.open("x+b")
        try:
            with suppress(OSError):  # some network disks know no locks
                _lock(self._file)
            if key is None and os.name == "posix":
                self.path.unlink()
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(self._file, header)
            self._start = self._file.tell()
            self._row_bytes = int(np.prod(shape[1:]))
            self._shape = shape
            self._file.truncate(self._start + shape[0] * self._row_bytes)
        except BaseException:
            self.abandon()
            raise

    def write(self, row: int, pixels: NDArray[np.uint8]) -> None:
        """Write one image; by a caller that lets only one thread in. A full disk is an `OSError`, not a crash."""
        self._file.seek(self._start + row * self._row_bytes)
        self._file.write(np.ascontiguousarray(pixels).data.cast("B"))

    def finish(self, skipped: Mapping[int, str]) -> NDArray[np.uint8]:
        """Return the pixels, memory-mapped for reading; under its key the file is there from now on."""
        self._file.flush()
        if self.key is None:
            pixels = np.memmap(self._file, np.uint8, "r", self._start, self._shape)
            self._file.close()
            return pixels
        os.fsync(self._file.fileno())
        self._file.close()
        write_text(_words(self.key), json.dumps({str(i): reason for i, reason in skipped.items()}))
        self.path.replace(_place(self.key))
        found = np.load(_place(self.key), mmap_mode="r")
        return np.asanyarray(found, np.uint8)

    def abandon(self) -> None:
        """Give it up."""
        self._file.close()
        with suppress(OSError):
            self.path.unlink()


def find_pixels(key: str, shape: tuple[int, int, int, int]) -> KeptPixels | None:
    """Return what is kept under a key; None where nothing is, or it is damaged."""
    try:
        pixels: NDArray[np.uint8] = np.load(_place(key), mmap_mode="r", allow_pickle=False)
        said: Any = json.loads(_words(key).read_text("utf-8"))
        skipped = {int(i): str(reason) for i, reason in said.items()}
    except (OSError, ValueError, AttributeError):
        return None
    if pixels.shape != shape or pixels.dtype != np.uint8:
        return None
    with suppress(OSError):
        os.utime(_place(key))  # the files unused for longest go first
    return KeptPixels(pixels, skipped)


def make_room(n_bytes: int, limit: int) -> bool:
    """Delete kept files, those unused for longest first, until `n_bytes` more stay within `limit` bytes.

    Returns
    -------
    bool
        Whether they do; if they never could, nothing is deleted.
    """
    if n_bytes > limit:
        return False
    files = _kept_files()
    total = n_bytes + sum(size for _, _, size in files)
    for _, path, size in files:
        if total <= limit:
            break
        _remove(path)
        total -= size
    return total <= limit


def pixel_bytes() -> int:
    """Return how many bytes the kept files take."""
    return sum(size for _, _, size in _kept_files())


def clear_pixels() -> None:
    """Delete all kept files, and what killed processes left."""
    for _, path, _ in _kept_files():
        _remove(path)
    remove_leftovers()


def remove_leftovers() -> None:
    """Delete unfinished files that no process is writing any more."""
    for path in _listed(_PART):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime < _MOMENT:
                continue  # made this moment, and about to be locked
            with path.open("r+b") as file:
                _lock(file)
            path.unlink()  # on Windows this fails while it is open


def _lock(file: IO[bytes]) -> None:
    """Lock a file until it is closed, also by the death of the process; an `OSError` if another has it."""
    if os.name == "posix":
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _listed(suffix: str) -> list[Path]:
    try:
        return [path for path in pixel_folder().iterdir() if path.suffix == suffix]
    except OSError:
        return []


def _kept_files() -> list[tuple[float, Path, int]]:
    """Return time of last use, path and bytes of each kept file, those unused for longest first."""
    found = []
    for path in _listed(".npy"):
        with suppress(OSError):
            stat = path.stat()
            found.append((stat.st_mtime, path, stat.st_size))
    return sorted(found)


def _remove(path: Path) -> None:
    for each in (path, path.with_suffix(".json")):
        with suppress(OSError):
            each.unlink()


def _place(key: str) -> Path:
    return pixel_folder() / f"{key}.npy"


def _words(key: str) -> Path:
    return pixel_folder() / f"{key}.json"
