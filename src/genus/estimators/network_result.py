"""What became of a network that was trained beside the heads on frozen features."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Contestant:
    """How one way did on the validation images, which no network and no head had learned from.

    Attributes
    ----------
    name : str
        "frozen features", "network", "both".
    score : float
        The metric.
    log_loss : float
        Mean, in nats, after calibration.
    shares : tuple of float
        Of both together: how much the frozen features and the network say.
    """

    name: str
    score: float
    log_loss: float
    shares: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkResult:
    """What became of a network.

    Attributes
    ----------
    name : str
        The network's.
    how : str
        "from scratch", "its last 5 blocks fine-tuned".
    size : int
        Height and width of its pictures.
    n_validation : int
        How many images the ways were compared on.
    contestants : tuple of Contestant
    chosen : str
        The name of the one that was taken.
    history : dict
        How its training went (`genus.cnn.history.History.to_dict`).
    recipe : dict
        How it was trained (`genus.cnn.recipe.Recipe.to_dict`).
    images_per_second : float
        How many images the finished network classifies, on all cores.
    """

    name: str
    how: str
    size: int
    n_validation: int
    contestants: tuple[Contestant, ...]
    chosen: str
    history: dict[str, Any]
    recipe: dict[str, Any]
    images_per_second: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "contestants": [asdict(one) for one in self.contestants]}
