"""What a model file remembers of its images, so that others can be added without them.

Means and counts of the classes, and how images lie around the mean of their class, in 128 directions: enough to fit a
linear discriminant analysis as if all images were still there, and no single image can be told from it unless it was
alone in its class.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from genus.classify.lda import LDAHead
from genus.errors import DataError
from genus.normalize import Bounds, normalize_blocks

N_DIRECTIONS = 128
SHRINKAGE = 0.8  # more than on all features: few directions leave out what is uneven in the rest
POWER = 0.5
# Discriminants in thousands of directions are far too sure. What suits on other data: `benchmarks/adding.py
# --temperatures`.
_COOL, _COOLER = 10.0, 150.0
_EXTRA = 16  # directions beyond those that are kept, for accuracy
_MAX_ROWS = 20_000  # to find the directions from

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """Sufficient statistics of a linear discriminant analysis, its covariance in low rank.

    Attributes
    ----------
    counts : (c,) int64
        Images a class.
    means : (c, d) float32
        Means of the normalised features.
    scatter : (r, d) float32
        `scatter.T @ scatter` is the sum of squares around the class means, as far as r directions hold it.
    rest : float
        What is left of the sum's trace, taken to be spread evenly over all directions.

    Notes
    -----
    Takes (c + r) d half-precision numbers in a file. The directions are found by a randomised range finder (Halko,
    Martinsson and Tropp, 2011, "Finding structure with randomness").

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> codes = np.repeat([0, 1], 20)
    >>> Z = normalize_blocks((rng.normal(size=(40, 8)) + 2 * codes[:, None]).astype(np.float32), [(0, 8)], POWER)
    >>> first = Memory.of(Z[:30], codes[:30], 2)
    >>> both = first.with_rows(Z[30:], codes[30:], 2)
    >>> both.counts.tolist(), bool(np.allclose(both.means, Memory.of(Z, codes, 2).means, atol=1e-6))
    ([20, 20], True)
    """

    counts: NDArray[np.int64]
    means: NDArray[np.float32]
    scatter: NDArray[np.float32]
    rest: float

    @classmethod
    def of(cls, Z: NDArray[np.float32], codes: NDArray[np.int64], n_classes: int) -> Self:
        """Remember normalised rows `Z (n, d)` of classes `codes (n,)`."""
        d = Z.shape[1]
        empty = cls(
            np.zeros(n_classes, np.int64),
            np.zeros((n_classes, d), np.float32),
            np.zeros((0, d), np.float32),
            0.0,
        )
        return empty.with_rows(Z, codes, n_classes)

    def with_rows(self, Z: NDArray[np.float32], codes: NDArray[np.int64], n_classes: int) -> Self:
        """Return the memory with more rows; those of codes from `len(counts)` on are new classes.

        Counts, means and the trace come out as if all rows had been there from the start; so do the directions, up to
        what their number leaves out.
        """
        n_old = np.zeros(n_classes, np.int64)
        n_old[: len(self.counts)] = self.counts
        old = np.zeros((n_classes, Z.shape[1]))
        old[: len(self.means)] = self.means
        n_new = np.bincount(codes, minlength=n_classes)
        sums = np.zeros_like(old)
        np.add.at(sums, codes, Z)
        new = sums / np.maximum(n_new, 1)[:, None]
        counts = n_old + n_new
        means = (n_old[:, None] * old + sums) / np.maximum(counts, 1)[:, None]
        # the parallel axis theorem: what the means' moving apart adds to the sum of squares
        between = np.sqrt(n_old * n_new / np.maximum(counts, 1))[:, None] * (new - old)
        moved = between[(n_old > 0) & (n_new > 0)]
        around = Z - new[codes].astype(np.float32)
        trace = float((around.astype(np.float64) ** 2).sum())
        if len(around) > _MAX_ROWS:
            kept = np.random.default_rng(0).choice(len(around), _MAX_ROWS, replace=False)
            around = around[kept] * np.float32(np.sqrt(len(around) / _MAX_ROWS))
        rows = np.concatenate([self.scatter, moved.astype(np.float32), around])
        total = self.rest + float((self.scatter.astype(np.float64) ** 2).sum() + (moved**2).sum()) + trace
        scatter = _directions(rows)
        held = float((scatter.astype(np.float64) ** 2).sum())
        return type(self)(counts, means.astype(np.float32), scatter, max(0.0, total - held))

    def head(self, blocks: tuple[Bounds, ...]) -> LDAHead:
        """Return a linear discriminant analysis fitted to the remembered classes; `blocks` are those of the features.

        Raises
        ------
        DataError
            There are fewer than two classes.

        Notes
        -----
        The mean of a few images lies farther out than the truth, by their noise, and a class of a few images would
        hardly ever be named; the squared distance is therefore corrected by the noise's expectation, as the unbiased
        estimate of the Mahalanobis distance is (McLachlan, 2004, "Discriminant analysis and statistical pattern
        recognition", 3.3). The logits are divided by a temperature that suits on other data.
        """
        known = np.flatnonzero(self.counts)
        if len(known) < 2:
            raise DataError("a model needs at least two classes; it remembers fewer.")
        n, d = int(self.counts.sum()), self.means.shape[1]
        means = self.means[known].astype(np.float64)
        centre = means.mean(axis=0)
        factor = self.scatter.astype(np.float64)
        total = float((factor**2).sum()) + self.rest
        even = (SHRINKAGE * total + (1 - SHRINKAGE) * self.rest) / n / d + np.finfo(np.float32).tiny
        # (even I + F' F)^-1 by the Woodbury identity: r equations instead of d
        factor *= np.sqrt((1 - SHRINKAGE) / n)
        inner = factor @ factor.T + even * np.eye(len(factor))
        away = means - centre
        coef = (away - np.linalg.solve(inner, factor @ away.T).T @ factor) / even
        prior = np.log(self.counts[known] / n)
        prior += 0.5 * _noise(factor, even, self.rest / n / d) / self.counts[known]
        temperature = usual_temperature(len(known), n)
        head = LDAHead(SHRINKAGE, power=POWER, blocks=blocks)
        head.classes_ = known
        head.coef_ = (coef / temperature).astype(np.float32)
        intercept = prior - 0.5 * (away * coef).sum(axis=1) - coef @ centre
        head.intercept_ = (intercept / temperature).astype(np.float32)
        head.n_features_in_ = d
        head.multilabel_ = False
        return head

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: arrays as base64 of half-precision numbers, the scatter in its own unit."""
        unit = float(np.abs(self.scatter).max(initial=0.0)) or 1.0
        return {
            "counts": self.counts.tolist(),
            "means": _packed(self.means),
            "scatter": _packed(self.scatter / np.float32(unit)),
            "unit": unit,
            "rest": self.rest,
        }

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Self:
        """Read what `to_dict` returned.

        Raises
        ------
        DataError
            It is something else.
        """
        try:
            counts = np.array(known["counts"], np.int64)
            means = _unpacked(known["means"]).reshape(len(counts), -1)
            scatter = _unpacked(known["scatter"]).reshape(-1, means.shape[1]) * np.float32(known["unit"])
            return cls(counts, means, scatter, float(known["rest"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("what the model remembers of its images cannot be read.") from error


def usual_temperature(n_classes: int, n_images: int) -> float:
    """Return what the discriminants of so many images are divided by: the fewer a class, the surer they are.

    Examples
    --------
    >>> usual_temperature(10, 100), usual_temperature(10, 15_000)
    (160.0, 11.0)
    """
    return _COOL * (1 + _COOLER * n_classes / n_images)


def remembered(
    X: NDArray[np.float32], codes: NDArray[np.int64], n_classes: int, blocks: tuple[Bounds, ...]
) -> Memory:
    """Return the memory of features `X (n, d)`, not yet normalised."""
    return Memory.of(normalize_blocks(X, blocks, POWER), codes, n_classes)


def _noise(factor: Floats, even: float, rest: float) -> float:
    """Return the expected squared length of one image's deviation from its class's mean, as the head measures it.

    `factor.T @ factor + even I` is the shrunk covariance, the share `SHRINKAGE` of which was taken from `factor`;
    `rest` is the variance in each direction that it leaves out.
    """
    spread = np.linalg.svd(factor, compute_uv=False) ** 2 if len(factor) else np.zeros(0)
    inside = float((spread / (1 - SHRINKAGE) / (spread + even)).sum())
    return inside + float((factor.shape[1] - len(spread)) * rest / even)


def _directions(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return at most `N_DIRECTIONS` rows with the same `rows.T @ rows`, as nearly as so few can."""
    width = N_DIRECTIONS + _EXTRA
    if min(rows.shape) > 2 * width:
        rng = np.random.default_rng(0)
        basis = rows @ rng.normal(size=(rows.shape[1], width)).astype(np.float32)
        for _ in range(2):  # rounds of subspace iteration: the spectrum falls off slowly
            basis = rows @ (rows.T @ np.linalg.qr(basis)[0])
        rows = np.linalg.qr(basis)[0].T @ rows
    _, lengths, directions = np.linalg.svd(rows.astype(np.float64), full_matrices=False)
    kept = lengths[:N_DIRECTIONS] > 1e-7 * max(1.0, float(lengths.max(initial=0.0)))
    scaled = lengths[:N_DIRECTIONS, None] * directions[:N_DIRECTIONS]
    return np.asarray(scaled[kept], np.float32)


def _packed(values: NDArray[np.float32]) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f2").tobytes()).decode("ascii")


def _unpacked(text: str) -> NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(text), "<f2").astype(np.float32)
