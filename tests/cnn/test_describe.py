"""The table of layers: what PyTorch counts, and what the written file says of itself."""

from collections.abc import Iterable

import onnx
import pytest

torch = pytest.importorskip("torch", reason="networks are made in PyTorch")

from genus.cnn.describe import describe_network  # noqa: E402
from genus.cnn.export import export_network  # noqa: E402
from genus.cnn.layers import GlobalAveragePool  # noqa: E402
from genus.cnn.network import Network  # noqa: E402
from genus.cnn.networks import NETWORKS, make_network  # noqa: E402
from genus.cnn.spec import NetworkSpec  # noqa: E402
from genus.layer_table import Layer  # noqa: E402
from genus.onnx_layers import onnx_layer_table  # noqa: E402

NAMES = [name for name in NETWORKS if name != "timm"]


def network(name: str, size: int = 64) -> Network:
    return make_network(name, 3, size=size, weights="random", random_state=0)


@pytest.mark.parametrize("name", NAMES)
def test_it_counts_what_pytorch_counts(name: str) -> None:
    made = network(name)
    table = describe_network(made)
    assert table.n_parameters == sum(parameter.numel() for parameter in made.parameters())
    assert table.layers[-1].shape == (3,) and table.input_shape == (3, 64, 64)


@pytest.mark.parametrize("name", NAMES)
def test_the_file_has_the_same_layers(name: str) -> None:
    """Save for flattening, and for the classifier, which the file of a network lacks."""
    made = network(name)
    ours = describe_network(made)
    file = onnx_layer_table(onnx.load_model_from_string(export_network(made)), name=name)
    assert file.n_multiply_adds == ours.n_multiply_adds - ours.layers[-1].n_multiply_adds
    for kind in ("convolution", "depthwise convolution", "dense"):
        assert rows(file.layers, kind) == rows(ours.layers[:-1], kind)


def rows(layers: Iterable[Layer], kind: str) -> list[tuple[object, ...]]:
    """What both tables say of layers of one kind, in an order of their own."""
    return sorted(
        (layer.shape, layer.kernel or (), layer.stride or (), layer.n_multiply_adds, layer.receptive_field)
        for layer in layers
        if layer.kind.split(", ")[0] == kind
    )


def test_published_figures() -> None:
    """Tan and Le give 407 million multiply-adds for Lite0, whose 4.7 million parameters are known."""
    table = describe_network(make_network("efficientnet-lite0", 1000, weights="random"))
    assert table.n_parameters == 4_652_008
    assert table.n_multiply_adds == pytest.approx(385e6, rel=0.01)
    resnet = describe_network(make_network("resnet18", 1000, size=224))
    assert resnet.n_parameters == 11_689_512, "as torchvision's"
    assert resnet.n_multiply_adds == pytest.approx(1.81e9, rel=0.01)


@pytest.mark.parametrize(("name", "place"), [("textbook", 4), ("speedrun", 3), ("resnet18", 4)])
def test_the_receptive_field_is_as_wide_as_gradients_reach(name: str, place: int) -> None:
    made = network(name, size=97).eval()
    layers = list(made.body.named_children())[:place]
    inside = [row for row in describe_network(made).layers if row.name.startswith(f"body.{layers[-1][0]}")]
    x = torch.rand(1, 3, 97, 97, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for module in made.modules():  # so that all that is seen counts, save for what a maximum leaves out
        if isinstance(module, torch.nn.Conv2d | torch.nn.BatchNorm2d):
            torch.nn.init.constant_(module.weight, 1e-3 if isinstance(module, torch.nn.Conv2d) else 1)
    activation = torch.nn.Sequential(*(layer for _, layer in layers))(x)
    middle = activation.shape[2] // 2
    activation[0, :, middle, middle].sum().backward()
    reached = x.grad.abs().sum(dim=(0, 1)).nonzero()
    width = int((reached.amax(dim=0) - reached.amin(dim=0)).max()) + 1
    assert width <= (inside[-1].receptive_field or 0) <= width + 8


class Own(torch.nn.Module):
    """A block whose order only its code knows, with a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.second, self.first = torch.nn.Conv2d(4, 5, 3), torch.nn.Conv2d(3, 4, 3)
        self.scale = torch.nn.Parameter(torch.ones(7))
        self.unused = torch.nn.Conv2d(1, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x).relu())


def test_blocks_of_others_are_listed_as_they_were_run() -> None:
    made = Network(
        NetworkSpec("mine", 2, 12), torch.nn.Sequential(Own()), GlobalAveragePool(), torch.nn.Linear(5, 2)
    )
    table = describe_network(made)
    assert [layer.name for layer in table.layers][:2] == ["body.0.first", "body.0.second"]
    assert [layer.receptive_field for layer in table.layers] == [None, None, 12, 12]
    assert table.n_parameters == sum(parameter.numel() for parameter in made.parameters())


def test_describing_changes_nothing() -> None:
    made = network("resnet10").train()
    before = {key: value.clone() for key, value in made.state_dict().items()}
    describe_network(made)
    assert made.training and all(torch.equal(before[key], value) for key, value in made.state_dict().items())
