"""Networks described in one line: everything that the grammar allows can be made, all else is explained."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="networks are made in PyTorch")

from genus.cnn.networks import make_network  # noqa: E402
from genus.cnn.textbook_words import parse  # noqa: E402
from genus.errors import ParameterError  # noqa: E402

few = st.integers(1, 9)
conv = st.builds("conv{}{}".format, few, st.sampled_from(["", "x1", "x3", "x5"]))
spatial = st.one_of(
    conv, st.sampled_from(["pool", "pool3", "avgpool", "avgpool2", "norm", "drop0.5", "drop0"])
)
flat = st.one_of(st.builds("dense{}".format, few), st.just("drop0.25"))
descriptions = st.builds(
    lambda first, more, end, after: "-".join([first, *more, end, *after]),
    conv,
    st.lists(spatial, max_size=4),
    st.sampled_from(["flatten", "gap"]),
    st.lists(flat, max_size=2),
)


@given(description=descriptions, size=st.integers(1, 40))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_what_the_grammar_allows_can_be_made_or_is_said_to_be_too_small(description: str, size: int) -> None:
    side = size
    for word in parse(description):
        if word.kind in ("pool", "avgpool"):
            side //= int(word.number or 2)
    if side < 1:
        with pytest.raises(ParameterError, match=r"shrinks it to nothing"):
            make_network(description, 2, size=size)
        return
    made = make_network(description, 2, size=size, random_state=0)
    x = torch.zeros(1, 3, size, size)
    assert made.feature_map(x).shape[2:] == (side, side)
    assert made(x).shape == (1, 2)
    assert made.averages == description.endswith("gap")


@given(st.text("abcdfghlnoprtvx0123456789.-", max_size=30))
@settings(max_examples=200)
def test_all_else_is_refused_with_reasons(text: str) -> None:
    try:
        words = parse(text)
    except ParameterError as error:
        assert repr(text) in str(error)
    else:
        assert {"conv", "flatten", "gap"} & {word.kind for word in words}


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ("conv32-pol-gap", "'pol' (word 2) is no layer; there are convN, convNxK, pool"),
        ("conv-gap", "'conv' (word 1): it takes a whole number from 1 to 8192, such as conv64"),
        ("conv8.5-gap", "'conv8.5' (word 1): it takes a whole number"),
        ("conv8x4-gap", "'conv8x4' (word 1): the side of its filters must be odd"),
        ("conv8-pool3x3-gap", "'pool3x3' (word 2): only a convolution has a size behind an x"),
        ("conv8-pool1-gap", "'pool1' (word 2): it takes a whole number from 2 to 31"),
        ("conv8-drop1-gap", "'drop1' (word 2): it takes the share that is left out"),
        ("conv8-norm2-gap", "'norm2' (word 2): it takes no number"),
        (
            "conv8-pool",
            "'flatten' or 'gap' must come once, between the map and what sees all of it; here it comes 0",
        ),
        ("conv8-gap-flatten", "here it comes 2 times"),
        ("conv8-dense9-gap", "'dense9' (word 2) cannot stand before 'gap'; there can be conv, pool"),
        ("conv8-gap-conv9", "'conv9' (word 3) cannot stand behind 'gap'; there can be dense, drop"),
        ("norm-gap", "there must be a convolution"),
    ],
)
def test_messages_name_the_word_and_what_is_allowed(description: str, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        parse(description)
    assert message in str(caught.value)


def test_pictures_that_vanish_say_where() -> None:
    with pytest.raises(
        ParameterError, match=r"pictures of 6 pixels: the map is 1 wide where 'pool' \(layer 6\)"
    ):
        make_network("conv8-pool-conv8-pool-conv8-pool-gap", 2, size=6)


def test_layers_come_in_the_order_of_the_words() -> None:
    made = make_network("norm-conv8-norm-pool-conv6x5-drop0.1-flatten-dense7-drop0.5-dense5", 2, size=8)
    assert [name for name, _ in made.body.named_children()] == ["norm1", "conv1", "pool1", "conv2", "drop1"]
    assert [name for name, _ in made.neck.named_children()] == ["flatten1", "dense1", "drop1", "dense2"]
    conv, norm, relu = made.body.conv1
    assert (type(conv).__name__, type(norm).__name__, type(relu).__name__) == ("Conv2d", "BatchNorm", "ReLU")
    widths = [module.out_features for module in made.modules() if isinstance(module, torch.nn.Linear)]
    assert widths == [7, 5, 2] and made.neck.dense1.linear.in_features == 6 * 4 * 4


def test_a_signal_keeps_its_strength_through_many_layers() -> None:
    """He's initialisation: with PyTorch's own, ten layers would leave a thousandth."""
    made = make_network("-".join(["conv32"] * 10) + "-gap", 2, size=16, random_state=0)
    x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    strengths = [x.std()]
    with torch.no_grad():
        for layer in made.body:
            x = layer(x)
            strengths.append(x.std())
    assert all(0.5 < after / before < 2 for before, after in pairwise(strengths))
