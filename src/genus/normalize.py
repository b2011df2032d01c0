"""Feature normalisation by block: signed power, then unit length.

Pooled CNN features are heavy-tailed and differ in scale from one backbone to the next. A signed power tames the
tails, unit length per block lets every backbone count the same.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from genus.errors import DataError, ParameterError
from genus.graph import GraphBuilder

Bounds = tuple[int, int]

_SHORTEST = np.float32(1e-12)  # a length below this is an empty row, left at zero rather than divided by zero


class BlockNormalizer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Signed power and unit length, block by block.

    Row by row and without learned state, so the same rows come out whatever else they were seen with. The blocks
    in use are each scaled to length `1 / sqrt(n_blocks)`, which makes the whole row a unit vector.

    Parameters
    ----------
    power : float in (0, 1], default 0.5
        `sign(x) * |x| ** power`; 0.5 is the signed square root, 1.0 leaves the values alone.
    blocks : sequence of (start, stop) or None
        The columns that each backbone made; None means one block of all columns.
    use : sequence of int or None
        Which blocks to keep, by position; None means all of them.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns seen by `fit`.

    Notes
    -----
    Cost O(n d). Power normalisation: Perronnin, Sanchez and Mensink (2010), "Improving the Fisher kernel for
    large-scale image classification", ECCV.

    Examples
    --------
    >>> BlockNormalizer(blocks=[(0, 2), (2, 4)]).fit_transform(np.array([[9.0, 16.0, 0.0, 4.0]]))
    array([[0.424..., 0.565..., 0.        , 0.707...]], dtype=float32)
    """

    def __init__(
        self,
        power: float = 0.5,
        blocks: Sequence[Bounds] | None = None,
        use: Sequence[int] | None = None,
    ) -> None:
        self.power = power
        self.blocks = blocks
        self.use = use

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Check `X (n, d)` and the parameters; nothing is learned."""
        rows: NDArray[np.float32] = validate_data(self, X, dtype=np.float32, ensure_all_finite=False)
        require_finite(rows)
        chosen_blocks(self.blocks, self.use, rows.shape[1])
        _check_power(self.power)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the normalised rows, float32 (n, width of the blocks in use)."""
        check_is_fitted(self)
        rows = checked_rows(self, X)
        return normalize_blocks(rows, chosen_blocks(self.blocks, self.use, rows.shape[1]), self.power)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Return the names of the columns that are kept."""
        names = super().get_feature_names_out(input_features)
        kept = chosen_blocks(self.blocks, self.use, self.n_features_in_)
        return np.concatenate([names[start:stop] for start, stop in kept])

    def export(self, graph: GraphBuilder, x: str) -> str:
        """Add the normalisation of tensor `x` [N, d] to `graph`; returns the new tensor's name."""
        check_is_fitted(self)
        return export_normalized(
            graph,
            x,
            chosen_blocks(self.blocks, self.use, self.n_features_in_),
            self.power,
            self.n_features_in_,
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def normalize_blocks(X: NDArray[np.float32], blocks: Sequence[Bounds], power: float) -> NDArray[np.float32]:
    """Return the given blocks of `X (n, d)`, each with signed power and length `1 / sqrt(len(blocks))`."""
    parts = [_unit_rows(_signed_power(X[:, start:stop], power), len(blocks)) for start, stop in blocks]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def chosen_blocks(
    blocks: Iterable[Bounds] | None, use: Iterable[int] | None, n_features: int
) -> tuple[Bounds, ...]:
    """Return the bounds of the blocks in use.

    Raises
    ------
    ParameterError
        A block lies outside the columns or is empty, blocks overlap, or `use` names a block that is not there.
    """
    bounds = ((0, n_features),) if blocks is None else tuple((int(a), int(b)) for a, b in blocks)
    ends = [0, *(stop for _, stop in bounds)]
    in_order = all(end <= start < stop for end, (start, stop) in zip(ends[:-1], bounds, strict=True))
    if not bounds or not in_order or ends[-1] > n_features:
        raise ParameterError(
            f"blocks={blocks!r} do not fit {n_features} feature columns: expected (start, stop) pairs in "
            f"ascending order without overlap, the last stop at most {n_features}."
        )
    chosen = tuple(range(len(bounds))) if use is None else tuple(int(i) for i in use)
    if not chosen or len(set(chosen)) != len(chosen) or not all(0 <= i < len(bounds) for i in chosen):
        raise ParameterError(f"use={use!r}: expected distinct block numbers from 0 to {len(bounds) - 1}.")
    return tuple(bounds[i] for i in chosen)


def checked_rows(estimator: Any, X: ArrayLike, *, reset: bool = False) -> NDArray[np.float32]:
    """Return `X` as float32 rows, or raise a ValueError.

    They must have the width that `estimator` was fitted on; `reset` notes theirs as `n_features_in_` instead.
    """
    rows: NDArray[np.float32] = validate_data(
        estimator, X, dtype=np.float32, ensure_all_finite=False, reset=reset
    )
    require_finite(rows)
    return rows


def checked_examples(estimator: Any, X: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Return `X` as float32 rows and `y` as class labels, or raise a ValueError; notes `n_features_in_`."""
    rows, labels = validate_data(estimator, X, y, dtype=np.float32, ensure_all_finite=False)
    require_finite(rows)
    if labels.dtype.kind not in "iub":  # whole numbers are classes, and it would wonder at few rows of many
        check_classification_targets(labels)
    return rows, labels


def require_finite(X: NDArray[Any]) -> None:
    """Raise a DataError that counts the rows of `X` holding NaN or infinity."""
    if np.isfinite(X.sum(dtype=np.float64)):  # cheap: one pass without a mask
        return
    bad = ~np.isfinite(X).all(axis=1)
    if bad.any():
        raise DataError(
            f"{int(bad.sum())} of {len(X)} feature rows contain NaN or inf (the first is row "
            f"{int(np.argmax(bad))}). Leave these rows out, or extract their features again."
        )


def export_normalized(
    graph: GraphBuilder, x: str, blocks: Sequence[Bounds], power: float, n_features: int
) -> str:
    """Write `normalize_blocks` as ONNX nodes."""
    parts = []
    for start, stop in blocks:
        part = x
        if (start, stop) != (0, n_features):
            part = graph.op("Slice", x, *(graph.constant(np.array([v], np.int64)) for v in (start, stop, 1)))
        parts.append(_export_unit(graph, _export_power(graph, part, power), len(blocks)))
    return parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=1)


def _signed_power(X: NDArray[np.float32], power: float) -> NDArray[np.float32]:
    _check_power(power)
    if power == 1.0:
        return X
    size = np.sqrt(np.abs(X)) if power == 0.5 else np.abs(X) ** np.float32(power)
    powered: NDArray[np.float32] = np.copysign(size, X)
    return powered


def _unit_rows(X: NDArray[np.float32], n_blocks: int) -> NDArray[np.float32]:
    length = np.sqrt(np.einsum("ij,ij->i", X, X, dtype=np.float32))
    scale = 1.0 / (np.maximum(length, _SHORTEST) * np.float32(np.sqrt(n_blocks)))
    return np.ascontiguousarray(X * scale.astype(np.float32)[:, None])


def _check_power(power: float) -> None:
    if not 0 < power <= 1:
        raise ParameterError(f"power={power!r}: expected a number above 0 and at most 1.")


def _export_power(graph: GraphBuilder, x: str, power: float) -> str:
    if power == 1.0:
        return x
    size = graph.op("Abs", x)
    size = (
        graph.op("Sqrt", size)
        if power == 0.5
        else graph.op("Pow", size, graph.constant(np.array(power, np.float32)))
    )
    return graph.op("Mul", graph.op("Sign", x), size)


def _export_unit(graph: GraphBuilder, x: str, n_blocks: int) -> str:
    length = graph.op("ReduceL2", x, axes=[1], keepdims=1)
    length = graph.op("Max", length, graph.constant(np.array(_SHORTEST, np.float32)))
    scaled = graph.op("Mul", length, graph.constant(np.array(np.sqrt(n_blocks), np.float32)))
    return graph.op("Div", x, scaled)


def rounded_rows(Z: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Round rows of unit length to half precision: what a head that stores rows keeps, here and in its file.

    An inner product of two rows moves by about 1e-5, and the file is half as large.
    """
    return Z.astype(np.float16).astype(np.float32)
