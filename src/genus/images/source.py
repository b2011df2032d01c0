"""Where an image comes from: a file, bytes, pixels, or something that is read when it is needed."""

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from genus.errors import ImageError, ParameterError

if TYPE_CHECKING:
    from PIL.Image import Image


@runtime_checkable
class StoredImage(Protocol):
    """Encoded bytes that are fetched when they are needed, such as one cell of a Parquet file."""

    def read(self) -> bytes:
        """Return the encoded bytes; may raise OSError, ValueError or a GenusError."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageSource:
    """One image, not yet decoded.

    Parameters
    ----------
    name : str
        How the user knows it: the path as given, "photos.parquet[17]", "image 3".
    data : Path, bytes, ndarray of uint8 of shape (h, w, 3), or StoredImage
        A file, an encoded image, RGB pixels, or what is read on demand. `as_source` makes it of anything.
    """

    name: str
    data: Path | bytes | NDArray[np.uint8] | StoredImage

    @property
    def path(self) -> Path | None:
        """The file, if it is one."""
        return self.data if isinstance(self.data, Path) else None

    def read(self, max_bytes: int) -> bytes:
        """Return the encoded bytes.

        Parameters
        ----------
        max_bytes : int
            What is larger is refused; of a file, before it is read.

        Returns
        -------
        bytes

        Raises
        ------
        ImageError
            It is missing, a folder, unreadable, empty or too large, or it is pixels and not encoded.
        """
        if isinstance(self.data, np.ndarray):
            raise ImageError(self.name, "it is an array of pixels; there are no encoded bytes to read")
        if isinstance(self.data, bytes):
            data = self.data
        else:
            data = _read_guarded(self.name, self.data, max_bytes)
        if not data:
            raise ImageError(self.name, "it is empty (0 bytes)")
        _check_size(self.name, len(data), max_bytes)
        return data


def as_source(image: object, name: str | None = None) -> ImageSource:
    """Turn whatever people call an image into an `ImageSource`.

    Parameters
    ----------
    image : str, Path, bytes, ndarray, PIL.Image.Image, StoredImage or ImageSource
        Arrays are (h, w), (h, w, 1), (h, w, 3) RGB or (h, w, 4) RGBA, of bool, uint8, other integers in
        0..65535, or floats in [0, 1]; see `genus.images.samples` for how they become 8 bits. Alpha is laid over
        white. PIL images are turned upright by their EXIF orientation.
    name : str, optional
        How to call it in messages; the path, or the kind of object, if not given.

    Returns
    -------
    ImageSource

    Raises
    ------
    ParameterError
        It is no kind of object that can be an image.
    ImageError
        The pixels of an array or PIL image cannot be used.

    Examples
    --------
    >>> as_source("photos/cat.jpg").name
    'photos/cat.jpg'
    >>> as_source(np.zeros((4, 6), np.float32), "image 3").data.shape
    (4, 6, 3)
    """
    if isinstance(image, ImageSource):
        return image if name is None else ImageSource(name, image.data)
    if isinstance(image, (str, os.PathLike)):
        path = os.fsdecode(image)
        return ImageSource(path if name is None else name, Path(path))
    if isinstance(image, (bytes, bytearray, memoryview)):
        return ImageSource(name or "bytes", bytes(image))
    if isinstance(image, np.ndarray):
        name = name or "array"
        return ImageSource(name, _check_pixels(name, image))
    if _is_pillow(image):
        from genus.images.pillow_decode import image_pixels

        name = name or "PIL image"
        return ImageSource(name, image_pixels(image, name))
    if isinstance(image, StoredImage):
        return ImageSource(name or "stored image", image)
    raise ParameterError(
        f"{name + ': ' if name else ''}an image is a path, encoded bytes, an array of pixels or a PIL image, "
        f"not {type(image).__name__}."
    )


def _is_pillow(image: object) -> "TypeGuard[Image]":
    module = sys.modules.get("PIL.Image")  # an image of Pillow's exists only where Pillow is imported
    return module is not None and isinstance(image, module.Image)


def _check_pixels(name: str, pixels: NDArray[Any]) -> NDArray[np.uint8]:
    from genus.images.samples import to_rgb

    shape = " x ".join(map(str, pixels.shape))
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4)):
        hint = ""
        if pixels.ndim == 4:
            hint = "; pass a batch as a list of images"
        elif pixels.ndim == 3 and pixels.shape[0] in (1, 3, 4):
            hint = "; channels come last: array.transpose(1, 2, 0)"
        raise ImageError(
            name, f"an array must be (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), this one is {shape}{hint}"
        )
    if pixels.size == 0:
        raise ImageError(name, f"it has no pixels ({shape})")
    _check_values(name, pixels)
    return to_rgb(pixels)


def _check_values(name: str, pixels: NDArray[Any]) -> None:
    kind = pixels.dtype.kind
    if pixels.dtype == np.uint8 or kind == "b":
        return
    if kind not in "uif":
        raise ImageError(name, f"pixels must be numbers, these are {pixels.dtype}")
    low, high = pixels.min(), pixels.max()
    top = 1 if kind == "f" else 65535
    if not (low >= 0 and high <= top):  # written so that NaN fails too
        hint = " (or convert them to uint8)" if kind == "f" else ""
        raise ImageError(
            name, f"{pixels.dtype} pixels must lie in 0..{top}{hint}, these lie in {low:g}..{high:g}"
        )


def _read_guarded(name: str, data: Path | StoredImage, max_bytes: int) -> bytes:
    try:
        return _read_file(name, data, max_bytes) if isinstance(data, Path) else data.read()
    except FileNotFoundError as error:
        raise ImageError(name, "no such file") from error
    except NotADirectoryError as error:
        raise ImageError(name, "no such file: a part of its path is a file, not a folder") from error
    except PermissionError as error:
        raise ImageError(name, "no permission to read it") from error
    except OSError as error:
        raise ImageError(name, f"cannot be read: {error.strerror or error}") from error
    except (ValueError, LookupError, EOFError, TypeError) as error:
        raise ImageError(name, f"cannot be read: {error}") from error


def _read_file(name: str, path: Path, max_bytes: int) -> bytes:
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise ImageError(name, "it is a folder, not an image")
    if not stat.S_ISREG(status.st_mode):  # a pipe would wait for ever
        raise ImageError(name, "it is not a regular file")
    _check_size(name, status.st_size, max_bytes)
    with open(path, "rb", buffering=0) as file:
        return file.readall()


def _check_size(name: str, n_bytes: int, max_bytes: int) -> None:
    if n_bytes > max_bytes:
        raise ImageError(
            name, f"its {n_bytes / 2**20:,.1f} MiB are more than the limit of {max_bytes / 2**20:,.1f} MiB"
        )
