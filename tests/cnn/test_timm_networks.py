"""Networks of timm, with a small stand-in for it: nothing is downloaded, and weights are read as tensors only."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks are made in PyTorch")

from torch import nn  # noqa: E402

from genus.cnn.export import export_network  # noqa: E402
from genus.cnn.network import Network  # noqa: E402
from genus.cnn.networks import make_network, rebuild_network  # noqa: E402
from genus.errors import ModelFileError, ParameterError  # noqa: E402

from .engines import run_everywhere  # noqa: E402


class Model(nn.Module):
    """A network with timm's methods; its head may do more than take the mean, or it may yield no map."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.num_features = kind, 6
        self.conv = nn.Conv2d(3, 6, 3, stride=4)
        self.extra = nn.Linear(6, 5)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x).relu()
        return x.flatten(2) if self.kind == "tokens" else x

    def forward_head(self, x: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        x = x.mean(dim=(2, 3))
        return self.extra(x).tanh() if self.kind == "deep" else x


def create_model(
    name: str, *, pretrained: bool, num_classes: int, pretrained_cfg_overlay: dict[str, Any] | None = None
) -> Model:
    assert num_classes == 0
    model = Model(name)
    if pretrained:
        model.load_state_dict((pretrained_cfg_overlay or {})["state_dict"])
    return model


@pytest.fixture(autouse=True)
def _timm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    fake: Any = ModuleType("timm")
    fake.create_model = create_model
    fake.is_model = lambda name: name in ("plain", "deep", "tokens")
    fake.get_pretrained_cfg = lambda name: SimpleNamespace(
        mean=(0.5, 0.4, 0.3),
        std=(0.2, 0.2, 0.1),
        input_size=(3, 48, 48),
        url=f"https://example.org/{name}.pth",
        hf_hub_id=f"timm/{name}",
        hf_hub_filename=None,
    )
    monkeypatch.setitem(sys.modules, "timm", fake)
    hub: Any = ModuleType("huggingface_hub")
    hub.try_to_load_from_cache = lambda repository, name: None
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    yield


def pictures(made: Network) -> torch.Tensor:
    noise = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, *made.input_shape), generator=noise).float()


@pytest.mark.parametrize(("name", "n_features"), [("plain", 6), ("deep", 5)])
def test_it_is_a_network_like_any_other(name: str, n_features: int) -> None:
    made = make_network(f"timm:{name}", 4, weights="random", random_state=0).eval()
    assert (made.size, made.n_features, made.averages) == (48, n_features, name == "plain")
    x = pictures(made)
    with torch.no_grad():
        model = made.body.features.model
        normalised = (x / 255 - torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1)) / torch.tensor(
            [0.2, 0.2, 0.1]
        ).view(3, 1, 1)
        wanted = model.forward_head(model.forward_features(normalised), pre_logits=True)
        torch.testing.assert_close(made.embedding(x), wanted, rtol=1e-4, atol=1e-5)
    for _, found in run_everywhere(export_network(made), x.permute(0, 2, 3, 1).contiguous().numpy()):
        np.testing.assert_allclose(found["embedding"], wanted.numpy(), rtol=1e-3, atol=1e-4)
    again = rebuild_network(made.spec).eval()
    again.load_state_dict(made.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(again(x), made(x))


@pytest.mark.parametrize("place", ["file", "cache"])
def test_weights_come_from_a_file_or_the_cache(place: str, tmp_path: Path) -> None:
    model = Model("plain")
    path = tmp_path / ("hub/checkpoints/plain.pth" if place == "cache" else "mine.pth")
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": model.state_dict()} if place == "file" else model.state_dict(), path)
    made = make_network("timm:plain", 4, weights=None if place == "cache" else str(path))
    assert torch.equal(made.body.features.model.conv.weight, model.conv.weight)


def test_without_weights_here_nothing_is_downloaded() -> None:
    with pytest.raises(ParameterError, match=r"not on this machine, and Genus downloads nothing"):
        make_network("timm:plain", 4)


def test_a_file_that_runs_code_is_refused(tmp_path: Path) -> None:
    torch.save({"conv.weight": SimpleNamespace()}, tmp_path / "bad.pth")
    with pytest.raises(ModelFileError, match=r"bad\.pth: not a readable file of weights"):
        make_network("timm:plain", 4, weights=str(tmp_path / "bad.pth"))


@pytest.mark.parametrize(
    "state", [{"other": torch.zeros(1)}, {"epoch": 3}, [1]], ids=["others", "more", "none"]
)
def test_a_file_of_something_else_is_refused(state: Any, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(ModelFileError, match=r"are not of this network|more than the tensors"):
        make_network("timm:plain", 4, weights=str(tmp_path / "w.pth"))


@pytest.mark.parametrize("name", ["timm", "timm:", "timm:nothing", "timm:hf_hub:somebody/something"])
def test_a_name_that_timm_lacks_is_refused(name: str) -> None:
    with pytest.raises(ParameterError, match=r"timm has no network"):
        make_network(name, 4, weights="random")


def test_a_network_without_a_map_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"no feature map"):
        make_network("timm:tokens", 4, weights="random")


def test_without_timm_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ParameterError, match=r"timm:plain needs the package timm: pip install timm"):
        make_network("timm:plain", 4)


def test_a_network_in_one_piece_cannot_be_cut() -> None:
    with pytest.raises(ParameterError, match=r"cannot be cut"):
        make_network("timm:plain", 4, weights="random").split(0)
