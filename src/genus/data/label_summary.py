"""What is in the labels of images that may have several: how many, how sure, and which go together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genus.data.label_sets import UNKNOWN, LabelSets

_PAIRS = 10
_MAX_LABELS = 2000  # the commonest, among which pairs are counted: a matrix of 2,000 x 2,000
_ROWS = 8192


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """The labels of images that may have several.

    Attributes
    ----------
    n_labels : int
    n_labelled : int
        Images of which anything is known.
    n_unlabelled : int
        Images that nobody has labelled.
    n_none : int
        Images known to have no label at all.
    mean, most : float, int
        Labels an image, of the images of which anything is known.
    unknown : dict of str to int
        Of how many labelled images it is unknown whether they have a label; only labels of which there are any.
    never, always : tuple of str
        Labels that no image has, and that no image is known not to have: nothing can be learned of them.
    pairs : tuple of (str, str, int)
        The ten pairs of labels that most images have, and how many; the commonest first.
    """

    n_labels: int
    n_labelled: int
    n_unlabelled: int
    n_none: int
    mean: float
    most: int
    unknown: dict[str, int]
    never: tuple[str, ...]
    always: tuple[str, ...]
    pairs: tuple[tuple[str, str, int], ...]


def summarise_labels(sets: LabelSets) -> LabelSummary:
    """Count what there is to know about label sets.

    Examples
    --------
    >>> found = summarise_labels(LabelSets.of([["cat", "dog"], ["cat", "dog"], ["cat"], [], None], names=["emu"]))
    >>> found.n_none, found.n_unlabelled, found.mean, found.never, found.pairs
    (1, 1, 1.25, ('emu',), (('cat', 'dog', 2),))
    """
    values = sets.values[sets.known]
    has, unknown = values == 1, (values == UNKNOWN).sum(axis=0)
    an_image, of_label = has.sum(axis=1), has.sum(axis=0)
    has_not = (values == 0).any(axis=0)
    return LabelSummary(
        n_labels=len(sets.names),
        n_labelled=len(values),
        n_unlabelled=len(sets) - len(values),
        n_none=int((values == 0).all(axis=1).sum()),
        mean=round(float(an_image.mean()), 3) if len(values) else 0.0,
        most=int(an_image.max(initial=0)),
        unknown={sets.names[i]: int(unknown[i]) for i in np.flatnonzero(unknown)},
        never=tuple(sets.names[i] for i in np.flatnonzero(of_label == 0)),
        always=tuple(sets.names[i] for i in np.flatnonzero((of_label > 0) & ~has_not)),
        pairs=_pairs(sets.names, has, of_label),
    )


def _pairs(
    names: tuple[str, ...], has: NDArray[np.bool_], of_label: NDArray[np.int64]
) -> tuple[tuple[str, str, int], ...]:
    common = np.sort(np.argsort(-of_label, kind="stable")[:_MAX_LABELS])
    together = np.zeros((len(common), len(common)), np.float64)
    for start in range(0, len(has), _ROWS):
        rows = has[start : start + _ROWS, common].astype(np.float32)  # counts up to 2^24 are exact
        together += rows.T @ rows
    first, second = np.triu_indices(len(common), 1)
    counts = together[first, second].astype(np.int64)
    best = np.argsort(-counts, kind="stable")[:_PAIRS]
    return tuple(
        (names[common[first[i]]], names[common[second[i]]], int(counts[i])) for i in best if counts[i]
    )
