"""Is this one of the known ones? Thresholds that keep a stated rate of false acceptance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genus.errors import DataError, ParameterError
from genus.search.storage import Rows

_AT_ONCE = 512  # rows compared with all others
_MOST = 5000  # rows that are asked

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Acquaintance:
    """How alike known and unknown ones are to what is enrolled.

    Attributes
    ----------
    strangers : (m,) float32
        For images of somebody who was left out: how like the most similar enrolled image they are.
    own, other : (q,) float32
        For images of those enrolled: how like the nearest other image of theirs, and the nearest of somebody else.
    """

    strangers: Rows
    own: Rows
    other: Rows

    def threshold(self, false_accept_rate: float) -> float:
        """Return how alike an image must be, so that strangers are accepted no more often than that.

        Parameters
        ----------
        false_accept_rate : float in (0, 1)

        Raises
        ------
        ParameterError
            It is no such number.
        DataError
            So small a rate cannot be shown with so few images.

        Notes
        -----
        The order statistic of conformal prediction: a stranger's image that is as likely in any place among those
        measured exceeds it with that probability at most (Vovk et al., 2005, "Algorithmic learning in a random world").

        Examples
        --------
        >>> known = Acquaintance(np.float32(np.arange(99) / 100), np.float32([0.99]), np.float32([0.5]))
        >>> round(known.threshold(0.05), 2), known.accepted(0.95)
        (0.94, 1.0)
        """
        if not 0 < false_accept_rate < 1:
            raise ParameterError(
                f"the false-accept rate must be above 0 and below 1, not {false_accept_rate}."
            )
        n = len(self.strangers)
        place = int(np.ceil((n + 1) * (1 - false_accept_rate) - 1e-9))
        if place > n:
            raise DataError(
                f"a false-accept rate of {false_accept_rate:g} cannot be shown with {n} images of others: it takes "
                f"{int(np.ceil(1 / false_accept_rate - 1 - 1e-9))}. Enrol more, or allow {1 / (n + 1):.3g}."
            )
        return float(np.sort(self.strangers)[place - 1])

    def accepted(self, threshold: float) -> float:
        """Return the share of images of those enrolled that get their own name at this threshold; NaN without any."""
        if not len(self.own):
            return float("nan")
        return float(((self.own > threshold) & (self.own > self.other)).mean())

    def joined(self, other: "Acquaintance") -> "Acquaintance":
        """Return both together."""
        names = ("strangers", "own", "other")
        parts = [np.concatenate([getattr(self, name), getattr(other, name)]) for name in names]
        return Acquaintance(*parts)


def acquaint(rows: Rows, codes: Codes, asked: Codes | None = None, *, random_state: int = 0) -> Acquaintance:
    """Compare each enrolled image with those of its own name and with all others, as if the name were not enrolled.

    Parameters
    ----------
    rows : (n, d) float32
        Unit rows of what is enrolled.
    codes : (n,) int64
        The name of each, from 0.
    asked : (a,) int64 or None
        Which of them are asked; None for 5,000 at most.

    Notes
    -----
    O(n a d).
    """
    if asked is None:
        asked = np.random.default_rng(random_state).permutation(len(rows))[:_MOST]
    own, other = np.empty(len(asked), np.float32), np.empty(len(asked), np.float32)
    for start in range(0, len(asked), _AT_ONCE):
        part = asked[start : start + _AT_ONCE]
        scores = rows[part] @ rows.T
        same = codes[part][:, None] == codes
        other[start : start + len(part)] = np.where(same, -1, scores).max(axis=1, initial=-1)
        scores[np.arange(len(part)), part] = -1
        own[start : start + len(part)] = np.where(same, scores, -1).max(axis=1, initial=-1)
    has_others = np.bincount(codes, minlength=1)[codes[asked]] > 1
    return Acquaintance(other, own[has_others], other[has_others])
