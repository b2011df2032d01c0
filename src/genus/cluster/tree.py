"""How groups join to larger ones: agglomerative clustering of weighted points, and the tree it makes."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Linkage = Literal["ward", "average", "complete", "single"]
LINKAGES: tuple[Linkage, ...] = ("ward", "average", "complete", "single")

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class MergeTree:
    """The merges of agglomerative clustering, lowest first.

    Attributes
    ----------
    merges : (m - 1, 2) int64
        The two nodes that join: 0 to m - 1 are the points, m + i is what merge i made; scipy's convention.
    heights : (m - 1,) float64
        The distance at which they join, ascending.
    weights : (m,) float64
        How many rows each point stands for.
    members : (n,) int64
        The point of each row.
    """

    merges: NDArray[np.int64]
    heights: NDArray[np.float64]
    weights: NDArray[np.float64]
    members: Labels

    def cut(self, n_groups: int) -> Labels:
        """Return the group of each row, int64 (n,), when the last `n_groups - 1` merges are undone."""
        return self.cut_points(n_groups)[self.members]

    def cut_points(self, n_groups: int) -> Labels:
        """Return the group of each point, int64 (m,), when the last `n_groups - 1` merges are undone."""
        m = len(self.weights)
        root = np.arange(2 * m - 1)
        for i in range(m - min(n_groups, m)):
            root[self.merges[i]] = m + i
        for node in range(2 * m - 2, -1, -1):  # from the top down: a node's root is its parent's
            root[node] = root[root[node]]
        _, first, codes = np.unique(root[:m], return_index=True, return_inverse=True)
        return np.argsort(np.argsort(first))[codes].astype(np.int64)

    def to_linkage(self) -> NDArray[np.float64]:
        """Return the tree as `scipy.cluster.hierarchy` wants it, float64 (m - 1, 4)."""
        masses = np.concatenate([self.weights, np.zeros(len(self.merges))])
        for i, (one, other) in enumerate(self.merges):
            masses[len(self.weights) + i] = masses[one] + masses[other]
        sizes = masses[len(self.weights) :]
        return np.column_stack([self.merges, self.heights, sizes]).astype(np.float64)


def build_tree(
    points: Floats, weights: NDArray[np.float64], linkage: Linkage, members: Labels | None = None
) -> MergeTree:
    """Join weighted points to one tree, always the two nearest groups.

    Parameters
    ----------
    points : (m, d) float32
    weights : (m,) float64
        A point of weight w counts like w equal points.
    linkage : {"ward", "average", "complete", "single"}
        What the distance of two groups is.
    members : (n,) int64 or None
        Which point each row belongs to; None for the points themselves.

    Notes
    -----
    Nearest-neighbour chains and the Lance-Williams recurrence: O(m^2) steps in m^2 * 4 bytes. Muellner (2011),
    "Modern hierarchical, agglomerative clustering algorithms". scipy's `linkage` knows no weights, which is what
    lets a few thousand points stand for any number of images.

    Examples
    --------
    >>> tree = build_tree(np.float32([[0], [1], [10]]), np.ones(3), "average")
    >>> tree.merges.tolist(), tree.heights.tolist(), tree.cut(2).tolist()
    ([[0, 1], [2, 3]], [1.0, 9.5], [0, 0, 1])
    """
    distances = _pairwise(points, weights, linkage)
    ones, others, heights = _chain(distances, weights.astype(np.float64).copy(), linkage)
    if linkage == "ward":
        heights = np.sqrt(np.maximum(heights, 0.0))
    order = np.argsort(heights, kind="stable")
    return MergeTree(
        _as_nodes(ones[order], others[order], len(points)),
        np.maximum.accumulate(heights[order]),
        weights.astype(np.float64),
        np.arange(len(points)) if members is None else members,
    )


def _pairwise(points: Floats, weights: NDArray[np.float64], linkage: Linkage) -> Floats:
    squares = np.einsum("ij,ij->i", points, points)
    found: Floats = points @ points.T
    found *= -2.0
    found += squares
    found += squares[:, None]
    np.maximum(found, 0.0, out=found)
    if linkage == "ward":  # the growth in the sum of squares, twice: scipy's scale
        found *= (2.0 * weights[:, None] * weights / (weights[:, None] + weights)).astype(np.float32)
    else:
        np.sqrt(found, out=found)
    np.fill_diagonal(found, np.inf)
    return found


def _chain(
    distances: Floats, sizes: NDArray[np.float64], linkage: Linkage
) -> tuple[Labels, Labels, NDArray[np.float64]]:
    """Merge along chains of nearest neighbours; the second of two groups goes on as both, the first is gone."""
    m = len(sizes)
    alive = np.ones(m, bool)
    ones, others, heights = np.empty(m - 1, np.int64), np.empty(m - 1, np.int64), np.empty(m - 1)
    chain: list[int] = []
    for step in range(m - 1):
        if not chain:
            chain.append(int(alive.argmax()))
        while True:
            here = chain[-1]
            row = distances[here]
            there = int(row.argmin())
            if len(chain) > 1 and row[chain[-2]] <= row[there]:  # reciprocal, ties included
                there = chain[-2]
                break
            chain.append(there)
        del chain[-2:]
        ones[step], others[step], heights[step] = here, there, distances[here, there]
        merged = _merged(distances[here], distances[there], heights[step], sizes, here, there, linkage)
        alive[here] = False
        merged[~alive] = np.inf
        merged[there] = np.inf
        distances[there] = merged
        distances[:, there] = merged
        distances[here] = np.inf
        distances[:, here] = np.inf
        sizes[there] += sizes[here]
    return ones, others, heights


def _merged(
    to_one: Floats,
    to_other: Floats,
    height: float,
    sizes: NDArray[np.float64],
    one: int,
    other: int,
    linkage: Linkage,
) -> Floats:
    """Return the distances of all groups to the union of two (Lance and Williams, 1967)."""
    if linkage in ("single", "complete"):
        chosen: Floats = (np.minimum if linkage == "single" else np.maximum)(to_one, to_other)
        return chosen
    a, b = sizes[one], sizes[other]
    if linkage == "average":
        average: Floats = ((a * to_one + b * to_other) / (a + b)).astype(np.float32)
        return average
    with np.errstate(invalid="ignore"):  # infinite for groups that are gone; set right by the caller
        joined = ((a + sizes) * to_one + (b + sizes) * to_other - sizes * height) / (a + b + sizes)
    ward: Floats = joined.astype(np.float32)
    return ward


def _as_nodes(ones: Labels, others: Labels, m: int) -> NDArray[np.int64]:
    """Turn pairs of points that stand for their groups into pairs of tree nodes."""
    parent = np.arange(m)
    node = np.arange(m)
    merges = np.empty((len(ones), 2), np.int64)

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    for step, (one, other) in enumerate(zip(ones.tolist(), others.tolist(), strict=True)):
        a, b = find(one), find(other)
        merges[step] = sorted((node[a], node[b]))
        parent[a] = b
        node[b] = m + step
    return merges
