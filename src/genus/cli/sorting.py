"""Filing images by class: `genus predict --sort-into`."""

import filecmp
import os
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from genus.cli.output_folder import make_folder
from genus.errors import OutputError
from genus.files import atomic_write, output_error

if TYPE_CHECKING:
    from genus.images.source import ImageSource

UNSURE = "unsure"
_FORBIDDEN = re.compile(r'[\x00-\x1f/\\:*?"<>|]')
_MAX_BYTES = 1 << 29  # of a stored image; it was decoded already
_MAX_NAME = 120  # characters; with a number and UTF-8 this stays below the 255 bytes of file systems
_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "TIFF": ".tif", "BMP": ".bmp"}


class HowToFile(StrEnum):
    """What happens to an image that is sorted."""

    copy = "copy"
    move = "move"
    link = "link"


class Sorter:
    """Puts images into one folder a class, below `folder`; those not sure enough into `unsure`.

    Nothing is ever replaced: where the name is taken by another image, a number is added; where the very same
    image is there already, nothing is done. So the same command may be run again.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    above : float
        The least confidence that counts as sure.
    how : HowToFile

    Raises
    ------
    OutputError
        The folder cannot be made or written to.
    """

    def __init__(self, folder: Path, above: float, how: HowToFile = HowToFile.copy) -> None:
        self.folder = folder
        self.above = above
        self.how = how
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder}: cannot sort into it: it is a file, not a folder.")
        make_folder(folder)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(f"{folder}: cannot sort into it: no permission to write there.")

    def put(self, source: "ImageSource", label: str | Sequence[str], confidence: float) -> Path:
        """File one image; returns where it is now. Several labels are folders in folders, none is unsure.

        Raises
        ------
        OutputError
            It cannot be written.
        ImageError
            It is not a file, and cannot be read again from where it is stored.
        """
        labels = [label] if isinstance(label, str) else label
        sure = labels and confidence >= self.above
        below = self.folder.joinpath(*(map(folder_name, labels) if sure else [UNSURE]))
        make_folder(below)
        path = source.path
        if path is None:
            return write_image(source, below)
        target, is_new = _place(below, path.name, lambda other: filecmp.cmp(other, path, shallow=False))
        try:
            if is_new:
                self._file(path, target)
            elif self.how is HowToFile.move and not target.samefile(path):
                path.unlink()
        except OSError as error:
            raise output_error(target, error) from error
        return target

    def _file(self, path: Path, target: Path) -> None:
        if self.how is HowToFile.link:
            target.symlink_to(path.resolve())
        elif self.how is HowToFile.move:
            shutil.move(path, target)
        else:
            _copy(path, target)


def folder_name(label: str) -> str:
    """Return a class name as the name of one folder, on any system.

    Examples
    --------
    >>> folder_name("cats/dogs"), folder_name("..")
    ('cats_dogs', '__')
    """
    name = _FORBIDDEN.sub("_", label)[:_MAX_NAME].rstrip(" ")
    name = re.sub(r"^\.+|\.+$", lambda dots: "_" * len(dots[0]), name)
    return f"{name}_" if name.lower() == UNSURE else name or "_"


def _place(folder: Path, name: str, is_same: Callable[[Path], bool]) -> tuple[Path, bool]:
    """Return the first of name, name-2, name-3 ... that is free (True), or holds the same image (False)."""
    stem, suffix = os.path.splitext(name)
    number = 1
    while True:
        target = folder / (name if number == 1 else f"{stem}-{number}{suffix}")
        if not os.path.lexists(target):
            return target, True
        with suppress(OSError):
            if is_same(target):
                return target, False
        number += 1


def _copy(path: Path, target: Path) -> None:
    """Copy so that a half-written image is never seen under its name."""
    with atomic_write(target) as file, path.open("rb") as original:
        shutil.copyfileobj(original, file, 1 << 20)
    with suppress(OSError):
        shutil.copystat(path, target)


def write_image(source: "ImageSource", folder: Path) -> Path:
    """Write an image that is no file, such as a cell of a Parquet file, as one; returns where it is.

    Raises
    ------
    OutputError
        It cannot be written.
    ImageError
        It cannot be read again from where it is stored.
    """
    from genus.images.sniff import sniff

    data = source.read(_MAX_BYTES)
    name = _FORBIDDEN.sub("_", source.name)[-_MAX_NAME:] + _SUFFIXES.get(sniff(data) or "", "")
    target, is_new = _place(folder, name, lambda other: other.read_bytes() == data)
    if is_new:
        with atomic_write(target) as file:
            file.write(data)
    return target
