"""What clustering does to features first: scale rows, keep the leading directions, even them out."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from genus.errors import ParameterError
from genus.graph import GraphBuilder
from genus.normalize import Bounds, checked_rows, chosen_blocks, export_normalized, normalize_blocks

_MAX_ROWS = 10_000  # the directions are found on
_CHUNK = 8192
_SHORTEST = np.float32(1e-12)

Floats = NDArray[np.float32]


class Preparation(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Signed power and unit length by block, principal components, whitening, unit length.

    Parameters
    ----------
    n_components : int, default 64
        How many principal directions to keep; fewer if there are fewer rows or columns.
    whiten : float from 0 to 1, default 0
        How far to even the directions out: each is divided by its standard deviation to this power.
    power : float in (0, 1], default 0.5
        `sign(x) * |x| ** power` before all else; 0.5 is the signed square root.
    blocks : sequence of (start, stop) or None
        The columns that each backbone made; None means one block of all columns.
    use : sequence of int or None
        Which blocks to keep, by position; None means all of them.
    random_state : int or None
        Seed of the sample, for more than 10,000 rows.

    Attributes
    ----------
    mean_ : (w,) float32
    components_ : (w, n_components_) float32
        Columns are directions, divided as `whiten` says.
    n_components_ : int

    Notes
    -----
    Cosine distances are what tells pooled network features apart, hence the unit length before and after. Half-way
    whitening: Mu and Viswanath (2018), "All-but-the-top", do the same to word vectors for the same reason.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(50, 20)).astype(np.float32)
    >>> Z = Preparation(8).fit_transform(X)
    >>> Z.shape, np.allclose(np.linalg.norm(Z, axis=1), 1, atol=1e-5)
    ((50, 8), True)
    """

    def __init__(
        self,
        n_components: int = 64,
        *,
        whiten: float = 0.0,
        power: float = 0.5,
        blocks: Sequence[Bounds] | None = None,
        use: Sequence[int] | None = None,
        random_state: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.whiten = whiten
        self.power = power
        self.blocks = blocks
        self.use = use
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Find the principal directions of rows `X (n, d)`.

        Raises
        ------
        DataError
            Rows hold NaN or infinity.
        ParameterError
            A parameter cannot work.
        """
        rows = checked_rows(self, X, reset=True)
        if not 0 <= self.whiten <= 1:
            raise ParameterError(f"whiten must be from 0 to 1, not {self.whiten!r}.")
        if not isinstance(self.n_components, (int, np.integer)) or self.n_components < 1:
            raise ParameterError(f"n_components must be a whole number above 0, not {self.n_components!r}.")
        if len(rows) > _MAX_ROWS:
            rng = np.random.default_rng(self.random_state)
            rows = rows[np.sort(rng.choice(len(rows), _MAX_ROWS, replace=False))]
        Z = self._normalized(rows)
        self.mean_ = Z.mean(axis=0)
        directions, spreads = _principal(Z - self.mean_, self.n_components)
        scale = np.maximum(spreads, spreads[0] * 1e-3 + _SHORTEST) ** self.whiten
        self.components_ = np.ascontiguousarray(directions / scale, np.float32)
        self.n_components_ = self.components_.shape[1]
        return self

    def transform(self, X: ArrayLike) -> Floats:
        """Return prepared rows, float32 (n, n_components_), each of length one."""
        check_is_fitted(self)
        rows = checked_rows(self, X)
        found = np.empty((len(rows), self.n_components_), np.float32)
        for start in range(0, len(rows), _CHUNK):
            Z = (self._normalized(rows[start : start + _CHUNK]) - self.mean_) @ self.components_
            length = np.sqrt(np.einsum("ij,ij->i", Z, Z))
            found[start : start + _CHUNK] = Z / np.maximum(length, _SHORTEST)[:, None]
        return found

    def export(self, graph: GraphBuilder, x: str) -> str:
        """Add the preparation of tensor `x` [N, d] to `graph`; returns the new tensor's name."""
        check_is_fitted(self)
        bounds = chosen_blocks(self.blocks, self.use, self.n_features_in_)
        z = export_normalized(graph, x, bounds, self.power, self.n_features_in_)
        z = graph.op("Sub", z, graph.constant(self.mean_))
        z = graph.op("MatMul", z, graph.constant(self.components_))
        length = graph.op("ReduceL2", z, axes=[1], keepdims=1)
        return graph.op("Div", z, graph.op("Max", length, graph.constant(np.array(_SHORTEST))))

    def _normalized(self, rows: Floats) -> Floats:
        return normalize_blocks(rows, chosen_blocks(self.blocks, self.use, rows.shape[1]), self.power)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "components_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _principal(Z: Floats, n: int) -> tuple[Floats, Floats]:
    """Return the `n` leading directions of centred rows as columns, and the standard deviation along each.

    Through the smaller of the two Gram matrices, columns or rows.
    """
    n = min(n, *Z.shape)
    by_columns = Z.shape[1] <= Z.shape[0]
    gram = (Z.T @ Z if by_columns else Z @ Z.T).astype(np.float64)
    values, vectors = np.linalg.eigh(gram)
    values, vectors = values[::-1][:n].clip(min=0), vectors[:, ::-1][:, :n]
    if not by_columns:
        vectors = Z.T @ vectors / np.sqrt(np.maximum(values, _SHORTEST))
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(n)])  # else they depend on the library
    spreads = np.sqrt(values / len(Z))
    return (vectors * np.where(signs == 0, 1, signs)).astype(np.float32), spreads.astype(np.float32)
