"""Pixels of small pictures that stay on a card: put there once, instead of batch by batch in every epoch."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genus.cnn.devices import sent
from genus.cnn.pictures import SMALL
from genus.cnn.pixels import PixelStore

_SHARE = 0.25  # of the card's free memory: the rest is for training
_GROUP = 64 << 20  # bytes

Rows = NDArray[np.int64]


class ResidentPixels:
    """The pixels of a store on a device.

    Parameters
    ----------
    store : PixelStore
    device : torch.device

    Examples
    --------
    >>> from genus.cnn.pixels import store_pixels
    >>> from genus.images.preprocess import Preprocess
    >>> from genus.images.source import as_source
    >>> pictures = [as_source(np.full((20, 30, 3), i, np.uint8)) for i in (10, 20, 30)]
    >>> resident = ResidentPixels(store_pixels(pictures, Preprocess(16, 16)), torch.device("cpu"))
    >>> resident.batch(np.array([2, 0]))[:, 0, 0, 0].tolist()
    [30, 10]
    """

    def __init__(self, store: PixelStore, device: torch.device) -> None:
        images = store.batch(np.arange(len(store)))
        self._pictures = images.permute(0, 2, 3, 1).to(device)  # (n, h, w, 3), contiguous

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the pictures."""
        return self._pictures.shape[1], self._pictures.shape[2]

    def batch(self, rows: Rows) -> Tensor:
        """Return images, uint8 (n, 3, h, w), channels_last; see `PixelStore.batch`."""
        return self._pictures.index_select(0, sent(rows, self._pictures.device)).permute(0, 3, 1, 2)

    def groups(self, batches: Sequence[Rows]) -> Iterator[Sequence[Rows]]:
        """Return the batches in groups of up to 64 MiB of pixels; a larger batch is a group of its own.

        To plan what is done to one batch takes longer than a card takes to learn from it.
        """
        a_picture = self._pictures[:1].numel()
        group: list[Rows] = []
        n = 0
        for rows in batches:
            if group and (n + len(rows)) * a_picture > _GROUP:
                yield group
                group, n = [], 0
            group.append(rows)
            n += len(rows)
        if group:
            yield group


def stay_on_card(store: PixelStore, device: torch.device) -> bool:
    """Say whether pixels are better put on a card once: those of small pictures in memory, if there is room."""
    if store.where != "memory" or not len(store):
        return False
    picture = store.batch([0])
    if max(picture.shape) > SMALL:  # to send one is nothing beside what a network makes of it
        return False
    free, _all = torch.cuda.mem_get_info(device)
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return len(store) * picture.numel() <= _SHARE * free
