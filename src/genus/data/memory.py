"""Read images that are in memory or listed: paths, arrays, bytes, PIL images."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from genus.data.dataset import Dataset
from genus.errors import DataError
from genus.images.source import as_source


def read_list(images: Iterable[Any], y: Any = None) -> Dataset:
    """Read a list of paths, arrays, bytes or PIL images, or one array (n, h, w) or (n, h, w, c).

    Parameters
    ----------
    images : iterable of n images
    y : sequence of n labels, or None

    Raises
    ------
    DataError
        There are no images, or the labels are of another number.
    """
    sources = tuple(
        as_source(image, None if _has_name(image) else f"image {i}") for i, image in enumerate(images)
    )
    if not sources:
        raise DataError("no images: the list is empty.")
    return Dataset(
        sources, labels=None if y is None else read_labels(y, len(sources)), origin="images in memory"
    )


def read_labels(y: Any, n: int) -> tuple[str | None, ...]:
    """Return labels as class names; None, NaN and empty strings mean no label."""
    values = np.asarray(y, dtype=object).ravel().tolist()
    if len(values) != n:
        raise DataError(f"{n} images, but {len(values)} labels: one each is needed.")
    return tuple(label_name(value) for value in values)


def label_name(value: Any) -> str | None:
    """Return a label as text: 3 and 3.0 as "3".

    Examples
    --------
    >>> label_name(3.0), label_name("cat"), label_name(float("nan"))
    ('3', 'cat', None)
    """
    if value is None or value != value:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or None


def _has_name(image: Any) -> bool:
    return isinstance(image, str) or hasattr(image, "__fspath__") or hasattr(image, "name")
