"""Pictures that grow while a network learns: small ones first, whole ones at the end."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")

from cnn.lessons import RECIPE, SIDE, checkpoint, here, lesson, network  # noqa: E402
from genus.cnn.growth import check_growth, grown  # noqa: E402
from genus.cnn.inference import logits_of_network  # noqa: E402
from genus.cnn.networks import make_network  # noqa: E402
from genus.cnn.recipe import Recipe  # noqa: E402
from genus.cnn.training import train_network  # noqa: E402
from genus.errors import ParameterError  # noqa: E402

POOLED = "conv8-norm-pool-conv16-norm-gap"
GROWING = replace(RECIPE, first_side=0.5)


@given(
    st.integers(16, 400), st.floats(0.25, 1), st.lists(st.floats(0, 1), min_size=2, max_size=5).map(sorted)
)
def test_pictures_grow_and_are_whole_in_the_last_quarter(
    side: int, first: float, shares: list[float]
) -> None:
    recipe = Recipe(first_side=first)
    sides = [recipe.side(side, share) for share in shares]
    assert sides == sorted(sides) and sides[-1] <= side
    assert recipe.side(side, 0.0) >= int(first * 8) / 8 * side - 1
    assert recipe.side(side, 0.7501) == side


def test_by_default_they_are_whole() -> None:
    images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    assert grown(images, Recipe(), 0.0) is images and grown(images, GROWING, 1.0) is images


def test_a_smaller_picture_is_the_same_picture() -> None:
    ramp = torch.arange(32.0).mul(8).expand(1, 3, 32, 32)
    small = grown(ramp.to(torch.uint8), GROWING, 0.0)
    assert small.shape == (1, 3, 16, 16)
    np.testing.assert_allclose(small[0, 0, 8, 1:-1], torch.arange(16.0)[1:-1] * 16 + 4, atol=0.5)


def seen_by(net: Any) -> list[int]:
    """The widths of what the network is given while it is trained, from now on."""
    widths: list[int] = []

    def look(net: Any, given: Any) -> None:
        if net.training:
            widths.append(given[0].shape[-1])

    net.register_forward_pre_hook(look)
    return widths


def test_it_learns_from_all_sizes_and_is_judged_on_whole_pictures() -> None:
    net, task = network(POOLED), lesson()
    widths = seen_by(net)
    history = train_network(net, task, replace(GROWING, epochs=8), here())
    assert widths == sorted(widths) and set(widths) == {8, 10, 12, 14, 16}
    assert 0.2 < np.mean(np.equal(widths, SIDE)) < 0.3
    logits = logits_of_network(net, task.examples, task.validation, here().place)
    assert task.judge(logits) == history.epochs[-1].validation_score
    assert history.epochs[-1].loss < history.epochs[0].loss


def test_where_time_is_short_they_grow_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    from genus.cnn import run

    ticks = iter(range(100_000))
    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    net = network(POOLED)
    widths = seen_by(net)
    train_network(net, lesson(), replace(GROWING, epochs=1000), here(seconds=60.0))
    assert set(widths) == {8, 10, 12, 14, 16}


def test_a_training_that_is_resumed_goes_on_with_pictures_of_the_same_size(tmp_path: Path) -> None:
    whole, cut = network(POOLED), network(POOLED)
    train_network(whole, lesson(), GROWING, here())
    widths = seen_by(cut)
    steps = iter(range(6))

    class Killed(Exception):
        pass

    def kill(net: Any, given: Any) -> None:
        if net.training and next(steps, None) is None:
            raise Killed

    hook = cut.register_forward_pre_hook(kill)
    with pytest.raises(Killed):
        train_network(cut, lesson(), GROWING, checkpoint(tmp_path))
    hook.remove()
    train_network(cut, lesson(), GROWING, checkpoint(tmp_path, resume=True))
    assert widths == sorted(widths)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), cut.parameters(), strict=True))


@pytest.mark.parametrize("name", ["textbook", "speedrun:8-8-8-8"])
def test_a_network_that_cannot_take_them_is_refused_before_it_is_trained(name: str) -> None:
    net = make_network(name, 3, random_state=0).train()
    with pytest.raises(ParameterError, match=rf"{name} does not take pictures of 16 pixels.*first_side"):
        check_growth(net, GROWING)
    assert net.training


def test_what_a_frozen_beginning_computed_does_not_grow() -> None:
    _, rest = network("-".join(["conv8"] * 4) + "-gap").split(1)
    check_growth(rest, GROWING)
