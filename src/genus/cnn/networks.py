"""The networks there are, by name; making one loads PyTorch, listing them does not."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import util
from typing import TYPE_CHECKING

from genus.cnn.spec import NetworkSpec
from genus.errors import EngineError, MissingExtraError, ParameterError
from genus.registry import Registry

if TYPE_CHECKING:
    from genus.cnn.network import Network

NETWORKS = Registry(
    "network",
    {
        "textbook": "genus.cnn.textbook:textbook",
        "speedrun": "genus.cnn.speedrun:speedrun",
        "resnet10": "genus.cnn.residual:residual",
        "resnet18": "genus.cnn.residual:residual",
        "efficientnet-lite0": "genus.cnn.lite:lite",
        "efficientnet-lite1": "genus.cnn.lite:lite",
        "efficientnet-lite2": "genus.cnn.lite:lite",
        "timm": "genus.cnn.timm_networks:timm_network",
    },
    entry_point_group="genus.networks",
)
"""Name to a function from a `NetworkSpec` and the wish for weights (see `make_network`) to a `Network`."""

_FIRST_WORD = re.compile(r"(conv|norm|pool|avgpool|drop)[\dx.]*-")  # of the description of a textbook network


def make_network(
    name: str,
    n_classes: int,
    *,
    size: int | None = None,
    weights: str | None = None,
    random_state: int | None = None,
) -> "Network":
    """Make a network.

    Parameters
    ----------
    name : str
        A registered name, for some families with details behind a colon: "resnet18", "speedrun:32-64-128",
        "timm:mobilenetv3_small_100"; or the description of a textbook network, "conv32-pool-flatten-dense128" (see
        `genus.cnn.textbook_words`).
    n_classes : int
        How many scores it gives; at least 1.
    size : int or None
        Height and width of its pictures in pixels; None for what the family is made for.
    weights : str or None
        None for what the network comes with: pre-trained ones for EfficientNet-Lite and timm, else chance.
        "random" for chance in any case. For timm also the path of a file.
    random_state : int or None
        Seed of the weights that are drawn by chance. PyTorch's own generator stays as it is.

    Raises
    ------
    MissingExtraError
        PyTorch is not installed.
    ParameterError
        There is no such network, it cannot be made so, or it does not fit into memory.

    Examples
    --------
    >>> network = make_network("conv8-pool-gap", 3, size=16, random_state=0)
    >>> network.name, network.n_features, network.averages
    ('textbook:conv8-pool-gap', 8, True)
    """
    require_torch("Making a network")
    if n_classes < 1:
        raise ParameterError(f"a network needs at least one class, not {n_classes}.")
    spec = NetworkSpec(full_name(name), n_classes, size)
    factory = NETWORKS.get(spec.family)
    try:
        with _drawing(random_state):
            network: Network = factory(spec, weights)
    except (MemoryError, RuntimeError) as error:
        from genus.cnn.devices import is_out_of_memory

        if isinstance(error, RuntimeError) and not is_out_of_memory(error):
            raise
        raise ParameterError(
            f"{name}, {n_classes} classes: such a network does not fit into memory."
        ) from error
    return network


def rebuild_network(spec: NetworkSpec) -> "Network":
    """Make a network as it was, save for its weights, which are drawn by chance: load its state next.

    Examples
    --------
    >>> network = make_network("conv8-pool-gap", 3, size=16)
    >>> again = rebuild_network(NetworkSpec.from_dict(network.spec.to_dict()))
    >>> again.load_state_dict(network.state_dict())
    <All keys matched successfully>
    """
    network = make_network(spec.name, spec.n_classes, size=spec.size, weights="random", random_state=0)
    return network if spec.prefix_blocks is None else network.split(spec.prefix_blocks)[1]


def full_name(name: str) -> str:
    """Put the family before the description of a textbook network.

    Examples
    --------
    >>> full_name("conv32-pool-gap"), full_name("resnet18")
    ('textbook:conv32-pool-gap', 'resnet18')
    """
    is_description = name not in NETWORKS and _FIRST_WORD.match(name) is not None
    return f"textbook:{name}" if is_description else name


def require_torch(what: str) -> None:
    """Raise what names the extra if PyTorch is not installed.

    Raises
    ------
    MissingExtraError
        Saying that `what`, the subject of a sentence, needs it.
    EngineError
        It is installed, and cannot be loaded.
    """
    if util.find_spec("torch") is None:
        raise MissingExtraError(what, "cnn")
    try:
        import torch  # noqa: F401  # what follows needs it in any case
    except (ImportError, OSError) as error:
        raise EngineError(f"PyTorch is installed, but cannot be loaded: {error}. Install it anew.") from error


@contextmanager
def _drawing(seed: int | None) -> Iterator[None]:
    """Draw from a generator of its own inside the block."""
    import torch

    with torch.random.fork_rng(devices=[]):
        generator = torch.default_generator  # not torch.manual_seed, which seeds the accelerators as well
        generator.seed() if seed is None else generator.manual_seed(seed)
        yield
