"""What is done with a network: which one, on what pictures, by which recipe; it follows from wish and images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from genus.errors import ParameterError
from genus.estimators.network_options import FINETUNE, SCRATCH, NetworkOptions
from genus.files import check_writable
from genus.images.decode import ImageInfo

if TYPE_CHECKING:
    from genus.cnn.recipe import Recipe

_PRETRAINED = "efficientnet-lite"
_FINETUNED = (("efficientnet-lite2", 260), ("efficientnet-lite0", 224))  # and what they were trained on
_FOR_FEW = "textbook:conv32-norm-pool-conv64-norm-pool-flatten-drop0.3-dense128"
_ENOUGH = 5_000  # images, for the speed run: of 400 digits it learns little, the textbook's network all
_FEW, _EPOCHS_OF_FEW = 10_000, 30  # of fewer images each is seen more often
CANDIDATES = {FINETUNE: tuple(dict(_FINETUNED)), SCRATCH: ("speedrun", _FOR_FEW, "resnet10")}
"""The networks that these two may come to, whichever suits the images and the frozen features."""
_STEPS = 40  # an epoch that a network needs, before batches get larger
_TINY, _SMALL = 40, 96  # pixels: images that are as large as CIFAR's, and twice that
_SMALLEST_TO_GROW = 32  # pixels: of pictures that the speed run need not see whole from the beginning
_FIRST_SIDE = 0.625  # of these at the beginning, in parts of the whole
_N_LAST = 10  # blocks of EfficientNet-Lite that are trained: those that see 17 x 17 places and fewer
_VIEWS_ROOM = 16 << 30  # bytes of activations
_N_VIEWS = 8
_DEEPER_EPOCHS, _DEEPER_RATE = 0.25, 0.3  # of what trained the last blocks
_ON_EPOCHS, _ON_RATE = 0.3, 0.5  # of what trained the network that goes on with all images
_THEN_ALL: dict[str, "ThenAll"] = {"last": "never", "auto": "time", "all": "always"}

ThenAll = Literal["never", "time", "always"]


@dataclass(frozen=True, slots=True)
class Material:
    """What a network is to learn from, as far as the plan depends on it.

    Attributes
    ----------
    n_images : int
        To learn from.
    n_classes : int
    side : float
        The shorter side of the images, in pixels: their median.
    frozen_side : int
        Height and width of the picture that the frozen networks see, which the network is to stand beside.
    """

    n_images: int
    n_classes: int
    side: float
    frozen_side: int

    @classmethod
    def of(cls, infos: Sequence[ImageInfo], *, n_images: int, n_classes: int, frozen_side: int) -> Self:
        """Measure images, or some of them."""
        side = float(np.median([min(one.width, one.height) for one in infos]))
        return cls(n_images, n_classes, side, frozen_side)


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
        How many views of each image go through these, if any do.
    then_all : {"never", "time", "always"}
        Whether all of the network is trained once its last blocks are: never, if the time that is left allows it, or
        in any case.
    """

    network: str
    size: int
    recipe: "Recipe"
    n_blocks: int | None
    n_views: int = 0
    then_all: ThenAll = "never"

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

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"network": self.network, "size": self.size, "how": self.how, "recipe": self.recipe.to_dict()}


def is_pretrained(name: str) -> bool:
    """Say whether a network comes with weights.

    Examples
    --------
    >>> is_pretrained("efficientnet-lite0"), is_pretrained("resnet18")
    (True, False)
    """
    return name.startswith((_PRETRAINED, "timm:"))


def check_network(options: NetworkOptions, n_classes: int) -> None:
    """Find out before the work, not after it, whether the network that is wanted can be made and trained here.

    Raises
    ------
    MissingExtraError
        PyTorch is not installed.
    EngineError
        The device is not here.
    ParameterError
        There is no such network, it cannot take pictures of this size, or a number cannot work.
    OutputError
        The checkpoint cannot be written.
    """
    from genus.cnn.networks import make_network, require_torch

    require_torch("Training a network")
    from genus.cnn.growth import check_growth

    on_processor = options.place().device.type == "cpu"
    _check_name(options.network)
    for name in CANDIDATES.get(options.network, (options.network,)):
        made = make_network(name, max(2, n_classes), size=options.size, random_state=0)
        recipe = _changed(suitable_recipe(name, 1, made.size), _changes(options))
        if recipe.first_side < 1 and _keeps_beginning(name, options, on_processor):
            raise ParameterError(f"{name}: its pictures cannot grow, for its beginning sees them once only.")
        if options.network != SCRATCH:  # which of the candidates it will be depends on the images
            check_growth(made, recipe)
        if options.depth == "last" and not name.startswith(_PRETRAINED):
            raise ParameterError(
                f"{name}: only of EfficientNet-Lite the last blocks can be trained alone; depth must be auto or all."
            )
    if options.checkpoint is not None:
        check_writable(options.checkpoint, force=True)


def _check_name(name: str) -> None:
    from genus.cnn.networks import NETWORKS, full_name

    known = [FINETUNE, SCRATCH, *NETWORKS]
    family = full_name(name).partition(":")[0]
    if family not in known:
        near = get_close_matches(family, known, n=3)
        hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else f"There are: {', '.join(known)}."
        raise ParameterError(f"no network named {name!r}. {hint}")


def plan_network(options: NetworkOptions, material: Material, *, on_processor: bool) -> NetworkPlan:
    """Settle what is left open.

    Raises
    ------
    ParameterError
        There is no such network, or a number cannot work.
    """
    name, size = _network(options, material)
    changes, n = _changes(options), material.n_images
    recipe = suitable_recipe(name, n, size, on_processor=on_processor, batch_size=changes.get("batch_size"))
    recipe = _changed(recipe, changes)
    if not _keeps_beginning(name, options, on_processor):
        return NetworkPlan(name, size, recipe, None)
    from genus.weights.lite import lite_blocks

    n_blocks = len(lite_blocks(int(name[-1]))) - _N_LAST
    n_views = _n_views(name, n_blocks, size, recipe, material.n_images)
    return NetworkPlan(name, size, recipe, n_blocks, n_views, _THEN_ALL[options.depth])


def _keeps_beginning(name: str, options: NetworkOptions, on_processor: bool) -> bool:
    """Say whether the network's last blocks are trained, or trained first, behind a beginning that is computed once."""
    return name.startswith(_PRETRAINED) and (on_processor or options.depth == "last")


def deeper_recipe(recipe: "Recipe") -> "Recipe":
    """Return the recipe for all of a network whose last blocks have been trained by another: shorter and gentler.

    Examples
    --------
    >>> deeper = deeper_recipe(suitable_recipe("efficientnet-lite0", 1000, 224))
    >>> deeper.epochs, deeper.learning_rate
    (2, 0.0003)
    """
    epochs = max(1, round(recipe.epochs * _DEEPER_EPOCHS))
    rate = recipe.learning_rate * _DEEPER_RATE
    return replace(recipe, epochs=epochs, learning_rate=rate, head_rate=1.0, first_side=1.0)


def recipe_to_go_on(recipe: "Recipe", n_epochs: int) -> "Recipe":
    """Return the recipe for a network that goes on, with more images, after so many epochs with some.

    Examples
    --------
    >>> recipe = recipe_to_go_on(suitable_recipe("efficientnet-lite0", 1000, 224), 10)
    >>> recipe.epochs, recipe.learning_rate
    (3, 0.0005)
    """
    return replace(
        recipe,
        epochs=max(1, round(n_epochs * recipe.mean_area * _ON_EPOCHS)),
        learning_rate=recipe.learning_rate * _ON_RATE,
        first_side=1.0,
        patience=None,
    )


def _n_views(name: str, n_blocks: int, size: int, recipe: "Recipe", n_images: int) -> int:
    """Return how many views of each image there is room for; mirrored ones come from these by themselves."""
    from genus.cnn.augmentation import Augmentation
    from genus.estimators.activations import activation_shape
    from genus.features.feature_set import find_backbone
    from genus.features.trained import FrozenPrefix

    if replace(recipe.augmentation, mirror="off", mixup=0.0, cutmix=0.0, mix=1.0) == Augmentation():
        return 1
    backbone: Any = find_backbone(name)
    a_view = 2 * int(np.prod(activation_shape(FrozenPrefix(backbone, n_blocks), size)))
    return int(np.clip(_VIEWS_ROOM // (a_view * n_images), 1, _N_VIEWS))


def _network(options: NetworkOptions, material: Material) -> tuple[str, int]:
    """Return the network's name and the size of its pictures."""
    if options.network == FINETUNE:
        name, size = _pretrained(material)
        return name, size if options.size is None else options.size
    if options.network == SCRATCH:
        name, size = _from_nothing(material)
        return name, size if options.size is None else options.size
    from genus.cnn.networks import make_network

    made = make_network(options.network, material.n_classes, size=options.size, random_state=0)
    return made.name, made.size


def _pretrained(material: Material) -> tuple[str, int]:
    """Return the largest network whose picture the frozen ones see, too: only such a one can join them."""
    fitting = (one for one in _FINETUNED if one[1] <= material.frozen_side)
    return next(fitting, _FINETUNED[-1])


def _from_nothing(material: Material) -> tuple[str, int]:
    """Return the network that suits the images, and the size of its pictures."""
    if material.side <= _TINY:
        return ("speedrun" if material.n_images >= _ENOUGH else _FOR_FEW), 32
    if material.side <= _SMALL:
        return "resnet10", 64
    return "resnet10", 128


def suitable_recipe(
    name: str, n_images: int, size: int, *, on_processor: bool = True, batch_size: int | None = None
) -> "Recipe":
    """Return what suits the network.

    "speedrun" also depends on the device, an accelerator having the time for larger batches and for whole pictures from
    the beginning, and on the size of batches that somebody wants.
    """
    from genus.cnn.augmentation import PRESETS
    from genus.cnn.recipe import Recipe

    if name.startswith("speedrun"):
        usual = _power_of_two(n_images // _STEPS, 64, 256 if on_processor else 1024)
        n_epochs = _EPOCHS_OF_FEW if n_images < _FEW else (16 if on_processor else 20)
        recipe = replace(_speedrun_recipe(usual if batch_size is None else batch_size), batch_size=usual)
        if on_processor and name == "speedrun" and size >= _SMALLEST_TO_GROW:
            recipe = replace(recipe, first_side=_FIRST_SIDE)
        return replace(recipe, epochs=round(n_epochs / recipe.mean_area))  # as much work
    if is_pretrained(name):
        return Recipe(
            epochs=10,
            batch_size=32,
            learning_rate=1e-3,
            head_rate=3.0,
            averaging=0.98,
            stochastic_depth=0.1,
            augmentation=PRESETS["standard"],
        )
    return Recipe(
        epochs=_EPOCHS_OF_FEW if n_images < _FEW else 16,
        batch_size=_power_of_two(n_images // _STEPS, 16, 64),
        learning_rate=2e-3,
        weight_decay=0.05,
        averaging=0.99,
        augmentation=PRESETS["small" if size <= _SMALL else "standard"],
    )


def _speedrun_recipe(batch_size: int) -> "Recipe":
    """Return what its author found (see `genus.cnn.speedrun`) for batches of this size; only the average is ours."""
    from genus.cnn.augmentation import Augmentation
    from genus.cnn.recipe import Recipe

    share = max(0, batch_size) / 1024
    return Recipe(
        optimizer="sgd",
        learning_rate=min(1.5, 1.5 * share),
        bias_rate=64.0,
        momentum=0.85,
        weight_decay=1.3e-3,
        warmup=0.23,
        label_smoothing=0.2,
        averaging=1 - 0.02 * min(1.0, share) ** 0.5,
        augmentation=Augmentation(mirror="alternate", shift=1 / 16),
    )


def _power_of_two(at_most: int, low: int, high: int) -> int:
    return int(np.clip(2 ** at_most.bit_length() // 2, low, high))


def _changes(options: NetworkOptions) -> dict[str, Any]:
    """Return what somebody wants of the recipe, by its names."""
    changes: dict[str, Any] = dict(options.recipe or {})
    for name in ("epochs", "batch_size", "learning_rate", "patience"):
        if (value := getattr(options, name)) is not None:
            changes[name] = value
    if options.augment is not None:
        changes["augmentation"] = options.augment
    return changes


def _changed(recipe: "Recipe", changes: dict[str, Any]) -> "Recipe":
    changes = dict(changes)
    if isinstance(changes.get("augmentation"), str):
        from genus.cnn.augmentation import parse_augmentation

        changes["augmentation"] = parse_augmentation(changes["augmentation"])
    if changes.get("learning_rate", 1) == 0:
        raise ParameterError("the learning rate must be above 0: nothing would be learned.")
    return type(recipe).from_dict({**recipe.to_dict(), **changes})
