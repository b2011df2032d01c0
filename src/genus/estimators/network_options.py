"""What somebody wants of a network: little, since the rest follows from the images."""

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

from genus.errors import ParameterError

if TYPE_CHECKING:
    from genus.cnn.devices import Place

SCRATCH, FINETUNE = "scratch", "finetune"
DEPTHS = ("auto", "last", "all")


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """A network to train beside the heads on frozen features. Needs the extra `cnn`.

    Parameters
    ----------
    network : str, default "finetune"
        "finetune": a pre-trained network goes on learning from these images, the largest that sees no more of a picture
        than the frozen ones do: EfficientNet-Lite2 beside "balanced" and "best", Lite0 beside "fast". "scratch": a
        network begins with nothing. Or the name of a network (`genus cnn describe` lists them): pre-trained ones are
        fine-tuned, others begin with nothing.
    size : int or None
        Height and width of its pictures in pixels; None for what suits network and images.
    epochs : int or None
        How often it sees each image; None for what suits the network.
    batch_size : int or None
        Images a step.
    learning_rate : float or None
        The highest.
    augment : str or None
        What is done to images while it learns (see `genus.cnn.augmentation.parse_augmentation`): "none", "light",
        "standard", "strong", "small", or one of them with changes, as in "standard,quarter_turns=true".
    patience : int or None
        End after so many epochs without a better score on the validation images, with the best weights; None: train to
        the end, and take the last.
    recipe : mapping or None
        Anything else about how it is trained, by the names of `genus.cnn.recipe.Recipe`, as in
        `{"optimizer": "sgd", "label_smoothing": 0.0}`; the options above have the last word.
    depth : {"auto", "last", "all"}, default "auto"
        Of fine-tuning EfficientNet-Lite: its last blocks only, behind a beginning that is computed once; or all of it,
        which takes many times as long. "auto": all on an accelerator; on a processor the last ones, and then all if
        there is a time budget that allows it. On a processor "all" begins with the last blocks, too.
    device : str, default "auto"
        "cpu", "cuda", "cuda:1", "mps".
    precision : {"auto", "float32", "bf16"}, default "auto"
        "auto": bfloat16 where the device is faster with it.
    checkpoint : path or None
        The file in which it is kept how far the training is; None: nowhere.
    resume : bool, default False
        Whether to go on from the checkpoint, if there is one.

    Raises
    ------
    ParameterError
        The depth is none of the three, or a value is of the wrong kind.
    """

    network: str = FINETUNE
    size: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    augment: str | None = None
    patience: int | None = None
    recipe: Mapping[str, Any] | None = None
    depth: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    checkpoint: str | PathLike[str] | None = None
    resume: bool = False

    def __post_init__(self) -> None:
        if self.depth not in DEPTHS:
            raise ParameterError(f"depth must be one of {', '.join(DEPTHS)}, not {self.depth!r}.")
        for name in ("size", "epochs", "batch_size", "patience"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
                raise ParameterError(f"{name} must be a whole number or None, not {value!r}.")
        if self.recipe is not None and not isinstance(self.recipe, Mapping):
            raise ParameterError(f"recipe must be a mapping of names to values, not {self.recipe!r}.")

    def place(self) -> "Place":
        """Settle where the network is trained; see `genus.cnn.devices.choose_place`, and for the errors, too."""
        from genus.cnn.devices import choose_place

        return choose_place(self.device, self.precision)  # type: ignore[arg-type]  # checked there

    @classmethod
    def of(cls, wish: "str | NetworkOptions | None") -> "NetworkOptions | None":
        """Return the options that a wish stands for: a name, options, or nothing.

        Raises
        ------
        ParameterError
            It is something else.
        """
        if wish is None or isinstance(wish, NetworkOptions):
            return wish
        if not isinstance(wish, str):
            raise ParameterError(
                f"cnn={wish!r}: expected the name of a network, NetworkOptions(...) or None."
            )
        return cls(wish)
