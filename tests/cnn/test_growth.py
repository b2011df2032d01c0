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

from cnn.lessons import RECIPE, SIDE, N, checkpoint, here, lesson, network  # noqa: E402
from genus.cnn.augmentation import PRESETS  # noqa: E402
from genus.cnn.growth import check_growth, sized  # noqa: E402
from genus.cnn.networks import make_network  # noqa: E402
from genus.cnn.recipe import Recipe  # noqa: E402
from genus.cnn.training import train_network  # noqa: E402
from genus.cnn.training_examples import ActivationExamples  # noqa: E402
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
    assert recipe.side(side, 0.75) == side


def test_by_default_they_are_whole() -> None:
    images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    assert sized(images, Recipe(), 0.0) is images and sized(images, GROWING, 1.0) is images


def test_a_smaller_picture_is_the_same_picture() -> None:
    ramp = torch.arange(32.0).mul(8).expand(1, 3, 32, 32)
    small = sized(ramp.to(torch.uint8), GROWING, 0.0)
    assert small.shape == (1, 3, 16, 16)
    np.testing.assert_allclose(small[0, 0, 8, 1:-1], torch.arange(16.0)[1:-1] * 16 + 4, atol=0.5)


def seen_by(net: Any, *, training: bool = True) -> list[int]:
    """The widths of what the network is given from now on, while it is trained or while it is judged."""
    widths: list[int] = []

    def look(body: Any, given: Any) -> None:
        if body.training == training:
            widths.append(given[0].shape[-1])

    net.body.register_forward_pre_hook(look)
    return widths


def test_it_learns_from_all_sizes_and_is_judged_on_whole_pictures() -> None:
    net = network(POOLED)
    widths = seen_by(net)
    judged = seen_by(net, training=False)
    history = train_network(net, lesson(), replace(GROWING, epochs=8, averaging=0.0), here())
    assert widths == sorted(widths) and set(widths) == {8, 10, 12, 14, 16}
    assert 0.2 < np.mean(np.equal(widths, SIDE)) < 0.3
    tried = [8, 10, 12, 14, 16]
    assert judged[: len(tried)] == tried and set(judged[len(tried) :]) == {SIDE}
    assert history.epochs[-1].loss < history.epochs[0].loss


def test_patience_does_not_end_it_before_pictures_are_whole() -> None:
    task = replace(lesson(), judge=lambda logits: 0.5)
    growing = train_network(network(POOLED), task, replace(GROWING, epochs=12, patience=2), here())
    whole = train_network(network(POOLED), task, replace(RECIPE, epochs=12, patience=2), here())
    assert (len(growing.epochs), len(whole.epochs)) == (9, 3)
    assert growing.stopped == whole.stopped == "no better for a while"


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


@pytest.mark.parametrize(("name", "side"), [("textbook", 16), ("speedrun:8-8-8-8", 16)])
def test_a_network_that_cannot_take_them_is_refused_before_it_is_trained(name: str, side: int) -> None:
    net = make_network(name, 10, size=32, random_state=0).train()
    with pytest.raises(ParameterError, match=rf"{name} does not take pictures of {side} pixels.*first_side"):
        train_network(net, lesson(), GROWING, here())
    assert net.training


def test_every_size_on_the_way_is_tried() -> None:
    net = network(POOLED).train()

    def even_only(net: Any, given: Any) -> None:
        if given[0].shape[-1] == 12:
            raise AssertionError("not divisible")

    net.register_forward_pre_hook(even_only)
    with pytest.raises(
        ParameterError, match="does not take pictures of 12 pixels, which it was to see on the"
    ):
        check_growth(net, GROWING)


def test_what_a_frozen_beginning_computed_does_not_grow() -> None:
    _, rest = network("-".join(["conv8"] * 4) + "-gap").split(1)
    values = np.random.default_rng(0).random((N, *rest.input_shape)).astype(np.float16)
    task = replace(lesson(), examples=ActivationExamples([values], PRESETS["none"], n_classes=10))
    widths = seen_by(rest)
    train_network(rest, task, GROWING, here())
    assert set(widths) == {SIDE}


def test_the_mean_area_is_that_of_the_steps() -> None:
    recipe = Recipe(first_side=0.625)
    area = np.mean([(recipe.side(64, step / 1000) / 64) ** 2 for step in range(1000)])
    assert recipe.mean_area == pytest.approx(area, abs=2e-3) and Recipe().mean_area == 1
