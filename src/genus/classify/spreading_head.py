"""A head for a handful of examples beside a pile of unlabelled rows."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.classify.bench import Floats
from genus.classify.logistic import LogisticHead
from genus.normalize import chosen_blocks, normalize_blocks
from genus.propagation import label_reach

Codes = NDArray[np.int64]

MOST_HELPED = 5
"""Examples a class up to which a pile helps: with ten or more it does harm (`benchmarks/few_shot.py`)."""

MAX_PILE = 2000
"""Unlabelled rows; more cost time and no longer help."""


class SpreadingHead(LogisticHead):
    """Logistic regression that learns from unlabelled rows, too: labels first spread to them along neighbours.

    Parameters
    ----------
    C, power, blocks, use, class_weight
        As for `LogisticHead`.
    pile : (m, d) float32 array or None
        The unlabelled rows.

    Notes
    -----
    Labels travel as `genus.propagation.label_reach` says (Zhou et al., 2004). O((n + m)^2 d).

    Examples
    --------
    >>> angles = np.r_[0.1:0.4:20j, 1.1:1.4:20j]
    >>> X = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    >>> SpreadingHead(pile=X).fit(X[[0, 39]], [0, 1]).predict(X[[10, 30]]).tolist()
    [0, 1]
    """

    learns_label_sets = False

    def __init__(
        self,
        C: float = 30.0,
        *,
        power: float = 0.5,
        blocks: Sequence[tuple[int, int]] | None = None,
        use: Sequence[int] | None = None,
        class_weight: Any = None,
        pile: NDArray[np.float32] | None = None,
    ) -> None:
        super().__init__(C, power=power, blocks=blocks, use=use, class_weight=class_weight)
        self.pile = pile

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from features `X (n, d)` and labels `y (n,)`; weights of rows are not heeded."""
        names, codes = np.unique(np.asarray(y), return_inverse=True)
        rows, labels, weights = with_pile(self, np.asarray(X, np.float32), codes, self.pile)
        super().fit(rows, names[labels], sample_weight=weights)
        return self


def with_pile(
    head: Any, X: NDArray[np.float32], codes: Codes, pile: NDArray[np.float32] | None
) -> tuple[NDArray[np.float32], Codes, Floats]:
    """Return examples, codes and weights to fit `head` on: labels spread to unlabelled rows along neighbours.

    Each unlabelled row counts by how surely its label reached it, and all of them together at most three times as
    much as the labelled ones.

    Parameters
    ----------
    head : head
        Its normalisation says what near means.
    X : (n, d) float32 array
    codes : (n,) int64 array
    pile : (m, d) float32 array or None
        Unlabelled rows; None leaves everything as it is.

    Returns
    -------
    X : (n + m', d) float32, codes : (n + m',) int64, weights : (n + m',) float64

    Examples
    --------
    >>> angles = np.r_[0.1:0.4:20j, 1.1:1.4:20j]
    >>> X = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    >>> rows, codes, weights = with_pile(LogisticHead(), X[[0, 39]], np.array([0, 1]), X)
    >>> codes[2:].tolist() == [0] * 20 + [1] * 20, bool(weights[2:].sum() <= 6)
    (True, True)
    """
    ones = np.ones(len(X))
    if pile is None or not len(pile):
        return X, codes, ones
    rows = np.concatenate([X, pile])
    bounds = chosen_blocks(head.blocks, head.use, X.shape[1])
    reach = label_reach(normalize_blocks(rows, bounds, head.power), np.arange(len(X)))[len(X) :]
    shares = reach @ np.eye(int(codes.max()) + 1)[codes]
    total = shares.sum(axis=1)
    sure = shares.max(axis=1) / np.maximum(total, 1e-12)
    reached = sure > 0  # an island without any labelled row says nothing
    weights = sure[reached] * min(1.0, 3 * len(X) / max(1, int(reached.sum())))
    return (
        np.concatenate([X, pile[reached]]),
        np.concatenate([codes, shares[reached].argmax(axis=1)]),
        np.concatenate([ones, weights]),
    )
