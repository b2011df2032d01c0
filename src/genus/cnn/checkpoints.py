"""Where a training stands, in a file: after `kill -9` it goes on as if nothing had happened.

The file is written beside its place and renamed. It holds tensors and plain values; nothing in it is executed when it
is read.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from genus.errors import DataError, ModelFileError
from genus.files import atomic_write

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Task:
    """What is learned, so that nobody goes on with something else.

    Attributes
    ----------
    data : str
        A hash of the images and their labels, in their order, and of how they are divided.
    network : dict
        The network's spec.
    recipe : dict
        How it is trained.
    seed : int
    """

    data: str
    network: dict[str, Any]
    recipe: dict[str, Any]
    seed: int

    def differences(self, other: "Task") -> list[str]:
        """Name what is not the same."""
        pairs = {
            "the images or their labels": (self.data, other.data),
            "the network": (self.network, other.network),
            "the recipe": (self.recipe, other.recipe),
            "the seed": (self.seed, other.seed),
        }
        return [what for what, (one, two) in pairs.items() if one != two]


def write_checkpoint(path: Path, task: Task, state: dict[str, Any]) -> None:
    """Write where a training stands, whole or not at all.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    buffer = io.BytesIO()
    about = {"data": task.data, "network": task.network, "recipe": task.recipe, "seed": task.seed}
    torch.save({"format": _FORMAT, "task": about, "state": state}, buffer)
    with atomic_write(path) as file:
        file.write(buffer.getbuffer())


def read_checkpoint(path: Path, task: Task) -> dict[str, Any]:
    """Read where a training stood.

    Raises
    ------
    ModelFileError
        It is missing, damaged, or no checkpoint.
    DataError
        It is of another training.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        known = found["task"]
        theirs = Task(known["data"], known["network"], known["recipe"], known["seed"])
        state: dict[str, Any] = found["state"]
    except OSError as error:
        raise ModelFileError(f"{path}: cannot read the checkpoint: {error.strerror or error}.") from error
    except Exception as error:  # what is read as a pickle, and is none, may raise anything
        raise ModelFileError(f"{path}: no checkpoint of Genus, or damaged.") from error
    if different := theirs.differences(task):
        raise DataError(
            f"{path}: the checkpoint of another training: {', '.join(different)} differ. "
            "Name the same data and options, or begin anew without --resume."
        )
    return state
