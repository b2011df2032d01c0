"""What a network is called and how it is cut: enough to build it again and fill in its weights."""

from dataclasses import asdict, dataclass
from typing import Any

from genus.errors import ParameterError

MAX_SIZE = 1024


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """What `genus.cnn.networks.rebuild_network` needs to build a network again.

    Parameters
    ----------
    name : str
        A registered name, after a colon what its family wants to know: "resnet18", "speedrun:32-64-128".
    n_classes : int
        How many scores it gives.
    size : int or None, default None
        Height and width of its pictures in pixels; None for what the family is made for.
    prefix_blocks : int or None, default None
        Where only the rest of a network is meant (see `Network.split`): how many blocks behind the first layer
        something else computes. None for a whole network.

    Examples
    --------
    >>> spec = NetworkSpec("resnet18", 10, 32)
    >>> NetworkSpec.from_dict(spec.to_dict()) == spec
    True
    >>> NetworkSpec("speedrun:32-64-128", 10).details
    '32-64-128'
    """

    name: str
    n_classes: int
    size: int | None = None
    prefix_blocks: int | None = None

    @property
    def family(self) -> str:
        """The name before the colon."""
        return self.name.partition(":")[0]

    @property
    def details(self) -> str:
        """What stands after the colon; empty where nothing does."""
        return self.name.partition(":")[2]

    def size_or(self, native: int, *, smallest: int = 1) -> int:
        """Return the size, `native` where none is given.

        Raises
        ------
        ParameterError
            It is below the smallest that the network can take, or above the largest.
        """
        size = native if self.size is None else self.size
        if not smallest <= size <= MAX_SIZE:
            raise ParameterError(
                f"{self.name}: pictures of {size} pixels cannot be used; it takes {smallest} to {MAX_SIZE}."
            )
        return size

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "NetworkSpec":
        """Read what `to_dict` wrote."""
        return cls(**values)


def check_weights(spec: NetworkSpec, weights: str | None) -> None:
    """Raise a ParameterError if weights are wanted of a network that begins by chance."""
    if weights not in (None, "random"):
        raise ParameterError(f"{spec.name}: it begins by chance; there are no weights {weights!r} for it.")
