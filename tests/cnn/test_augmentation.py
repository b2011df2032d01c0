"""What is done to training images, as a value: checked, written, read, named."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genus.cnn.augmentation import PRESETS, Augmentation, parse_augmentation
from genus.cnn.chance import Chance
from genus.errors import ParameterError

SHARE = st.floats(0, 1)
ANY = st.builds(
    Augmentation,
    mirror=st.sampled_from(["off", "random", "alternate"]),
    upside_down=st.booleans(),
    crop=st.none() | st.tuples(st.floats(0.01, 0.5), st.floats(0.5, 1)),
    shift=st.floats(0, 0.5),
    rotate=st.floats(0, 180),
    brightness=SHARE,
    grey=SHARE,
    operations=st.integers(0, 16),
    mixup=st.floats(0, 10),
)


@given(ANY)
def test_an_augmentation_survives_json(augmentation: Augmentation) -> None:
    assert Augmentation.from_dict(json.loads(json.dumps(augmentation.to_dict()))) == augmentation


@pytest.mark.parametrize("name", PRESETS)
def test_presets_have_names(name: str) -> None:
    assert parse_augmentation(name) == PRESETS[name]


def test_nothing_is_done_unless_it_is_asked_for() -> None:
    assert PRESETS["none"] == Augmentation()
    assert not Augmentation().moves and not Augmentation().mixes and Augmentation().margin == 1


def test_the_preset_for_small_pictures_interpolates_nothing() -> None:
    assert not PRESETS["small"].moves and PRESETS["small"].margin == 1


@given(ANY)
def test_a_text_says_what_is_different_from_a_preset(augmentation: Augmentation) -> None:
    text = ",".join(
        f"{field.name}={json.dumps(augmentation.to_dict()[field.name])}" for field in fields(Augmentation)
    )
    assert parse_augmentation(f"strong,{text}") == augmentation
    assert parse_augmentation("strong, mixup=0 , crop=[0.5, 1]") == replace(
        PRESETS["strong"], mixup=0, crop=(0.5, 1.0)
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("fancy", "no augmentation is called 'fancy'. There are: none, light"),
        ("standard,rotation=3", "no augmentation named 'rotation'. Did you mean 'rotate'?"),
        ("standard,mixup", "'mixup': write name=value"),
        ("standard,mirror=sideways", "mirror must be off, random or alternate, not 'sideways'"),
        ("standard,quarter_turns=1", "quarter_turns must be true or false, not 1"),
        ("standard,rotate=ten", "rotate must be from 0 to 180, not 'ten'"),
        ("standard,rotate=NaN", "rotate must be from 0 to 180, not nan"),
        ("standard,crop=0.5", "crop must be two numbers, not 0.5"),
        ("standard,crop=[1,0.5]", "crop must be a smaller and a larger number"),
        ("standard,crop=[0,1]", "crop must be from 0.01 to 1, not 0"),
        ("standard,aspect=null", "aspect must be two numbers, not None"),
        ("standard,operations=1.5", "operations must be a whole number, not 1.5"),
        ("standard,operations=true", "operations must be from 0 to 16, not True"),
        ("standard,mixup=-1", "mixup must be a number that is not negative, not -1"),
        ("standard,cutmix=Infinity", "cutmix must be a number that is not negative, not inf"),
    ],
)
def test_what_cannot_be_is_refused_in_words(text: str, reason: str) -> None:
    with pytest.raises(ParameterError) as error:
        parse_augmentation(text)
    assert reason in str(error.value)


# Random numbers that are looked up


@given(st.integers(-(1 << 80), 1 << 80), st.integers(0, 1000), st.permutations(range(30)), st.integers(0, 60))
def test_a_number_depends_on_seed_epoch_image_and_purpose_only(
    seed: int, epoch: int, order: list[int], stream: int
) -> None:
    whole = Chance.of(seed, epoch, np.arange(30)).uniform(stream)
    assert (Chance.of(seed, epoch, order).uniform(stream) == whole[order]).all()


def test_the_numbers_stay_what_they_are() -> None:
    """A model file names a seed: the pictures that it stands for must not change."""
    found = Chance.of(7, 3, [0, 1, 123456]).uniform(5)
    assert found.tolist() == [0.15361218022016077, 0.1482290164324881, 0.346005130126658]


@pytest.mark.parametrize("what", ["seed", "epoch", "index", "stream"])
def test_numbers_are_even_and_know_nothing_of_each_other(what: str) -> None:
    n, i = 4000, np.arange(4000)
    if what == "index":
        rows = [Chance.of(1, 2, i).uniform(k) for k in range(2)]
    elif what == "stream":
        chance = Chance.of(1, 2, [3, 4])
        rows = list(np.array([chance.uniform(k) for k in range(n)]).T)
    else:
        several = [Chance.of(k, 2, [3, 4]) if what == "seed" else Chance.of(1, k, [3, 4]) for k in range(n)]
        rows = list(np.array([chance.uniform(0) for chance in several]).T)
    for row in rows:
        counts = np.histogram(row, 20, (0, 1))[0]
        assert ((counts - n / 20) ** 2 / (n / 20)).sum() < 45, "chi squared of 19 degrees, one in 1000"
        assert abs(np.corrcoef(row[1:], row[:-1])[0, 1]) < 0.06
    assert abs(np.corrcoef(*rows)[0, 1]) < 0.06


def test_bits_spread() -> None:
    """One bit more or less in an index changes half of the 64."""
    chance = Chance.of(0, 0, np.r_[0, 1 << np.arange(60)])
    words = chance.words(0)
    flipped = [int(word ^ words[0]).bit_count() for word in words[1:]]
    assert 29 < np.mean(flipped) < 35 and min(flipped) > 15
