"""Where decoded pixels lie on disk: in files that end with the process, in `pixels/` in the user's cache folder.

They have no name from the start where the system allows it. Elsewhere a killed process leaves them, and the next one
removes them; those in use cannot be removed there.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from genus.files import cache_dir

_KEEP_FREE = 1 << 30  # bytes of disk that are left to others
_PART = ".part"


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
    """A file of pixels in the making; nameless from the start where the system allows it.

    Parameters
    ----------
    shape : (n, h, w, 3)

    Raises
    ------
    OSError
        It cannot be made.
    """

    def __init__(self, shape: tuple[int, int, int, int]) -> None:
        folder = pixel_folder()
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers()
        self.path = folder / f"{os.getpid()}.{os.urandom(4).hex()}{_PART}"
        self._file: IO[bytes] = self.path.open("x+b")
        try:
            if os.name == "posix":
                self.path.unlink(missing_ok=True)  # another process may have taken it for a leftover
            self._row_bytes = int(np.prod(shape[1:]))
            self._shape = shape
            self._file.truncate(shape[0] * self._row_bytes)
        except BaseException:
            self.abandon()
            raise

    def write(self, row: int, pixels: NDArray[np.uint8]) -> None:
        """Write one image; by a caller that lets only one thread in. A full disk is an `OSError`, not a crash."""
        self._file.seek(row * self._row_bytes)
        self._file.write(np.ascontiguousarray(pixels).data.cast("B"))

    def finish(self) -> NDArray[np.uint8]:
        """Return the pixels, memory-mapped for reading."""
        self._file.flush()
        pixels = np.memmap(self._file, np.uint8, "r", 0, self._shape)
        self._file.close()
        return pixels

    def abandon(self) -> None:
        """Give it up."""
        self._file.close()
        with suppress(OSError):
            self.path.unlink()


def remove_leftovers() -> None:
    """Delete what killed processes have left."""
    with suppress(OSError):
        for path in pixel_folder().iterdir():
            if path.suffix == _PART:
                with suppress(OSError):  # in use
                    path.unlink()
