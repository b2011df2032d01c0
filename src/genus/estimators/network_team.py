"""Training in several processes, as `torchrun` starts them: one leads, the others help it with the network."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from genus.estimators.few_training import has_few
from genus.estimators.learned import Learned
from genus.estimators.network_options import NetworkOptions
from genus.estimators.network_training import (
    NetworkTraining,
    divided,
    make_trainer,
    seconds_for_network,
)
from genus.features.feature_set import FeatureSet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from genus.cnn.processes import Team


def is_helper() -> bool:
    """Say whether this process helps another one, which has the results.

    Examples
    --------
    >>> is_helper()
    False
    """
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and int(os.environ.get("RANK", "0")) > 0


@contextmanager
def team_of(options: NetworkOptions | None) -> "Iterator[Team | None]":
    """Meet the other processes where a network is to be trained; None where nobody has to be met."""
    if options is None or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield None
        return
    from genus.cnn.networks import require_torch

    require_torch("Training in several processes")
    from genus.cnn.processes import joined

    kind = options.place().device.type
    with joined(kind) as team:
        yield team


def help_training(
    learned: Learned,
    feature_set: FeatureSet,
    rows: "NDArray[np.int64]",
    folds: "NDArray[np.int64]",
    metric: str,
    wish: NetworkTraining,
) -> None:
    """Do this process's share of the leader's training; `rows` and `folds` are those of its `Contest`."""
    if has_few(learned):
        return
    left = seconds_for_network(wish)
    if left is not None and left <= 0:
        return
    trainer = make_trainer(learned, feature_set, wish)
    own, validation = divided(learned, rows, folds)
    trainer.train(own, validation, metric=metric, seconds=left)
    again = trainer.team.from_leader(None)
    if again is not None:
        every, n_epochs = again
        trainer.go_on(every, metric=metric, n_epochs=n_epochs, seconds=wish.seconds())
