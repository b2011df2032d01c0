"""Read images that are in memory or listed: paths, arrays, bytes, PIL images."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import Dataset
from genus.data.label_cells import label_name
from genus.errors import DataError
from genus.images.source import as_source


def read_list(images: Iterable[Any], y: Any = None) -> Dataset:
    """Read a list of paths, arrays, bytes or PIL images, or one array (n, h, w) or (n, h, w, c).

    Parameters
    ----------
    images : iterable of n images
        Whatever `genus.images.source.as_source` takes, or an object array of such.
    y : sequence of n labels, or None

    Returns
    -------
    Dataset
        In the order given. Images that have no name of their own are called "image 0", "image 1" ...

    Raises
    ------
    DataError
        There are no images, the array has a shape that images do not have, or the labels are of another number.
    ParameterError, ImageError
        One of them is nothing that can be an image.
    """
    if isinstance(images, np.ndarray):
        images = _images_of(images)
    sources = tuple(
        as_source(image, None if _has_name(image) else f"image {i}") for i, image in enumerate(images)
    )
    if not sources:
        raise DataError("no images: the list is empty.")
    labels = None if y is None else read_labels(y, len(sources))
    return Dataset(sources, labels=labels, origin="images in memory")


def read_labels(y: Any, n: int) -> tuple[str | None, ...]:
    """Return labels as class names.

    Parameters
    ----------
    y : sequence, array (n,) or (n, 1), Series
        None, NaN and empty strings mean no label.
    n : int
        How many there must be.

    Raises
    ------
    DataError
        There are more or fewer, or one of them is several.
    """
    if isinstance(y, str | bytes | dict) or not hasattr(y, "__iter__"):
        raise DataError(f"labels: expected a sequence of {n} labels, one an image, not a {type(y).__name__}.")
    array = (
        y.to_numpy() if hasattr(y, "to_numpy") else y
    )  # a Series, a DataFrame of one column, an Arrow array
    if isinstance(array, np.ndarray) and array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    values = list(array)
    if len(values) != n:
        raise DataError(f"{n} images, but {len(values)} labels: one each is needed.")
    return tuple(label_name(value) for value in values)


def _images_of(array: NDArray[Any]) -> Iterable[Any]:
    """Return the images in an array: of paths or objects (n,) or (n, 1), or of pixels (n, h, w) or (n, h, w, c)."""
    shape = " x ".join(map(str, array.shape))
    if array.dtype.kind in "OUT":
        if array.size != len(array if array.ndim else ()):
            raise DataError(f"an array of {array.dtype} objects must have one an image, this one is {shape}.")
        return list(array.ravel())
    if array.ndim == 3 and array.shape[2] in (3, 4):
        raise DataError(f"an array of {shape} is one image in colour; put it in a list: [image].")
    if array.ndim not in (3, 4):
        raise DataError(f"an array of images must be (n, h, w) or (n, h, w, c), this one is {shape}.")
    return list(array)


def _has_name(image: Any) -> bool:
    return isinstance(image, str) or hasattr(image, "__fspath__") or hasattr(image, "name")
