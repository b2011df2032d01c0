"""The training loop: from a network and examples to a trained network, and how it went."""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import torch

from genus.cnn.checkpoints import Task
from genus.cnn.growth import check_growth
from genus.cnn.history import History
from genus.cnn.lesson import Circumstances, Lesson
from genus.cnn.network import Network
from genus.cnn.processes import shared_normalisation
from genus.cnn.recipe import Recipe
from genus.cnn.run import Run


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
    ParameterError
        The network does not take pictures as small as the recipe begins with.
    DataError
        The checkpoint is of another training.
    ModelFileError
        The checkpoint is damaged.
    OutputError
        A checkpoint cannot be written.

    Notes
    -----
    All that is random follows from the seed, the epoch, the step and the image, so that a training which was killed and
    resumed gives the same numbers, on the same machine.
    """
    check_growth(network, recipe)
    task = Task(data, network.spec.to_dict(), recipe.to_dict(), seed, lesson.examples.n_views)
    place = around.place
    network.to(place.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # it has that
    begun = time.monotonic()
    devices = [place.device] if place.device.type == "cuda" else []
    quiet = _quiet() if devices else nullcontext()
    with torch.random.fork_rng(devices=devices), shared_normalisation(network, around.team), quiet:
        run = Run(network, lesson, recipe, around, task)
        history = run.to_the_end()
    network.eval()
    return replace(history, seconds=round(run.earlier + time.monotonic() - begun, 3))


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what PyTorch says of steps on a card, and what harms nobody there."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The AccumulateGrad node's stream")  # of `genus.cnn.graphs`
        warnings.filterwarnings(
            "ignore", message="Attempting to run cuBLAS, but there was no current CUDA context"
        )
        yield
