"""The speed-run network: its first layer is made of the pictures' patches."""

import pytest

torch = pytest.importorskip("torch", reason="networks are made in PyTorch")

from sklearn.datasets import load_sample_image  # noqa: E402

from genus.cnn.networks import make_network  # noqa: E402
from genus.errors import ParameterError  # noqa: E402


def tiles(side: int) -> torch.Tensor:
    """Pieces of a photograph."""
    photo = torch.from_numpy(load_sample_image("china.jpg").copy()).permute(2, 0, 1)
    pieces = photo.unfold(1, side, side).unfold(2, side, side).permute(1, 2, 0, 3, 4)
    return pieces.reshape(-1, 3, side, side)


def test_whitened_patches_are_uncorrelated_with_variance_one() -> None:
    made = make_network("speedrun", 5, random_state=0)
    images = tiles(32)
    made.prepare(images)
    layer = made.body.whiten
    half = layer.out_channels // 2
    assert torch.equal(layer.weight[:half], -layer.weight[half:])
    with torch.no_grad():
        x = torch.nn.functional.conv2d(made.normalise(images), layer.weight[:half])
        x = x.permute(1, 0, 2, 3).flatten(1).double()
    second_moments = x @ x.T / x.shape[1]
    off_diagonal = second_moments - torch.diag(second_moments.diag())
    assert off_diagonal.abs().max() < 1e-2
    assert second_moments.diag().max() < 1.01  # less than one only where the patches hardly vary
    assert second_moments.diag()[:3].min() > 0.95


def test_the_filters_are_not_learned_and_the_biases_are() -> None:
    made = make_network("speedrun", 5, random_state=0)
    assert not made.body.whiten.weight.requires_grad and made.body.whiten.bias.requires_grad
    norm = made.body.group0.norm1
    assert not norm.weight.requires_grad and norm.bias.requires_grad and norm.momentum == 0.4


def test_convolutions_begin_by_handing_their_input_on() -> None:
    made = make_network("speedrun:32-40", 5, random_state=0)
    x = torch.randn(2, 24, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(made.body.group0.conv1(x)[:, :24], x)


def test_preparing_draws_nothing_and_takes_any_type_of_numbers() -> None:
    made = make_network("speedrun", 5, random_state=0)
    images = tiles(32)[:40]
    made.prepare(images)
    filters = made.body.whiten.weight.clone()
    before = torch.get_rng_state()
    made.prepare(images.float())
    assert torch.equal(torch.get_rng_state(), before)
    torch.testing.assert_close(made.body.whiten.weight, filters)


def test_pictures_of_one_colour_do_no_harm() -> None:
    made = make_network("speedrun", 5, random_state=0)
    made.prepare(torch.zeros(4, 3, 32, 32, dtype=torch.uint8))
    assert torch.isfinite(made(tiles(32)[:4])).all()


@pytest.mark.parametrize("side", [16, 32, 64, 96])
def test_it_takes_small_and_larger_pictures(side: int) -> None:
    made = make_network("speedrun:8-8-8", 5, size=side, random_state=0).eval()
    with torch.no_grad():
        assert made(tiles(side)[:2]).shape == (2, 5)


def test_more_groups_need_larger_pictures() -> None:
    made = make_network("speedrun:8-8-8-8-8-8", 5, size=65)
    assert made.feature_map(torch.zeros(1, 3, 65, 65)).shape[2:] == (1, 1)
    with pytest.raises(ParameterError, match="pictures of 64 pixels cannot be used; it takes 65 to 1024"):
        make_network("speedrun:8-8-8-8-8-8", 5, size=64)
