"""What every network promises: one test for each name in the registry."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks are made in PyTorch")

from genus.cnn.export import classifier_weights, export_network  # noqa: E402
from genus.cnn.network import Network  # noqa: E402
from genus.cnn.networks import NETWORKS, full_name, make_network, rebuild_network  # noqa: E402
from genus.cnn.spec import MAX_SIZE, NetworkSpec  # noqa: E402
from genus.errors import ParameterError  # noqa: E402

from .engines import run_everywhere  # noqa: E402

NAMES = [
    name for name in NETWORKS if name != "timm"
]  # which names no network by itself: test_timm_networks.py
N_CLASSES = 3
SIDE = 32


def network(name: str, *, size: int | None = SIDE, seed: int = 0) -> Network:
    return make_network(name, N_CLASSES, size=size, weights="random", random_state=seed)


def pictures(made: Network, n: int = 4) -> torch.Tensor:
    noise = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (n, *made.input_shape), generator=noise, dtype=torch.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_shapes_are_as_promised(name: str) -> None:
    made = network(name).eval()
    x = pictures(made)
    with torch.no_grad():
        feature_map, embedding, logits = made.feature_map(x), made.embedding(x), made(x)
    assert feature_map.ndim == 4 and len(feature_map) == 4
    assert embedding.shape == (4, made.n_features) and logits.shape == (4, N_CLASSES)
    assert all(torch.isfinite(t).all() for t in (feature_map, embedding, logits))
    assert made.input_shape == (3, SIDE, SIDE) and made.reads_pixels
    torch.testing.assert_close(made.classifier(embedding), logits)
    if made.averages:
        torch.testing.assert_close(embedding, feature_map.mean(dim=(2, 3)))


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_decides_and_the_generator_of_pytorch_stays_as_it_was(name: str) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one, same, other = (network(name, seed=seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)
    drawn = [make_network(name, N_CLASSES, size=SIDE, weights="random") for _ in range(2)]
    assert not torch.equal(drawn[0].classifier.weight, drawn[1].classifier.weight)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", NAMES)
def test_training_lowers_the_loss(name: str) -> None:
    made = network(name).train()
    x, y = pictures(made, 6), torch.tensor([0, 1, 2, 0, 1, 2])
    made.prepare(x)
    learned = [p for p in made.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(learned, lr=0.02, momentum=0.9)
    losses = []
    for _ in range(8):
        loss = torch.nn.functional.cross_entropy(made(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert min(losses[4:]) < losses[0]
    assert all(torch.isfinite(p).all() for p in made.parameters())


@pytest.mark.parametrize("training", [False, True], ids=["in use", "training"])
@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_one_works(name: str, training: bool) -> None:
    made = network(name).train(training)
    assert torch.isfinite(made(pictures(made, 1))).all()


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_scored_alone(name: str) -> None:
    made = network(name).eval()
    x = pictures(made)
    with torch.no_grad():
        torch.testing.assert_close(made(x)[:1], made(x[:1]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut"])
@pytest.mark.parametrize("name", NAMES)
def test_both_engines_compute_what_torch_does(name: str, cut: bool) -> None:
    """Stated: 1e-4, relative to the largest value."""
    made = trained(network(name))
    x = pictures(made).float()
    if cut:
        prefix, made = made.eval().split(1)
        x = prefix.eval()(x).detach()
    made.eval()
    with torch.no_grad():
        wanted = {"embedding": made.embedding(x).numpy(), "feature_map": made.feature_map(x).numpy()}
    given = x if cut else x.permute(0, 2, 3, 1)
    for engine, found in run_everywhere(export_network(made), np.ascontiguousarray(given.numpy())):
        assert set(found) == set(wanted)
        for output, values in wanted.items():
            assert np.abs(found[output] - values).max() <= 1e-4 * np.abs(values).max(), (engine, output)


def trained(made: Network) -> Network:
    """Give batch normalisation something to normalise with."""
    x = pictures(made, 8)
    made.train().prepare(x)
    with torch.no_grad():
        made(x)
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    return made


@pytest.mark.parametrize("name", NAMES)
def test_writing_a_network_leaves_it_as_it_is(name: str) -> None:
    made = network(name).train()
    before = copy.deepcopy(made.state_dict())
    export_network(made)
    assert made.training and all(torch.equal(before[key], value) for key, value in made.state_dict().items())


@pytest.mark.parametrize("name", NAMES)
def test_embedding_and_classifier_give_the_logits(name: str) -> None:
    made = network(name).eval()
    coef, intercept = classifier_weights(made)
    x = pictures(made)
    with torch.no_grad():
        logits = made.embedding(x).numpy() @ coef.T + intercept
        np.testing.assert_allclose(logits, made(x).numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_spec_rebuilds_it(name: str) -> None:
    made = network(name).eval()
    _, rest = made.split(1)
    for original in (made, rest.eval()):
        again = rebuild_network(NetworkSpec.from_dict(original.spec.to_dict())).eval()
        again.load_state_dict(original.state_dict())
        assert again.input_shape == original.input_shape and again.name == original.name
        x = pictures(original).float()
        with torch.no_grad():
            torch.testing.assert_close(again(x), original(x))


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_cut_behind_a_block(name: str) -> None:
    made = network(name).eval()
    x = pictures(made, 2)
    with torch.no_grad():
        wanted = made(x)
        for n_blocks in {0, 1, len(made.body) // 2, len(made.body) - 2}:
            prefix, rest = made.split(n_blocks)
            activation = prefix.eval()(x)
            assert activation.shape[1:] == rest.input_shape and not rest.reads_pixels
            torch.testing.assert_close(rest.eval()(activation), wanted, rtol=1e-4, atol=1e-4)
    for n_blocks in (-1, len(made.body) - 1):
        with pytest.raises(ParameterError, match="cannot be cut off"):
            made.split(n_blocks)
    with pytest.raises(ParameterError, match="it has been cut off"):
        made.split(0)[1].split(0)


@pytest.mark.parametrize("size", [1, MAX_SIZE + 1])
@pytest.mark.parametrize("name", NAMES)
def test_pictures_of_an_impossible_size_are_refused(name: str, size: int) -> None:
    with pytest.raises(ParameterError, match=r"pixels"):
        network(name, size=size)


@pytest.mark.parametrize("name", NAMES)
def test_other_sizes_work(name: str) -> None:
    for size in (33, 64, 97):
        made = network(name, size=size).eval()
        with torch.no_grad():
            assert made(pictures(made, 1)).shape == (1, N_CLASSES)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet19", "no network named 'resnet19'. Did you mean 'resnet18'"),
        ("speedrun:64x", "behind the colon come numbers"),
        ("speedrun:" + "-".join(["8"] * 9), "there must be 1 to 8"),
        ("resnet18:32-64", "2 numbers of channels; there must be 4"),
        ("conv8-pol-gap", "'pol'"),
    ],
)
def test_a_wrong_name_says_what_is_wrong(name: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        network(name)


def test_a_network_needs_a_class() -> None:
    with pytest.raises(ParameterError, match="at least one class"):
        make_network("resnet10", 0)


def test_widths_are_those_asked_for() -> None:
    assert network("speedrun:8-16-32-48").n_features == 48
    assert network("resnet10:8-16-24-40").n_features == 40
    assert full_name("conv8-gap") == network("conv8-gap").name == "textbook:conv8-gap"


@pytest.mark.parametrize("name", ["conv8-pool-gap", "speedrun", "resnet10"])
def test_there_are_no_weights_for_what_begins_by_chance(name: str) -> None:
    with pytest.raises(ParameterError, match=r"it begins by chance; there are no weights 'some\.pth' for it"):
        make_network(name, 3, weights="some.pth")


def test_a_network_that_does_not_fit_into_memory_is_refused() -> None:
    with pytest.raises(ParameterError, match="such a network does not fit into memory"):
        make_network("textbook", 10**13)
