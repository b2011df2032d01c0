"""What is done with a network: which one, on what pictures, by which recipe; it follows from wish and images."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from genus.errors import ParameterError
from genus.estimators.learned import Learned
from genus.estimators.network_options import FINETUNE, SCRATCH, NetworkOptions
from genus.features.feature_set import FeatureSet

if TYPE_CHECKING:
    from genus.cnn.recipe import Recipe

_PRETRAINED = "efficientnet-lite"
_TINY, _SMALL = 40, 96  # pixels: images that are as large as CIFAR's, and twice that
_N_LAST = (
    5  # blocks of EfficientNet-Lite that are trained: those at the coarsest scale, and its last convolution
)
_VIEWS_ROOM = 16 << 30  # bytes of activations
_N_VIEWS = 4


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """What is done with a network.

    Attributes
    ----------
    network : str
        A name that `genus.cnn.networks.make_network` knows.
    size : int
        Height and width of its pictures, in pixels.
    recipe : Recipe
    n_blocks : int or None
        How many blocks behind its first layer stay as they are; None: all is trained.
    n_views : int
        How many views of each image go through these.
    """

    network: str
    size: int
    recipe: "Recipe"
    n_blocks: int | None
    n_views: int = _N_VIEWS

    @property
    def is_pretrained(self) -> bool:
        """Whether the network begins with what it knows already."""
        return is_pretrained(self.network)

    @property
    def how(self) -> str:
        """What is done, in words."""
        if not self.is_pretrained:
            return "trained from scratch"
        return "fine-tuned" if self.n_blocks is None else "fine-tuned, its last blocks"


def is_pretrained(name: str) -> bool:
    """Say whether a network comes with weights.

    Examples
    --------
    >>> is_pretrained("efficientnet-lite0"), is_pretrained("resnet18")
    (True, False)
    """
    return name.startswith((_PRETRAINED, "timm:"))


def plan_network(
    options: NetworkOptions, learned: Learned, feature_set: FeatureSet, *, on_processor: bool
) -> NetworkPlan:
    """Settle what is left open.

    Raises
    ------
    ParameterError
        There is no such network, or a number cannot work.
    """
    name, size = _network(options, learned, feature_set)
    recipe = _changed(suitable_recipe(name, len(learned.train), size), options)
    if not is_pretrained(name):
        return NetworkPlan(name, size, recipe, None)
    splits = name.startswith(_PRETRAINED) and on_processor and options.depth != "all"
    if not splits:
        return NetworkPlan(name, size, recipe, None)
    from genus.weights.lite import lite_blocks

    return NetworkPlan(name, size, recipe, len(lite_blocks(int(name[-1]))) - _N_LAST)


def _network(options: NetworkOptions, learned: Learned, feature_set: FeatureSet) -> tuple[str, int]:
    """Return the network's name and the size of its pictures."""
    from genus.cnn.networks import make_network

    sides = [min(info.width, info.height) for info in learned.table.infos]
    usual = float(np.median(sides))
    if options.network == FINETUNE:
        name, size = "efficientnet-lite0", 224
    elif options.network == SCRATCH:
        name, size = _from_nothing(usual)
    else:
        name = options.network
        made = make_network(name, len(learned.classes), size=options.size, weights=None, random_state=0)
        return made.name, made.size
    return name, options.size or size


def _from_nothing(usual: float) -> tuple[str, int]:
    """Return the network for images whose shorter side is `usual` pixels, and its size."""
    if usual <= _TINY:
        return "speedrun", 32
    if usual <= _SMALL:
        return "resnet10", 64
    return "resnet10", 128


def suitable_recipe(name: str, n_images: int, size: int) -> "Recipe":
    """Return what suits the network."""
    from genus.cnn.augmentation import PRESETS
    from genus.cnn.recipe import Recipe

    if name.startswith("speedrun"):
        return Recipe(
            epochs=16,
            batch_size=256,
            optimizer="sgd",
            learning_rate=0.5,
            momentum=0.85,
            weight_decay=1e-3,
            label_smoothing=0.2,
            averaging=0.99,
            augmentation=PRESETS["small"],
        )
    if is_pretrained(name):
        return Recipe(
            epochs=12,
            batch_size=32,
            learning_rate=1e-3,
            head_rate=3.0,
            averaging=0.98,
            stochastic_depth=0.1,
            augmentation=PRESETS["standard"],
        )
    small = size <= _SMALL
    return Recipe(
        epochs=30 if n_images < 10_000 else 16,
        batch_size=64,
        learning_rate=2e-3,
        weight_decay=0.05,
        averaging=0.99,
        augmentation=PRESETS["small" if small else "standard"],
    )


def _changed(recipe: "Recipe", options: NetworkOptions) -> "Recipe":
    changes: dict[str, Any] = {
        name: value
        for name in ("epochs", "batch_size", "learning_rate")
        if (value := getattr(options, name)) is not None
    }
    if options.augment is not None:
        from genus.cnn.augmentation import parse_augmentation

        changes["augmentation"] = parse_augmentation(options.augment)
    if changes.get("learning_rate", 1) == 0:
        raise ParameterError("the learning rate must be above 0: nothing would be learned.")
    return replace(recipe, **changes)
