"""Trains a network on some of the images, as often as that is wanted; what the trainings share is made once."""

import copy
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
from genus.estimators.network_plan import NetworkPlan, deeper_recipe, recipe_to_go_on
from genus.estimators.provenance import data_hash
from genus.features.feature_set import FeatureSet, find_backbone
from genus.features.lite import EfficientNetLite
from genus.features.quantized import int8_ranges
from genus.features.runtime import Runtime
from genus.features.trained import FrozenPrefix, TrainedBackbone
from genus.images.preprocess import Preprocess
from genus.progress import Progress

if TYPE_CHECKING:
    from genus.cnn.checkpoints import Task
    from genus.cnn.devices import Place
    from genus.cnn.history import History
    from genus.cnn.lesson import Judge, Lesson
    from genus.cnn.network import Network
    from genus.cnn.pixels import PixelStore
    from genus.cnn.processes import Team
    from genus.cnn.recipe import Recipe
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
    mirror : bool
        Whether it looks at each picture a second time, mirrored, as it did in training.
    """

    backbone: TrainedBackbone
    coef: NDArray[np.float32]
    intercept: NDArray[np.float32]
    history: "History"
    mirror: bool


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
        self._shown: TrainingExamples | None = None
        self._examples: TrainingExamples | None = None
        self._taken: Network | None = None
        self._gentler: Recipe | None = (
            None  # the recipe of what was taken, where all of it was trained at the end
        )
        self._frozen_seconds: float | None = None  # what its frozen beginning took, where it has one

    def train(
        self,
        rows: Rows,
        validation: Rows,
        *,
        metric: str,
        seconds: float | None = None,
    ) -> TrainedNetwork:
        """Train a new network; where its last blocks come first, all of it then if that is wanted, and kept if better.

        Parameters
        ----------
        rows, validation : (k,) and (m,) int64
            The images that it learns from, and those that are looked at after each epoch.
        metric : str
            What for.
        seconds : float or None
            The time there is.
        """
        begun = time.perf_counter()

        def left() -> float | None:
            return None if seconds is None else seconds - (time.perf_counter() - begun)

        whole = planned_network(self.plan, len(self.learned.classes), seed=self.seed)
        network = trained_part(whole, self.plan)
        examples = self.examples(None if seconds is None else seconds / 2)
        self._say_what_was_saved(whole)
        self._begin(network, examples, rows)
        lesson = self._lesson(examples, rows, validation, metric)
        history = self._run(network, lesson, self.plan.recipe, left())
        self._taken, first = network, self._finished(network, history)
        epochs = self._epochs_of_all(whole, len(rows), history, left())
        if not epochs:
            return first
        self._taken = copy.deepcopy(network)  # its layers are about to change
        lesson = self._lesson(self._pictures(), rows, validation, metric)
        recipe = replace(deeper_recipe(self.plan.recipe), epochs=epochs)
        second = self._finished(whole, history.then(self._run(whole, lesson, recipe, left(), ".deeper")))
        if not self._is_better(second.history, first.history):
            return first
        self._taken, self._gentler = whole, recipe
        return second

    def go_on(
        self, rows: Rows, *, metric: str, n_epochs: int, seconds: float | None = None
    ) -> TrainedNetwork:
        """Let the network that `train` has returned go on with more images, all that may be learned from.

        Parameters
        ----------
        rows : (k,) int64
        metric : str
        n_epochs : int
            How many there were until it was taken.
        seconds : float or None
            The time there is.
        """
        network = self._taken
        if network is None:
            raise RuntimeError("nothing was trained that could go on")
        examples = self._pictures() if network.reads_pixels else self.examples()
        lesson = self._lesson(examples, rows, np.zeros(0, np.int64), metric)
        gentler = self._gentler
        taken_by = (self.plan.recipe, n_epochs) if gentler is None else (gentler, gentler.epochs)
        recipe = recipe_to_go_on(*taken_by)
        return self._finished(network, self._run(network, lesson, recipe, seconds, ".all"))

    def _lesson(self, examples: "TrainingExamples", rows: Rows, validation: Rows, metric: str) -> "Lesson":
        from genus.cnn.lesson import Lesson

        return Lesson(examples, self.learned.y, rows, validation, self._judge(validation, metric))

    def _run(
        self, network: "Network", lesson: "Lesson", recipe: "Recipe", seconds: float | None, name: str = ""
    ) -> "History":
        from genus.cnn.lesson import Circumstances
        from genus.cnn.training import train_network

        around = Circumstances(
            self.place,
            None if seconds is None else max(1.0, seconds),  # what was prepared took some of it
            checkpoint=self._checkpoint(name),
            resume=self.options.resume,
            team=self.team,
            progress=self.progress,
        )
        data = self._data_hash(lesson.rows, lesson.validation)
        return train_network(network, lesson, recipe, around, seed=self.seed, data=data)

    def _epochs_of_all(self, whole: "Network", n: int, history: "History", seconds: float | None) -> int:
        """Return for how many epochs all of the network is trained after its last blocks; 0: not at all."""
        then = self.plan.then_all
        if then == "never" or history.stopped in ("time", "not finite"):
            return 0
        if (earlier := self._epochs_begun()) is not None:
            return earlier
        most = deeper_recipe(self.plan.recipe).epochs
        if then == "always":
            return most
        if seconds is None:
            return 0
        from genus.cnn.timing import seconds_an_image

        an_epoch = n * seconds_an_image(copy.deepcopy(whole), self.place, self.plan.recipe.batch_size)
        found: int = self.team.from_leader(min(most, int(seconds / max(an_epoch, 1e-9))))
        if not found:
            self.notes.append(
                f"all of it was not trained after its last blocks: an epoch takes {an_epoch:.0f} s, and "
                f"{max(0.0, seconds):.0f} s were left"
            )
        return found

    def _epochs_begun(self) -> int | None:
        """Return for how many epochs all of it was to be trained before this process; None if that was still open."""
        deeper = self._task_begun(".deeper")
        if deeper is not None:
            return int(deeper.recipe["epochs"])
        return None if self._task_begun(".all") is None else 0

    def _task_begun(self, name: str = "") -> "Task | None":
        """Return what a training that is to be resumed was of, if it had begun: what the clock decided then holds."""
        from genus.cnn.checkpoints import read_task

        path = self._checkpoint(name)
        return read_task(path) if self.options.resume and path is not None and path.exists() else None

    def _is_better(self, deeper: "History", before: "History") -> bool:
        """Say whether all of the network did better on the validation images than its last blocks had."""
        from genus.cnn.history import score_in_words

        new, old = deeper.taken, before.taken
        if new is None or old is None or deeper.stopped == "not finite":
            return False
        if new.validation_score is None or old.validation_score is None:
            return False
        as_good = new.validation_score == old.validation_score
        less = (new.validation_loss or 0.0) < (old.validation_loss or 0.0)
        better = new.validation_score > old.validation_score or (as_good and less)
        self.notes.append(
            f"all of it was trained after its last blocks: {score_in_words(new.validation_score)} after "
            f"{score_in_words(old.validation_score)} in validation, so "
            f"{'it' if better else 'the network before that'} is taken"
        )
        return better

    def examples(self, seconds: float | None = None) -> "TrainingExamples":
        """Decode the images, once, and run them through what is frozen, once; with so much time for it."""
        if self._examples is None:
            self._examples = self._pictures() if self.prefix is None else self._activations(seconds)
        return self._examples

    def _pictures(self) -> "TrainingExamples":
        from genus.cnn.training_examples import PixelExamples

        if self._shown is None:
            plan = self.plan
            augmentation, n_classes = plan.recipe.augmentation, len(self.learned.classes)
            store = self._pixels()
            self._shown = PixelExamples(store, augmentation, plan.size, seed=self.seed, n_classes=n_classes)
        return self._shown

    def _activations(self, seconds: float | None) -> "TrainingExamples":
        from genus.cnn.augment import Augmenter
        from genus.cnn.training_examples import ActivationExamples

        plan, augmentation, prefix = self.plan, self.plan.recipe.augmentation, self.prefix
        if prefix is None:
            return self._pictures()
        begun, earlier = time.perf_counter(), self._task_begun()
        views = compute_activations(
            self._pixels(),
            prefix,
            Augmenter(augmentation, plan.size, seed=self.seed),
            plan.n_views if earlier is None else max(1, earlier.n_views),
            rows=np.flatnonzero(~self.learned.division.marked_test),
            seconds=seconds if earlier is None else None,
            runtime=self.runtime,
            progress=self.progress,
        )
        self._frozen_seconds = time.perf_counter() - begun
        if len(views) < plan.n_views:
            self.notes.append(f"the time allowed for {len(views)} of {plan.n_views} views of each image only")
        n_classes = len(self.learned.classes)
        return ActivationExamples(views, augmentation, seed=self.seed, n_classes=n_classes)

    def _say_what_was_saved(self, whole: "Network") -> None:
        """Say what the frozen beginning took, and would have taken in every epoch anew."""
        took, plan = self._frozen_seconds, self.plan
        if took is None or plan.n_blocks is None or self.place.device.type != "cpu":
            return
        from genus.cnn.timing import seconds_a_picture

        n = np.count_nonzero(~self.learned.division.marked_test)
        an_epoch = n * seconds_a_picture(whole.split(plan.n_blocks)[0], plan.size)
        self.notes.append(
            f"its frozen beginning was computed once, in {took:.0f} s; PyTorch would have taken about {an_epoch:.0f} s "
            "for it in every epoch"
        )

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
        prefix = None if network.reads_pixels else self.prefix
        backbone = TrainedBackbone(export_network(network), self.plan.size, prefix)
        mirror = self.plan.recipe.augmentation.mirror != "off"
        return TrainedNetwork(backbone, coef, intercept, history, mirror)


_N_SHOWN = 2000  # pictures that a network may look at before it begins


def planned_network(plan: NetworkPlan, n_classes: int, *, seed: int) -> "Network":
    """Make the network."""
    from genus.cnn.layers import set_stochastic_depth
    from genus.cnn.networks import make_network

    whole = make_network(plan.network, n_classes, size=plan.size, random_state=seed)
    set_stochastic_depth(whole, plan.recipe.stochastic_depth)
    return whole


def trained_part(whole: "Network", plan: NetworkPlan) -> "Network":
    """Return the part of the network that is trained first, which shares its layers: all, or its last blocks."""
    return whole if plan.n_blocks is None else whole.split(plan.n_blocks)[1]


def frozen_prefix(plan: NetworkPlan, feature_set: FeatureSet) -> FrozenPrefix | None:
    """Return the beginning of the network that stays as it is, if one does, at the precision of the frozen features."""
    if plan.n_blocks is None:
        return None
    backbone: Any = find_backbone(plan.network)
    ranges = int8_ranges(plan.network) if feature_set.precision == "int8" else None
    lite: EfficientNetLite = backbone if ranges is None else backbone.quantized(ranges)
    return FrozenPrefix(lite, plan.n_blocks)
