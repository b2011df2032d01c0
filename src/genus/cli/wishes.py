"""What a person knows beforehand, from files: labels of a few images, pairs that belong together or do not."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genus.errors import DataError

if TYPE_CHECKING:
    from genus.data.dataset import Dataset
    from genus.estimators.grouping_options import Pair


def read_wishes(
    dataset: "Dataset", seeds: str | None, must: str | None, cannot: str | None
) -> dict[str, Any]:
    """Read what is known of the images of `dataset`: arguments for `ImageClusterer.fit`.

    Parameters
    ----------
    dataset : Dataset
        Its names are absolute paths.
    seeds : str or None
        A table with an image and a label column.
    must, cannot : str or None
        Tables with two columns of images.

    Raises
    ------
    DataError
        A file cannot be read, or names an image that is not in the data.
    """
    places = {name: place for place, name in enumerate(dataset.names)}
    return {
        "seeds": None if seeds is None else _seeds(seeds, places),
        "must_link": [] if must is None else _pairs(must, places),
        "cannot_link": [] if cannot is None else _pairs(cannot, places),
    }


def _seeds(file: str, places: Mapping[str, int]) -> list[str | None]:
    from genus.data.read import read_dataset

    read = read_dataset(file, multilabel=False)
    if read.labels is None or not any(read.labels):
        raise DataError(f"{file}: no labels in it; expected a table with the columns image and label.")
    labels: list[str | None] = [None] * len(places)
    for source, label in zip(read.sources, read.labels, strict=True):
        if label:
            labels[_place(file, str(source.path or source.name), places)] = label
    return labels


def _pairs(file: str, places: Mapping[str, int]) -> "list[Pair]":
    from genus.data.tables import read_rows

    rows = read_rows(Path(file))
    if not rows or len(rows[0]) < 2:
        raise DataError(f"{file}: expected a table with a header and two columns, an image in each.")
    folder = Path(file).parent
    pairs = []
    for number, row in enumerate(rows, start=1):
        one, other = _two(file, number, list(row.values())[:2])
        pairs.append((_place(file, str(folder / one), places), _place(file, str(folder / other), places)))
    return pairs


def _two(file: str, number: int, values: Iterable[object]) -> list[str]:
    found = [str(value) for value in values if value]
    if len(found) < 2:
        raise DataError(f"{file}, row {number}: expected two images.")
    return found


def _place(file: str, image: str, places: Mapping[str, int]) -> int:
    try:
        return places[os.path.abspath(image)]
    except KeyError:
        raise DataError(
            f"{file}: {image} is none of the images. Relative paths start from the table's folder."
        ) from None
