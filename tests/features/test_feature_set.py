"""Feature sets: small descriptions that become one graph."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from genus.errors import ParameterError
from genus.features import feature_set as module
from genus.features.backbone import BACKBONES
from genus.features.engines import open_runner
from genus.features.feature_set import (
    PRESETS,
    Branch,
    FeatureSet,
    feature_set_for,
    find_backbone,
    parse_feature_set,
)
from genus.graph import GraphBuilder
from genus.images.preprocess import Preprocess
from photographs import cosines, photographs

CHEAP = "thumbnail@32+lbp@64"


def features(
    spec: str | FeatureSet, images: NDArray[np.uint8], precision: str = "float32"
) -> NDArray[np.float32]:
    chosen = parse_feature_set(spec, precision=precision) if isinstance(spec, str) else spec
    return open_runner(chosen.model(), engine="onnxruntime")(images)["features"]


@pytest.mark.parametrize(
    ("spec", "branches", "name"),
    [
        ("efficientnet-lite0", [("efficientnet-lite0", 224, False, False)], "efficientnet-lite0@224"),
        ("efficientnet-lite2", [("efficientnet-lite2", 260, False, False)], "efficientnet-lite2@260"),
        ("hog@64", [("hog", 64, False, False)], "hog@64"),
        (
            "efficientnet-lite0@300/mirror",
            [("efficientnet-lite0", 300, True, False)],
            "efficientnet-lite0@300/mirror",
        ),
        (
            "efficientnet-lite0/mirror/middle",
            [("efficientnet-lite0", 224, True, True)],
            "efficientnet-lite0@224/middle/mirror",
        ),
        (" hog@64 + lbp@32 ", [("hog", 64, False, False), ("lbp", 32, False, False)], "hog@64+lbp@32"),
    ],
)
def test_descriptions(spec: str, branches: list[tuple[str, int, bool, bool]], name: str) -> None:
    parsed = parse_feature_set(spec)
    assert [(b.backbone, b.size, b.mirror, b.middle) for b in parsed.branches] == branches
    assert parsed.name == name and parsed.precision == "int8"
    assert parse_feature_set(parsed.name) == parsed
    side = max(size for _, size, _, _ in branches)
    assert (parsed.size, parsed.preprocess.height, parsed.preprocess.width) == (side, side, side)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "no backbone named ''"),
        ("efficientnet-lite9", "Did you mean 'efficientnet-lite"),
        ("hog@31", "from 32 to 1024"),
        ("hog@1025", "from 32 to 1024"),
        ("hog@-64", "from 32 to 1024"),
        ("hog@64.5", "from 32 to 1024"),
        ("hog@64+", "no backbone named ''"),
        ("hog@64/sideways", "from 32 to 1024"),
    ],
)
def test_wrong_descriptions(spec: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        parse_feature_set(spec)


def test_a_wrong_precision_and_a_wrong_preset() -> None:
    with pytest.raises(ParameterError, match="precision must be 'float32' or 'int8', not 'int4'"):
        parse_feature_set("hog", precision="int4")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="no preset named 'quick'; there are fast, balanced, best"):
        feature_set_for("quick")


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_descriptions(preset: str) -> None:
    assert feature_set_for(preset) == parse_feature_set(PRESETS[preset])
    assert FeatureSet.from_dict(feature_set_for(preset).to_dict()) == feature_set_for(preset)


BRANCHES = st.builds(
    Branch,
    st.sampled_from(sorted(BACKBONES)),
    st.integers(32, 1024),
    mirror=st.booleans(),
    middle=st.booleans(),
)


@given(st.lists(BRANCHES, min_size=1, max_size=4), st.sampled_from(["int8", "float32"]))
def test_a_feature_set_comes_back_from_its_name_and_from_its_values(
    branches: list[Branch], precision: str
) -> None:
    side = max(branch.size for branch in branches)
    chosen = FeatureSet(tuple(branches), precision, Preprocess(side, side))
    assert parse_feature_set(chosen.name, precision=precision) == chosen
    assert FeatureSet.from_dict(chosen.to_dict()) == chosen


def test_blocks_lie_side_by_side() -> None:
    blocks = parse_feature_set("efficientnet-lite0/middle+hog@64+color-histogram@64").blocks
    assert [b.name for b in blocks][:3] == [
        "efficientnet-lite0@224/middle",
        "efficientnet-lite0@224/middle/block10",
        "efficientnet-lite0@224/middle/block14",
    ]
    assert blocks[0].start == 0
    assert all(a.stop == b.start for a, b in zip(blocks, blocks[1:], strict=False))
    assert blocks[0].stop == 1280


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_makes_a_valid_graph_of_one_row_a_picture(backbone: str) -> None:
    chosen = parse_feature_set(f"{backbone}@64", precision="float32")
    model = onnx.load_model_from_string(chosen.model())
    onnx.checker.check_model(model, full_check=True)
    assert all(node.domain in ("", "ai.onnx") for node in model.graph.node), "plain operators only"
    images = photographs(64)
    X = features(chosen, images)
    assert X.shape == (len(images), chosen.n_features) and X.dtype == np.float32
    assert np.isfinite(X).all() and X.std(axis=0).max() > 0
    np.testing.assert_allclose(X[3:5], features(chosen, images[3:5]), rtol=1e-3, atol=1e-3)


def test_several_branches_are_the_single_ones_side_by_side() -> None:
    images = photographs(64)
    chosen = parse_feature_set("thumbnail@64+lbp@64", precision="float32")
    both = features(chosen, images)
    for block, spec in zip(chosen.blocks, ("thumbnail@64", "lbp@64"), strict=True):
        np.testing.assert_allclose(both[:, block.start : block.stop], features(spec, images), rtol=1e-5)


def test_a_smaller_branch_sees_the_picture_shrunk() -> None:
    """A network fed from a larger input sees nearly what it would have seen by itself."""
    chosen = parse_feature_set("lbp@320+efficientnet-lite0@224", precision="float32")
    block = chosen.blocks[1]
    inside = features(chosen, photographs(320))[:, block.start : block.stop]
    alone = features("efficientnet-lite0@224", photographs(224))
    assert cosines(inside, alone).mean() > 0.95


@pytest.mark.parametrize("spec", ["thumbnail@64/mirror", "efficientnet-lite0@64/middle/mirror"])
def test_with_mirror_a_picture_and_its_mirror_image_are_alike(spec: str) -> None:
    images = photographs(64)
    X, mirrored = features(spec, images), features(spec, np.ascontiguousarray(images[:, :, ::-1]))
    np.testing.assert_allclose(X, mirrored, rtol=1e-3, atol=1e-3)
    plain = spec.removesuffix("/mirror")
    mean = (features(plain, images) + features(plain, np.ascontiguousarray(images[:, :, ::-1]))) / 2
    np.testing.assert_allclose(X, mean, rtol=1e-3, atol=1e-3)


def test_int8_leaves_what_it_has_no_ranges_for_as_it_is() -> None:
    images = photographs(64)
    np.testing.assert_array_equal(features("hog@64", images, "int8"), features("hog@64", images))


IDENTITY_CHANGES = {
    "precision": lambda s: replace(s, precision="float32"),
    "another size": lambda s: parse_feature_set("efficientnet-lite0@260"),
    "mirror": lambda s: parse_feature_set("efficientnet-lite0/mirror"),
    "middle": lambda s: parse_feature_set("efficientnet-lite0/middle"),
    "another backbone": lambda s: parse_feature_set("efficientnet-lite2@224"),
    "one branch more": lambda s: parse_feature_set("efficientnet-lite0+hog@64"),
    "the fit": lambda s: replace(s, preprocess=Preprocess(224, 224, fit="crop")),
    "the crop": lambda s: replace(s, preprocess=Preprocess(224, 224, crop_fraction=0.5)),
}


@pytest.mark.parametrize("change", IDENTITY_CHANGES)
def test_everything_that_changes_the_numbers_changes_the_identity(change: str) -> None:
    base = parse_feature_set("efficientnet-lite0")
    assert IDENTITY_CHANGES[change](base).identity != base.identity


def test_other_activation_ranges_change_the_identity_of_int8_only(monkeypatch: pytest.MonkeyPatch) -> None:
    int8, exact = (parse_feature_set("efficientnet-lite0", precision=p) for p in ("int8", "float32"))
    before = int8.identity, exact.identity
    monkeypatch.setattr(module, "int8_ranges", lambda name: {"_conv_stem": (0.0, 5.0)})
    assert int8.identity != before[0] and exact.identity == before[1]


def test_the_identity_is_the_same_in_another_process() -> None:
    code = (
        "from genus.features.feature_set import feature_set_for\nprint(feature_set_for('balanced').identity)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == feature_set_for("balanced").identity


def test_the_graph_is_built_once_and_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENUS_CACHE", str(tmp_path))
    chosen = parse_feature_set(CHEAP)
    data = chosen.model()
    assert (tmp_path / "graphs" / f"{chosen.identity}.onnx").read_bytes() == data
    monkeypatch.setattr(FeatureSet, "build", None)
    assert chosen.model() == data


def test_without_a_writable_cache_the_graph_is_built_each_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("GENUS_CACHE", str(tmp_path / "file"))
    data = parse_feature_set(CHEAP).model()
    onnx.checker.check_model(onnx.load_model_from_string(data))
    assert parse_feature_set(CHEAP).model() == data, "the same bytes each time"


def test_the_inputs_and_outputs_of_the_graph() -> None:
    chosen = parse_feature_set(CHEAP)
    graph = onnx.load_model_from_string(chosen.model()).graph
    shape = [d.dim_param or d.dim_value for d in graph.input[0].type.tensor_type.shape.dim]
    assert [i.name for i in graph.input] == ["images"] and shape == ["N", 64, 64, 3]
    assert [o.name for o in graph.output] == ["features"]


@pytest.mark.parametrize("int8", [False, True])
def test_a_backbone_leaves_the_tensors_it_promises(int8: bool) -> None:
    chosen = parse_feature_set("efficientnet-lite0@64/middle", precision="int8" if int8 else "float32")
    tensors = chosen.build(GraphBuilder(), "images")
    assert tensors.feature_map is not None and tensors.logits is not None
    assert parse_feature_set("hog@64").build(GraphBuilder(), "images").logits is None


def test_backbones_are_found_by_name_only_once() -> None:
    assert find_backbone("hog") is find_backbone("hog")
