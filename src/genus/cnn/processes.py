"""Several processes that train one network together, as `torchrun` starts them: on several cards, or machines.

Each takes its share of every batch; gradients, and the sums behind batch normalisation, are added up over all, so that
the result is that of one process, up to rounding; save for what is left out by chance, and that images are mixed only
with those in the same process.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce

from genus.cnn.layers import BatchNorm

_PATIENCE = timedelta(hours=2)  # that the others wait while one computes features


@dataclass(frozen=True, slots=True)
class Team:
    """The processes at work.

    Attributes
    ----------
    rank : int
        Which of them this is, from 0.
    size : int
        How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes and speaks for all."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until every process has come so far."""
        if self.size > 1:
            distributed.barrier()

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over all processes; the tensor itself is overwritten."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def gather(self, value: Any) -> list[Any]:
        """Return what every process gives, in their order."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        distributed.all_gather_object(found, value)
        return found

    def from_leader(self, value: Any) -> Any:
        """Return what the leader gives."""
        if self.size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box)
        return box[0]


def asked_team() -> Team:
    """Return the team that `torchrun` has started this process in, by its environment; alone without it."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    return Team(int(os.environ.get("RANK", "0")), size) if size > 1 else Team()


@contextmanager
def joined(device: str) -> Iterator[Team]:
    """Meet the other processes; alone there is nobody to meet."""
    team = asked_team()
    if team.size == 1 or distributed.is_initialized():
        yield team
        return
    on_cards = device != "cpu" and torch.cuda.is_available()
    if on_cards:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if on_cards else "gloo", timeout=_PATIENCE)
    try:
        yield team
    finally:
        distributed.destroy_process_group()


class TeamBatchNorm(BatchNorm):
    """Batch normalisation over the batches of all processes together."""

    def forward(self, input: Tensor) -> Tensor:  # the argument is called so in PyTorch
        """Normalise (n, c, h, w)."""
        if not self.training or self.running_mean is None or self.running_var is None:
            return super().forward(input)
        x = input.float()
        sums = torch.stack(
            [x.sum((0, 2, 3)), x.square().sum((0, 2, 3)), torch.full_like(self.running_mean, x.numel())]
        )
        total, squares, count = all_reduce(sums)  # type: ignore[no-untyped-call]
        n = count[0] / x.shape[1]
        mean = total / n
        variance = (squares / n - mean.square()).clamp(min=0)
        with torch.no_grad():
            share = self.momentum or 0.0
            if self.num_batches_tracked is not None:
                self.num_batches_tracked += 1
            self.running_mean.lerp_(mean.detach(), share)
            self.running_var.lerp_(variance.detach() * n / (n - 1).clamp(min=1), share)
        scaled = (x - mean[:, None, None]) * (variance + self.eps).rsqrt()[:, None, None]
        weight, bias = (1.0 if one is None else one[:, None, None] for one in (self.weight, self.bias))
        return (scaled * weight + bias).to(input.dtype)


@contextmanager
def shared_normalisation(network: nn.Module, team: Team) -> Iterator[None]:
    """Let the batch normalisations of a network see the batches of all processes inside the block."""
    norms = (
        [one for one in network.modules() if type(one) in (BatchNorm, nn.BatchNorm2d)]
        if team.size > 1
        else []
    )
    own = [type(one) for one in norms]
    for one in norms:
        one.__class__ = TeamBatchNorm
    try:
        yield
    finally:
        for one, kind in zip(norms, own, strict=True):
            one.__class__ = kind
