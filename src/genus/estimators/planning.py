"""What training would do and cost: `genus train --dry-run`."""

import time
from dataclasses import dataclass

import numpy as np

from genus.classify.few import is_few
from genus.classify.selection import plan as plan_selection
from genus.data.dataset import Dataset
from genus.errors import DataError, ImageError
from genus.estimators.label_training import check_labels
from genus.estimators.learned import check_classes
from genus.estimators.network_cost import NetworkCost, network_cost
from genus.estimators.network_plan import Material
from genus.estimators.result import TrainingPlan
from genus.estimators.training_options import TrainingOptions
from genus.features.engines import open_runner
from genus.features.feature_set import FeatureSet
from genus.features.runtime import Runtime
from genus.images.preprocess import LoadedImage, load_image

_SAMPLE = 8  # images timed
_MAX_ROWS = 10_000
_BASE_MB = 400.0  # the libraries and an engine


def plan_training(dataset: Dataset, options: TrainingOptions) -> TrainingPlan:
    """Time a few images, ask the cost model about the heads, and add it up; nothing is trained.

    Raises
    ------
    DataError
        There are no labels, one class only, or no readable image among the first.
    """
    (check_labels if dataset.is_multilabel else check_classes)(dataset)
    data, feature_set = dataset.labelled(), options.feature_set
    names, selecting, few = _heads(data, options)
    sample = load_sample(data, feature_set, options.runtime)
    network = None if few else _network(data, options, sample)
    seconds = {
        "features": feature_seconds(data, feature_set, options.runtime, sample),
        "selection": selecting,
        **({} if network is None else {"network": network.seconds}),
        "refit and file": 1.0 + 0.2 * selecting,
        **({} if network is None or not options.refit else {"network, again": network.seconds_again}),
    }
    seconds["total"] = sum(seconds.values())
    table_mb = len(data) * feature_set.n_features * 4 / 1e6
    return TrainingPlan(
        origin=dataset.origin,
        n_images=len(data),
        counts=data.counts(),
        multilabel=data.is_multilabel,
        features=feature_set.name,
        n_features=feature_set.n_features,
        heads=names,
        seconds={name: round(value, 1) for name, value in seconds.items()},
        memory_mb=round(_BASE_MB + 4 * table_mb, 0),
        network=None if network is None else {**network.plan.to_dict(), "device": network.device},
    )


def _heads(data: Dataset, options: TrainingOptions) -> tuple[tuple[str, ...], float, bool]:
    """Return the candidates, the seconds that comparing them takes, and whether there are too few images for that."""
    rows = min(len(data), _MAX_ROWS)
    chosen = np.linspace(0, len(data) - 1, rows).astype(int)
    if data.label_sets is None:
        y = np.unique(np.asarray(data.labels)[chosen], return_inverse=True)[1]
    else:
        y = data.label_sets.values[chosen]
    heads = plan_selection(
        np.zeros((rows, options.feature_set.n_features), np.float32),
        y,
        np.arange(rows) % 5,
        heads=options.heads,
        blocks=options.feature_set.blocks,
        class_weight=options.class_weight,  # type: ignore[arg-type]  # checked there
    )
    names = tuple(dict.fromkeys(candidate.name for candidate in heads.candidates))
    few = y.ndim == 1 and is_few(y, np.arange(rows))
    if isinstance(options.heads, str) and few:
        names = ("logistic",)  # chosen beforehand
    return names, heads.expected_seconds, few


def _network(data: Dataset, options: TrainingOptions, sample: "Sample") -> NetworkCost | None:
    """Time a little of a network's training, where one is wanted."""
    if options.network is None:
        return None
    splits = data.splits or ()
    n_final = len(data) - sum(split == "test" for split in splits)
    n_train = len(data) - sum(split in ("test", "val") for split in splits)
    if n_train == len(data):
        n_train = round((1 - options.test_size) * n_train)
    material = Material.of(
        [loaded.info for loaded in sample.images],
        n_images=n_train,
        n_classes=len(data.classes),
        frozen_side=options.feature_set.size,
    )
    decoding = sample.seconds / len(sample.images)
    return network_cost(
        options.network, material, n_final, options.feature_set, options.runtime, decoding=decoding
    )


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A few images, and how long it took to decode them."""

    images: tuple[LoadedImage, ...]
    seconds: float


def load_sample(data: Dataset, feature_set: FeatureSet, runtime: Runtime) -> Sample:
    """Decode a few images, spread over the data.

    Raises
    ------
    DataError
        None of them can be read.
    """
    places = np.unique(np.linspace(0, len(data) - 1, _SAMPLE).astype(int))
    begun, loaded, reason = time.perf_counter(), [], ""
    for i in places:
        try:
            loaded.append(load_image(data.sources[i], feature_set.preprocess, runtime.limits))
        except ImageError as error:
            reason = str(error)
    if not loaded:
        raise DataError(f"{data.origin}: none of the {len(places)} images tried can be read: {reason}")
    return Sample(tuple(loaded), time.perf_counter() - begun)


def feature_seconds(
    data: Dataset, feature_set: FeatureSet, runtime: Runtime, sample: Sample | None = None
) -> float:
    """Decode and run a few images, spread over the data, on one core; divide by the cores.

    Raises
    ------
    DataError
        None of them can be read.
    """
    sample = sample or load_sample(data, feature_set, runtime)
    runner = open_runner(
        feature_set.model(),
        engine=runtime.engine,
        workers=2,
        outputs=["features"],
        n_images=len(data),
    )
    batch = np.stack([loaded.pixels for loaded in sample.images])
    runner(batch)  # the first run allocates
    begun = time.perf_counter()
    runner(batch)
    inference = time.perf_counter() - begun
    return len(data) * (sample.seconds + inference) / len(batch) / runtime.n_workers(len(data))
