"""What is done to training images so that a network sees each of them anew in every epoch.

This file only says it; `genus.cnn.augment` does it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from math import inf
from typing import Any, Literal, get_args

from genus.errors import ParameterError

Mirror = Literal["off", "random", "alternate"]

_BETWEEN: dict[str, tuple[float, float]] = {
    "shift": (0.0, 0.5),
    "rotate": (0.0, 180.0),
    "shear": (0.0, 45.0),
    "zoom": (0.0, 1.0),
    "brightness": (0.0, 1.0),
    "contrast": (0.0, 1.0),
    "saturation": (0.0, 1.0),
    "hue": (0.0, 0.5),
    "grey": (0.0, 1.0),
    "blur": (0.0, 1.0),
    "erase": (0.0, 1.0),
    "magnitude": (0.0, 10.0),
    "mixup": (0.0, inf),
    "cutmix": (0.0, inf),
    "mix": (0.0, 1.0),
}
_MOST_OPERATIONS = 16


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What is done to training images, and how strongly; nothing unless it is asked for.

    Parameters
    ----------
    mirror : {"off", "random", "alternate"}, default "off"
        Swap left and right: of every second image at random, or of each image in every second epoch, beginning with a
        random one. Alternation shows both sides of every image in any two epochs, which random mirroring does not
        (Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024).
    upside_down : bool, default False
        Swap top and bottom of every second image: cells, aerial pictures, what has no up.
    quarter_turns : bool, default False
        Turn by 0, 90, 180 or 270 degrees: the same.
    crop : (float, float) or None, default None
        A rectangle whose share of the picture lies between these, in (0, 1], at a random place, becomes the whole
        (Szegedy et al., "Going deeper with convolutions", 2015: 0.08 to 1). None: no crop.
    aspect : (float, float), default (3/4, 4/3)
        Its width over its height, in units of the picture's own, 1/4 to 4.
    shift : float, default 0
        Move by at most this share of the side in whole pixels, 0 to 0.5; what is missing is reflected. 0.125 is the
        usual 4 of 32 pixels (He et al., "Deep residual learning for image recognition", 2016).
    rotate : float, default 0
        Degrees at most, either way, 0 to 180.
    shear : float, default 0
        Degrees at most, either way, along both sides, 0 to 45.
    zoom : float, default 0
        Larger or smaller by a factor of at most 1 + this, 0 to 1.
    brightness, contrast, saturation : float, default 0
        Multiplied by 1 - this to 1 + this, 0 to 1 (Howard, "Some improvements on deep convolutional neural network
        based image classification", 2013).
    hue : float, default 0
        Turned round the circle of colours by at most this share of it, 0 to 0.5, at constant luminance (in YIQ).
    grey : float, default 0
        Probability of no colours at all, 0 to 1 (Chen et al., "A simple framework for contrastive learning", 2020).
    blur : float, default 0
        Probability of a Gaussian blur of 0.1 to 2 pixels of 224, 0 to 1 (the same).
    erase : float, default 0
        Probability of hiding a rectangle, 0 to 1 (Zhong et al., "Random erasing data augmentation", 2020; DeVries and
        Taylor, "Improved regularization of convolutional neural networks with cutout", 2017).
    erase_area : (float, float), default (0.02, 0.33)
        Its share of the picture; a part of it may lie outside.
    erase_aspect : (float, float), default (0.3, 3.3)
        Its width over its height, 1/4 to 4; (1, 1) with one area is cutout.
    operations : int, default 0
        How many of 14 operations are done to an image, drawn at random, 0 to 16 (Cubuk et al., "RandAugment", 2020).
    magnitude : float, default 9
        How strongly, 0 to 10.
    mixup : float, default 0
        Blend with another image, and the labels alike: alpha of the Beta distribution of the shares, 0: not at all
        (Zhang et al., "mixup: beyond empirical risk minimization", 2018).
    cutmix : float, default 0
        Replace a rectangle by the same one of another image, labels by area: alpha likewise (Yun et al., "CutMix",
        2019). With both, each image is mixed in one way or the other.
    mix : float, default 1
        Probability that an image is mixed at all, 0 to 1.

    Raises
    ------
    ParameterError
        A value is out of its range.

    Examples
    --------
    >>> Augmentation(mirror="random", crop=(0.5, 1)).to_dict()["crop"]
    [0.5, 1.0]
    >>> Augmentation(rotate=270)
    Traceback (most recent call last):
    genus.errors.ParameterError: rotate must be from 0 to 180, not 270.
    """

    mirror: Mirror = "off"
    upside_down: bool = False
    quarter_turns: bool = False
    crop: tuple[float, float] | None = None
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    shift: float = 0.0
    rotate: float = 0.0
    shear: float = 0.0
    zoom: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    grey: float = 0.0
    blur: float = 0.0
    erase: float = 0.0
    erase_area: tuple[float, float] = (0.02, 0.33)
    erase_aspect: tuple[float, float] = (0.3, 3.3)
    operations: int = 0
    magnitude: float = 9.0
    mixup: float = 0.0
    cutmix: float = 0.0
    mix: float = 1.0

    def __post_init__(self) -> None:
        if self.mirror not in get_args(Mirror):
            raise ParameterError(f"mirror must be off, random or alternate, not {self.mirror!r}.")
        for name in ("upside_down", "quarter_turns"):
            if not isinstance(getattr(self, name), bool):
                raise ParameterError(f"{name} must be true or false, not {getattr(self, name)!r}.")
        for name, (low, high) in _BETWEEN.items():
            _check_number(name, getattr(self, name), low, high)
        _check_number("operations", self.operations, 0, _MOST_OPERATIONS)
        if not isinstance(self.operations, int):
            raise ParameterError(f"operations must be a whole number, not {self.operations!r}.")
        for name, least, most in (("crop", 0.01, 1), ("erase_area", 0.001, 1)):
            self._check_range(name, least, most)
        for name in ("aspect", "erase_aspect"):
            self._check_range(name, 0.25, 4)

    @property
    def moves(self) -> bool:
        """Whether images are moved by other than whole pixels, turned by other than quarters, or scaled."""
        return bool(self.crop or self.rotate or self.shear or self.zoom or self.operations)

    @property
    def margin(self) -> float:
        """How much larger than the model's pictures the stored ones should be (`genus.cnn.pixels.enlarged`)."""
        return 8 / 7 if self.crop else 1.0

    @property
    def mixes(self) -> bool:
        """Whether images are mixed with others: their labels become soft then."""
        return self.mix > 0 and (self.mixup > 0 or self.cutmix > 0)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Augmentation":
        """Read what `to_dict` wrote; what is not named is off.

        Raises
        ------
        ParameterError
            A name is unknown, or a value out of its range.

        Examples
        --------
        >>> Augmentation.from_dict({"mirror": "random"}) == Augmentation(mirror="random")
        True
        """
        known = {field.name for field in fields(cls)}
        for name in values:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(sorted(known))}."
                raise ParameterError(f"no augmentation named {name!r}. {hint}")
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**plain)

    def _check_range(self, name: str, least: float, most: float) -> None:
        pair = getattr(self, name)
        if pair is None and name == "crop":
            return
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise ParameterError(f"{name} must be two numbers, not {pair!r}.")
        for value in pair:
            _check_number(name, value, least, most)
        if pair[0] > pair[1]:
            raise ParameterError(f"{name} must be a smaller and a larger number, not {pair!r}.")
        object.__setattr__(self, name, (float(pair[0]), float(pair[1])))


def _check_number(name: str, value: Any, low: float, high: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high or value == inf:
        wanted = f"from {low:g} to {high:g}" if high < inf else "a number that is not negative"
        raise ParameterError(f"{name} must be {wanted}, not {value!r}.")


_LIGHT = Augmentation(mirror="random", crop=(0.7, 1.0), brightness=0.1, contrast=0.1)
_STANDARD = Augmentation(
    mirror="random",
    crop=(0.35, 1.0),
    rotate=10.0,
    brightness=0.25,
    contrast=0.25,
    saturation=0.25,
    hue=0.03,
)

PRESETS: dict[str, Augmentation] = {
    "none": Augmentation(),
    "light": _LIGHT,
    "standard": _STANDARD,
    "strong": Augmentation(
        mirror="random",
        crop=(0.2, 1.0),
        operations=2,
        magnitude=5.0,
        erase=0.25,
        mixup=0.2,
        cutmix=1.0,
    ),
    "small": Augmentation(
        mirror="alternate",
        shift=0.125,
        erase=1.0,
        erase_area=(0.125, 0.125),
        erase_aspect=(1.0, 1.0),
    ),
}
"""Augmentations by name. "small" is for pictures of some 32 pixels: nothing is interpolated, so nothing is blurred."""


def parse_augmentation(text: str) -> Augmentation:
    """Return the augmentation that a text names: a preset, then what is different from it.

    Parameters
    ----------
    text : str
        "standard", or "standard,quarter_turns=true,mixup=0.2": values as JSON writes them.

    Raises
    ------
    ParameterError
        There is no such preset or augmentation, or a value is out of its range.

    Examples
    --------
    >>> parse_augmentation("small,mirror=off,crop=[0.5,1]").crop
    (0.5, 1.0)
    >>> parse_augmentation("standart")
    Traceback (most recent call last):
    genus.errors.ParameterError: no augmentation is called 'standart'. There are: none, light, standard, strong, small.
    """
    preset, _, rest = text.partition(",")
    if preset.strip() not in PRESETS:
        raise ParameterError(
            f"no augmentation is called {preset.strip()!r}. There are: {', '.join(PRESETS)}."
        )
    changes = Augmentation.from_dict(dict(_assignment(part) for part in _parts(rest)))
    named = {part.partition("=")[0].strip() for part in _parts(rest)}
    return replace(PRESETS[preset.strip()], **{name: getattr(changes, name) for name in named})


def _parts(text: str) -> list[str]:
    """Split at the commas outside brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += {"[": 1, "]": -1}.get(letter, 0)
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part.strip()]


def _assignment(part: str) -> tuple[str, Any]:
    name, equals, value = part.partition("=")
    if not equals:
        raise ParameterError(f"{part.strip()!r}: write name=value, such as mixup=0.2.")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value.strip()
