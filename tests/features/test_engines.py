"""The engines: one interface, the same numbers, whoever calls from however many threads."""

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from genus.errors import EngineError, ParameterError
from genus.features import engines
from genus.features.engines import Runner, available_engines, choose_engine, open_runner
from genus.features.feature_set import parse_feature_set
from genus.graph import GraphBuilder
from photographs import cosines, photographs

INSTALLED = available_engines()
PRECISIONS = ("float32", "int8")


@lru_cache(maxsize=8)
def runner(engine: str, precision: str, workers: int = 1) -> Runner:
    model = parse_feature_set("efficientnet-lite0@224/middle", precision=precision).model()
    return open_runner(model, engine=engine, workers=workers)


def features(engine: str, precision: str, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return runner(engine, precision)(images)["features"]


def two_outputs() -> bytes:
    b = GraphBuilder()
    x = b.op("Cast", "images", to=1)
    b.output(b.op("ReduceMean", x, axes=[1, 2], keepdims=0), "mean", np.float32, ["N", 3])
    b.output(b.op("ReduceMax", x, axes=[1, 2], keepdims=0), "max", np.float32, ["N", 3])
    return bytes(b.model([("images", np.uint8, ["N", 8, 8, 3])]).SerializeToString())


def test_onnx_runtime_is_always_there() -> None:
    assert "onnxruntime" in INSTALLED and "auto" not in INSTALLED


@pytest.mark.parametrize(
    ("engine", "n_images", "installed", "chosen"),
    [
        ("auto", None, ("onnxruntime", "openvino"), "openvino"),
        ("auto", 100_000, ("onnxruntime", "openvino"), "openvino"),
        ("auto", 1, ("onnxruntime", "openvino"), "onnxruntime"),
        ("auto", None, ("onnxruntime",), "onnxruntime"),
        ("onnxruntime", 100_000, ("onnxruntime", "openvino"), "onnxruntime"),
        ("openvino", 1, ("onnxruntime", "openvino"), "openvino"),
    ],
)
def test_the_choice(
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    n_images: int | None,
    installed: tuple[str, ...],
    chosen: str,
) -> None:
    monkeypatch.setattr(engines, "available_engines", lambda: installed)
    assert choose_engine(engine, n_images) == chosen


def test_an_unknown_and_a_missing_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        ParameterError, match="no engine named 'tensorrt'; there are auto, onnxruntime, openvino"
    ):
        choose_engine("tensorrt")
    monkeypatch.setattr(engines, "available_engines", lambda: ("onnxruntime",))
    with pytest.raises(EngineError, match="'openvino' is not installed here: pip install openvino"):
        choose_engine("openvino")


@pytest.mark.parametrize("engine", INSTALLED)
def test_all_outputs_are_given_unless_some_are_chosen(engine: str) -> None:
    assert set(open_runner(two_outputs(), engine=engine)(np.zeros((1, 8, 8, 3), np.uint8))) == {"mean", "max"}


@pytest.mark.parametrize("engine", INSTALLED)
def test_outputs_are_chosen_by_name(engine: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3)).astype(np.uint8)
    everything = open_runner(two_outputs(), engine=engine, outputs=["mean", "max"])(images)
    only = open_runner(two_outputs(), engine=engine, outputs=["max"])(images)
    assert set(only) == {"max"} and only["max"].dtype == np.float32
    np.testing.assert_allclose(only["max"], images.max(axis=(1, 2)), atol=1)
    np.testing.assert_allclose(everything["mean"], images.mean(axis=(1, 2)), atol=1)


@pytest.mark.parametrize("engine", INSTALLED)
def test_a_graph_can_be_given_as_a_file(engine: str, tmp_path: Path) -> None:
    path = tmp_path / "a graph.onnx"
    path.write_bytes(two_outputs())
    assert open_runner(path, engine=engine)(np.zeros((1, 8, 8, 3), np.uint8))["max"].shape == (1, 3)


@pytest.mark.parametrize("engine", INSTALLED)
@pytest.mark.parametrize(
    "data", [b"", b"no graph at all", two_outputs()[:-40]], ids=["empty", "foreign", "cut"]
)
def test_what_is_no_graph_is_an_engine_error(engine: str, data: bytes, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=f"{engine} cannot load"):
        open_runner(data, engine=engine)
    path = tmp_path / "broken.onnx"
    path.write_bytes(data)
    with pytest.raises(EngineError, match="cannot load"):
        open_runner(path, engine=engine)


@pytest.mark.parametrize("engine", INSTALLED)
def test_pictures_of_the_wrong_size_are_an_engine_error(engine: str) -> None:
    run = open_runner(two_outputs(), engine=engine)
    with pytest.raises(EngineError, match=f"{engine} failed on a batch of 2"):
        run(np.zeros((2, 9, 9, 3), np.uint8))
    assert run(np.zeros((2, 8, 8, 3), np.uint8))["max"].shape == (2, 3), "and the runner is still good"


@pytest.mark.parametrize("engine", INSTALLED)
def test_results_are_the_callers_own(engine: str) -> None:
    """What a call returned is not overwritten by the next one."""
    run = open_runner(two_outputs(), engine=engine)
    first = run(np.full((1, 8, 8, 3), 7, np.uint8))["max"]
    run(np.full((1, 8, 8, 3), 200, np.uint8))
    np.testing.assert_array_equal(first, np.full((1, 3), 7, np.float32))


@pytest.mark.parametrize("engine", INSTALLED)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_size_of_a_batch_changes_nothing(engine: str, precision: str) -> None:
    images = photographs(224)[:7]
    whole = features(engine, precision, images)
    parts = np.concatenate([features(engine, precision, images[a:b]) for a, b in [(0, 1), (1, 4), (4, 7)]])
    assert cosines(whole, parts).min() > 0.9999
    np.testing.assert_allclose(whole, parts, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("engine", INSTALLED)
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("workers", [2, 4])
def test_threads_get_what_one_caller_gets(engine: str, precision: str, workers: int) -> None:
    images = photographs(224)[:8]
    expected = features(engine, precision, images)
    run = runner(engine, precision, workers)
    with ThreadPoolExecutor(workers) as pool:
        rows = list(pool.map(lambda i: run(images[i : i + 1])["features"], list(range(8)) * 2))
    X = np.concatenate(rows)
    np.testing.assert_array_equal(X[:8], X[8:])
    assert cosines(X[:8], expected).min() > 0.9999


@pytest.mark.skipif("openvino" not in INSTALLED, reason="OpenVINO is not installed here")
@pytest.mark.parametrize(("precision", "mean", "least"), [("float32", 0.999, 0.99), ("int8", 0.995, 0.97)])
def test_the_engines_agree(precision: str, mean: float, least: float) -> None:
    """Stated per precision; float32 includes OpenVINO's bfloat16 where the CPU has it."""
    images = photographs(224)
    angle = cosines(features("onnxruntime", precision, images), features("openvino", precision, images))
    assert angle.mean() >= mean and angle.min() >= least


@pytest.mark.parametrize("engine", INSTALLED)
def test_a_runner_says_what_it_is(engine: str) -> None:
    exact, int8 = runner(engine, "float32"), runner(engine, "int8")
    assert exact.engine == int8.engine == engine
    assert exact.family.startswith(engine) and int8.family.startswith(engine)
    assert int8.family == engine, "int8 networks are never run in bfloat16"


def test_no_cache_folder_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("GENUS_CACHE", str(tmp_path / "file" / "below"))
    for engine in INSTALLED:
        assert open_runner(two_outputs(), engine=engine)(np.zeros((1, 8, 8, 3), np.uint8))
