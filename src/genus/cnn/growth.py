"""Pictures that are small when training begins, and grow: early steps cost less, and teach nearly as much.

Howard et al., "Training Imagenet in 3 hours for $25; and CIFAR10 for $0.26" (fast.ai, 2018), for DAWNBench; Tan and
Le, "EfficientNetV2: Smaller Models and Faster Training" (ICML 2021).
"""

import torch
from torch import Tensor
from torch.nn import functional

from genus.cnn.network import Network
from genus.cnn.recipe import Recipe
from genus.errors import ParameterError


def grown(images: Tensor, recipe: Recipe, done: float) -> Tensor:
    """Return pictures (n, 3, side, side) as large as they are seen where this share of the training is done, 0 to 1."""
    side = recipe.side(images.shape[-1], done)
    if side == images.shape[-1]:
        return images
    return functional.interpolate(images.float(), (side, side), mode="bilinear", antialias=True)


@torch.no_grad()
def check_growth(network: Network, recipe: Recipe) -> None:
    """Find out whether a network takes the pictures that it would see at first.

    Raises
    ------
    ParameterError
        It does not: it flattens what it computes, or they vanish in it.
    """
    side, trains = recipe.side(network.size, 0.0), network.training
    if side == network.size or not network.reads_pixels:
        return
    like = next(network.parameters())
    try:
        network.eval()(torch.zeros(1, 3, side, side, device=like.device))
    except RuntimeError as error:
        raise ParameterError(
            f"{network.name} does not take pictures of {side} pixels, with which it was to begin: first_side must be 1."
        ) from error
    finally:
        network.train(trains)
