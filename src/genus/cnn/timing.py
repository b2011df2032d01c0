"""How long a network takes to learn: one step is measured, so that the rest can be foretold."""

import copy
import time

import torch
from torch import nn

from genus.cnn.devices import Place, precision
from genus.cnn.losses import class_loss
from genus.cnn.network import Network

_FEW = 4  # images of the first try
_SOME = 8  # images that are only looked at
_TELLS = 0.2  # seconds; a step that took less says more about what comes once a step


def seconds_an_image(network: Network, place: Place, batch_size: int) -> float:
    """Return how long a step of training takes, in parts of its images.

    Parameters
    ----------
    network : Network
        Its weights stay as they were; it is left in training mode on the place's device, with gradients and with other
        statistics in its normalisations: give a copy of one that is still needed.
    place : Place
    batch_size : int
        As many images are tried only where a few are too quick to tell.

    Examples
    --------
    >>> from genus.cnn.devices import choose_place
    >>> from genus.cnn.networks import make_network
    >>> network = make_network("conv8-pool-gap", 3, size=16, random_state=0)
    >>> 0 < seconds_an_image(network, choose_place("cpu", "float32"), 32) < 1
    True
    """
    network.to(place.device).train()
    n = min(_FEW, batch_size)
    seconds = _step(network, place, n)
    if seconds < _TELLS and n < batch_size:
        n = batch_size
        seconds = _step(network, place, n)
    return seconds / n


@torch.inference_mode()
def seconds_a_picture(layers: nn.Module, size: int) -> float:
    """Return how long PyTorch takes to compute layers of a picture of `size` pixels, on the processor.

    Examples
    --------
    >>> 0 < seconds_a_picture(nn.Conv2d(3, 8, 3), 16) < 1
    True
    """
    still = copy.deepcopy(layers).cpu().eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.zeros(_SOME, 3, size, size).contiguous(memory_format=torch.channels_last)
    begun = 0.0
    for _ in range(2):  # the first run also finds memory
        begun = time.perf_counter()
        still(images)
    return (time.perf_counter() - begun) / _SOME


def _step(network: Network, place: Place, n: int) -> float:
    """Take the second of two steps: the first one also finds memory."""
    images = torch.zeros(n, *network.input_shape, device=place.device)
    images = images.contiguous(memory_format=torch.channels_last)
    targets = torch.eye(network.n_classes, device=place.device)[torch.zeros(n, dtype=torch.long)]
    begun = 0.0
    for _ in range(2):
        begun = time.perf_counter()
        with precision(place):
            loss = class_loss(network(images), targets, smoothing=0.0, weights=None)
        loss.backward()  # type: ignore[no-untyped-call]
        loss.item()  # an accelerator has finished then
    return time.perf_counter() - begun
