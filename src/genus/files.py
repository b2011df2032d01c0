"""Writing files so that a half-written one is never seen.

A file is written beside its final place under a temporary name, flushed to disk, then renamed over it:
readers see the old file or the new one, also after `kill -9` or a full disk.
"""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from genus.errors import OutputError

_WHY = {
    errno.ENOSPC: "the disk is full",
    errno.EACCES: "no permission to write there",
    errno.EPERM: "no permission to write there",
    errno.EROFS: "the file system is read-only",
    errno.ENOENT: "its folder does not exist",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EISDIR: "it is a folder",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EDQUOT: "the disk quota is used up",
}


def output_error(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """Turn the system's error about `path` into an `OutputError` in plain words."""
    why = _WHY.get(error.errno or 0, error.strerror or str(error))
    return OutputError(f"{os.fspath(path)}: cannot write: {why}.")


def check_writable(path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Find out before the work, not after it, whether `path` can be written.

    Parameters
    ----------
    path : path
        The file that will be written.
    force : bool, default False
        Whether an existing file may be replaced.

    Returns
    -------
    Path

    Raises
    ------
    OutputError
        The folder is missing or not writable, `path` is a folder or a device, or it exists and `force` is false.

    Examples
    --------
    >>> check_writable("/no/such/folder/model.onnx")
    Traceback (most recent call last):
    genus.errors.OutputError: /no/such/folder/model.onnx: cannot write: its folder does not exist.
    """
    target = Path(path)
    if target.exists() and not (target.is_dir() or target.is_file()):
        raise OutputError(f"{target}: cannot write: it is a device or a pipe, not a file.")
    if target.is_file() and not force:
        raise OutputError(
            f"{target}: exists already. Choose another name, or replace it with --force (force=True)."
        )
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.TemporaryFile(dir=os.path.dirname(os.path.realpath(target))):
            pass
    except OSError as error:
        raise output_error(target, error) from error
    return target


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open `path` for writing; it appears whole when the block ends, or not at all.

    Parameters
    ----------
    path : path
        The file to write or replace; of a symbolic link, what it leads to.

    Yields
    ------
    binary file

    Raises
    ------
    OutputError
        The file cannot be written; whatever was there before is still there.

    Examples
    --------
    >>> folder = tempfile.TemporaryDirectory()
    >>> with atomic_write(Path(folder.name) / "a.txt") as file:
    ...     _ = file.write(b"whole")
    >>> (Path(folder.name) / "a.txt").read_bytes()
    b'whole'
    >>> folder.cleanup()
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name[:80]}.{os.getpid()}.{os.urandom(4).hex()}.part")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise output_error(path, error) from error
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8, whole or not at all (see `atomic_write`)."""
    with atomic_write(path) as file:
        file.write(text.encode("utf-8"))


def cache_dir() -> Path:
    """Return the folder for files that can be made again: `$GENUS_CACHE`, else the user's cache folder."""
    if chosen := os.environ.get("GENUS_CACHE"):
        return Path(chosen)
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "genus" / "cache"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "genus"
