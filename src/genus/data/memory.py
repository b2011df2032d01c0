"""Read images that are in memory or listed: paths, arrays, bytes, PIL images."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import Dataset
from genus.data.given_labels import read_labels
from genus.errors import DataError
from genus.images.source import as_source


def read_list(images: Iterable[Any], y: Any = None, multilabel: bool | None = None) -> Dataset:
    """Read a list of paths, arrays, bytes or PIL images, or one array (n, h, w) or (n, h, w, c).

    Parameters
    ----------
    images : iterable of n images
        Whatever `genus.images.source.as_source` takes, or an object array of such.
    y : labels, or None
        See `genus.data.given_labels.read_labels`, `multilabel` too.

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
    data = Dataset(sources, origin="images in memory")
    return data if y is None else with_labels(data, y, multilabel)


def with_labels(data: Dataset, y: Any, multilabel: bool | None = None) -> Dataset:
    """Return a data set with these labels in place of its own (see `genus.data.given_labels.read_labels`)."""
    said = read_labels(y, len(data), multilabel)
    return replace(data, labels=said.labels, label_sets=said.label_sets)


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
