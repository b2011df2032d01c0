"""Room for the numbers of very many images: in memory, or in a file that vanishes by itself."""

import errno
import math
import os
import tempfile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from genus.files import cache_dir, output_error

_IN_MEMORY = 2 << 30  # bytes


def room(shape: tuple[int, ...], kind: Any) -> NDArray[Any]:
    """Return an array of zeros that is to be filled: in memory, or in a nameless file where it would take over 2 GB.

    Raises
    ------
    OutputError
        There is no space for the file.
    """
    size = math.prod(shape) * np.dtype(kind).itemsize
    if size <= _IN_MEMORY:
        return np.zeros(shape, kind)
    folder = cache_dir()  # /tmp may be memory, and small
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            _reserve(file, size)
            return np.memmap(file, kind, "r+", shape=shape)
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
