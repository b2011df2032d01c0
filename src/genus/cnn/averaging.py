"""The moving average of a network's weights: smoother than the weights of any step, and mostly better."""

import copy

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from genus.cnn.network import Network

_RAMP = 10  # the first averages are of few steps


class MovingAverage:
    """An average of weights, and of the statistics of normalisations, that forgets what is long ago.

    Parameters
    ----------
    network : Network
        On the device where it is trained: its weights may change from now on, but not where they lie.
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
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        self._means = [mean for mean, _ in pairs if mean.dtype.is_floating_point]
        self._values = [value for _, value in pairs if value.dtype.is_floating_point]
        self._counts = [pair for pair in pairs if not pair[0].dtype.is_floating_point]

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights that the network has now into account."""
        self.n_steps += 1
        decay = min(self.decay, self.n_steps / (self.n_steps + _RAMP))
        update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        update(self._means, self._values, self.n_steps)  # all at once: a card is told one thing
        for count, value in self._counts:
            count.copy_(value)
