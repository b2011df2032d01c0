"""Where a network is trained, and with which numbers."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")

from genus.cnn import devices  # noqa: E402
from genus.cnn.devices import choose_place  # noqa: E402
from genus.cnn.networks import make_network  # noqa: E402
from genus.cnn.timing import seconds_an_image  # noqa: E402
from genus.errors import EngineError, ParameterError  # noqa: E402


def there_are(
    monkeypatch: pytest.MonkeyPatch, *, cuda: int = 0, mps: bool = False, capability: int = 8
) -> None:
    """Let PyTorch find these."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (capability, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA Something")
    monkeypatch.setattr(devices, "_has_mps", lambda: mps)


@pytest.mark.parametrize(
    ("found", "kind"),
    [({"cuda": 1, "mps": True}, "cuda"), ({"mps": True}, "mps"), ({}, "cpu")],
    ids=["a card", "an Apple", "a processor"],
)
def test_the_fastest_kind_is_taken(monkeypatch: pytest.MonkeyPatch, found: dict, kind: str) -> None:
    there_are(monkeypatch, **found)
    assert choose_place().device.type == kind


@pytest.mark.parametrize(("capability", "bf16"), [(7, False), (8, True), (9, True)])
def test_bfloat16_is_for_cards_that_are_fast_with_it(
    monkeypatch: pytest.MonkeyPatch, capability: int, bf16: bool
) -> None:
    there_are(monkeypatch, cuda=1, capability=capability)
    place = choose_place("cuda")
    assert place.bf16 == bf16
    assert place.name == f"NVIDIA Something, {'bfloat16' if bf16 else 'float32'}"
    assert choose_place("cuda", "bf16").bf16 and not choose_place("cuda", "float32").bf16


@pytest.mark.parametrize("features", [{"amx_bf16": True}, {"avx512_bf16": True}, {}])
def test_and_for_processors_that_are(monkeypatch: pytest.MonkeyPatch, features: dict[str, bool]) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features, raising=False)
    assert choose_place("cpu").bf16 == bool(features)
    assert choose_place("cpu", "float32").name == "cpu, float32"


@pytest.mark.parametrize("device", ["gpu", "cpu:x", "auto:3", "", "cuda:300", "cuda:"])
def test_a_device_that_makes_no_sense_is_refused(device: str) -> None:
    with pytest.raises(ParameterError, match="device must be"):
        choose_place(device)


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("cuda", "PyTorch finds no cuda device here; there is cpu"),
        ("mps", "PyTorch finds no mps device here"),
    ],
)
def test_what_is_not_here_is_said(monkeypatch: pytest.MonkeyPatch, device: str, words: str) -> None:
    there_are(monkeypatch)
    with pytest.raises(EngineError, match=words):
        choose_place(device)


def test_a_card_too_many_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    there_are(monkeypatch, cuda=2)
    assert choose_place("cuda:1").device.index == 1
    with pytest.raises(EngineError, match="there is no cuda:2; PyTorch finds 2 cards"):
        choose_place("cuda:2")


@pytest.mark.parametrize(("device", "precision"), [("gpu", "auto"), ("", "auto"), ("cpu", "int8")])
def test_other_words_are_refused(device: str, precision: str) -> None:
    with pytest.raises(ParameterError, match=r"must be one of|must be auto, float32 or bf16"):
        choose_place(device, precision)  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_step_is_timed_and_changes_no_weight(precision: str) -> None:
    network = make_network("conv8-norm-pool-conv8-pool-gap", 3, size=16, random_state=0)
    before = {name: value.clone() for name, value in network.named_parameters()}
    assert seconds_an_image(network, choose_place("cpu", precision), 16) > 0  # type: ignore[arg-type]
    assert all(torch.equal(value, before[name]) for name, value in network.named_parameters())


def test_the_rest_of_a_network_is_timed_by_itself() -> None:
    _, rest = make_network("efficientnet-lite0", 3, size=32, weights="random", random_state=0).split(11)
    assert seconds_an_image(rest, choose_place("cpu", "float32"), 4) > 0
