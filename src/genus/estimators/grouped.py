"""Images sorted into groups, as plain values that the command line, the page and Python users share."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.cluster.clusterer import NOISE, Clusterer
from genus.cluster.confidence import soften
from genus.cluster.given import Given
from genus.cluster.layout import lay_out
from genus.cluster.preparation import Preparation
from genus.cluster.tree import MergeTree, build_tree
from genus.data.dataset import SkippedImage
from genus.errors import DataError

_FAR = 3.0  # robust standard deviations beyond which an image is an outlier of its group
_MAD = 1.4826  # the median absolute deviation of a normal distribution, times this, is its standard deviation

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class GroupedImages:
    """Images and the groups they are in. Identical files count once; all copies are in one group.

    Attributes
    ----------
    origin : str
        What was read.
    names : tuple of n str
        The images.
    row : (n,) int64
        Which of the m distinct readable images each is; -1 for one that cannot be read.
    skipped : tuple of SkippedImage
    truth : tuple of n (str or None), or None
        Labels that came with the data. They are shown beside the groups and had no part in them.
    features : dict
        The feature set (`FeatureSet.from_dict` reads it).
    views : mapping of str to (m, d) float32
        The prepared rows.
    view : str
        The one that the groups were found in.
    preparation : Preparation
        What makes it.
    clusterer : Clusterer
        The grouping of its rows.
    numbers : tuple of int
        What people call the clusterer's groups: kept when other groups are split or merged.
    temperature : float
        See `genus.cluster.confidence`.
    comparison : dict
        What was tried: "metric", "rows", "numbers", "n_clusters", "notes", "seconds".
    provenance : dict
        Versions, seed, command.
    group_names : mapping of int to str
        What a person called the groups; "-" for one that is dropped.
    placed : (m, 2) float32 or None
        Where each distinct image lies on the map; None computes it when it is asked for.
    """

    origin: str
    names: tuple[str, ...]
    row: Labels
    skipped: tuple[SkippedImage, ...]
    truth: tuple[str | None, ...] | None
    features: Mapping[str, Any]
    views: Mapping[str, Floats]
    view: str
    preparation: Preparation
    clusterer: Clusterer
    numbers: tuple[int, ...]
    temperature: float
    comparison: Mapping[str, Any]
    provenance: Mapping[str, Any]
    group_names: Mapping[int, str]
    placed: Floats | None = None

    @property
    def rows(self) -> Floats:
        """The prepared rows that the groups were found in, float32 (m, d)."""
        return self.views[self.view]

    @cached_property
    def row_labels(self) -> Labels:
        """The number of each distinct image's group, int64 (m,); -1 for noise."""
        called = np.array([*self.numbers, NOISE])
        return called[self.clusterer.labels_]

    @cached_property
    def labels(self) -> Labels:
        """The number of each image's group, int64 (n,); -1 for noise and for what cannot be read."""
        return np.where(self.row >= 0, self.row_labels[self.row], NOISE)

    @cached_property
    def _squared(self) -> Floats:
        return self.clusterer.squared_distances(self.rows)

    @cached_property
    def row_distances(self) -> Floats:
        """Distance of each distinct image to its group's centre, float32 (m,); to the nearest group's for noise.

        To the centre and not to the nearest prototype: an image that is like no other may be a prototype itself.
        """
        squared = self._squared[:, : len(self.numbers)]
        codes = np.where(self.clusterer.labels_ >= 0, self.clusterer.labels_, squared.argmin(axis=1))
        away = self.rows - self.clusterer.cluster_centers_[codes]
        distances: Floats = np.sqrt((away**2).sum(axis=1, dtype=np.float32))
        return distances

    @cached_property
    def row_confidence(self) -> Floats:
        """How sure each distinct image's group is, 0 to 1, float32 (m,)."""
        shares = soften(self._squared, self.temperature)
        codes = self.clusterer.labels_  # -1 is the last column, which is noise where there is any
        return shares[np.arange(len(codes)), codes]

    @cached_property
    def sizes(self) -> dict[int, int]:
        """How many images each group has."""
        return {number: int((self.labels == number).sum()) for number in sorted(self.numbers)}

    @cached_property
    def cohesion(self) -> dict[int, float]:
        """Mean cosine of each group's images with their mean, 0 to 1: higher is more alike."""
        return {
            number: float(np.mean(members @ _unit(members.mean(axis=0)))) if len(members) > 1 else 1.0
            for number, members in ((number, self.rows[self.members(number)]) for number in self.numbers)
        }

    @cached_property
    def first(self) -> Labels:
        """The first image of each distinct one, int64 (m,)."""
        places = np.flatnonzero(self.row >= 0)
        return places[np.unique(self.row[places], return_index=True)[1]]

    @cached_property
    def map_places(self) -> Floats:
        """A place in the unit square for each distinct image, float32 (m, 2): what is alike lies together."""
        return lay_out(next(iter(self.views.values()))) if self.placed is None else self.placed

    def known_labels(self, number: int, n: int = 3) -> list[tuple[str, float]]:
        """Return the `n` most frequent labels that came with a group's images, with their shares."""
        if self.truth is None:
            return []
        found = Counter(label for i in np.flatnonzero(self.labels == number) if (label := self.truth[i]))
        return [(label, times / found.total()) for label, times in found.most_common(n)]

    def members(self, number: int) -> Labels:
        """Return the rows of a group.

        Raises
        ------
        DataError
            There is no group of that number.
        """
        if number not in self.numbers:
            known = ", ".join(str(n) for n in sorted(self.numbers))
            raise DataError(f"there is no group {number}; there are: {known}.")
        return np.flatnonzero(self.row_labels == number)

    def representatives(self, n: int = 1) -> dict[int, Labels]:
        """Return each group's most typical images, by their place among `names`: the first is its medoid."""
        found = {}
        for number in sorted(self.numbers):
            members = self.members(number)
            near = self.rows[members] @ _unit(self.rows[members].mean(axis=0))
            found[number] = self.first[members[np.argsort(-near, kind="stable")[:n]]]
        return found

    def borderline(self, n: int = 10) -> dict[int, Labels]:
        """Return each group's most doubtful images, by their place among `names`: the least confident first."""
        found = {}
        for number in sorted(self.numbers):
            members = self.members(number)
            order = np.argsort(self.row_confidence[members], kind="stable")
            found[number] = self.first[members[order[:n]]]
        return found

    @cached_property
    def outliers(self) -> Labels:
        """Images unlike all groups, by their place: noise, and what is unusually far from its group."""
        far = self.row_labels < 0
        for number in self.numbers:
            members = self.members(number)
            away = self.row_distances[members]
            middle = np.median(away)
            spread = _MAD * np.median(np.abs(away - middle))
            far[members] |= (away > middle + _FAR * spread) & (spread > 0)
        return np.flatnonzero((self.row >= 0) & far[self.row])

    def hierarchy(self) -> MergeTree:
        """Return how the groups join to larger ones: leaves are the groups, in the order of their numbers.

        Ward's tree over the groups' centres, weighted by their sizes.
        """
        order = np.argsort(self.numbers)
        sizes = np.bincount(self.clusterer.labels_[self.clusterer.labels_ >= 0], minlength=len(order))
        return build_tree(self.clusterer.cluster_centers_[order], sizes[order].astype(np.float64), "ward")

    def renamed(self, names: Mapping[int, str]) -> "GroupedImages":
        """Return the same groups with more names.

        Raises
        ------
        DataError
            There is no group of such a number.
        """
        for number in names:
            self.members(number)
        return replace(self, group_names={**self.group_names, **names})

    def regrouped(self, row_labels: Labels, note: str) -> "GroupedImages":
        """Return the same images in other groups; names stay with the numbers that are left.

        Parameters
        ----------
        row_labels : (m,) int64
            The number of each distinct image's group; -1 for noise.
        note : str
            What was done, for whoever looks at the groups later.
        """
        clusterer = Given(row_labels).fit(self.rows)
        numbers = [
            int(row_labels[np.flatnonzero(clusterer.labels_ == group)[0]])
            for group in range(clusterer.n_clusters_)
        ]
        names = {number: name for number, name in self.group_names.items() if number in numbers}
        return replace(
            self,
            clusterer=clusterer,
            numbers=tuple(numbers),
            group_names=names,
            comparison={**self.comparison, "notes": [*self.comparison["notes"], note]},
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: the groups and what was tried."""
        return {
            "origin": self.origin,
            "n_images": len(self.names),
            "n_distinct": len(self.rows),
            "n_groups": len(self.numbers),
            "groups": [
                {
                    "number": number,
                    "name": self.group_names.get(number),
                    "size": size,
                    "cohesion": round(self.cohesion[number], 4),
                }
                for number, size in self.sizes.items()
            ],
            "n_noise": int((self.row_labels[self.row[self.row >= 0]] < 0).sum()),
            "n_outliers": len(self.outliers),
            "skipped": [{"source": s.source, "reason": s.reason} for s in self.skipped],
            "comparison": dict(self.comparison),
            "provenance": dict(self.provenance),
        }


def _unit(row: Floats) -> Floats:
    length = np.float32(np.linalg.norm(row))
    unit: Floats = row / max(length, np.float32(1e-12))
    return unit
