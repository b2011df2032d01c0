"""Augmentation of batches: the same for the same seed, epoch and image, whatever else is in the batch."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")

from genus.cnn.augment import Augmenter, apply_plan  # noqa: E402
from genus.cnn.augment_torch import augment_on_device, hide_on_device, recolor_on_device  # noqa: E402
from genus.cnn.augmentation import PRESETS, Augmentation  # noqa: E402
from genus.cnn.moves import fetch_whole_pixels  # noqa: E402
from genus.cnn.pictures import FILL  # noqa: E402
from genus.cnn.plan import Frame, make_plan  # noqa: E402
from genus.errors import ParameterError  # noqa: E402

from .image_batches import as_batch, difference, digits, photos, same  # noqa: E402

EVERYTHING = Augmentation(
    mirror="random",
    upside_down=True,
    quarter_turns=True,
    crop=(0.3, 1.0),
    shift=0.1,
    rotate=30.0,
    shear=10.0,
    zoom=0.3,
    brightness=0.3,
    contrast=0.3,
    saturation=0.3,
    hue=0.1,
    grey=0.2,
    blur=0.5,
    erase=0.5,
    operations=3,
    magnitude=8.0,
)
ALL = {**PRESETS, "everything": EVERYTHING}
PLACES = np.arange(8)
each = pytest.mark.parametrize("name", ALL)


# What is random follows from seed, epoch and image


@each
@settings(max_examples=10)
@given(order=st.permutations(range(8)), seed=st.integers(-5, 1 << 70), epoch=st.integers(0, 300))
def test_permuting_a_batch_permutes_the_result(name: str, order: list[int], seed: int, epoch: int) -> None:
    images, places, augmenter = photos(), PLACES + 100, Augmenter(ALL[name], 32, seed=seed)
    whole = augmenter(images, epoch, places)
    assert torch.equal(augmenter(images[order], epoch, places[order]), whole[order])


@each
@settings(max_examples=10)
@given(cut=st.integers(0, 8), seed=st.integers(0, 99))
def test_two_parts_give_the_whole(name: str, cut: int, seed: int) -> None:
    images, augmenter = photos(), Augmenter(ALL[name], 40, seed=seed)
    parts = [augmenter(images[part], 3, PLACES[part]) for part in (slice(cut), slice(cut, None))]
    assert torch.equal(torch.cat(parts), augmenter(images, 3, PLACES))


@each
def test_resuming_gives_the_same(name: str) -> None:
    images, augmenter = photos(), Augmenter(ALL[name], 32, seed=5)
    for epoch in range(3):
        augmenter(images, epoch, PLACES)
    resumed = Augmenter(ALL[name], 32, seed=5)
    assert torch.equal(augmenter(images, 3, PLACES), resumed(images, 3, PLACES))


@each
def test_the_number_of_threads_does_not_matter(name: str) -> None:
    images, augmenter, before = photos(20, 160), Augmenter(ALL[name], 160, seed=5), torch.get_num_threads()
    found = []
    try:
        for n_threads in (1, 3):
            torch.set_num_threads(n_threads)
            found.append(augmenter(images, 0, np.arange(20)))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*found)


@pytest.mark.parametrize("name", [name for name in ALL if name != "none"])
def test_epochs_images_and_seeds_differ(name: str) -> None:
    one = photos(1)
    augmenter = Augmenter(ALL[name], 48, seed=0)
    images = augmenter(one.expand(8, -1, -1, -1), 0, PLACES)
    epochs = torch.cat([augmenter(one, epoch, [0]) for epoch in range(8)])
    seeds = torch.cat([Augmenter(ALL[name], 48, seed=seed)(one, 0, [0]) for seed in range(8)])
    for views in (images, epochs, seeds):
        assert not same(views, views[:1].expand_as(views)).all()


# What comes out


@each
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_the_result_has_the_type_and_memory_format_of_the_images(
    name: str, dtype: torch.dtype, memory_format: torch.memory_format
) -> None:
    images = photos().to(dtype).contiguous(memory_format=memory_format)
    views = Augmenter(ALL[name], 32)(images, 0, PLACES)
    assert views.shape == (8, 3, 32, 32) and views.dtype == dtype
    assert views.is_contiguous(memory_format=memory_format)
    assert float(views.min()) >= 0 and float(views.max()) <= 255


@each
def test_floats_and_bytes_give_the_same_pictures(name: str) -> None:
    images, augmenter = photos(), Augmenter(ALL[name], 32)
    assert torch.equal(augmenter(images.float(), 1, PLACES), augmenter(images, 1, PLACES).float())


@each
def test_the_images_given_are_left_alone(name: str) -> None:
    images = photos()
    before = images.clone()
    Augmenter(ALL[name], 48)(images, 0, PLACES).zero_()
    assert torch.equal(images, before)


@each
@pytest.mark.parametrize(
    ("height", "width", "side"), [(1, 1, 1), (1, 1, 5), (8, 8, 64), (1, 40, 16), (40, 3, 1)]
)
def test_any_size_becomes_any_other(name: str, height: int, width: int, side: int) -> None:
    images = torch.full((2, 3, height, width), 90, dtype=torch.uint8)
    only_moved = replace(ALL[name], erase=0.0, operations=0, brightness=0.0, contrast=0.0)
    views = Augmenter(only_moved, side)(images, 0, [0, 1])
    assert views.shape == (2, 3, side, side)
    assert difference(views, torch.full_like(views, 90)) <= 1, "beyond its edge a picture goes on as it is"


@each
def test_a_batch_may_hold_one_image_or_none(name: str) -> None:
    augmenter = Augmenter(ALL[name], 32)
    assert augmenter(photos(1), 0, [4]).shape == (1, 3, 32, 32)
    assert augmenter(photos(1)[:0], 0, []).shape == (0, 3, 32, 32)


@each
def test_grey_stays_grey(name: str) -> None:
    alone = replace(ALL[name], erase=0.0)
    views = Augmenter(alone, 16)(digits(8, 16), 0, PLACES).int()
    assert (views.amax(1) - views.amin(1)).max() <= 2


# Moves


def test_nothing_asked_nothing_done() -> None:
    images = photos()
    assert torch.equal(Augmenter(Augmentation(), 48)(images, 0, PLACES), images)
    middle = Augmenter(Augmentation(), 32, fit="crop")(images, 0, PLACES)
    assert torch.equal(middle, images[:, :, 8:40, 8:40])


def test_about_half_of_the_images_are_mirrored() -> None:
    images = digits(1).expand(400, -1, -1, -1)
    views = Augmenter(Augmentation(mirror="random"), 8)(images, 0, np.arange(400))
    mirrored = same(views, images.flip(3))
    assert (same(views, images) | mirrored).all()
    assert 160 < int(mirrored.sum()) < 240


def test_alternating_mirrors_show_both_sides_in_any_two_epochs() -> None:
    images, augmenter = photos(), Augmenter(Augmentation(mirror="alternate"), 48)
    epochs = [augmenter(images, epoch, PLACES) for epoch in range(4)]
    assert torch.equal(epochs[0], epochs[2]) and torch.equal(epochs[1], epochs[3])
    assert torch.equal(epochs[0].flip(3), epochs[1])
    assert 0 < int(same(epochs[0], images).sum()) < 8, "the side that is seen first is random"


def test_turns_and_flips_are_the_eight_symmetries_to_the_bit() -> None:
    image = photos(1)
    turned = [image.rot90(k, (2, 3)) for k in range(4)]
    symmetries = torch.cat(turned + [view.flip(3) for view in turned])
    any_way = Augmentation(mirror="random", upside_down=True, quarter_turns=True)
    views = Augmenter(any_way, 48)(image.expand(200, -1, -1, -1), 0, np.arange(200))
    which = torch.stack([same(views, symmetry.expand_as(views)) for symmetry in symmetries])
    assert (which.sum(0) == 1).all(), "every view is one of the eight"
    assert (which.sum(1) > 8).all(), "each of the eight comes about equally often"


def test_a_shift_moves_whole_pixels_and_reflects_what_is_missing() -> None:
    images = digits(1).expand(300, -1, -1, -1)
    views = Augmenter(Augmentation(shift=0.25), 8)(images, 0, np.arange(300))
    picture = images[0].permute(1, 2, 0).numpy()
    padded = as_batch(np.pad(picture, ((2, 2), (2, 2), (0, 0)), mode="symmetric")[None])
    expected = [padded[:, :, y : y + 8, x : x + 8] for y in range(5) for x in range(5)]
    which = torch.stack([same(views, move.expand_as(views)) for move in expected])
    assert which.any(0).all() and which.any(1).all(), "all 25 moves, and no others"


def test_a_shift_uses_the_margin_of_the_stored_picture_first() -> None:
    images = photos(1).expand(100, -1, -1, -1)  # 48 pixels, of which 32 are seen
    views = Augmenter(Augmentation(shift=0.25), 32, fit="crop")(images, 0, np.arange(100))
    pieces = images[0].unfold(1, 32, 1).unfold(2, 32, 1).permute(1, 2, 0, 3, 4).reshape(-1, 3, 32, 32)
    assert all((pieces == view).flatten(1).all(1).any() for view in views)


@pytest.mark.parametrize("side", [8, 16])
def test_whole_pixels_are_what_interpolation_gives_at_them(side: int) -> None:
    images = photos(8, 16)
    exact = Augmentation(mirror="random", upside_down=True, quarter_turns=True, shift=0.2)
    plan = make_plan(exact, Frame(16, 16, side, "crop"), 0, 0, PLACES)
    pictures = images.permute(0, 2, 3, 1)
    assert plan.is_whole
    whole = fetch_whole_pixels(pictures, plan.matrix, side)
    assert torch.equal(whole, apply_plan(pictures, replace(plan, is_whole=False), side))
    assert torch.equal(whole, augment_on_device(pictures, plan, side))


def test_a_crop_is_a_piece_of_the_picture() -> None:
    ramp = torch.arange(64, dtype=torch.uint8).expand(200, 3, 64, 64).contiguous()
    views = Augmenter(Augmentation(crop=(0.25, 0.25), aspect=(1, 1)), 32)(ramp, 0, np.arange(200)).int()
    left, right = views[:, 0, 16, 0], views[:, 0, 16, -1]
    assert ((right - left) == 31).all(), "a quarter of the area at its own scale"
    assert left.min() <= 2 and right.max() >= 61, "any place, up to the edges"


def test_crops_keep_within_area_and_aspect() -> None:
    wish = Augmentation(crop=(0.2, 0.6), aspect=(0.5, 2))
    plan = make_plan(wish, Frame(100, 200, 50), 0, 0, np.arange(2000))
    width, height = plan.matrix[:, 0, 0] * 50 / 200, plan.matrix[:, 1, 1] * 50 / 100
    assert width.max() <= 1 and height.max() <= 1
    assert ((width * height > 0.19) & (width * height < 0.61)).all()
    assert ((width / height > 0.49) & (width / height < 2.01)).all()
    corners = plan.matrix @ np.array([[-0.5, 49.5], [-0.5, 49.5], [1, 1]])
    assert (corners > -0.51).all() and (corners < np.array([199.51, 99.51])[:, None]).all()


def test_a_rotation_turns_by_its_angle() -> None:
    plan = make_plan(Augmentation(rotate=40.0), Frame(64, 64, 64), 0, 0, np.arange(2000))
    angles = np.degrees(np.arctan2(plan.matrix[:, 1, 0], plan.matrix[:, 0, 0]))
    assert -40 <= angles.min() < -35 and 35 < angles.max() <= 40
    middle = plan.matrix @ np.array([31.5, 31.5, 1])
    assert np.allclose(middle, 31.5), "about the middle"


def test_zooming_in_and_out_are_equally_likely() -> None:
    plan = make_plan(Augmentation(zoom=1.0), Frame(64, 64, 64), 0, 0, np.arange(2000))
    factors = np.log2(plan.matrix[:, 0, 0])
    assert -1 <= factors.min() < -0.9 and 0.9 < factors.max() <= 1 and abs(factors.mean()) < 0.05


def test_shearing_keeps_the_area() -> None:
    plan = make_plan(Augmentation(shear=45.0), Frame(64, 64, 64), 0, 0, np.arange(100))
    assert np.allclose(np.linalg.det(plan.matrix[:, :, :2]), 1)


def test_fine_stripes_do_not_alias_where_a_picture_shrinks() -> None:
    stripes = torch.zeros(1, 3, 256, 256, dtype=torch.uint8)
    stripes[..., ::2] = 200  # every second column: 100 on average
    views = Augmenter(Augmentation(crop=(1, 1), aspect=(1, 1)), 96)(stripes, 0, [0]).double()
    assert float(views.std()) < 5 and abs(float(views.mean()) - 100) < 2


# Colours


def test_brightness_multiplies() -> None:
    images = torch.full((500, 3, 4, 4), 100, dtype=torch.uint8)
    views = Augmenter(Augmentation(brightness=0.5), 4)(images, 0, np.arange(500))
    assert 50 <= int(views.min()) < 55 and 145 < int(views.max()) <= 150


def test_contrast_and_colour_leave_the_mean_luminance_alone() -> None:
    images = photos() // 2 + 64  # away from black and white, where values are cut off
    luma = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    wish = Augmentation(contrast=0.4, saturation=0.4, hue=0.05)
    views = Augmenter(wish, 48)(images, 0, PLACES)
    before, after = ((luma * batch).sum(1).mean((1, 2)) for batch in (images, views))
    assert (before - after).abs().max() < 1
    assert difference(images, views) > 3


def test_no_colours_are_left_where_grey_is_certain() -> None:
    views = Augmenter(Augmentation(grey=1.0), 48)(photos(), 0, PLACES).int()
    assert (views.amax(1) - views.amin(1)).max() <= 2


def test_half_a_turn_of_hue_makes_red_blueish() -> None:
    red = torch.tensor([150, 90, 90], dtype=torch.uint8)[:, None, None].expand(64, 3, 4, 4)
    views = Augmenter(Augmentation(hue=0.5), 4)(red, 0, np.arange(64))
    assert (views[:, 2, 0, 0] > views[:, 0, 0, 0]).any() and (views[:, 1, 0, 0] > views[:, 0, 0, 0]).any()


def test_blur_takes_edges_away() -> None:
    images = photos(8, 224)

    def edges(batch: "torch.Tensor") -> "torch.Tensor":
        return (batch[..., 1:].float() - batch[..., :-1].float()).abs().mean((1, 2, 3))

    views = Augmenter(Augmentation(blur=1.0), 224)(images, 0, PLACES)
    assert (edges(views) <= edges(images)).all() and (edges(views) < 0.6 * edges(images)).any()


# Erasing


def test_cutout_hides_a_square_that_may_lie_partly_outside() -> None:
    images = torch.zeros(500, 3, 32, 32, dtype=torch.uint8)
    wish = Augmentation(erase=1.0, erase_area=(0.25, 0.25), erase_aspect=(1.0, 1.0))
    views = Augmenter(wish, 32)(images, 0, np.arange(500))
    hidden = (views == torch.tensor(FILL, dtype=torch.uint8)[:, None, None]).all(1)
    assert (hidden.any(2).sum(1) <= 16).all() and (hidden.any(1).sum(1) <= 16).all()
    assert ((hidden.sum((1, 2)) == 256).float().mean() - 0.25).abs() < 0.1
    assert hidden.any(0).all(), "every place is hidden now and then"


def test_erasing_has_its_probability() -> None:
    images = torch.zeros(1000, 3, 16, 16, dtype=torch.uint8)
    views = Augmenter(Augmentation(erase=0.3), 16)(images, 0, np.arange(1000))
    assert 0.22 < float((views > 0).flatten(1).any(1).float().mean()) < 0.36


# The two ways of computing


@each
@pytest.mark.parametrize("side", [20, 48, 64])
def test_an_accelerator_would_see_the_same_pictures(name: str, side: int) -> None:
    images = photos(16)
    pictures = images.permute(0, 2, 3, 1)
    plan = make_plan(ALL[name], Frame(48, 48, side), 3, 1, np.arange(16))
    on_processor = apply_plan(pictures, plan, side)
    if plan.is_whole:
        on_device = recolor_on_device(fetch_whole_pixels(pictures, plan.matrix, side), plan)
    else:
        on_device = augment_on_device(pictures, plan, side)
    if plan.boxes is not None:
        on_device = hide_on_device(on_device, plan.boxes)
    assert difference(on_processor, on_device) < 1.5


@each
@given(order=st.permutations(range(8)))
@settings(max_examples=5)
def test_an_accelerator_would_keep_the_contract(name: str, order: list[int]) -> None:
    pictures = photos().permute(0, 2, 3, 1)
    plans = [make_plan(ALL[name], Frame(48, 48, 32), 3, 1, places) for places in (PLACES, PLACES[order])]
    whole, permuted = (
        augment_on_device(pictures, plans[0], 32),
        augment_on_device(pictures[order], plans[1], 32),
    )
    assert torch.equal(permuted, whole[order])


# Bad input


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (torch.zeros(3, 8, 8), r"\(3, 8, 8\)"),
        (torch.zeros(2, 1, 8, 8), r"\(2, 1, 8, 8\)"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.int64), "int64"),
        (torch.zeros(2, 3, 0, 8), r"\(2, 3, 0, 8\)"),
    ],
)
def test_what_is_no_batch_of_rgb_images_is_refused(images: "torch.Tensor", reason: str) -> None:
    with pytest.raises(ParameterError, match=f"images must be uint8 or floating.*{reason}"):
        Augmenter(Augmentation(), 8)(images, 0, [0, 1])


def test_every_image_needs_an_index() -> None:
    with pytest.raises(ParameterError, match="8 images, but 3 indices"):
        Augmenter(Augmentation(), 8)(photos(), 0, [0, 1, 2])
    with pytest.raises(ParameterError, match="whole numbers in one dimension"):
        Augmenter(Augmentation(), 8)(photos(), 0, PLACES / 2)


@pytest.mark.parametrize("side", [0, -3, 2.5, True, 100_000])
def test_a_side_that_cannot_be_is_refused(side: int) -> None:
    with pytest.raises(ParameterError, match="side must be a number of pixels"):
        Augmenter(Augmentation(), side)(photos(), 0, PLACES)
