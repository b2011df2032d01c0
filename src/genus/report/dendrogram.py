"""A tree of groups as lines: where groups join, and how unlike they are when they do."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ROW = 26.0  # height of a leaf in the drawing's units
_WIDTH = 420.0


@dataclass(frozen=True, slots=True)
class Leaf:
    """One group: its index, and where its line begins."""

    index: int
    y: float


@dataclass(frozen=True, slots=True)
class Dendrogram:
    """A tree that grows from right (single groups) to left (all images).

    Attributes
    ----------
    width, height : float
    path : str
        All lines as one SVG path.
    leaves : tuple of Leaf
        From top to bottom.
    """

    width: float
    height: float
    path: str
    leaves: tuple[Leaf, ...]


def draw_dendrogram(merges: NDArray[np.int64], heights: NDArray[np.float64]) -> Dendrogram:
    """Lay out a tree (see `genus.cluster.tree.MergeTree`).

    Parameters
    ----------
    merges : (m - 1, 2) int64
    heights : (m - 1,) float64
        Ascending.

    Examples
    --------
    >>> tree = draw_dendrogram(np.array([[0, 2], [1, 3]]), np.array([1.0, 2.0]))
    >>> [leaf.index for leaf in tree.leaves], tree.height
    ([1, 0, 2], 78.0)
    """
    m = len(merges) + 1
    order = _leaf_order(merges, m)
    x, y = np.full(2 * m - 1, _WIDTH), np.zeros(2 * m - 1)
    y[order] = _ROW * (np.arange(m) + 0.5)
    top = max(float(heights[-1]), 1e-12) if len(heights) else 1.0
    lines = []
    for i, (one, other) in enumerate(merges.tolist()):
        node = m + i
        x[node] = _WIDTH * (1 - float(heights[i]) / top)
        y[node] = (y[one] + y[other]) / 2
        lines.append(f"M{x[one]:.1f} {y[one]:.1f}H{x[node]:.1f}V{y[other]:.1f}H{x[other]:.1f}")
    return Dendrogram(_WIDTH, _ROW * m, "".join(lines), tuple(Leaf(i, float(y[i])) for i in order))


def _leaf_order(merges: NDArray[np.int64], m: int) -> list[int]:
    """Return the leaves so that no lines cross."""
    order: list[int] = []
    stack = [2 * m - 2]
    while stack:
        node = stack.pop()
        if node < m:
            order.append(node)
        else:
            one, other = merges[node - m].tolist()
            stack += [other, one]
    return order
