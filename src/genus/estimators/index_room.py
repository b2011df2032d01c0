"""Room for the numbers of very many images: in memory, or in a file that vanishes by itself."""

import errno
import os
import tempfile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from genus.files import cache_dir, output_error

_ON_DISK_ABOVE = 1 << 30  # numbers


def room(n: int, width: int, kind: Any) -> NDArray[Any]:
    """Return an array (n, width) that is to be filled: in memory, or in a temporary file where it would take too much.

    Raises
    ------
    OutputError
        There is no space for the file.
    """
    if n * width <= _ON_DISK_ABOVE:
        return np.empty((n, width), kind)
    folder = cache_dir()  # /tmp may be memory, and small
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            _reserve(file, n * width * np.dtype(kind).itemsize)
            return np.memmap(file, kind, "r+", shape=(n, width))
    except OSError as error:
        raise output_error(folder, error) from error


def _reserve(file: IO[bytes], size: int) -> None:
    """Take the space now: a disk that is full later would kill the process when a page is written."""
    file.truncate(size)
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # a file system that cannot
            raise
