"""The moving average of a network's weights: smoother than the weights of any step, and mostly better."""

import copy

import torch
from torch import nn

from genus.cnn.network import Network

_RAMP = 10  # the first averages are of few steps


class MovingAverage:
    """An average of weights, and of the statistics of normalisations, that forgets what is long ago.

    Parameters
    ----------
    network : Network
    decay : float
        What an old average is multiplied by at each step; less in the first steps, so that the beginning is forgotten.

    Attributes
    ----------
    network : Network
        A copy with the averages.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self.n_steps = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take the weights of one more step into account."""
        self.n_steps += 1
        share = 1 - min(self.decay, self.n_steps / (self.n_steps + _RAMP))
        for mean, value in zip(self._values(self.network), self._values(network), strict=True):
            if mean.dtype.is_floating_point:
                mean.lerp_(value, share)
            else:
                mean.copy_(value)

    @staticmethod
    def _values(network: nn.Module) -> list[torch.Tensor]:
        return list(network.state_dict().values())
