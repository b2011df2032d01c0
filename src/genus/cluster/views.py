"""The same features, prepared in different ways: all that the comparison keeps of them, whatever their number."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.cluster.preparation import Preparation
from genus.normalize import Bounds

PREPARATIONS: dict[str, dict[str, Any]] = {
    "plain": {"n_components": 64, "whiten": 0.0},
    "evened": {"n_components": 32, "whiten": 0.5},
}
"""The first one is what groupings are judged on."""

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """Rows in every preparation.

    Attributes
    ----------
    preparations : mapping of str to Preparation
        Fitted.
    rows : mapping of str to (n, d) float32
        What each makes of the features.
    """

    preparations: Mapping[str, Preparation]
    rows: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.plain)

    @property
    def plain(self) -> Floats:
        """The rows in the first preparation."""
        return next(iter(self.rows.values()))

    def take(self, chosen: Labels) -> "Views":
        """Return some of the rows."""
        return Views(
            self.preparations, {name: np.ascontiguousarray(part[chosen]) for name, part in self.rows.items()}
        )


def fit_preparations(
    X: ArrayLike,
    *,
    n_components: int | None = None,
    blocks: Sequence[Bounds] | None = None,
    use: Sequence[int] | None = None,
    random_state: int | None = 0,
) -> dict[str, Preparation]:
    """Fit every preparation to rows `X (n, d)`, or to a sample of them.

    Parameters
    ----------
    X : (n, d) array
    n_components : int or None
        How many principal components each keeps; None for its own number.
    blocks, use, random_state
        See `Preparation`.
    """
    own = {} if n_components is None else {"n_components": n_components}
    return {
        name: Preparation(**{**kind, **own}, blocks=blocks, use=use, random_state=random_state).fit(X)
        for name, kind in PREPARATIONS.items()
    }


def make_views(
    preparations: Mapping[str, Preparation], batches: Iterable[tuple[Labels, Floats]], n: int
) -> Views:
    """Prepare rows that come in batches, and keep nothing else of them.

    Parameters
    ----------
    preparations : mapping of str to Preparation
        Fitted.
    batches : iterable of ((b,) int64, (b, d) float32)
        Places of rows, and the rows; each of the `n` places once.
    n : int

    Notes
    -----
    Keeps 4 bytes a row and component: 384 for each image at the preparations' own numbers.
    """
    rows = {name: np.empty((n, part.n_components_), np.float32) for name, part in preparations.items()}
    for places, X in batches:
        for name, preparation in preparations.items():
            rows[name][places] = preparation.transform(X)
    return Views(preparations, rows)
