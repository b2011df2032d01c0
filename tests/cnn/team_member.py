"""One process of a team that trains together: `team_member.py OUTPUT`; its place in the team is in the environment."""

import sys
from dataclasses import replace

import torch

from cnn.lessons import RECIPE, here, lesson, network
from genus.cnn.augmentation import PRESETS
from genus.cnn.processes import joined
from genus.cnn.training import train_network

RECIPE = replace(RECIPE, augmentation=PRESETS["small"], accumulate=2, label_smoothing=0.0)
NETWORK = (
    "conv8-norm-pool-conv16-norm-pool-flatten-dense32"  # nothing left out by chance: that differs by process
)


def train() -> tuple[dict[str, torch.Tensor], list[tuple[float, float | None]]]:
    torch.set_num_threads(1)
    with joined("cpu") as team:
        net = network(NETWORK)
        history = train_network(net, lesson(PRESETS["small"]), RECIPE, here(team=team))
    return dict(net.state_dict()), [(e.loss, e.validation_score) for e in history.epochs]


if __name__ == "__main__":
    torch.save(train(), sys.argv[1])
