"""Is this one of the known ones? Thresholds that keep a stated rate of false acceptance."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from genus.errors import DataError, ParameterError
from genus.search.storage import Rows

_AT_ONCE = 512  # rows compared with all others
_MOST = 5000  # rows that are asked

Codes = NDArray[np.int64]


class Readable(Protocol):
    """Rows that are read a few at a time: `StoredRows`, `VectorIndex`, or features that are mapped as they are read."""

    def read(self, rows: Codes) -> Rows:
        """Return some rows."""

    def blocks(self, rows: Codes) -> Iterator[tuple[Codes, Rows]]:
        """Go through some rows, ascending: yields their numbers and the rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Acquaintance:
    """How alike known and unknown ones are to what is enrolled.

    Attributes
    ----------
    strangers : (m,) float32
        For images of somebody who was left out: how like the most similar enrolled image they are.
    own, other : (q,) float32
        For images of those enrolled: how like the nearest other image of theirs, and the nearest of somebody else.
    names : (m,) int64
        Numbers that say which of the strangers' images are of one name.
    share : float in (0, 1], default 1
        What share of all that is enrolled each stranger was compared with: whoever is left out, what is theirs is too.
    """

    strangers: Rows
    own: Rows
    other: Rows
    names: Codes
    share: float = 1.0

    @property
    def n_names(self) -> int:
        """Of how many names the strangers' images are."""
        return len(np.unique(self.names))

    def names_needed(self, false_accept_rate: float) -> int:
        """Return how many names it takes to assure such a rate."""
        return int(np.ceil(1 / (false_accept_rate * self.share) - 1 - 1e-9))

    def threshold(self, false_accept_rate: float) -> float:
        """Return how alike an image must be, so that strangers are accepted no more often than that.

        It is assured with as many names as `names_needed` says. With fewer, each image counts as if it were of a name
        of its own: the best guess there is, and a bold one where the images of a name are alike.

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
        Conformal prediction with two layers (Lee, Barber and Willett, 2023, "Distribution-free inference with
        hierarchical data"): of N names and a new one, each is as likely to be the most alike; so every name weighs
        1 / (N + 1), shared by its images, and the threshold is where what lies above weighs no more than the rate,
        with the new name's own 1 / (N + 1) above all. Where every image counts as a name of its own, that is the order
        statistic of the images (Vovk et al., 2005, "Algorithmic learning in a random world").
        What was measured saw a share of those enrolled only, (n - 1) / n of n names. A real stranger is compared with
        all, which is up to n / (n - 1) times as likely to accept one: so the wished rate is multiplied with that share.

        Examples
        --------
        >>> values = np.float32(np.arange(99) / 100)
        >>> known = Acquaintance(values, np.float32([0.99]), np.float32([0.5]), names=np.arange(99))
        >>> round(known.threshold(0.05), 2), known.accepted(0.95), known.names_needed(0.01)
        (0.94, 1.0, 99)
        """
        if not 0 < false_accept_rate < 1:
            raise ParameterError(
                f"the false-accept rate must be above 0 and below 1, not {false_accept_rate}."
            )
        needed, n = self.names_needed(false_accept_rate), len(self.strangers)
        if n < needed:
            raise DataError(
                f"a false-accept rate of {false_accept_rate:g} cannot be shown with {n} images of others: it takes "
                f"{needed}. Enrol more, or allow {1 / (n + 1) / self.share:.3g}."
            )
        names = self.names if self.n_names >= needed else np.arange(n)
        _, places, counts = np.unique(names, return_inverse=True, return_counts=True)
        order = np.argsort(self.strangers)
        below = np.cumsum(1 / counts[places[order]]) / (len(counts) + 1)
        place = np.searchsorted(below, 1 - false_accept_rate * self.share - 1e-9)
        return float(self.strangers[order[place]])

    def accepted(self, threshold: float) -> float:
        """Return the share of images of those enrolled that get their own name at this threshold; NaN without any."""
        if not len(self.own):
            return float("nan")
        return float(((self.own > threshold) & (self.own > self.other)).mean())

    def joined(self, other: "Acquaintance") -> "Acquaintance":
        """Return both together, of different names; of the shares the smaller one."""
        return Acquaintance(
            np.concatenate([self.strangers, other.strangers]),
            np.concatenate([self.own, other.own]),
            np.concatenate([self.other, other.other]),
            np.concatenate([self.names, other.names + self.names.max(initial=-1) + 1]),
            min(self.share, other.share),
        )

    def seen(self, share: float) -> "Acquaintance":
        """Return the same, where strangers were compared with no more than this share of what is enrolled."""
        return replace(self, share=min(self.share, share))


def acquaint(
    stored: Readable, codes: Codes, asked: Codes | None = None, *, random_state: int = 0
) -> Acquaintance:
    """Compare each enrolled image with those of its own name and with all others, as if the name were not enrolled.

    Parameters
    ----------
    stored : Readable of n rows
        Unit rows.
    codes : (n,) int64
        The name of each; -1 for what is not enrolled.
    asked : (a,) int64 or None
        Which of them are asked; None for all. Of more than 5,000 a sample is.
    random_state : int, default 0

    Raises
    ------
    DataError
        There are fewer than two names, so that nobody is a stranger to anybody.

    Notes
    -----
    O(n a d), in memory that does not grow with n beside the codes.
    """
    enrolled = np.flatnonzero(codes >= 0)
    n_names = len(np.unique(codes[enrolled]))
    if n_names < 2:
        raise DataError(
            f"identify needs at least two names, so that it can be measured how alike strangers are; there "
            f"{'is one' if n_names else 'is none'}. Enrol another, or search instead."
        )
    asked = enrolled if asked is None else asked
    if len(asked) > _MOST:
        asked = np.sort(np.random.default_rng(random_state).permutation(asked)[:_MOST])
    own, other = np.full(len(asked), -1, np.float32), np.full(len(asked), -1, np.float32)
    queries = stored.read(asked)
    for numbers, rows in stored.blocks(enrolled):
        for start in range(0, len(asked), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            scores = queries[part] @ rows.T
            same = codes[asked[part]][:, None] == codes[numbers]
            other[part] = np.maximum(other[part], np.where(same, -1, scores).max(axis=1, initial=-1))
            same &= asked[part][:, None] != numbers
            own[part] = np.maximum(own[part], np.where(same, scores, -1).max(axis=1, initial=-1))
    has_others = np.bincount(codes[enrolled])[codes[asked]] > 1
    return Acquaintance(other, own[has_others], other[has_others], codes[asked], (n_names - 1) / n_names)
