"""The model file: everything in one ONNX file, which reads back, runs anywhere, and is never trusted blindly."""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from genus.classify.logistic import LogisticHead
from genus.errors import ModelFileError, OutputError
from genus.features.engines import available_engines, open_runner
from genus.features.feature_set import FeatureSet, PrecisionName, parse_feature_set
from genus.graph import GraphBuilder
from genus.images.preprocess import Preprocess
from genus.model_file import (
    FORMAT_VERSION,
    ModelFile,
    build_model_file,
    build_pretrained_file,
    read_model_file,
)
from photographs import photographs

DETAILS = {"metrics": {"accuracy": 0.9}, "provenance": {"seed": 0, "command": "genus train «ünï»"}}


class LinearHead:
    """The least that the model file needs of a head."""

    def __init__(self, n_classes: int, n_features: int) -> None:
        self.weights = np.random.default_rng(0).normal(0, 0.1, (n_features, n_classes)).astype(np.float32)

    def export(self, graph: GraphBuilder, x: str) -> str:
        return graph.op("MatMul", x, graph.constant(self.weights))

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        logits = (X.astype(np.float64) @ self.weights).astype(np.float64)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def made(
    classes: list[str], spec: str = "color-histogram@32", details: Mapping[str, Any] = DETAILS
) -> ModelFile:
    feature_set = parse_feature_set(spec)
    return build_model_file(
        feature_set, LinearHead(len(classes), feature_set.n_features), tuple(classes), details
    )


@lru_cache(maxsize=4)
def small(spec: str = "color-histogram@32") -> ModelFile:
    return made(["ant", "bee", "zebra 2", "zebra 10"], spec)


def pictures(size: int = 32, n: int = 6) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3)).astype(np.uint8)


def saved(folder: Path, model: ModelFile | None = None) -> Path:
    path = folder / "model.onnx"
    (model or small()).save(path)
    return path


def altered(folder: Path, change: Callable[[dict[str, str]], None]) -> Path:
    """Save the small model with other metadata."""
    model = onnx.load_model_from_string(small().data)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    change(metadata)
    del model.metadata_props[:]
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    path = saved(tmp_path)
    read, model = read_model_file(path), small()
    assert (read.classes, read.preprocess, read.data) == (model.classes, model.preprocess, model.data)
    assert read.details == DETAILS and read.path == path
    assert FeatureSet.from_dict(dict(read.features)) == parse_feature_set("color-histogram@32")


NAMES = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), min_size=2, max_size=6
)


@given(NAMES.filter(lambda names: len(set(names)) == len(names)))
def test_any_class_names_survive_in_their_order(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    names = [name for name in names if name == str(np.array([name])[0])] or [
        "a"
    ]  # numpy drops trailing zeros
    read = read_model_file(saved(tmp_path_factory.mktemp("m"), made(names, "color-histogram@32")))
    assert list(read.classes) == names


NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text() | st.just("caf\udce9")  # an undecodable byte, as Python reads it from a file's name
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=10), JSON, max_size=4))
def test_any_details_survive(tmp_path_factory: pytest.TempPathFactory, details: dict[str, Any]) -> None:
    path = saved(tmp_path_factory.mktemp("m"), made(["a", "b"], details=details))
    assert read_model_file(path).details == details


def test_details_can_be_added_later(tmp_path: Path) -> None:
    before = made(["a", "b"], details={"head": {"name": "lda"}})
    read = read_model_file(saved(tmp_path, before.with_details(parity={"onnxruntime": 0.0})))
    assert read.details == {"head": {"name": "lda"}, "parity": {"onnxruntime": 0.0}}
    assert read.classes == before.classes and "parity" not in before.details


def test_it_says_all_that_is_inside_as_plain_values() -> None:
    values = json.loads(json.dumps(small().to_dict()))
    assert values["classes"] == ["ant", "bee", "zebra 2", "zebra 10"]
    assert values["bytes"] == len(small().data) and values["path"] is None
    assert values["preprocess"]["height"] == 32 and values["features"]["branches"][0]["size"] == 32
    assert values["metrics"] == {"accuracy": 0.9}


def test_plain_onnx_runtime_runs_it(tmp_path: Path) -> None:
    """No Genus is needed: input, outputs and metadata are as documented."""
    session = ort.InferenceSession(str(saved(tmp_path)), providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["genus.classes"]) == ["ant", "bee", "zebra 2", "zebra 10"]
    assert json.loads(metadata["genus.preprocess"])["width"] == 32
    (image,) = session.get_inputs()
    assert (image.name, image.type, image.shape) == ("images", "tensor(uint8)", ["N", 32, 32, 3])
    assert {o.name for o in session.get_outputs()} == {"probabilities", "logits", "embedding"}
    proba, logits = session.run(["probabilities", "logits"], {"images": pictures()})
    assert proba.shape == (6, 4) and proba.dtype == np.float32
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(proba.argmax(axis=1), logits.argmax(axis=1))


def test_a_network_leaves_its_feature_map() -> None:
    model = small("efficientnet-lite0@64")
    out = model.open(outputs=["feature_map", "embedding"])(pictures(64))
    assert out["feature_map"].shape == (6, 1280, 2, 2)
    np.testing.assert_allclose(out["feature_map"].mean(axis=(2, 3)), out["embedding"], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "spec", ["color-histogram@32", "lbp@64+thumbnail@32", "efficientnet-lite0@64/middle/mirror"]
)
@pytest.mark.parametrize("engine", available_engines())
def test_the_file_computes_what_the_head_computes_on_the_features(spec: str, engine: str) -> None:
    feature_set, model = parse_feature_set(spec), small(spec)
    out = model.open(engine=engine, outputs=["probabilities", "embedding"])(pictures(feature_set.size))
    head = LinearHead(len(model.classes), feature_set.n_features)
    np.testing.assert_allclose(out["probabilities"], head.predict_proba(out["embedding"]), atol=0.02)


@pytest.mark.skipif("openvino" not in available_engines(), reason="OpenVINO is not installed here")
@pytest.mark.parametrize(("precision", "stated"), [("int8", 0.02), ("float32", 0.05)])
def test_the_engines_agree_in_probability(precision: PrecisionName, stated: float) -> None:
    """Float32 includes OpenVINO's bfloat16 where the CPU has it; the classes are near twins, on purpose."""
    feature_set = parse_feature_set("efficientnet-lite0@224", precision=precision)
    y = np.repeat(["china", "flower", "dark china", "dark flower"], 5)
    X = open_runner(feature_set.model(), engine="onnxruntime")(photographs(224))["features"]
    head = LogisticHead().fit(X, y)
    model = build_model_file(feature_set, head, tuple(head.classes_), {})
    shipped, other = (model.open(engine=e)(photographs(224))["probabilities"] for e in available_engines())
    np.testing.assert_allclose(shipped, head.predict_proba(X), atol=1e-4)
    assert np.abs(shipped - other).max() <= stated


def test_only_plain_operators_of_one_opset() -> None:
    for spec in ("color-histogram@32", "efficientnet-lite0@64"):
        model = onnx.load_model_from_string(small(spec).data)
        onnx.checker.check_model(model, full_check=True)
        assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
        assert not any(attribute.type in (5, 10) for node in model.graph.node for attribute in node.attribute)
        assert not any(tensor.external_data for tensor in model.graph.initializer), "nothing outside the file"


def test_the_same_model_gives_the_same_bytes() -> None:
    assert made(["a", "b"]).data == made(["a", "b"]).data


def test_a_backbones_own_classes() -> None:
    feature_set = parse_feature_set("efficientnet-lite0@64")
    names = tuple(f"class {i}" for i in range(1000))
    model = build_pretrained_file(feature_set, names, {})
    assert model.open()(pictures(64))["probabilities"].shape == (6, 1000)
    with pytest.raises(ModelFileError, match="no classes of its own"):
        build_pretrained_file(parse_feature_set("hog@64"), names, {})


def test_saving_never_overwrites_unless_told_to(tmp_path: Path) -> None:
    path = saved(tmp_path)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        made(["x", "y"]).save(path)
    assert path.read_bytes() == before
    made(["x", "y"]).save(path, force=True)
    assert read_model_file(path).classes == ("x", "y")
    with pytest.raises(OutputError, match="its folder does not exist"):
        small().save(tmp_path / "no" / "model.onnx")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "not a readable ONNX model", id="empty"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(100), "not a readable ONNX model", id="a picture"),
        pytest.param(b"hello", "not a readable ONNX model", id="text"),
        pytest.param(bytes(1000), "not a readable ONNX model", id="zeros"),
        pytest.param(bytes(range(256)) * 40, "not a readable ONNX model", id="noise"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=rf"m\.onnx: {message}"):
        read_model_file(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(ModelFileError, match="cannot read the model file"):
            read_model_file(path)


def test_a_foreign_onnx_file_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(parse_feature_set("lbp@64").model())
    with pytest.raises(ModelFileError, match="not a Genus model .* genus train DATA --features"):
        read_model_file(path)


@pytest.mark.parametrize("version", [str(FORMAT_VERSION + 1), "99", "2.0", "", "newest", "-1"])
def test_a_newer_file_says_what_to_do(tmp_path: Path, version: str) -> None:
    path = altered(tmp_path, lambda metadata: metadata.update({"genus.format": version}))
    with pytest.raises(ModelFileError, match="newer Genus .* pip install --upgrade genus"):
        read_model_file(path)


KEYS = ("genus.classes", "genus.preprocess", "genus.features", "genus.details")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", [None, "", "{", "null", "3", '"text"', "[]", "[1, 2]", '{"a": 1}', "NaN"])
def test_damaged_metadata_is_refused(tmp_path: Path, key: str, value: str | None) -> None:
    fits = {"genus.features": ('{"a": 1}',), "genus.details": ('{"a": 1}',)}
    if value in fits.get(key, ()):
        return

    def change(metadata: dict[str, str]) -> None:
        metadata.pop(key) if value is None else metadata.update({key: value})

    with pytest.raises(ModelFileError):
        read_model_file(altered(tmp_path, change))


@pytest.mark.parametrize("change", ["classes", "size"])
def test_metadata_that_contradicts_the_graph_is_refused(tmp_path: Path, change: str) -> None:
    other = {
        "classes": {"genus.classes": json.dumps(["only", "two"])},
        "size": {"genus.preprocess": Preprocess(64, 64).to_json()},
    }
    with pytest.raises(ModelFileError):
        read_model_file(altered(tmp_path, lambda metadata: metadata.update(other[change])))


@given(st.integers(0, len(small().data) - 1))
def test_a_file_cut_short_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = tmp_path_factory.mktemp("m") / "cut.onnx"
    path.write_bytes(small().data[:length])
    with pytest.raises(ModelFileError, match=r"cut\.onnx"):
        read_model_file(path)


@given(st.integers(0, len(small().data) - 1), st.integers(0, 255))
def test_a_changed_byte_is_an_error_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int
) -> None:
    data = bytearray(small().data)
    data[place] = value
    path = tmp_path_factory.mktemp("m") / "changed.onnx"
    path.write_bytes(bytes(data))
    try:
        read = read_model_file(path)
    except ModelFileError:
        return
    assert all(isinstance(name, str) for name in read.classes)
