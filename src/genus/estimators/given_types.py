"""Class names are text inside; whoever gave numbers gets numbers back."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import Dataset


def in_given_type(names: tuple[str, ...], y: Any) -> NDArray[Any]:
    """Give the class names back in the type of the labels: 3, not "3"."""
    if y is None or isinstance(y, Dataset):
        return np.asarray(names)
    given = {str(value): value for value in single_labels(y)}
    return np.asarray([given.get(name, name) for name in names])


def single_labels(y: Any) -> Iterable[Any]:
    """Yield the labels in `y`, which may hold several an image; the columns of an indicator matrix are numbers."""
    if isinstance(y, np.ndarray) and y.ndim == 2 and y.shape[1] > 1:
        return range(y.shape[1])
    several = [value for value in y if isinstance(value, (list, tuple, set, frozenset, np.ndarray))]
    if several:
        return (label for value in several for label in value)
    found: Iterable[Any] = np.unique(np.asarray(y)).tolist()
    return found
