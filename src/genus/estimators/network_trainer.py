"""Trains a network on some of the images, as often as that is wanted; what the trainings share is made once."""

import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genus.classify.scores import gain
from genus.errors import DataError
from genus.estimators.activations import compute_activations
from genus.estimators.learned import Learned
from genus.estimators.network_options import NetworkOptions
from genus.estimators.network_plan import NetworkPlan
from genus.estimators.provenance import data_hash
from genus.features.feature_set import FeatureSet, find_backbone
from genus.features.lite import EfficientNetLite
from genus.features.quantized import int8_ranges
from genus.features.runtime import Runtime
from genus.features.trained import FrozenPrefix, TrainedBackbone
from genus.images.preprocess import Preprocess
from genus.progress import Progress

if TYPE_CHECKING:
    from genus.cnn.devices import Place
    from genus.cnn.history import History
    from genus.cnn.lesson import Judge
    from genus.cnn.network import Network
    from genus.cnn.pixels import PixelStore
    from genus.cnn.processes import Team
    from genus.cnn.training_examples import TrainingExamples

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class TrainedNetwork:
    """A network that was trained, without PyTorch.

    Attributes
    ----------
    backbone : TrainedBackbone
        Everything before its last layer.
    coef, intercept : (c, e) and (c,) float32
        Its last layer.
    history : History
    """

    backbone: TrainedBackbone
    coef: NDArray[np.float32]
    intercept: NDArray[np.float32]
    history: "History"


class NetworkTrainer:
    """Trains a network.

    Parameters
    ----------
    learned : Learned
        The images and their labels.
    plan : NetworkPlan
    options : NetworkOptions
    feature_set : FeatureSet
        The frozen features': its precision is that of the network's frozen beginning.
    runtime : Runtime
    seed : int
    place : Place
    team : Team
    progress : Progress

    Attributes
    ----------
    notes : list of str
        What is worth knowing of how it was done.
    """

    def __init__(
        self,
        learned: Learned,
        plan: NetworkPlan,
        options: NetworkOptions,
        feature_set: FeatureSet,
        runtime: Runtime,
        *,
        seed: int,
        place: "Place",
        team: "Team",
        progress: Progress,
    ) -> None:
        self.learned, self.plan, self.options = learned, plan, options
        self.runtime, self.seed, self.place, self.team, self.progress = runtime, seed, place, team, progress
        self.prefix = frozen_prefix(plan, feature_set)
        self.notes: list[str] = []
        self._store: PixelStore | None = None
        self._examples: TrainingExamples | None = None

    def train(
        self,
        rows: Rows,
        validation: Rows,
        *,
        metric: str,
        seconds: float | None = None,
        epochs: int | None = None,
        name: str = "",
    ) -> TrainedNetwork:
        """Train a new network.

        Parameters
        ----------
        rows, validation : (k,) and (m,) int64
            The images that it learns from, and those that are looked at after each epoch.
        metric : str
            What for.
        seconds : float or None
            The time there is.
        epochs : int or None
            Other than the recipe's.
        name : str
            Added to that of the checkpoint.
        """
        from genus.cnn.lesson import Circumstances, Lesson
        from genus.cnn.training import train_network

        recipe = self.plan.recipe if epochs is None else replace(self.plan.recipe, epochs=epochs)
        begun = time.perf_counter()
        network = planned_network(self.plan, len(self.learned.classes), seed=self.seed)
        examples = self.examples(None if seconds is None else seconds / 2)
        self._begin(network, examples, rows)
        if seconds is not None:  # what was prepared took some of it
            seconds = max(1.0, seconds - (time.perf_counter() - begun))
        history = train_network(
            network,
            Lesson(examples, self.learned.y, rows, validation, self._judge(validation, metric)),
            recipe,
            Circumstances(
                self.place,
                seconds,
                checkpoint=self._checkpoint(name),
                resume=self.options.resume,
                team=self.team,
                progress=self.progress,
            ),
            seed=self.seed,
            data=self._data_hash(rows, validation),
        )
        return self._finished(network, history)

    def examples(self, seconds: float | None = None) -> "TrainingExamples":
        """Decode the images, once, and run them through what is frozen, once; with so much time for it."""
        if self._examples is None:
            self._examples = self._pictures() if self.prefix is None else self._activations(seconds)
        return self._examples

    def _pictures(self) -> "TrainingExamples":
        from genus.cnn.training_examples import PixelExamples

        plan = self.plan
        augmentation, n_classes = plan.recipe.augmentation, len(self.learned.classes)
        return PixelExamples(self._pixels(), augmentation, plan.size, seed=self.seed, n_classes=n_classes)

    def _activations(self, seconds: float | None) -> "TrainingExamples":
        from genus.cnn.augment import Augmenter
        from genus.cnn.training_examples import ActivationExamples

        plan, augmentation, prefix = self.plan, self.plan.recipe.augmentation, self.prefix
        if prefix is None:
            return self._pictures()
        views = compute_activations(
            self._pixels(),
            prefix,
            Augmenter(augmentation, plan.size, seed=self.seed),
            plan.n_views,
            rows=np.flatnonzero(~self.learned.division.marked_test),
            seconds=seconds,
            runtime=self.runtime,
            progress=self.progress,
        )
        if len(views) < plan.n_views:
            self.notes.append(f"the time allowed for {len(views)} of {plan.n_views} views of each image only")
        n_classes = len(self.learned.classes)
        return ActivationExamples(views, augmentation, seed=self.seed, n_classes=n_classes)

    def _pixels(self) -> "PixelStore":
        from genus.cnn.pixels import Storage, enlarged, store_pixels

        if self._store is None:
            shown = Preprocess(self.plan.size, self.plan.size)
            self._store = store_pixels(
                self.learned.data.sources,
                enlarged(shown, self.plan.recipe.augmentation.margin),
                storage=Storage(workers=self.runtime.workers),
                limits=self.runtime.limits,
                progress=self.progress,
            )
            if self._store.skipped:
                gone = self._store.skipped[0]
                raise DataError(f"{gone.source}: could be read before, and now cannot: {gone.reason}")
        return self._store

    def _begin(self, network: "Network", examples: "TrainingExamples", rows: Rows) -> None:
        """Give the network what it needs to know before it begins: patches of pictures, or a classifier."""
        from genus.cnn.inference import embeddings_of_network
        from genus.cnn.probe import fit_probe

        if not self.plan.is_pretrained:
            some = rows[:: max(1, len(rows) // _N_SHOWN)][:_N_SHOWN]
            network.prepare(next(iter(examples.plain([some], self.place.device))).cpu())
            return
        found = embeddings_of_network(network, examples, rows, self.place)
        fit_probe(network.classifier, found, self.learned.y[rows])

    def _judge(self, validation: Rows, metric: str) -> "Judge":
        if not len(validation):
            return lambda logits: 0.0
        truth = self.learned.truth(validation)
        return lambda logits: gain(metric, truth.score(metric, logits))

    def _checkpoint(self, name: str) -> Path | None:
        if self.options.checkpoint is None:
            return None
        path = Path(self.options.checkpoint)
        return path.with_name(f"{path.name}{name}")

    def _data_hash(self, rows: Rows, validation: Rows) -> str:
        learned = self.learned
        digest = hashlib.blake2b(
            data_hash(learned.table.content_hashes, learned.data).encode(), digest_size=16
        )
        for part in (rows, validation):
            digest.update(np.ascontiguousarray(part, "<i8").tobytes())
        return digest.hexdigest()

    def _finished(self, network: "Network", history: "History") -> TrainedNetwork:
        from genus.cnn.export import classifier_weights, export_network

        coef, intercept = classifier_weights(network)
        backbone = TrainedBackbone(export_network(network), self.plan.size, self.prefix)
        return TrainedNetwork(backbone, coef, intercept, history)


_N_SHOWN = 2000  # pictures that a network may look at before it begins


def planned_network(plan: NetworkPlan, n_classes: int, *, seed: int) -> "Network":
    """Make the network, or the part of it that is trained."""
    from genus.cnn.layers import set_stochastic_depth
    from genus.cnn.networks import make_network

    whole = make_network(plan.network, n_classes, size=plan.size, random_state=seed)
    if plan.is_pretrained:
        set_stochastic_depth(whole, plan.recipe.stochastic_depth)
    return whole if plan.n_blocks is None else whole.split(plan.n_blocks)[1]


def frozen_prefix(plan: NetworkPlan, feature_set: FeatureSet) -> FrozenPrefix | None:
    """Return the beginning of the network that stays as it is, if one does, at the precision of the frozen features."""
    if plan.n_blocks is None:
        return None
    backbone: Any = find_backbone(plan.network)
    ranges = int8_ranges(plan.network) if feature_set.precision == "int8" else None
    lite: EfficientNetLite = backbone if ranges is None else backbone.quantized(ranges)
    return FrozenPrefix(lite, plan.n_blocks)
