"""Steps of training that a card repeats by itself: recorded once for each shape of batch, and replayed.

A small network's step is hundreds of short computations; to order them one by one takes the processor longer than the
card needs for them.
"""

import gc

import torch
from torch import Tensor, nn

from genus.cnn.devices import Place, precision
from genus.cnn.network import Network
from genus.cnn.pictures import SMALL

# each pass of theirs does the same; who knows of others
_OWN = ("textbook", "speedrun", "resnet10", "resnet18")


def is_worth_recording(network: Network, place: Place) -> bool:
    """Say whether a network's steps can be recorded, and are so short that it helps."""
    if place.device.type != "cuda" or network.spec.family not in _OWN or network.size > SMALL:
        return False
    index = place.device.index
    return index is None or index == torch.cuda.current_device()  # PyTorch records there only


class Replayed(nn.Module):
    """A network on a CUDA card whose passes, forth and back, are recorded and replayed while it is trained.

    Parameters
    ----------
    network : Network
        On the card; see `is_worth_recording`.
    place : Place

    Notes
    -----
    CUDA graphs, by `torch.cuda.make_graphed_callables`. Gradients lie where the next replay writes its own: they must
    be used before, and cannot add up over parts of a batch. What cannot be recorded is computed as usual.
    """

    def __init__(self, network: Network, place: Place) -> None:
        super().__init__()
        self.network = network
        self.place = place
        self._recorded: dict[torch.Size, nn.Module] = {}
        self._pool = torch.cuda.graph_pool_handle()  # of all shapes: only one is replayed at a time
        self._fails = False

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, c)."""
        if not self.training or self._fails:
            return self.network(images)  # type: ignore[no-any-return]
        if images.shape not in self._recorded:
            stream = torch.cuda.current_stream(images.device)
            try:
                self._recorded[images.shape] = self._record(images)
            except RuntimeError:  # memory was short, most likely
                torch.cuda.set_stream(stream)
                self._fails = True
                self.forget()
                return self.network(images)  # type: ignore[no-any-return]
        return self._recorded[images.shape](images)  # type: ignore[no-any-return]

    def forget(self) -> None:
        """Give the memory of what was recorded free."""
        self.network.zero_grad(set_to_none=True)  # gradients lie in it
        self._recorded.clear()
        gc.collect()  # recordings refer to themselves

    def _record(self, images: Tensor) -> nn.Module:
        # recording runs the network some times: what that changes is put back
        buffers = [(buffer, buffer.clone()) for buffer in self.network.buffers()]
        try:
            with torch.random.fork_rng([images.device]), precision(self.place, cache=False):
                shell = _Shell(self.network)
                torch.cuda.make_graphed_callables(shell, (images.clone(),), pool=self._pool)
                return shell
        finally:
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)


class _Shell(nn.Module):
    """The network again: recording changes the module that it is given, once for each shape."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)  # type: ignore[no-any-return]
