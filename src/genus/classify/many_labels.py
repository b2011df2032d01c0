"""Very many labels an image: methods are compared on some of them, and the best ones then judged on all."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from genus.classify.task import SearchTask
from genus.classify.truth import LabelSetsTruth
from genus.classify.workshop import Trial, Workshop
from genus.progress import Progress

MOST_COMPARED = 150
"""Labels from which on methods are compared on so many of them."""


def some_labels(task: SearchTask, random_state: int | None) -> SearchTask:
    """Return the task with a random choice of its labels, where there are many; else the task itself.

    Labels on fewer images than there are folds tell little, and are chosen last.
    """
    n_labels = task.truth.n_classes
    if not isinstance(task.truth, LabelSetsTruth) or n_labels <= MOST_COMPARED:
        return task
    rng = np.random.default_rng(random_state)
    order = rng.permutation(n_labels)
    values = task.truth.values
    counts = np.minimum((values == 1).sum(axis=0), (values == 0).sum(axis=0))
    rare = counts[order] <= int(task.fold.max()) + 1
    chosen = np.sort(np.concatenate([order[~rare], order[rare]])[:MOST_COMPARED])
    return replace(
        task,
        truth=LabelSetsTruth(values[:, chosen]),
        classes=task.classes[chosen],
        notes=(*task.notes, f"methods were compared on {MOST_COMPARED} of the {n_labels:,} labels"),
    )


def judge_on_all(compared: Workshop, shop: Workshop, leaders: Sequence[Trial], progress: Progress) -> None:
    """Try the best settings again, on all labels.

    Parameters
    ----------
    compared : Workshop
        Where they were compared; keeps what was not tried.
    shop : Workshop
        With all labels; gets the trials.
    leaders : sequence of Trial
        The best of each method, best first.
    """
    shop.run([replace(trial.candidate, grid=(trial.setting,), stage="first") for trial in leaders], progress)
    shop.not_tried += compared.not_tried
