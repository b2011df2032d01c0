"""What "alike" means: cosines of the features as they are, centred, or tuned to labels by a linear map."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genus.search.storage import Rows

N_COMPONENTS = 256
_FEW_ROWS = 64  # of fewer no mean and no directions are learned
_MOST_ROWS = 20_000  # that a metric is learned from
_EMPTY = 1e-12

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a metric is tuned to labels.

    Parameters
    ----------
    shrinkage : float
        What is added to the variance within classes in every direction, in parts of its mean.
    floor : float in [0, 1]
        Weight of directions in which classes do not differ; those in which they do go up to 1 more.
    """

    shrinkage: float
    floor: float

    @property
    def name(self) -> str:
        """Its name, as `genus search --json` says it."""
        return f"tuned (shrinkage {self.shrinkage:g}, floor {self.floor:g})"


TUNINGS = tuple(Tuning(shrinkage, floor) for shrinkage in (0.3, 1.0, 3.0) for floor in (0.05, 0.2, 0.6))


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """A linear map before the cosine.

    Attributes
    ----------
    name : str
        "raw", "centred", or "tuned ...".
    mean : (d,) float32
    directions : (d, p) float32 or None
        None leaves the rows alone, the mean too.

    Examples
    --------
    >>> RAW.apply(np.float32([[3, 4]])).round(2).tolist()
    [[0.6000000238418579, 0.800000011920929]]
    """

    name: str
    mean: Rows | None = None
    directions: Rows | None = None

    @property
    def is_tuned(self) -> bool:
        """Whether labels had a part in it."""
        return self.name.startswith("tuned")

    def width(self, n_features: int) -> int:
        """Return how many numbers a row has afterwards."""
        return n_features if self.directions is None else int(self.directions.shape[1])

    def apply(self, rows: Rows) -> Rows:
        """Map rows (n, d) float32 to unit rows (n, p)."""
        if self.directions is None or self.mean is None:
            return unit_rows(rows)
        return unit_rows(np.asarray((rows - self.mean) @ self.directions, np.float32))


RAW = Metric("raw")


def unit_rows(rows: Rows) -> Rows:
    """Scale rows to unit length; a row of zeros stays one."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return np.asarray(rows / np.maximum(lengths, _EMPTY)[:, None], np.float32)


def centred(rows: Rows, *, n_components: int = N_COMPONENTS, random_state: int = 0) -> Metric:
    """Learn from the rows themselves, without labels: the mean is taken off, the largest components are kept.

    Parameters
    ----------
    rows : (n, d) float32
    n_components : int, default 256
        At most; fewer where there are fewer rows or numbers.

    Returns
    -------
    Metric
        `RAW` where there are next to no rows.

    Notes
    -----
    O(n d p). What all images have in common says nothing of likeness, and the last components are noise.
    """
    if len(rows) < _FEW_ROWS:
        return RAW
    from sklearn.utils.extmath import randomized_svd

    rng = np.random.default_rng(random_state)
    some = rows if len(rows) <= _MOST_ROWS else rows[np.sort(rng.permutation(len(rows))[:_MOST_ROWS])]
    mean = some.mean(axis=0)
    p = min(n_components, some.shape[1], len(some) // 2)
    *_, components = randomized_svd(some - mean, p, n_iter=2, random_state=random_state)
    return Metric("centred", mean, np.ascontiguousarray(components.T, np.float32))


def tuned(base: Metric, rows: Rows, codes: NDArray[np.int64], how: Tuning) -> Metric:
    """Learn from labels which directions matter, within those of `base`.

    Parameters
    ----------
    base : Metric
        From `centred`.
    rows : (n, d) float32
    codes : (n,) int64
        The class of each row.
    how : Tuning

    Notes
    -----
    Directions in which images of one class differ count less (the rows are whitened within classes, Hastie et al.
    (2009), "The elements of statistical learning", 4.3.3), those in which classes differ more: by the share of the
    variance that lies between classes, as in Ioffe (2006), "Probabilistic linear discriminant analysis". No direction
    is given up, so that images of a class, and classes that nobody has seen, can still be told apart. O(n p^2 + p^3).
    """
    if base.directions is None or base.mean is None:
        return base
    placed = ((rows - base.mean) @ base.directions).astype(np.float64)
    n_classes = int(codes.max()) + 1
    sizes = np.maximum(np.bincount(codes, minlength=n_classes), 1)
    means = np.zeros((n_classes, placed.shape[1]))
    np.add.at(means, codes, placed)
    means /= sizes[:, None]
    apart = placed - means[codes]
    within = apart.T @ apart / max(1, len(rows) - n_classes)
    average = float(np.trace(within)) / len(within)
    within[np.diag_indices_from(within)] += how.shrinkage * average + _EMPTY
    values, vectors = np.linalg.eigh(within)
    whiten = vectors / np.sqrt(values)
    between = (means @ whiten - (placed @ whiten).mean(axis=0)) * np.sqrt(sizes / len(rows))[:, None]
    share, turn = np.linalg.eigh(between.T @ between)
    share = np.maximum(share, 0)
    weights = np.sqrt(share / (share + 1) + how.floor)
    directions = base.directions.astype(np.float64) @ (whiten @ turn * weights)
    return Metric(how.name, base.mean, directions.astype(np.float32))
