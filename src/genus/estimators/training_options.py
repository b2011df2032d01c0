"""What training is told, beside the data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from genus.data.dataset import Dataset
from genus.data.taxonomies import TaxonomyWish
from genus.estimators.network_options import NetworkOptions
from genus.features.feature_set import FeatureSet
from genus.features.runtime import Runtime


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """What training is told, beside the data (see `ImageClassifier`)."""

    feature_set: FeatureSet
    heads: str | Sequence[Any]
    metric: str = "auto"
    aim: str = "f1"
    costs: Any = None
    time_budget: float | None = None
    test_size: float = 0.2
    refit: bool = True
    class_weight: str | None = "auto"
    calibration: str = "auto"
    memory: bool = True
    unlabelled: Dataset | None = None
    runtime: Runtime = field(default_factory=Runtime)
    random_state: int | None = None
    command: str | None = None
    taxonomy: TaxonomyWish = field(default_factory=lambda: TaxonomyWish("auto"))
    network: NetworkOptions | None = None
