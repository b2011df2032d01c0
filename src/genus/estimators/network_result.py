"""What became of a network that was trained beside the heads on frozen features."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

FROZEN, NETWORK, BOTH = "frozen features", "network", "both"
"""The ways that are compared: what `Contestant.name` may be."""


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
        "trained from scratch", "fine-tuned", "fine-tuned, its last blocks".
    size : int
        Height and width of its pictures.
    metric : str
        What the ways were compared by.
    head : str
        The name of the head that is best on frozen features.
    n_train, n_validation : int
        How many images it learned from, and how many the ways were compared on.
    contestants : tuple of Contestant
        The frozen features, the network, and both together where that is a way of its own.
    chosen : str
        The name of the one that was taken.
    history : dict
        How its training went (`genus.cnn.history.History.to_dict`).
    recipe : dict
        How it was trained (`genus.cnn.recipe.Recipe.to_dict`).
    n_views : int
        Of fine-tuned last blocks: how many views of each image they saw; 0: anew in every epoch.
    seconds : float
        What the training took, with all that was prepared for it.
    images_per_second : float
        How many images the finished network classifies, on all cores.
    """

    name: str
    how: str
    size: int
    metric: str
    head: str
    n_train: int
    n_validation: int
    contestants: tuple[Contestant, ...]
    chosen: str
    history: dict[str, Any]
    recipe: dict[str, Any]
    n_views: int
    seconds: float
    images_per_second: float

    def contestant(self, name: str) -> Contestant | None:
        """Return the way of that name, where it was compared."""
        return next((one for one in self.contestants if one.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; `from_dict` reads them back."""
        return {**asdict(self), "contestants": [asdict(one) for one in self.contestants]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "NetworkResult":
        """Read what `to_dict` wrote; what a newer version adds is left aside."""
        known = {one.name: values[one.name] for one in fields(cls)}
        ways = (Contestant(**{**way, "shares": tuple(way["shares"])}) for way in values["contestants"])
        return cls(**{**known, "contestants": tuple(ways)})
