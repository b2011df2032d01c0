"""Pictures on pages: small copies of images, and which of many deserve one."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from genus.errors import ImageError
from genus.features.runtime import available_cores
from genus.images.decode import DEFAULT_LIMITS, Limits
from genus.images.source import ImageSource, as_source
from genus.images.thumbnail import data_uri, thumbnail
from genus.progress import Progress

MAX_PICTURES = 240
N_SUREST = 24
_PER_CLASS = 6

Sources = Mapping[str, ImageSource]
Key = TypeVar("Key")


def small_copy(
    source: ImageSource, *, size: int = 160, quality: int = 80, limits: Limits = DEFAULT_LIMITS
) -> str | None:
    """Return an image, its longer side `size` pixels, as a data URI; None if it cannot be read.

    The page then shows the name alone.
    """
    try:
        return data_uri(thumbnail(source, size, quality=quality, limits=limits))
    except ImageError:
        return None


def named_copy(name: str, sources: Sources | None, *, size: int, quality: int) -> str | None:
    """Return the small copy of an image by its name, which is a path where no `sources` are known."""
    try:
        source = sources[name] if sources is not None else as_source(name)
    except (ImageError, KeyError):
        return None
    return small_copy(source, size=size, quality=quality)


def made_on_all_cores(
    keys: Sequence[Key], make: Callable[[Key], str | None], progress: Progress
) -> dict[Key, str | None]:
    """Make the picture that belongs to each key, on all cores."""
    found = {}
    with (
        ThreadPoolExecutor(available_cores()) as pool,
        progress.task("pictures for the page", total=len(keys), unit="images") as task,
    ):
        for key, uri in zip(keys, pool.map(make, keys), strict=True):
            found[key] = uri
            task.advance()
    return found


def choose_pictures(
    y_true: NDArray[np.integer[Any]],
    y_pred: NDArray[np.integer[Any]],
    confidence: NDArray[np.floating[Any]],
    *,
    limit: int = MAX_PICTURES,
) -> NDArray[np.int64]:
    """Choose the images to show: the surest mistakes, some of every kind of mistake, some of every class.

    Parameters
    ----------
    y_true, y_pred : int (n,)
        Codes of the true and predicted classes; -1 is a class that the model does not know.
    confidence : float (n,)
        Probability of the predicted class.
    limit : int, default 240
        Choose at most so many: they make up most of the size of the page.

    Returns
    -------
    int64 (m,)
        Rising indices, m <= limit.

    Notes
    -----
    The surest mistakes come first, then the first mistake of every cell of the confusion matrix, then the second
    ..., so that each cell can be looked into; a third of the room is kept for images that are right, up to six
    a class, from the most to the least certain.

    Examples
    --------
    >>> y = np.array([0, 0, 1, 1])
    >>> choose_pictures(y, np.array([0, 1, 1, 0]), np.array([0.9, 0.8, 0.7, 0.6]), limit=3).tolist()
    [0, 1, 3]
    """
    y_true, y_pred, sure = np.asarray(y_true), np.asarray(y_pred), np.asarray(confidence, np.float64)
    wrong = _by_turns(np.flatnonzero(y_true != y_pred), y_true, y_pred, sure)
    surest = wrong[np.argsort(-sure[wrong], kind="stable")][:N_SUREST]
    wrong = np.concatenate([surest, wrong[~np.isin(wrong, surest)]])
    right = _by_turns(np.flatnonzero(y_true == y_pred), y_true, y_pred, sure, spread=True)
    for_right = min(len(right), max(limit // 3, limit - len(wrong)))
    return np.sort(np.concatenate([wrong[: limit - for_right], right[:for_right]]))[: max(limit, 0)]


def _by_turns(
    chosen: NDArray[np.int64],
    y_true: NDArray[np.integer[Any]],
    y_pred: NDArray[np.integer[Any]],
    sure: NDArray[np.float64],
    *,
    spread: bool = False,
) -> NDArray[np.int64]:
    """Order images so that every cell of the confusion matrix gets its first before any gets its second."""
    if len(chosen) == 0:
        return chosen
    chosen = chosen[np.lexsort((chosen, -sure[chosen], y_pred[chosen], y_true[chosen]))]
    cell = np.column_stack([y_true[chosen], y_pred[chosen]])
    starts = np.flatnonzero(np.append(True, (cell[1:] != cell[:-1]).any(1)))
    sizes = np.diff(np.append(starts, len(chosen)))
    place = np.arange(len(chosen)) - np.repeat(starts, sizes)
    if spread:  # keep `_PER_CLASS` of each cell, evenly from the surest to the least sure
        size = np.repeat(sizes, sizes)
        step = np.maximum(1.0, (size - 1) / max(_PER_CLASS - 1, 1))
        turn = np.round(place / step)
        keep = (np.round(turn * step) == place) & (turn < _PER_CLASS)
        chosen, place = chosen[keep], turn[keep]
    return chosen[np.argsort(place, kind="stable")]
