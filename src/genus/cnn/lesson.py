"""What a network is to learn, and where and how long."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.cnn.devices import Place
from genus.cnn.processes import Team
from genus.cnn.training_examples import Rows, TrainingExamples
from genus.progress import SILENT, Progress

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
    targets: NDArray[np.integer[Any]]
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
