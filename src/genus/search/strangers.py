"""How alike strangers are under a metric that was tuned to labels: as it would be had it not learned from theirs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genus.search.identity import Acquaintance, Readable, acquaint
from genus.search.judging import CLASSES_FOR_FOLDS, N_FOLDS, Choice, Material, metric_without
from genus.search.metric import Metric
from genus.search.storage import Rows

_MOST = 5000  # rows that are asked

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Mapped:
    """Features as a metric maps them, when they are read."""

    features: Readable
    metric: Metric

    def read(self, rows: Codes) -> Rows:
        """Return some rows."""
        return self.metric.apply(self.features.read(rows))

    def blocks(self, rows: Codes) -> Iterator[tuple[Codes, Rows]]:
        """Go through some rows."""
        for numbers, part in self.features.blocks(rows):
            yield numbers, self.metric.apply(part)


def acquaint_tuned(
    features: Readable, codes: Codes, material: Material, choice: Choice, *, random_state: int = 0
) -> Acquaintance:
    """Compare images of classes that were left out with all that is enrolled.

    Parameters
    ----------
    features : Readable of n rows
        Not mapped yet.
    codes : (n,) int64
        The class of each; -1 for none.
    material : Material
        What the metric has learned from, with the same codes.
    choice : Choice
        Of a tuned metric.
    random_state : int, default 0

    Returns
    -------
    Acquaintance
        Without strangers where there are fewer than six classes: none can be left out.

    Notes
    -----
    For each of three parts of the classes the metric is learned from the others, and images of that part, 5,000 in all,
    are compared with all enrolled ones of other names, as `identify` does. O(n d p).
    """
    own, other = choice.chosen.own, choice.chosen.other
    classes = np.unique(codes[codes >= 0])
    found = Acquaintance(np.empty(0, np.float32), own, other, np.empty(0, np.int64))
    if len(classes) < CLASSES_FOR_FOLDS or choice.tuning is None:
        return found
    rng = np.random.default_rng(random_state)
    fold = np.full(int(codes.max()) + 2, -1)  # the last one is that of what has no class
    fold[classes] = rng.permutation(np.arange(len(classes)) % N_FOLDS)
    asked = np.sort(rng.permutation(np.flatnonzero(codes >= 0))[:_MOST])
    for number in range(N_FOLDS):
        metric = metric_without(choice, material, fold[material.codes] == number)
        part = asked[fold[codes[asked]] == number]
        seen = acquaint(_Mapped(features, metric), codes, part)
        found = found.joined(replace(seen, own=own[:0], other=other[:0]))
    return found
