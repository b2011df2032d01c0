"""Where a training stands, in a file: after `kill -9` it goes on as if nothing had happened.

The file is written beside its place and renamed. It holds tensors and plain values; nothing in it is executed when it
is read.
"""

import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from genus.errors import DataError, ModelFileError
from genus.files import atomic_write

_FORMAT = 3  # 1: order, mirror and view shared their random numbers; 2: pictures did not grow


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
    n_views : int
        How many views of each image the frozen beginning was computed of; 0: it sees pictures.
    """

    data: str
    network: dict[str, Any]
    recipe: dict[str, Any]
    seed: int
    n_views: int = 0

    def differences(self, other: "Task") -> list[str]:
        """Name what is not the same."""
        pairs = {
            "the images or their labels": (self.data, other.data),
            "the network": (self.network, other.network),
            "the recipe": (self.recipe, other.recipe),
            "the seed": (self.seed, other.seed),
            "the views": (self.n_views, other.n_views),
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
    torch.save({"format": _FORMAT, "task": asdict(task), "state": state}, buffer)
    with atomic_write(path) as file:
        file.write(buffer.getbuffer())


def read_checkpoint(path: Path, task: Task) -> dict[str, Any]:
    """Read where a training stood.

    Raises
    ------
    ModelFileError
        It is missing, damaged, of another version of Genus, or no checkpoint.
    DataError
        It is of another training.
    """
    theirs, state = _read(path)
    if different := theirs.differences(task):
        raise DataError(
            f"{path}: the checkpoint of another training: {', '.join(different)} differ. "
            "Name the same data and options, or begin anew without --resume."
        )
    return state


def read_task(path: Path) -> Task:
    """Read what a checkpoint is of.

    Raises
    ------
    ModelFileError
        It is missing, damaged, of another version of Genus, or no checkpoint.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[Task, dict[str, Any]]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        version = found["format"]
        task = Task(**found["task"]) if version == _FORMAT else None
        state: dict[str, Any] = found["state"]
    except OSError as error:
        raise ModelFileError(f"{path}: cannot read the checkpoint: {error.strerror or error}.") from error
    except Exception as error:  # what is read as a pickle, and is none, may raise anything
        raise ModelFileError(f"{path}: no checkpoint of Genus, or damaged.") from error
    if task is None:
        raise ModelFileError(
            f"{path}: a checkpoint of another version of Genus (format {version!r}, not {_FORMAT}). "
            "Begin anew without --resume."
        )
    return task, state
