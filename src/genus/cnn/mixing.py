"""MixUp and CutMix: images blended with others of their batch, labels in the same shares.

Zhang et al., "mixup: beyond empirical risk minimization", 2018; Yun et al., "CutMix: regularization strategy to train
strong classifiers with localizable features", 2019.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional

from genus.cnn.augment_opencv import in_threads
from genus.cnn.augmentation import Augmentation
from genus.cnn.chance import Chance, Floats, Stream, as_indices
from genus.cnn.devices import sent
from genus.cnn.pictures import as_images, as_pictures, inside_boxes
from genus.cnn.plan import boxes_of
from genus.errors import ParameterError

UNKNOWN = -1
"""In targets: nobody knows whether the image has the label (`genus.data.label_sets.UNKNOWN`)."""


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """A batch whose images are mixed with one another.

    Attributes
    ----------
    images : (n, 3, h, w) tensor
    targets : (n, c) float32 tensor
        Shares of classes; with several labels an image, the share of what is seen that has the label, and -1 where that
        is not known.
    partners : (n,) int64 tensor
        The place in the batch of the image that each is mixed with; its own where it is not mixed.
    shares : (n,) float32 tensor
        How much of the image itself is left. For anything else that is to be mixed (weights of images, say):
        `shares * x + (1 - shares) * x[partners]`.
    """

    images: Tensor
    targets: Tensor
    partners: Tensor
    shares: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """How n images are mixed.

    Attributes
    ----------
    partners : (n,) int64
    shares : (n,) float
        Of the image itself, with boxes already clipped.
    boxes : (n, 4) int64
        What comes from the partner with CutMix: top, left, bottom, right. Empty: the whole is blended.
    """

    partners: NDArray[np.int64]
    shares: Floats
    boxes: NDArray[np.int64]


def mix_images(
    images: Tensor,
    targets: Tensor,
    augmentation: Augmentation,
    *,
    seed: int,
    epoch: int,
    indices: ArrayLike,
    n_classes: int | None = None,
) -> Mixed:
    """Mix the images of a batch with one another, and their labels in the same shares.

    Parameters
    ----------
    images : (n, 3, side, side) uint8 or floating tensor
        0 to 255.
    targets : (n,) int64 or (n, c) tensor
        Codes of classes, for which `n_classes` is needed; or what is known of each label: 1 yes, 0 no, -1 unknown, or
        shares.
    augmentation : Augmentation
        Its `mixup`, `cutmix` and `mix`.
    seed, epoch : int
    indices : (n,) int
        The images' places in the training set.
    n_classes : int, optional

    Returns
    -------
    Mixed
        Images of the type, device and memory format of `images`. Where the augmentation mixes nothing, the images
        themselves, and all shares are 1.

    Raises
    ------
    ParameterError
        Shapes or types cannot work.

    Notes
    -----
    Who is mixed with whom follows from the seed, the epoch and which images are in the batch, not from their order:
    permuting the batch permutes the result. Each image has a share of its own; of a blend it is at least half. A label
    is known of a mixed image only where it is known of both.

    Examples
    --------
    >>> images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    >>> codes, blend = torch.tensor([0, 2]), Augmentation(mixup=1)
    >>> mixed = mix_images(images, codes, blend, seed=0, epoch=0, indices=[0, 1], n_classes=3)
    >>> mixed.targets.sum(1), mixed.partners
    (tensor([1., 1.]), tensor([1, 0]))
    """
    soft = soft_targets(targets, n_classes)
    places = as_indices(indices)
    if not len(images) == len(soft) == len(places):
        raise ParameterError(
            f"{len(images)} images, {len(soft)} targets and {len(places)} indices: one each is needed."
        )
    if not augmentation.mixes:
        return unmixed(images, soft, n_classes)
    pictures = as_pictures(images)
    if pictures.shape[1] != pictures.shape[2]:
        raise ParameterError(f"images to be mixed must be square, not {tuple(pictures.shape[1:3])}.")
    blend = make_blend(augmentation, pictures.shape[1], seed, epoch, places)
    mixed = (_on_processor if pictures.device.type == "cpu" else _on_device)(pictures, blend)
    partners, shares = sent(blend.partners, soft.device), sent(blend.shares.astype(np.float32), soft.device)
    return Mixed(as_images(mixed, like=images), _mixed_targets(soft, partners, shares), partners, shares)


def mix_maps(
    maps: Tensor,
    targets: Tensor,
    augmentation: Augmentation,
    *,
    seed: int,
    epoch: int,
    indices: ArrayLike,
    n_classes: int | None = None,
) -> Mixed:
    """Mix the activations of a batch, and its labels, as `mix_images` would mix the pictures.

    Parameters
    ----------
    maps : (n, d, side, side) floating tensor
        Of any scale.
    targets, augmentation, seed, epoch, indices, n_classes
        As for `mix_images`.

    Notes
    -----
    Verma et al., "Manifold mixup: better representations by interpolating hidden states", 2019.

    Examples
    --------
    >>> maps, codes = torch.eye(2)[:, :, None, None].expand(2, 2, 4, 4), torch.tensor([0, 1])
    >>> mixed = mix_maps(maps, codes, Augmentation(mixup=1), seed=0, epoch=0, indices=[0, 1], n_classes=2)
    >>> torch.allclose(mixed.images.mean((2, 3)), mixed.targets)
    True
    """
    soft = soft_targets(targets, n_classes)
    if not augmentation.mixes:
        return unmixed(maps, soft)
    blend = make_blend(augmentation, maps.shape[2], seed, epoch, as_indices(indices))
    partners, shares = sent(blend.partners, maps.device), sent(blend.shares.astype(np.float32), maps.device)
    others = maps[partners]
    inside = inside_boxes(blend.boxes, maps.shape[2], maps.device)[:, None]
    is_cut = inside.flatten(1).any(1)[:, None, None, None]
    own = shares[:, None, None, None]
    mixed = torch.where(is_cut, torch.where(inside, others, maps), own * maps + (1 - own) * others)
    return Mixed(mixed, _mixed_targets(soft, partners, shares), partners, shares)


def unmixed(images: Tensor, targets: Tensor, n_classes: int | None = None) -> Mixed:
    """Return a batch as it is, in the form of a mixed one."""
    soft = soft_targets(targets, n_classes)
    own, whole = torch.arange(len(soft), device=soft.device), torch.ones(len(soft), device=soft.device)
    return Mixed(images, soft, own, whole)


def soft_targets(targets: Tensor, n_classes: int | None = None) -> Tensor:
    """Return targets as float32 (n, c): codes of classes become rows with a single 1.

    Raises
    ------
    ParameterError
        The number of classes is missing, or a code is not below it.
    """
    if targets.ndim == 2:
        return targets.float()
    if targets.ndim != 1 or targets.dtype.is_floating_point:
        raise ParameterError(
            f"targets must be codes of classes or (n, labels), not {targets.dtype} {tuple(targets.shape)}."
        )
    if n_classes is None:
        raise ParameterError("n_classes is needed to make shares of codes of classes.")
    codes = targets.long()
    # a card would have to finish its work for a look; there PyTorch itself stops at a code that cannot be
    if (
        codes.device.type != "cuda"
        and len(codes)
        and not 0 <= int(codes.min()) <= int(codes.max()) < n_classes
    ):
        raise ParameterError(
            f"codes of {n_classes} classes must be from 0 to {n_classes - 1}; "
            f"these are from {int(codes.min())} to {int(codes.max())}."
        )
    return functional.one_hot(codes, n_classes).float()


def make_blend(
    augmentation: Augmentation, side: int, seed: int, epoch: int, indices: NDArray[np.int64]
) -> Blend:
    """Look up how the images of a batch are mixed."""
    from scipy.special import betaincinv

    chance = Chance.of(seed, epoch, indices)
    n = len(indices)
    if not n:
        return Blend(indices, np.ones(0), np.zeros((0, 4), np.int64))
    both = augmentation.mixup > 0 and augmentation.cutmix > 0
    is_cut = chance.happens(Stream.MIX_KIND, 0.5 if both else float(augmentation.cutmix > 0))
    alpha = np.where(is_cut, augmentation.cutmix, augmentation.mixup)
    shares = betaincinv(alpha, alpha, chance.uniform(Stream.MIX_SHARE))  # the share of a Beta(alpha, alpha)
    # of two blended images each has the larger share in its own place: otherwise some of a batch would come twice
    shares = np.where(is_cut, shares, np.maximum(shares, 1 - shares))
    shares = np.where(chance.happens(Stream.MIX, augmentation.mix), shares, 1.0)
    center = chance.uniform(Stream.MIX_X), chance.uniform(Stream.MIX_Y)
    boxes = boxes_of(1 - shares, np.ones(n), *center, side) * is_cut[:, None]
    covered = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    shares = np.where(is_cut, 1 - covered / side**2, shares)
    ring = np.argsort(chance.words(Stream.MIX_ORDER), kind="stable")
    partners = np.empty(n, np.int64)
    partners[ring] = np.roll(ring, -1)  # the next one in a random ring: nobody but a lone image meets itself
    partners = np.where(shares < 1, partners, np.arange(n))
    return Blend(partners, np.where(partners == np.arange(n), 1.0, shares), boxes)


def _mixed_targets(soft: Tensor, partners: Tensor, shares: Tensor) -> Tensor:
    others, own = soft[partners], shares[:, None]
    mixed = own * soft + (1 - own) * others
    unknown = (soft < 0) | ((others < 0) & (own < 1))
    return torch.where(unknown, torch.full_like(mixed, UNKNOWN), mixed)


def _on_processor(pictures: Tensor, blend: Blend) -> Tensor:
    before, result = pictures.numpy(), torch.empty_like(pictures)
    after = result.numpy()
    is_cut = (blend.boxes[:, 2] > blend.boxes[:, 0]) & (blend.boxes[:, 3] > blend.boxes[:, 1])

    def work(rows: range) -> None:
        for i in rows:
            other, share = before[blend.partners[i]], float(blend.shares[i])
            if is_cut[i]:
                top, left, bottom, right = blend.boxes[i]
                after[i] = before[i]
                after[i, top:bottom, left:right] = other[top:bottom, left:right]
            elif share < 1:
                after[i] = cv2.addWeighted(before[i], share, other, 1 - share, 0)
            else:
                after[i] = before[i]

    in_threads(work, len(pictures), pictures.shape[1] * pictures.shape[2])
    return result


def _on_device(pictures: Tensor, blend: Blend) -> Tensor:
    others = pictures[sent(blend.partners, pictures.device)]
    inside = inside_boxes(blend.boxes, pictures.shape[1], pictures.device)
    is_cut = inside.flatten(1).any(1)[:, None, None, None]
    share = sent(blend.shares.astype(np.float32), pictures.device)[:, None, None, None]
    blended = share * pictures.float() + (1 - share) * others.float()
    blended = blended.round().clamp(0, 255).to(torch.uint8)
    return torch.where(is_cut, torch.where(inside[:, :, :, None], others, pictures), blended)
