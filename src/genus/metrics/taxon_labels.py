"""Labels as taxa: which class, or which taxon above some, a label names."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.taxonomy import TOP, Floats, Integers, Taxonomy


@dataclass(frozen=True, slots=True, eq=False)
class TaxonLabels:
    """Labels of images as places in a tree.

    Attributes
    ----------
    places : (n,) int64
        -1 where the tree does not know the label.
    codes : (n,) int64
        The model's class; -1 where the label names none.
    """

    places: Integers
    codes: Integers

    @classmethod
    def of(cls, labels: Sequence[str], classes: Sequence[str], tree: Taxonomy) -> "TaxonLabels":
        """Look labels up: class names, paths, and names that only one taxon has."""
        place_of = dict(zip(classes, tree.classes, strict=True))
        code_of = {place: code for code, place in enumerate(tree.classes)}
        found = {label: place_of.get(label, tree.find(label)) for label in set(labels)}
        places = [TOP if (place := found[label]) is None else place for label in labels]
        return cls(
            np.array(places, np.int64), np.array([code_of.get(place, -1) for place in places], np.int64)
        )

    @property
    def coarse(self) -> NDArray[np.bool_]:
        """Which labels name a taxon above some classes, and no class."""
        return np.asarray((self.places != TOP) & (self.codes < 0), np.bool_)


def put_together(
    tree: Taxonomy, classes: Sequence[str], proba: ArrayLike, places: Integers
) -> tuple[tuple[str, ...], Floats, Integers]:
    """Put the classes below labelled taxa together, so that coarser labels can be judged.

    Parameters
    ----------
    tree : Taxonomy
    classes : sequence of c str
    proba : (n, c) array
    places : (n,) int64
        The labels' taxa; -1 for unknown ones. Of taxa one below the other the upper one counts.

    Returns
    -------
    names : tuple of k str
        The taxa's paths, and the classes below none.
    proba : (n, k) float64
    codes : (n,) int64
        -1 for unknown labels.

    Examples
    --------
    >>> tree = Taxonomy.of_paths(["a/x", "a/y", "b"])
    >>> put_together(tree, ["a/x", "a/y", "b"], [[0.5, 0.25, 0.25]], np.array([0]))
    (('a', 'b'), array([[0.75, 0.25]]), array([0]))
    """
    wanted = np.zeros(len(tree.names) + 1, bool)
    wanted[places[places != TOP]] = True
    way = tree.lineage
    chosen = wanted[way] & (way != TOP)
    upper = np.where(chosen.any(axis=1), way[np.arange(len(way)), chosen.argmax(axis=1)], TOP)
    group: dict[tuple[int, int], int] = {}
    columns = []
    for code, place in enumerate(tree.classes):
        key = (int(upper[place]), -1) if upper[place] != TOP else (TOP, code)
        columns.append(group.setdefault(key, len(group)))
    names = tuple(classes[code] if place == TOP else tree.paths[place] for place, code in group)
    found = np.zeros((len(group), len(np.asarray(proba))))
    np.add.at(found, columns, np.asarray(proba, np.float64).T)
    code_of = {place: i for (place, _), i in group.items() if place != TOP}
    codes = np.array([code_of.get(place, -1) for place in upper[places].tolist()], np.int64)
    return names, np.ascontiguousarray(found.T), np.where(places == TOP, -1, codes)
