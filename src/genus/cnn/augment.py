"""Augmentation of batches: the same picture for the same seed, epoch and image, whatever else is in the batch.

`genus.cnn.augmentation` says what is done, `plan` turns it into numbers for each image, and `augment_opencv` (on the
processor) or `augment_torch` (on an accelerator) does it; pictures that only move by whole pixels are fetched by their
places (`moves`). `genus.cnn.mixing` mixes images and labels afterwards.
"""

from numpy.typing import ArrayLike
from torch import Tensor

from genus.cnn.augment_opencv import augment_on_processor, hide_on_processor, recolor_on_processor
from genus.cnn.augment_torch import augment_on_device, hide_on_device, recolor_on_device
from genus.cnn.augmentation import Augmentation
from genus.cnn.chance import as_indices
from genus.cnn.mixing import Mixed, mix_images
from genus.cnn.moves import fetch_whole_pixels
from genus.cnn.pictures import as_images, as_pictures, check_side
from genus.cnn.plan import Frame, Plan, make_plan
from genus.errors import ParameterError
from genus.images.preprocess import Fit


class Augmenter:
    """Does to batches of images what an `Augmentation` says.

    Parameters
    ----------
    augmentation : Augmentation
        What is done.
    side : int
        Of the square results, in pixels.
    fit : {"squash", "crop", "pad"}, default "squash"
        The model's `Preprocess.fit`: with "crop" the middle of stored pictures is seen at its own scale, unless
        `Augmentation.crop` cuts another piece; otherwise the whole picture is scaled to `side`.
    seed : int, default 0
        All that is random follows from it, the epoch and the image.

    Notes
    -----
    The result does not depend on the order or size of the batches, the number of processes, or where training resumed:
    permuting a batch permutes the result, and two halves give the whole. That holds to the bit on one kind of device.
    An image that stands in a batch twice looks the same twice.

    All moves are one bilinear resampling, and all that is linear in colour is one matrix. Where the augmentation only
    mirrors, makes quarter turns and shifts, and the stored pictures have the scale of the result, pixels are copied and
    nothing is interpolated. Where a crop shrinks 1.5 times or more, the picture is halved first, areas averaged.

    Examples
    --------
    >>> import torch
    >>> from genus.cnn.augmentation import PRESETS
    >>> images = torch.full((2, 3, 40, 40), 100, dtype=torch.uint8)
    >>> views = Augmenter(PRESETS["light"], 32, seed=1)(images, epoch=0, indices=[7, 8])
    >>> views.shape, views.dtype
    (torch.Size([2, 3, 32, 32]), torch.uint8)
    """

    def __init__(self, augmentation: Augmentation, side: int, *, fit: Fit = "squash", seed: int = 0) -> None:
        self.augmentation = augmentation
        self.side = side
        self.fit = fit
        self.seed = seed

    def __call__(self, images: Tensor, epoch: int, indices: ArrayLike) -> Tensor:
        """Return the images as they are seen in an epoch.

        Parameters
        ----------
        images : (n, 3, h, w) uint8 or floating tensor
            RGB, 0 to 255, on any device. Floating values are rounded to whole ones.
        epoch : int
            From 0.
        indices : (n,) int
            The images' places in the training set.

        Returns
        -------
        (n, 3, side, side) tensor
            0 to 255; type, device and memory format are those of `images`.

        Raises
        ------
        ParameterError
            Shapes, types or the side cannot work.
        """
        pictures = as_pictures(images)
        places = as_indices(indices)
        if len(places) != len(pictures):
            raise ParameterError(f"{len(pictures)} images, but {len(places)} indices: one each is needed.")
        frame = Frame(pictures.shape[1], pictures.shape[2], check_side(self.side), self.fit)
        plan = make_plan(self.augmentation, frame, self.seed, epoch, places)
        return as_images(apply_plan(pictures, plan, self.side), like=images)

    def mix(
        self,
        images: Tensor,
        targets: Tensor,
        epoch: int,
        indices: ArrayLike,
        *,
        n_classes: int | None = None,
    ) -> Mixed:
        """Mix images of a batch with one another, labels alike (MixUp, CutMix); see `genus.cnn.mixing.mix_images`."""
        return mix_images(
            images,
            targets,
            self.augmentation,
            seed=self.seed,
            epoch=epoch,
            indices=indices,
            n_classes=n_classes,
        )


def apply_plan(pictures: Tensor, plan: Plan, side: int) -> Tensor:
    """Do all that a plan says to pictures (n, h, w, 3) uint8; returns new ones (n, side, side, 3)."""
    on_processor = pictures.device.type == "cpu"
    if not plan.is_whole:
        views = (augment_on_processor if on_processor else augment_on_device)(pictures, plan, side)
    else:
        views = fetch_whole_pixels(pictures, plan.matrix, side)
        if plan.recolors:
            views = (recolor_on_processor if on_processor else recolor_on_device)(views, plan)
    if plan.boxes is None:
        return views
    return (hide_on_processor if on_processor else hide_on_device)(views, plan.boxes)
