"""Model files replayed by PyTorch: the same answers as ONNX Runtime gives, and gradients that are slopes."""

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

pytest.importorskip("torch")

from genus import ImageClassifier
from genus.cnn.replay import Replay
from genus.errors import EngineError
from genus.explain.evidence import log_odds
from genus.explain.head_graph import head_function
from genus.graph import SCORES, GraphBuilder
from genus.model_file import ModelFile
from genus.predictor import built_in
from photographs import photographs

NAMES = (["china"] * 5 + ["flower"] * 5) * 2


def as_written(model: ModelFile, pixels: np.ndarray, name: str = "probabilities") -> np.ndarray:
    """ONNX Runtime without its own shortcuts in 8 bits, which round otherwise."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.data, options, providers=["CPUExecutionProvider"])
    return session.run([name], {"images": pixels})[0]


def trained(**changes: object) -> ModelFile:
    options = {"features": "efficientnet-lite0@64", "precision": "float32", "random_state": 0, **changes}
    labels = options.pop("labels", NAMES)
    return ImageClassifier(**options).fit(list(photographs(64)), labels).model_


def test_the_built_in_model_says_the_same() -> None:
    model, pixels = built_in().model, photographs(260)[:4]
    replay = Replay(model.data)
    found = replay.run(pixels, ["probabilities", "feature_map"])
    with_onnx = model.open(engine="onnxruntime", outputs=("probabilities", "feature_map"))(pixels)
    assert np.allclose(found["probabilities"], with_onnx["probabilities"], atol=1e-5)
    assert np.allclose(found["feature_map"], with_onnx["feature_map"], atol=1e-3)


@pytest.mark.parametrize(
    "heads", ["logistic", "linear_svm", "lda", "knn", "prototype", "rbf", "mlp", ["logistic", "rbf", "knn"]]
)
def test_whatever_the_classifier(heads: str | list[str]) -> None:
    model = trained(heads=[heads] if isinstance(heads, str) else heads)
    pixels = photographs(64)
    assert np.allclose(
        Replay(model.data).run(pixels, ["probabilities"])["probabilities"],
        as_written(model, pixels),
        atol=1e-4,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"features": "efficientnet-lite0@64/middle/mirror+efficientnet-lite0@32"},
        {"features": "hog@64+lbp@64+color-histogram@64+thumbnail@32"},
        {"calibration": "isotonic"},
        {"labels": [[name, "any"] if i % 3 else [name] for i, name in enumerate(NAMES)]},
    ],
    ids=["two networks", "no network", "calibrated", "several labels"],
)
def test_whatever_the_features(changes: dict[str, object]) -> None:
    model = trained(heads=["logistic"] if "labels" not in changes else None, **changes)
    pixels = photographs(64)
    found = Replay(model.data).run(pixels, ["probabilities", "embedding"])
    assert np.allclose(found["embedding"], as_written(model, pixels, "embedding"), atol=2e-3)
    assert np.allclose(found["probabilities"], as_written(model, pixels), atol=1e-3)


def test_8_bits_are_rounded_as_in_the_file() -> None:
    model = trained(precision="int8", heads=["logistic"])
    pixels = photographs(64)
    found = Replay(model.data).run(pixels, ["probabilities"])["probabilities"]
    assert np.abs(found - as_written(model, pixels)).max() < 0.02


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_gradients_are_slopes(precision: str) -> None:
    """A small step along the gradient of the last map changes the score by as much as it says."""
    model = trained(heads=["rbf"], precision=precision)
    replay, pixels = Replay(model.data), photographs(64)[:1]
    slopes = replay.slopes(pixels, ["feature_map"], 1, several=False)["feature_map"]
    features = slopes.activations.mean(axis=(2, 3))
    # of a change that is the same at every place; the root of a feature that is 0 has no slope
    direction = np.where(features > 0.1, slopes.gradients.sum(axis=(2, 3)), 0)
    head = head_function(model)
    step = 1e-2 * direction / np.linalg.norm(direction)
    ahead, behind = (log_odds(head(features + sign * step), several=False)[0, 1] for sign in (1, -1))
    assert (ahead - behind) / 2e-2 == pytest.approx(np.linalg.norm(direction), rel=0.02)


def test_gradients_reach_every_layer() -> None:
    model = built_in().model
    replay = Replay(model.data)
    layers = [name for name in replay.names if name.startswith("clip")][::8]
    for found in replay.slopes(photographs(260)[6:7], layers, 985, several=False).values():
        assert np.isfinite(found.gradients).all() and np.abs(found.gradients).max() > 0


@pytest.mark.parametrize("pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("side", [11, 12])
def test_padding_that_follows_from_the_size(pad: str, side: int) -> None:
    """Fine-tuned networks are written so."""
    b, rng = GraphBuilder(), np.random.default_rng(0)
    x = b.op("Transpose", b.op("Cast", "images", to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    kernel = b.constant(rng.normal(size=(4, 3, 5, 4)).astype(np.float32))
    x = b.op("Conv", x, kernel, strides=[2, 1], auto_pad=pad)
    x = b.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], auto_pad=pad)
    b.output(x, "map", np.float32, ["N", 4, None, None])
    b.output(b.op("GlobalMaxPool", x), "largest", np.float32, ["N", 4, 1, 1])
    model = b.model([("images", np.uint8, ["N", side, side, 3])])
    pixels = rng.integers(0, 256, (2, side, side, 3), np.uint8)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(["map", "largest"], {"images": pixels})
    found = Replay(model.SerializeToString()).run(pixels, ["map", "largest"])
    for name, values in zip(("map", "largest"), expected, strict=True):
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-2)


def test_it_says_what_it_cannot() -> None:
    node = helper.make_node("Einsum", ["images"], ["out"], equation="nhwc->nchw")
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 2, 2, 3])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    strange = helper.make_model(helper.make_graph([node], "strange", [images], [out]))
    with pytest.raises(EngineError, match="no operator Einsum"):
        Replay(strange.SerializeToString())
    replay = Replay(built_in().model.data)
    with pytest.raises(EngineError, match="no tensor 'nothing'"):
        replay.run(photographs(260)[:1], ["nothing"])
    assert SCORES not in replay.names
