"""Optimisers, with the learning rates and the decay that a recipe gives to each kind of weight."""

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from genus.cnn.network import Network
from genus.cnn.recipe import Recipe

_BASE = "of_base"  # a group's learning rate, in parts of the recipe's


def make_optimizer(network: Network, recipe: Recipe) -> Optimizer:
    """Return the recipe's optimiser for the parameters that are trained."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    head = {id(parameter) for parameter in network.classifier.parameters()}
    norms = {
        id(module.bias)
        for module in network.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.bias is not None
    }
    for parameter in network.parameters():
        if not parameter.requires_grad:
            continue
        share = recipe.bias_rate if id(parameter) in norms else 1.0
        share *= recipe.head_rate if id(parameter) in head else 1.0
        decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((share, decay), []).append(parameter)
    found = [
        {"params": parameters, "weight_decay": decay, _BASE: share}
        for (share, decay), parameters in groups.items()
    ]
    fused = next(network.parameters()).device.type == "cuda" or None  # None: PyTorch chooses
    if recipe.optimizer == "adamw":
        return AdamW(found, lr=recipe.learning_rate, betas=(recipe.momentum, 0.999), fused=fused)
    nesterov = recipe.momentum > 0
    return SGD(found, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov, fused=fused)


def set_rates(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate of every group, each in its part of `rate`."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group[_BASE]
