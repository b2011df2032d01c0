"""A folder for results: new or empty, and made only when there is something to write."""

from pathlib import Path

from genus.errors import OutputError
from genus.files import atomic_write, output_error


def empty_folder(output: str, *, force: bool) -> Path:
    """Return the folder's path if results may go there; it is not made yet.

    Raises
    ------
    OutputError
        It is a file, or not empty and `force` is false.
    """
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: it is a file; name a folder.")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise OutputError(f"{folder}: the folder is not empty; name another one with -o, or take --force.")
    return folder


def make_folder(folder: Path) -> None:
    """Make the folder, and those above it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error


def write_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with atomic_write(path) as file:
        file.write(data)
