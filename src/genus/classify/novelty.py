"""How unlike its training images an image is: the distance to the nearest of those that a model file keeps."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from genus.graph import GraphBuilder
from genus.metrics.unknown import Auroc, auroc
from genus.normalize import Bounds, export_normalized, normalize_blocks, rounded_rows

N_DIRECTIONS = 128
MAX_STORED = 2_000
"""How many images a model file keeps at most; their rows take half a megabyte."""
_POWER = 0.5
_MAX_FITTED = 2_000  # rows that the directions are found from
_FEWEST = 5  # images of a class that is left out
_MOST_LEFT_OUT = 50  # classes

Rows = NDArray[np.float32]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Novelty:
    """The squared distance of normalised features to the nearest stored image.

    Attributes
    ----------
    basis : (d, r) float32
        Directions, orthonormal up to their rounding to half precision; d is the width of the blocks.
    stored : (m, r) float32
        Images in these directions, rounded to half precision.
    blocks : tuple of (start, stop)
        The feature columns that are compared.

    Notes
    -----
    The distance to the nearest neighbour is as good a sign of the unknown as any that was proposed, and needs no
    assumption on how images are spread: Sun, Ming, Zhu and Li (2022), "Out-of-distribution detection with deep nearest
    neighbors", ICML. Of the few directions the largest singular ones are taken, and what an image has outside them
    counts as distance, so little is lost by leaving the others out (`benchmarks/unknown.py`).

    Scoring costs O(d r + m r) an image.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((50, 8), np.float32) + np.repeat([1.0, 0.0], 4).astype(np.float32)
    >>> novelty = Novelty.of(X, [(0, 8)]).keeping(X)
    >>> like, unlike = novelty.score(np.stack([X[0], X[0, ::-1]]))
    >>> bool(like < 0.001 < unlike)
    True
    """

    basis: Rows
    stored: Rows
    blocks: tuple[Bounds, ...]

    @classmethod
    def of(cls, X: Rows, blocks: Sequence[Bounds]) -> Self:
        """Find the directions that features `X (n, d)` lie in; no image is kept yet (see `keeping`)."""
        from sklearn.utils.extmath import randomized_svd

        bounds = tuple(blocks)
        if len(X) > _MAX_FITTED:
            X = X[np.random.default_rng(0).choice(len(X), _MAX_FITTED, replace=False)]
        Z = normalize_blocks(X, bounds, _POWER)
        n_directions = min(N_DIRECTIONS, *Z.shape)
        _, _, directions = randomized_svd(Z, n_directions, n_iter=2, random_state=0)
        basis = rounded_rows(directions.T)
        return cls(basis, np.zeros((0, n_directions), np.float32), bounds)

    def keeping(self, X: Rows) -> Self:
        """Return the same with the images `X (m, d)` for those that are stored."""
        return replace(self, stored=rounded_rows(normalize_blocks(X, self.blocks, _POWER) @ self.basis))

    def distances(self, X: Rows) -> Rows:
        """Return the squared distance of each row of `X (n, d)` to each stored image, float32 (n, m)."""
        Z = normalize_blocks(X, self.blocks, _POWER)
        own = np.einsum("ij,ij->i", Z, Z)[:, None]
        found: Rows = own - 2 * (Z @ self.basis) @ self.stored.T + (self.stored**2).sum(axis=1)
        return np.maximum(found, 0)

    def score(self, X: Rows) -> Rows:
        """Return the novelty of each row of `X (n, d)`, float32 (n,): 0 for a stored image, seldom above 1."""
        return np.asarray(self.distances(X).min(axis=1), np.float32)

    def export(self, graph: GraphBuilder, x: str, n_features: int) -> str:
        """Add the score of features `x` [N, n_features] to `graph`; returns the name of the tensor [N]."""
        z = export_normalized(graph, x, self.blocks, _POWER, n_features)
        own = graph.op("ReduceSumSquare", z, axes=[1], keepdims=1)
        near = graph.op("MatMul", z, graph.half_constant(self.basis))
        # the rows as they are, not their products: a reader of the file finds what it keeps
        rows = graph.half_constant(self.stored)
        lengths = graph.constant((self.stored**2).sum(axis=1))
        twice = graph.op("Mul", near, graph.constant(np.float32(2)))
        cross = graph.op("MatMul", twice, graph.op("Transpose", rows, perm=[1, 0]))
        distances = graph.op("Add", graph.op("Sub", own, cross), lengths)
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
        if len(rows) > MAX_STORED:
            rows = np.sort(np.random.default_rng(0).choice(rows, MAX_STORED, replace=False))
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
