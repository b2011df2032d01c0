"""How a network is trained: everything that decides what comes out, and nothing about where it runs."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from genus.cnn.augmentation import PRESETS, Augmentation
from genus.errors import ParameterError

Optimizer = Literal["sgd", "adamw"]
Schedule = Literal["one-cycle", "cosine", "constant"]

_BETWEEN = {
    "epochs": (1, 10_000),
    "batch_size": (1, 65_536),
    "accumulate": (1, 4_096),
    "learning_rate": (0.0, 1_000.0),
    "head_rate": (0.0, 1_000.0),
    "bias_rate": (0.0, 1_000.0),
    "momentum": (0.0, 0.999),
    "weight_decay": (0.0, 10.0),
    "warmup": (0.0, 0.9),
    "label_smoothing": (0.0, 0.9),
    "averaging": (0.0, 0.9999),
    "stochastic_depth": (0.0, 0.9),
    "first_side": (0.25, 1.0),
}
_WHOLE = ("epochs", "batch_size", "accumulate")
_GROWN = 0.75  # of the training: from then on pictures are seen whole
_EIGHTHS = 8


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    epochs : int, default 20
        How often every image is seen, 1 to 10,000.
    batch_size : int, default 64
        Images a step, about: an epoch has as many batches as come nearest to it, all equal, or different by one.
    accumulate : int, default 1
        Into how many parts a batch is cut, one after the other, where it does not fit into memory. Gradients add up to
        those of the whole batch, save that batch normalisation sees the parts.
    optimizer : {"sgd", "adamw"}, default "adamw"
        Stochastic gradient descent with Nesterov's momentum, or AdamW (Loshchilov and Hutter, "Decoupled weight decay
        regularization", 2019).
    learning_rate : float, default 1e-3
        The highest one; the schedule says when.
    head_rate, bias_rate : float, default 1
        The classifier's learning rate, and that of the biases of normalisations, in parts of it.
    momentum : float, default 0.9
        Of "sgd"; with "adamw" how slowly the mean of the gradients forgets.
    weight_decay : float, default 1e-2
        On kernels and matrices only, not on biases nor normalisations. With "sgd" it is scaled by the learning rate,
        too.
    schedule : {"one-cycle", "cosine", "constant"}, default "one-cycle"
        After the warm-up, in which the rate rises evenly: down to 0 evenly ("one-cycle"; Smith and Topin,
        "Super-convergence", 2018), down to 0 along a cosine (Loshchilov and Hutter, "SGDR", 2017), or not at all.
    warmup : float, default 0.2
        The share of all steps in which the rate rises.
    label_smoothing : float, default 0.1
        What is taken from the true class and spread over all (Szegedy et al., "Rethinking the Inception architecture",
        2016).
    averaging : float, default 0
        The trained network is the moving average of the weights with this decay a step (Polyak and Juditsky,
        "Acceleration of stochastic approximation by averaging", 1992); 0: the last weights.
    clip : float or None, default None
        Gradients longer than this are shortened to it.
    stochastic_depth : float, default 0
        The share of images for which the last residual block is left out; earlier ones more rarely (Huang et al.,
        "Deep networks with stochastic depth", 2016).
    first_side : float, default 1
        The height and width of pictures at the beginning, in parts of the whole, 0.25 to 1, rounded down to eighths.
        They grow by eighths; the last quarter of the training sees them whole (see `genus.cnn.growth`).
    patience : int or None, default None
        Stop after so many epochs without a better score on the validation images, and take the best weights, but not
        before pictures are seen whole; None: train to the end, and take the last.
    class_weight : {"balanced"} or None, default None
        Whether rare classes count as much as frequent ones.
    augmentation : Augmentation
        What is done to the images.

    Raises
    ------
    ParameterError
        A value is out of its range.

    Examples
    --------
    >>> recipe = Recipe(epochs=5, augmentation=PRESETS["light"])
    >>> Recipe.from_dict(recipe.to_dict()) == recipe
    True
    >>> Recipe(epochs=0)
    Traceback (most recent call last):
    genus.errors.ParameterError: epochs must be from 1 to 10000, not 0.
    """

    epochs: int = 20
    batch_size: int = 64
    accumulate: int = 1
    optimizer: Optimizer = "adamw"
    learning_rate: float = 1e-3
    head_rate: float = 1.0
    bias_rate: float = 1.0
    momentum: float = 0.9
    weight_decay: float = 1e-2
    schedule: Schedule = "one-cycle"
    warmup: float = 0.2
    label_smoothing: float = 0.1
    averaging: float = 0.0
    clip: float | None = None
    stochastic_depth: float = 0.0
    first_side: float = 1.0
    patience: int | None = None
    class_weight: Literal["balanced"] | None = None
    augmentation: Augmentation = field(default_factory=lambda: PRESETS["standard"])

    def __post_init__(self) -> None:
        for name, (low, high) in _BETWEEN.items():
            value = getattr(self, name)
            fits = _is_number(value) and (name not in _WHOLE or isinstance(value, int))
            if not fits or not low <= value <= high:
                raise ParameterError(f"{name} must be from {low:g} to {high:g}, not {value!r}.")
        for name, choices in (("optimizer", get_args(Optimizer)), ("schedule", get_args(Schedule))):
            if getattr(self, name) not in choices:
                raise ParameterError(
                    f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}."
                )
        if self.class_weight not in (None, "balanced"):
            raise ParameterError(f"class_weight must be 'balanced' or None, not {self.class_weight!r}.")
        if self.patience is not None and not (type(self.patience) is int and self.patience >= 1):
            raise ParameterError(
                f"patience must be a number of epochs from 1 on, or None, not {self.patience!r}."
            )
        if self.clip is not None and not (_is_number(self.clip) and self.clip > 0):
            raise ParameterError(f"clip must be above 0, or None, not {self.clip!r}.")

    def rate(self, progress: float) -> float:
        """Return the learning rate where this share of the training is done, 0 to 1.

        Examples
        --------
        >>> recipe = Recipe(learning_rate=1, warmup=0.5)
        >>> [recipe.rate(share) for share in (0, 0.25, 0.5, 0.75, 1)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
        """
        if progress < self.warmup:
            return self.learning_rate * progress / self.warmup
        if self.schedule == "constant":
            return self.learning_rate
        rest = min(1.0, (progress - self.warmup) / (1 - self.warmup))
        if self.schedule == "cosine":
            return self.learning_rate * (1 + math.cos(math.pi * rest)) / 2
        return self.learning_rate * (1 - rest)

    def sees_whole(self, done: float) -> bool:
        """Say whether pictures are no longer smaller than they are, where this share of the training is done."""
        return self.first_side == 1 or done >= _GROWN

    def side(self, whole: int, done: float) -> int:
        """Return the height and width at which pictures are seen where this share of the training is done, 0 to 1.

        Examples
        --------
        >>> recipe = Recipe(first_side=0.5)
        >>> [recipe.side(32, share) for share in (0, 0.2, 0.5, 0.75, 1)]
        [16, 20, 24, 32, 32]
        """
        if self.sees_whole(done):
            return whole
        share = self.first_side + (1 - self.first_side) * done / _GROWN
        return max(1, whole * int(_EIGHTHS * share) // _EIGHTHS)

    @property
    def mean_area(self) -> float:
        """How many pixels are seen of a picture in the mean over the training, in parts of the whole.

        Examples
        --------
        >>> round(Recipe(first_side=0.5).mean_area, 2)
        0.62
        """
        side, parts = 8 * _EIGHTHS, 400
        return sum((self.side(side, (i + 0.5) / parts) / side) ** 2 for i in range(parts)) / parts

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; `from_dict` reads them back."""
        return {**asdict(self), "augmentation": self.augmentation.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """Read what `to_dict` wrote.

        Raises
        ------
        ParameterError
            A name is unknown, or a value out of its range.
        """
        known = {one.name for one in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ParameterError(
                f"a recipe knows no {', '.join(unknown)}; it knows {', '.join(sorted(known))}."
            )
        plain = dict(values)
        if isinstance(plain.get("augmentation"), Mapping):
            plain["augmentation"] = Augmentation.from_dict(plain["augmentation"])
        return cls(**plain)
