"""What a network in training is shown: pixels, anew in every epoch, or what its frozen beginning made of them once."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genus.cnn.augment import Augmenter
from genus.cnn.augmentation import Augmentation
from genus.cnn.chance import Chance, Stream
from genus.cnn.devices import sent
from genus.cnn.mixing import Mixed, mix_maps
from genus.cnn.pixels import PixelStore
from genus.cnn.resident import ResidentPixels, stay_on_card
from genus.cnn.views import evaluation_view
from genus.images.preprocess import Fit

Rows = NDArray[np.int64]


class TrainingExamples(Protocol):
    """Images by their rows."""

    @property
    def n_views(self) -> int:
        """How many views of each image were computed beforehand; 0: pictures are seen anew each time."""

    def seen(self, batches: Iterable[Rows], epoch: int, device: torch.device) -> Iterator[Tensor]:
        """Return batch after batch as it is seen in an epoch of training."""

    def plain(self, batches: Iterable[Rows], device: torch.device) -> Iterator[Tensor]:
        """Return batch after batch as a model that is used sees it."""

    def mix(self, images: Tensor, targets: Tensor, epoch: int, rows: Rows) -> Mixed:
        """Mix the images of a batch, and what they are to be taken for, where the augmentation wants that."""


class PixelExamples:
    """Augmented pictures.

    Parameters
    ----------
    store : PixelStore
    augmentation : Augmentation
    side : int
        What the network sees, in pixels.
    fit : {"squash", "crop", "pad"}
        See `Augmenter`.
    seed : int
    n_classes : int
        Columns of the targets.
    """

    def __init__(
        self,
        store: PixelStore,
        augmentation: Augmentation,
        side: int,
        *,
        fit: Fit = "squash",
        seed: int = 0,
        n_classes: int,
    ) -> None:
        self.store = store
        self.side = side
        self.fit = fit
        self.n_classes = n_classes
        self._augmenter = Augmenter(augmentation, side, fit=fit, seed=seed)
        self._resident: dict[torch.device, ResidentPixels | None] = {}

    @property
    def n_views(self) -> int:
        """0: each picture is augmented anew in each epoch."""
        return 0

    def seen(self, batches: Iterable[Rows], epoch: int, device: torch.device) -> Iterator[Tensor]:
        """Return augmented pictures, uint8 (n, 3, side, side)."""
        every = list(batches)
        resident = self._resident_on(device)
        if resident is None:
            for rows, images in zip(every, self.store.batches(every), strict=True):
                yield self._augmenter(sent(images, device), epoch, rows)
            return
        for some in resident.groups(every):
            rows = np.concatenate(some)
            views, sizes = self._augmenter(resident.batch(rows), epoch, rows), [len(one) for one in some]
            yield from views.split(sizes)  # type: ignore[no-untyped-call]

    def plain(self, batches: Iterable[Rows], device: torch.device) -> Iterator[Tensor]:
        """Return pictures as they are."""
        resident = self._resident_on(device)
        if resident is not None and resident.sides == (self.side, self.side):
            yield from map(resident.batch, batches)
            return
        # scaled here, as the model file will: a card would do it a little otherwise
        for images in self.store.batches(batches):
            yield sent(evaluation_view(images, self.side, fit=self.fit), device)

    def mix(self, images: Tensor, targets: Tensor, epoch: int, rows: Rows) -> Mixed:
        """Mix pictures (see `genus.cnn.mixing`)."""
        return self._augmenter.mix(images, targets, epoch, rows, n_classes=self.n_classes)

    def _resident_on(self, device: torch.device) -> ResidentPixels | None:
        """Return the pixels on a card, put there when they are first wanted; None where they do not stay on any."""
        if device not in self._resident:
            can_stay = device.type == "cuda" and stay_on_card(self.store, device)
            self._resident[device] = ResidentPixels(self.store, device) if can_stay else None
        return self._resident[device]


class ActivationExamples:
    """What the first blocks of a frozen network made of several views of each image, computed once.

    Parameters
    ----------
    views : sequence of (n, c, h, w) float16 arrays
        The first are the images as they are. Each is seen as it is or mirrored: to mirror an activation is all but the
        activation of the mirrored image.
    augmentation : Augmentation
        Whether images may be mirrored, and how they are mixed with one another.
    seed : int
    n_classes : int
        Columns of the targets.
    """

    def __init__(
        self,
        views: Sequence[NDArray[np.float16]],
        augmentation: Augmentation,
        *,
        seed: int = 0,
        n_classes: int,
    ) -> None:
        self.views = views
        self.augmentation = augmentation
        self.seed = seed
        self.n_classes = n_classes

    @property
    def n_views(self) -> int:
        """How many there are of each image."""
        return len(self.views)

    def seen(self, batches: Iterable[Rows], epoch: int, device: torch.device) -> Iterator[Tensor]:
        """Return a view of each image, by chance, float32 (n, c, h, w)."""
        for rows in batches:
            chance = Chance.of(self.seed, epoch, rows)
            which = (chance.uniform(Stream.VIEW) * len(self.views)).astype(np.int64)
            found = np.empty((len(rows), *self.views[0].shape[1:]), np.float32)
            for number, view in enumerate(self.views):
                chosen = np.flatnonzero(which == number)
                found[chosen] = view[rows[chosen]]
            if self.augmentation.mirror != "off":
                mirrored = np.flatnonzero(chance.happens(Stream.VIEW_MIRROR, 0.5))
                found[mirrored] = found[mirrored, :, :, ::-1]
            yield sent(found, device)

    def plain(self, batches: Iterable[Rows], device: torch.device) -> Iterator[Tensor]:
        """Return the images as they are."""
        for rows in batches:
            yield sent(self.views[0][rows].astype(np.float32), device)

    def mix(self, images: Tensor, targets: Tensor, epoch: int, rows: Rows) -> Mixed:
        """Mix activations (see `genus.cnn.mixing.mix_maps`)."""
        return mix_maps(
            images,
            targets,
            self.augmentation,
            seed=self.seed,
            epoch=epoch,
            indices=rows,
            n_classes=self.n_classes,
        )
