"""Pictures that are small when training begins, and grow: early steps cost less, and teach nearly as much.

Howard et al., "Training Imagenet in 3 hours for $25; and CIFAR10 for $0.26" (fast.ai, 2018), for DAWNBench; Tan and
Le, "EfficientNetV2: Smaller Models and Faster Training" (ICML 2021).
"""

import torch
from torch import Tensor
from torch.nn import functional

from genus.cnn.devices import is_out_of_memory
from genus.cnn.network import Network
from genus.cnn.recipe import Recipe
from genus.errors import ParameterError

_TRIED = 32  # shares of the training: more than there are sizes


def sized(images: Tensor, recipe: Recipe, done: float) -> Tensor:
    """Return pictures (n, 3, side, side) as large as they are seen where this share of the training is done, 0 to 1."""
    side = recipe.side(images.shape[-1], done)
    if side == images.shape[-1]:
        return images
    return functional.interpolate(images.float(), (side, side), mode="bilinear", antialias=True)


@torch.no_grad()
def check_growth(network: Network, recipe: Recipe) -> None:
    """Find out whether a network takes pictures of all the sizes that it would see.

    Raises
    ------
    ParameterError
        It does not: it flattens what it computes, or they vanish in it.
    """
    if recipe.first_side == 1 or not network.reads_pixels:
        return
    trains, device = network.training, next(network.parameters()).device
    side = network.size
    try:
        network.eval()
        for side in sorted({recipe.side(network.size, share / _TRIED) for share in range(_TRIED)}):
            network(torch.zeros(1, 3, side, side, device=device))
    except (RuntimeError, ValueError, AssertionError) as error:
        if isinstance(error, RuntimeError) and is_out_of_memory(error):
            raise
        raise ParameterError(
            f"{network.name} does not take pictures of {side} pixels, which it was to see on the way to "
            f"{network.size}: first_side must be larger, or 1."
        ) from error
    finally:
        network.train(trains)
