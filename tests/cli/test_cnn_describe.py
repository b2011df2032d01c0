"""`genus cnn describe`: the layers of a network that has a name, and of one in a file."""

from importlib import util
from pathlib import Path

import pytest

from .command import done, genus


@pytest.fixture
def _torch() -> None:
    pytest.importorskip("torch", reason="networks with names are made in PyTorch")


@pytest.mark.usefixtures("_torch")
def test_a_network_by_its_name() -> None:
    out = done("cnn", "describe", "conv8-norm-pool-gap", "--classes", 3, "--size", 16).out
    assert out.startswith("textbook:conv8-norm-pool-gap, input 3 x 16 x 16\n")
    assert "convolution, norm, ReLU" in out and "8 x 16 x 16" in out
    assert out.endswith("259 parameters, 55,320 multiply-adds an image\n")


@pytest.mark.usefixtures("_torch")
def test_as_json() -> None:
    found = done("cnn", "describe", "conv8-norm-pool-gap", "--classes", 3, "--size", 16, "--json").json
    assert found["n_parameters"] == 259 and found["input_shape"] == [3, 16, 16]
    assert [layer["name"] for layer in found["layers"]] == [
        "body.conv1.conv",
        "body.pool1",
        "neck",
        "classifier",
    ]


def test_a_model_file_needs_no_pytorch(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    found = done("cnn", "describe", model, "--json").json
    assert found["layers"] and found["n_parameters"] > 0


def test_without_pytorch_a_name_asks_for_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    complaint = genus("cnn", "describe", "resnet18").complaint
    assert complaint.endswith("needs the extra 'cnn': pip install \"genus[cnn]\"")


@pytest.mark.usefixtures("_torch")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["finetune"], "a way to train, no network: it takes efficientnet-lite2"),
        (["scratch"], "whichever suits the images"),
        (["resnet19"], "Did you mean 'resnet18'"),
        (["conv8-pol-gap"], "'pol' (word 2) is no layer"),
        (["resnet18", "--size", 4], "pictures of 4 pixels cannot be used; it takes 16 to 1024"),
        (["resnet18", "--classes", 0], "at least one class"),
    ],
)
def test_what_cannot_be_described_is_one_line(arguments: list[object], message: str) -> None:
    assert message in genus("cnn", "describe", *arguments).complaint


def test_a_file_has_its_own_classes(model: Path, tmp_path: Path) -> None:
    assert "are its own" in genus("cnn", "describe", model, "--classes", 3).complaint
    assert "cannot be read" in genus("cnn", "describe", tmp_path / "none.onnx").complaint
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    assert "not a valid ONNX file" in genus("cnn", "describe", tmp_path / "bad.onnx").complaint


def test_a_wrong_verb_is_answered_with_the_right_one() -> None:
    outcome = genus("cnn", "decribe", "resnet18")
    assert outcome.code == 2 and "describe" in outcome.err
