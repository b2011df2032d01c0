"""The training loop: from a network and examples to a trained network, and how it went."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genus.cnn.checkpoints import Task
from genus.cnn.devices import Place
from genus.cnn.history import History
from genus.cnn.network import Network
from genus.cnn.processes import Team, shared_normalisation
from genus.cnn.recipe import Recipe
from genus.cnn.run import Run
from genus.cnn.training_examples import Rows, TrainingExamples
from genus.progress import SILENT, Progress

_BATCH = 128

Judge = Callable[[NDArray[np.float32]], float]


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What is to be learned.

    Attributes
    ----------
    examples : TrainingExamples
    targets : (n,) int64, or (n, c) int8
        Codes of classes; or 1 (has the label), 0 (has it not) and -1 (unknown).
    rows : (k,) int64
        The images that are learned from.
    validation : (m,) int64
        Those that are looked at after each epoch; may be none.
    judge : callable
        From logits (m, c) of the validation images to a score; higher is better.
    """

    examples: TrainingExamples
    targets: NDArray[np.generic]
    rows: Rows
    validation: Rows
    judge: Judge

    @property
    def several(self) -> bool:
        """Whether an image may have several labels."""
        return self.targets.ndim == 2


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Where and how long: nothing that decides what is learned, as long as the time suffices.

    Attributes
    ----------
    place : Place
    seconds : float or None
        The time there is; the learning rate then comes down as the time runs out, if that is before the last epoch.
    checkpoint : Path or None
        Where it is written how far the training is.
    every : float
        Seconds between checkpoints.
    resume : bool
        Whether to go on from the checkpoint, if there is one.
    team : Team
    progress : Progress
    """

    place: Place
    seconds: float | None = None
    checkpoint: Path | None = None
    every: float = 60.0
    resume: bool = False
    team: Team = field(default_factory=Team)
    progress: Progress = SILENT


def train_network(
    network: Network, lesson: Lesson, recipe: Recipe, around: Circumstances, *, seed: int = 0, data: str = ""
) -> History:
    """Train a network; it is left with the weights that were best, or last, in evaluation mode.

    Parameters
    ----------
    network : Network
        Its parameters with `requires_grad` are trained.
    lesson : Lesson
    recipe : Recipe
    around : Circumstances
    seed : int, default 0
        Of the order of the images, and of what networks leave out by chance.
    data : str
        A hash of the images and labels, kept in the checkpoint.

    Raises
    ------
    DataError
        The checkpoint is of another training, or the loss is not finite from the first step on.

    Notes
    -----
    All that is random follows from the seed, the epoch, the step and the image, so that a training which was killed and
    resumed gives the same numbers, on the same machine.
    """
    task = Task(data, network.spec.to_dict(), recipe.to_dict(), seed)
    place = around.place
    network.to(place.device, memory_format=torch.channels_last)
    begun = time.monotonic()
    devices = [place.device] if place.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), shared_normalisation(network, around.team):
        run = Run(network, lesson, recipe, around, task)
        history = run.to_the_end()
    network.eval()
    return replace(history, seconds=round(run.earlier + time.monotonic() - begun, 3))


def logits_of_network(
    network: Network, examples: TrainingExamples, rows: Rows, place: Place
) -> NDArray[np.float32]:
    """Return the logits (n, c) of images as they are."""
    return _computed(network, examples, rows, place, network.forward, network.n_classes)


def embeddings_of_network(
    network: Network, examples: TrainingExamples, rows: Rows, place: Place
) -> NDArray[np.float32]:
    """Return the embeddings (n, e) of images as they are."""
    return _computed(network, examples, rows, place, network.embedding, network.n_features)


@torch.inference_mode()
def _computed(
    network: Network,
    examples: TrainingExamples,
    rows: Rows,
    place: Place,
    compute: Callable[[Tensor], Tensor],
    width: int,
) -> NDArray[np.float32]:
    was_training = network.training
    network.to(place.device).eval()
    batches = [rows[i : i + _BATCH] for i in range(0, len(rows), _BATCH)]
    context = torch.autocast(place.device.type, torch.bfloat16) if place.bf16 else nullcontext()
    found = [np.zeros((0, width), np.float32)]
    with context:
        for images in examples.plain(batches, place.device):
            inputs = images.contiguous(memory_format=torch.channels_last)
            found.append(compute(inputs).float().cpu().numpy())
    network.train(was_training)
    return np.concatenate(found)
