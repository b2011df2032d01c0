"""A few images as a network in training would see them, as arrays: for pages and pictures."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genus.cnn.augment import Augmenter
from genus.cnn.views import evaluation_view

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Images in several epochs.

    Attributes
    ----------
    originals : (n, side, side, 3) uint8
        As the network sees them when it is measured.
    draws : (epochs, n, side, side, 3) uint8
    mixed : (epochs, n, side, side, 3) uint8
        The draws mixed with one another; no epochs where the augmentation does not mix.
    targets : (epochs, n, c) float32
        Of `mixed`; -1 is unknown.
    """

    originals: Pixels
    draws: Pixels
    mixed: Pixels
    targets: NDArray[np.float32]


def draw_examples(
    augmenter: Augmenter, pixels: Pixels, targets: NDArray[np.floating[Any]], indices: list[int], n_draws: int
) -> Examples:
    """Show images in the first epochs of training.

    Parameters
    ----------
    augmenter : Augmenter
    pixels : (n, h, w, 3) uint8
        As they are stored.
    targets : (n, c) float
        Shares of classes, or what is known of each label: 1, 0 or -1.
    indices : list of n int
        The images' places in the training set.
    n_draws : int
        How many epochs.

    Examples
    --------
    >>> from genus.cnn.augmentation import PRESETS
    >>> pixels = np.zeros((2, 40, 40, 3), np.uint8)
    >>> found = draw_examples(Augmenter(PRESETS["strong"], 32), pixels, np.eye(2), [0, 1], 5)
    >>> found.draws.shape, found.targets.shape
    ((5, 2, 32, 32, 3), (5, 2, 2))
    """
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    known = torch.from_numpy(targets)
    originals = evaluation_view(images, augmenter.side, fit=augmenter.fit)
    draws = [augmenter(images, epoch, indices) for epoch in range(n_draws)]
    mixes = []
    if augmenter.augmentation.mixes:
        mixes = [augmenter.mix(draw, known, epoch, indices) for epoch, draw in enumerate(draws)]
    none = images[:0]
    return Examples(
        originals=_as_array(originals),
        draws=np.stack([_as_array(draw) for draw in draws]),
        mixed=np.stack([_as_array(mix.images) for mix in mixes]) if mixes else _as_array(none)[:, None],
        targets=np.stack([mix.targets.numpy() for mix in mixes])
        if mixes
        else np.zeros((0, 1, 1), np.float32),
    )


def _as_array(images: Tensor) -> Pixels:
    return images.permute(0, 2, 3, 1).numpy()
