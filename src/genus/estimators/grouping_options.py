"""What grouping is told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from genus.features.feature_set import FeatureSet
from genus.features.runtime import Runtime

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class GroupingOptions:
    """What grouping is told, beside the images (see `ImageClusterer`)."""

    feature_set: FeatureSet
    n_clusters: int | tuple[int, int] | None = None
    n_components: int | None = None
    algorithms: Sequence[str] | None = None
    metric: str = "agreement"
    runtime: Runtime = field(default_factory=Runtime)
    random_state: int | None = None
    command: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Wishes:
    """What a person knows of the images beforehand, by their place in the data set.

    Parameters
    ----------
    seeds : sequence of n (str or None), or None
        Labels of a few images.
    must_link, cannot_link : pairs of int
    """

    seeds: Sequence[str | None] | None = None
    must_link: Iterable[Pair] = ()
    cannot_link: Iterable[Pair] = ()
