"""Networks of timm (Wightman, "PyTorch Image Models", 2019), where it is installed: "timm:mobilenetv3_small_100".

Nothing is downloaded. Pre-trained weights are those that timm or the Hugging Face Hub has left in its cache on this
machine, or a file that is named; they are read as tensors only.
"""

from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from genus.cnn.layers import GlobalAveragePool, Normalise
from genus.cnn.network import Network
from genus.cnn.spec import NetworkSpec
from genus.errors import ModelFileError, ParameterError

_SMALLEST = 32
_PROBES = 2  # pictures of noise that show which shapes there are


class TimmFeatures(nn.Module):
    """A network of timm up to its feature map."""

    model: Any

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Return the feature map (n, d, h, w) of normalised pictures (n, 3, h, w)."""
        return self.model.forward_features(x)


class TimmHead(nn.Module):
    """What a network of timm computes between its feature map and its classifier.

    Its layers belong to the features' model; here they are only called.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._called = (model,)  # in a tuple, so that its weights are not listed twice

    def forward(self, x: Tensor) -> Tensor:
        """Return the embedding (n, e) of a feature map (n, d, h, w)."""
        return self._called[0].forward_head(x, pre_logits=True)


def timm_network(spec: NetworkSpec, weights: str | None = None) -> Network:
    """Make a network of timm, with a new classifier.

    Parameters
    ----------
    spec : NetworkSpec
        Named "timm:" and what timm calls it.
    weights : str or None
        None for the pre-trained weights in timm's cache, a path for those in a file (`.safetensors`, or `.pth` with
        nothing but tensors), "random" for chance.

    Raises
    ------
    ParameterError
        timm is not installed, does not know the name, has no weights of it here, or the network has no feature map.
    ModelFileError
        The file with the weights cannot be read, or is another network's.
    """
    timm, name = _timm(spec), spec.details
    if not name or not timm.is_model(name):
        raise ParameterError(
            f"{spec.name}: timm has no network {name!r}; timm.list_models() lists those it has."
        )
    config = timm.get_pretrained_cfg(name)
    size = spec.size_or(config.input_size[-1], smallest=_SMALLEST)
    if weights == "random":
        model = timm.create_model(name, pretrained=False, num_classes=0)
    else:
        state = _read(Path(weights) if weights else _cached(spec, config))
        model = _filled(timm, spec, state)
    return _wrapped(replace(spec, size=size), model, config)


def _wrapped(spec: NetworkSpec, model: Any, config: Any) -> Network:
    neck, n_features = _neck(spec, model)
    return Network(
        spec,
        nn.Sequential(OrderedDict(features=TimmFeatures(model))),
        neck,
        nn.Linear(n_features, spec.n_classes),
        normalise=Normalise([255 * mean for mean in config.mean], [1 / (255 * std) for std in config.std]),
    )


@torch.no_grad()
def _neck(spec: NetworkSpec, model: Any) -> tuple[nn.Module, int]:
    """Return what makes the embedding, the plain mean where it is just that, and the embedding's length."""
    model.eval()
    side = spec.size_or(0)
    probe = torch.linspace(-1, 1, _PROBES * 3 * side**2).view(_PROBES, 3, side, side)
    feature_map = model.forward_features(probe)
    if feature_map.ndim != 4 or feature_map.shape[1] != model.num_features:
        raise ParameterError(
            f"{spec.name}: it has no feature map of channels and places; take a convolutional network."
        )
    embedding = model.forward_head(feature_map, pre_logits=True)
    model.train()
    mean = feature_map.mean(dim=(2, 3))
    is_mean = embedding.shape == mean.shape and torch.allclose(embedding, mean, rtol=1e-4, atol=1e-6)
    return GlobalAveragePool() if is_mean else TimmHead(model), embedding.shape[1]


def _timm(spec: NetworkSpec) -> Any:
    try:
        import timm
    except ImportError as error:
        raise ParameterError(f"{spec.name} needs the package timm: pip install timm") from error
    return timm


def _filled(timm: Any, spec: NetworkSpec, state: dict[str, Tensor]) -> Any:
    """Let timm put the weights in place: it knows how those of other projects are called."""
    try:
        return timm.create_model(
            spec.details, pretrained=True, num_classes=0, pretrained_cfg_overlay={"state_dict": state}
        )
    except (RuntimeError, KeyError, ValueError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise ModelFileError(f"{spec.name}: the weights are not of this network: {first}") from error


def _cached(spec: NetworkSpec, config: Any) -> Path:
    """Find the file that an earlier download left."""
    places: list[Path] = []
    if config.url:
        places.append(Path(torch.hub.get_dir()) / "checkpoints" / config.url.rpartition("/")[2])
    if config.hf_hub_id:
        names = ("model.safetensors", config.hf_hub_filename or "pytorch_model.bin")
        places += [place for name in names if (place := _in_hub_cache(config.hf_hub_id, name))]
    for place in places:
        if place.is_file():
            return place
    raise ParameterError(
        f"{spec.name}: its pre-trained weights are not on this machine, and Genus downloads nothing. Fetch them once "
        f"with timm.create_model({spec.details!r}, pretrained=True), name a file, or begin with weights 'random'."
    )


def _in_hub_cache(repository: str, name: str) -> Path | None:
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    found = try_to_load_from_cache(repository, name)
    return Path(found) if isinstance(found, str) else None


def _read(path: Path) -> dict[str, Tensor]:
    """Read a file of tensors; nothing in it is run."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except ImportError as error:
        raise ParameterError(
            f"{path}: reading it needs the package safetensors: pip install safetensors"
        ) from error
    except Exception as error:  # PyTorch's own and pickle's, which share no base class
        first = (str(error).splitlines() or [""])[0]
        raise ModelFileError(f"{path}: not a readable file of weights: {first}") from error
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelFileError(f"{path}: it holds more than the tensors of a network.")
    return state
