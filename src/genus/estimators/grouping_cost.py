"""What grouping would cost in time and memory, said before it begins."""

import os
from dataclasses import dataclass
from typing import Any

from genus.cluster.trials import ALGORITHMS
from genus.cluster.views import PREPARATIONS
from genus.data.dataset import Dataset
from genus.errors import DataError
from genus.estimators.grouping_options import GroupingOptions
from genus.estimators.planning import feature_seconds

# Measured by `python benchmarks/clustering.py --only growth`, 2 cores; all are bounded by the sample compared on.
_COMPARED_ROWS = 3000
_NUMBER_SECONDS = 12.0  # the search for the number of groups
_ALGORITHM_SECONDS = 0.6  # one algorithm on one preparation, with its stability
_SECONDS_PER_ROW = 1e-4  # all rows grouped at last
_WORTH_SAYING = 5.0  # seconds
_BASE_MB = 450.0  # libraries, an engine, distances of the rows compared on
_TABLE_ROWS = 10_000  # features in memory at once
_COPIES = 4  # of them at the peak, while they are prepared


@dataclass(frozen=True, slots=True)
class GroupingPlan:
    """What grouping would do and cost.

    Attributes
    ----------
    origin : str
    n_images : int
    features : str
    seconds : dict of str to float
        Expected time of each stage, and "total"; features that are in the cache make it shorter.
    memory_mb : float
        Expected peak, in megabytes.
    """

    origin: str
    n_images: int
    features: str
    seconds: dict[str, float]
    memory_mb: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def plan_grouping(dataset: Dataset, options: GroupingOptions) -> GroupingPlan:
    """Time a few images, and estimate the rest.

    Raises
    ------
    DataError
        None of the first images can be read.
    """
    n = len(dataset)
    seconds = {
        "features": feature_seconds(dataset, options.feature_set, options.runtime),
        "comparison": comparison_seconds(n, options),
    }
    seconds["total"] = sum(seconds.values())
    return GroupingPlan(
        origin=dataset.origin,
        n_images=n,
        features=options.feature_set.name,
        seconds={name: round(value, 1) for name, value in seconds.items()},
        memory_mb=round(memory_mb(n, options.feature_set.n_features)),
    )


def comparison_seconds(n_rows: int, options: GroupingOptions) -> float:
    """Return about how long the comparison takes on two cores."""
    share = min(n_rows, _COMPARED_ROWS) / _COMPARED_ROWS
    n_trials = len(options.algorithms or ALGORITHMS) * len(PREPARATIONS)
    searched = 0.0 if isinstance(options.n_clusters, int) else _NUMBER_SECONDS
    return share * (searched + n_trials * _ALGORITHM_SECONDS) + n_rows * _SECONDS_PER_ROW


def memory_mb(n_images: int, n_features: int) -> float:
    """Return about how much memory grouping takes at its peak, in megabytes.

    Examples
    --------
    >>> round(memory_mb(100_000, 6352)), round(memory_mb(1_000_000, 6352))
    (1505, 1850)
    """
    width = sum(int(kind["n_components"]) for kind in PREPARATIONS.values())
    table = _COPIES * min(n_images, _TABLE_ROWS) * n_features
    return _BASE_MB + 4 * (table + n_images * width) / 1e6


def cost_note(n_rows: int, options: GroupingOptions) -> str:
    """Say what the comparison is about to cost, where that is worth saying."""
    seconds = comparison_seconds(n_rows, options)
    if seconds < _WORTH_SAYING:
        return ""
    needed = memory_mb(n_rows, options.feature_set.n_features)
    return f"comparing groupings of {n_rows:,} images: about {seconds:.0f} s, {needed:,.0f} MB of memory"


def check_memory(n_images: int, n_features: int) -> None:
    """Raise a DataError where grouping so many images cannot fit in this machine's memory."""
    needed, there = memory_mb(n_images, n_features), _memory_of_machine_mb()
    if there and needed > there:
        raise DataError(
            f"{n_images:,} images need about {needed:,.0f} MB of memory, and this machine has {there:,.0f}. "
            "Group a part of them, then use the model file on the others (genus predict)."
        )


def _memory_of_machine_mb() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6
    except (AttributeError, OSError, ValueError):  # not every system says
        return None
