"""What people call the groups: labels made of names, and guesses where nobody has named them yet."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from genus.errors import DataError
from genus.estimators.grouped import GroupedImages
from genus.images.source import ImageSource, as_source
from genus.predictor import Predictor
from genus.progress import SILENT, Progress

DROPPED = "-"
_LOOKED_AT = 16  # most typical images of a group; what the built-in model sees in them is averaged
_GUESSES = 3


@dataclass(frozen=True, slots=True)
class NamedImage:
    """An image whose group has a name.

    Attributes
    ----------
    image : str
    label : str
        The name of its group.
    confidence : float
        How sure its group is, 0 to 1.
    group : int
    """

    image: str
    label: str
    confidence: float
    group: int


def named_images(grouped: GroupedImages, above: float = 0.0) -> list[NamedImage]:
    """Return the images whose group has a name, with that name as label.

    Parameters
    ----------
    grouped : GroupedImages
    above : float, default 0
        Leave out images whose group is less sure than this.
    """
    names = {number: name for number, name in grouped.group_names.items() if name != DROPPED}
    found = []
    for image, row, number in zip(grouped.names, grouped.row.tolist(), grouped.labels.tolist(), strict=True):
        if number in names and (confidence := float(grouped.row_confidence[row])) >= above:
            found.append(NamedImage(image, names[number], confidence, number))
    return found


def suggest_names(
    grouped: GroupedImages,
    predictor: Predictor,
    *,
    sources: Mapping[str, ImageSource] | None = None,
    progress: Progress = SILENT,
) -> dict[int, list[tuple[str, float]]]:
    """Guess what each group shows from what a model sees in its most typical images.

    Parameters
    ----------
    grouped : GroupedImages
    predictor : Predictor
        Such as `genus.predictor.built_in()`; it only knows its own classes.
    sources : mapping of str to ImageSource, or None
        The images by name; None takes names for paths.
    progress : Progress

    Returns
    -------
    dict of int to list of (str, float)
        For each group the likeliest names and their mean probability, likeliest first.

    Raises
    ------
    DataError
        None of the images can be read any more.
    """
    typical = grouped.representatives(_LOOKED_AT)
    places = np.concatenate(list(typical.values()))
    names = [grouped.names[place] for place in places]
    images = [as_source(name) if sources is None else sources[name] for name in names]
    proba = np.full((len(images), len(predictor.classes_)), np.nan)
    for batch in predictor.stream(images, progress=progress):
        proba[batch.indices] = batch.proba
    if np.isnan(proba).all():
        raise DataError(f"{grouped.origin}: the images cannot be read any more; were they moved?")
    groups = np.repeat(list(typical), [len(found) for found in typical.values()])
    guesses = {}
    for number in typical:
        seen = proba[(groups == number) & ~np.isnan(proba[:, 0])]
        mean = seen.mean(axis=0) if len(seen) else np.zeros(0)
        best = np.argsort(-mean, kind="stable")[:_GUESSES]
        guesses[number] = [(str(predictor.classes_[i]), float(mean[i])) for i in best]
    return guesses
