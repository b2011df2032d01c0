"""How unlike its training images an image is: the distance to the nearest of those that a model file keeps."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from genus.graph import GraphBuilder
from genus.metrics.unknown import Auroc, auroc
from genus.normalize import Bounds, export_normalized, normalize_blocks

MAX_STORED = 1_500
"""How many images a model file keeps at most: of the usual features they take 2 to 4 MB."""
_MAX_SCORED = 2_000  # training images that are compared with those stored
_POWER = 0.5
_FEWEST = 5  # images of a class that is left out
_MOST_LEFT_OUT = 50  # classes
_STEPS = 127  # of a number as it is stored

Rows = NDArray[np.float32]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Novelty:
    """The squared distance of normalised features to the nearest stored image.

    Attributes
    ----------
    rows : (m, d) int8
        The stored images, d the width of the blocks.
    unit : (m, 1) float32
        What a step of each is worth.
    blocks : tuple of (start, stop)
        The feature columns that are compared.

    Notes
    -----
    The distance to the nearest neighbour is as good a sign of the unknown as any that was proposed, and needs no
    assumption on how images are spread: Sun, Ming, Zhu and Li (2022), "Out-of-distribution detection with deep nearest
    neighbors", ICML. Here the first neighbour is taken, of all stored features: fewer directions, found on the same
    images, would make those look nearer to one another than new ones are, and give up more known images than asked for.

    Scoring costs O(m d) an image.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((50, 8), np.float32) + np.repeat([1.0, 0.0], 4).astype(np.float32)
    >>> like, unlike = Novelty.of(X, [(0, 8)]).score(np.stack([X[0], X[0, ::-1]]))
    >>> bool(like < 0.001 < unlike)
    True
    """

    rows: NDArray[np.int8]
    unit: Rows
    blocks: tuple[Bounds, ...]

    @classmethod
    def of(cls, X: Rows, blocks: Sequence[Bounds]) -> Self:
        """Store the images with features `X (m, d)`."""
        Z = normalize_blocks(X, tuple(blocks), _POWER)
        unit = np.abs(Z).max(axis=1, keepdims=True, initial=np.finfo(np.float32).tiny) / np.float32(_STEPS)
        return cls(np.rint(Z / unit).astype(np.int8), unit, tuple(blocks))

    @property
    def stored(self) -> Rows:
        """The stored images as numbers, float32 (m, d)."""
        return np.asarray(self.rows * self.unit, np.float32)

    def distances(self, X: Rows) -> Rows:
        """Return the squared distance of each row of `X (n, d)` to each stored image, float32 (n, m)."""
        Z, stored = normalize_blocks(X, self.blocks, _POWER), self.stored
        found: Rows = np.einsum("ij,ij->i", Z, Z)[:, None] - 2 * (Z @ stored.T) + (stored**2).sum(axis=1)
        return np.maximum(found, 0)

    def score(self, X: Rows) -> Rows:
        """Return the novelty of each row of `X (n, d)`, float32 (n,): 0 for a stored image, seldom above 1."""
        parts = (X[start : start + _MAX_SCORED] for start in range(0, len(X), _MAX_SCORED))
        return np.concatenate(
            [np.zeros(0, np.float32), *(self.distances(part).min(axis=1) for part in parts)]
        )

    def export(self, graph: GraphBuilder, x: str, n_features: int) -> str:
        """Add the score of features `x` [N, n_features] to `graph`; returns the name of the tensor [N]."""
        z = export_normalized(graph, x, self.blocks, _POWER, n_features)
        own = graph.op("ReduceSumSquare", z, axes=[1], keepdims=1)
        steps = graph.op("Cast", graph.constant(self.rows), to=1)  # to float32
        stored = graph.op("Mul", steps, graph.constant(self.unit))
        near = graph.op("MatMul", z, graph.op("Transpose", stored, perm=[1, 0]))
        twice = graph.op("Mul", near, graph.constant(np.float32(2)))
        lengths = graph.constant((self.stored**2).sum(axis=1))
        distances = graph.op("Add", graph.op("Sub", own, twice), lengths)
        nearest = graph.op("ReduceMin", distances, axes=[1], keepdims=0)
        return graph.op("Max", nearest, graph.constant(np.float32(0)))


def spread_rows(codes: Codes, limit: int = MAX_STORED) -> Codes:
    """Choose at most `limit` rows, of small classes all and of the others equally many; ascending.

    Examples
    --------
    >>> np.bincount(np.repeat([0, 1, 2], [2, 50, 100])[spread_rows(np.repeat([0, 1, 2], [2, 50, 100]), 22)]).tolist()
    [2, 10, 10]
    """
    shuffled = np.random.default_rng(0).permutation(len(codes))
    by_class = shuffled[np.argsort(codes[shuffled], kind="stable")]
    _, starts, sizes = np.unique(codes[by_class], return_index=True, return_counts=True)
    turn = np.arange(len(codes)) - np.repeat(starts, sizes)
    return np.sort(by_class[np.argsort(turn, kind="stable")[:limit]])


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How well the images of a class would be told from the others, had the model never seen the class.

    Attributes
    ----------
    name : str
    found : Auroc
    """

    name: str
    found: Auroc

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"name": self.name, **asdict(self.found)}


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFold:
    """Distances of training images to those stored images that a model of the other folds would have.

    Attributes
    ----------
    rows : (n,) int64
        Which training images are scored.
    stored : (m,) int64
        Which are stored.
    distances : (n, m) float32
        Squared; infinite within a fold.
    """

    rows: Codes
    stored: Codes
    distances: Rows

    @classmethod
    def of(cls, novelty: Novelty, X: Rows, stored: Codes, folds: Codes) -> Self:
        """Measure features `X (n, d)` against those of its rows that `novelty` keeps, by `folds` (negative: never)."""
        rows = np.flatnonzero(folds >= 0)
        if len(rows) > _MAX_SCORED:
            rows = np.sort(np.random.default_rng(0).choice(rows, _MAX_SCORED, replace=False))
        if not len(rows):
            return cls(rows, stored, np.zeros((0, len(stored)), np.float32))
        distances = novelty.distances(X[rows])
        distances[folds[rows][:, None] == folds[stored]] = np.inf
        return cls(rows, stored, distances)

    @property
    def novelty(self) -> Rows:
        """The novelty that new images of known classes have, of those that could be measured."""
        nearest: Rows = self.distances.min(axis=1, initial=np.inf)
        return nearest[np.isfinite(nearest)]

    def left_out(self, members: NDArray[np.bool_], names: Sequence[str]) -> tuple[LeftOut, ...]:
        """Leave out each class in turn, at most fifty of them, and see how novel its images then are.

        Parameters
        ----------
        members : (n_training, c) bool
            Which training images belong to which class.
        names : sequence of c str
        """
        counts = members[self.rows].sum(axis=0)
        enough = np.flatnonzero((counts >= _FEWEST) & (len(self.rows) - counts >= _FEWEST))
        if len(enough) > _MOST_LEFT_OUT:
            enough = np.sort(np.random.default_rng(0).choice(enough, _MOST_LEFT_OUT, replace=False))
        found = []
        for c in enough.tolist():
            of_it = members[self.rows, c]
            nearest = self.distances[:, ~members[self.stored, c]].min(axis=1, initial=np.inf)
            known, unknown = nearest[~of_it], nearest[of_it]
            known, unknown = known[np.isfinite(known)], unknown[np.isfinite(unknown)]
            if len(known) and len(unknown):
                found.append(LeftOut(names[c], auroc(known, unknown)))
        return tuple(found)
