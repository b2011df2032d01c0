"""What a network is trained to make small."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from genus.cnn.mixing import UNKNOWN


def class_loss(logits: Tensor, targets: Tensor, *, smoothing: float, weights: Tensor | None) -> Tensor:
    """Return the sum over a batch of the cross-entropy with shares of classes.

    Parameters
    ----------
    logits : (n, c) tensor
    targets : (n, c) float tensor
        Shares of the classes, rows that sum to 1.
    smoothing : float
        See `genus.cnn.recipe.Recipe.label_smoothing`.
    weights : (c,) tensor or None
        How much each class counts.

    Examples
    --------
    >>> class_loss(torch.zeros(1, 4), torch.eye(4)[:1], smoothing=0.0, weights=None)
    tensor(1.3863)
    """
    smooth = targets * (1 - smoothing) + smoothing / targets.shape[1]
    if weights is not None:
        # no matrix product: that would be rounded to bfloat16
        smooth = smooth * (targets * weights).sum(1)[:, None]
    return -(smooth * functional.log_softmax(logits.float(), dim=1)).sum()


def label_loss(logits: Tensor, targets: Tensor, *, smoothing: float, weights: Tensor | None) -> Tensor:
    """Return the sum over a batch of the mean binary cross-entropy of the labels that are known.

    Parameters
    ----------
    logits : (n, c) tensor
    targets : (n, c) float tensor
        Shares from 0 to 1; -1 where a label is unknown.
    smoothing : float
        Half of it is what 0 and 1 are moved towards each other by.
    weights : (c, 2) tensor or None
        How much the absence and the presence of each label count.

    Examples
    --------
    >>> label_loss(torch.zeros(1, 2), torch.tensor([[1.0, -1.0]]), smoothing=0.0, weights=None)
    tensor(0.6931)
    """
    known = targets != UNKNOWN
    wanted = torch.where(known, targets, 0.0)
    smooth = wanted * (1 - smoothing) + smoothing / 2
    cells = functional.binary_cross_entropy_with_logits(logits.float(), smooth, reduction="none")
    if weights is not None:
        cells = cells * (weights[:, 0] * (1 - wanted) + weights[:, 1] * wanted)
    cells = torch.where(known, cells, 0.0)
    return (cells.sum(1) / known.sum(1).clamp(min=1)).sum()


def balanced_weights(targets: NDArray[np.integer[Any]], n_classes: int) -> Tensor:
    """Return weights that let rare classes count as much as frequent ones; their mean over the rows is 1.

    Parameters
    ----------
    targets : (n,) codes of classes, or (n, c) of 1, 0 and -1 (unknown)
    n_classes : int

    Returns
    -------
    (c,) float32 tensor, or with several labels a row (c, 2): of the absence and the presence of each.

    Examples
    --------
    >>> balanced_weights(np.array([0, 0, 0, 1]), 2)
    tensor([0.6667, 2.0000])
    """
    if targets.ndim == 1:
        counts = np.bincount(targets.astype(np.int64), minlength=n_classes)
        present = max(1, int((counts > 0).sum()))
        weights = np.where(counts > 0, len(targets) / (present * np.maximum(counts, 1)), 0.0)
        return torch.from_numpy(weights.astype(np.float32))
    known = (targets >= 0).sum(axis=0)
    sides = np.stack([(targets == side).sum(axis=0) for side in (0, 1)], axis=1)
    return torch.from_numpy((known[:, None] / (2 * np.maximum(sides, 1))).astype(np.float32))
