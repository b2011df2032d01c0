"""The engines that run a graph, behind one interface.

ONNX Runtime is always there and starts fastest; OpenVINO (x86-64) is faster for many pictures, most of all with
bfloat16. Either is called from several threads at once, each call on one core: extraction gives every core its own
pictures from decoding to features, so that none waits for another.
"""

import os
import threading
from collections.abc import Sequence
from importlib import util
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from genus.errors import EngineError, ParameterError
from genus.files import cache_dir

ENGINES = ("auto", "onnxruntime", "openvino")
_FEW_IMAGES = 200  # below this, OpenVINO's slower start is not won back
# int8 networks are fastest with float32 between; comparisons (local binary patterns) tip over when rounded
_NOT_FOR_BF16 = {"FakeQuantize", "Greater", "GreaterEqual", "Less", "LessEqual", "Equal"}
_SINK = "/sink_port_0"
_QUIET = 3  # ONNX Runtime's log severity: errors only

Outputs = dict[str, NDArray[np.float32]]


class Runner(Protocol):
    """A graph, ready to run.

    Attributes
    ----------
    engine : str
        "onnxruntime" or "openvino".
    family : str
        What the numbers are, part of the cache's key: "onnxruntime-float32", "openvino-bf16" ...
    """

    engine: str
    family: str

    def __call__(self, images: NDArray[np.uint8]) -> Outputs:
        """Run uint8 pictures (n, h, w, 3); returns each output by name, float32 (n, ...). Thread-safe."""


def available_engines() -> tuple[str, ...]:
    """Name the engines that are installed."""
    return tuple(name for name in ENGINES[1:] if util.find_spec(name) is not None)


def choose_engine(engine: str, n_images: int | None = None) -> str:
    """Settle "auto": OpenVINO for many pictures where it is installed, else ONNX Runtime.

    Parameters
    ----------
    engine : {"auto", "onnxruntime", "openvino"}
    n_images : int or None
        How many pictures will be run, where known.

    Raises
    ------
    ParameterError
        No engine has that name.
    EngineError
        The engine is not installed.

    Examples
    --------
    >>> choose_engine("auto", n_images=1)
    'onnxruntime'
    """
    if engine not in ENGINES:
        raise ParameterError(f"no engine named {engine!r}; there are {', '.join(ENGINES)}.")
    installed = available_engines()
    if engine == "auto":
        many = n_images is None or n_images >= _FEW_IMAGES
        return "openvino" if many and "openvino" in installed else "onnxruntime"
    if engine not in installed:
        raise EngineError(f"the engine {engine!r} is not installed here: pip install {engine}")
    return engine


def runner_family(engine: str = "auto", *, n_images: int | None = None, allow_bf16: bool = True) -> str:
    """Name the numbers that `open_runner` would yield with these arguments, without opening anything.

    Parameters
    ----------
    engine : {"auto", "onnxruntime", "openvino"}
    n_images : int or None
    allow_bf16 : bool
        See `open_runner`; true only for graphs that bfloat16 suits (`FeatureSet.tolerates_bf16`).

    Returns
    -------
    str
        `Runner.family`.
    """
    chosen = choose_engine(engine, n_images)
    bf16 = chosen == "openvino" and allow_bf16 and _is_fast_with_bf16(_openvino_core())
    return "openvino-bf16" if bf16 else chosen


def open_runner(
    model: bytes | Path,
    *,
    engine: str = "auto",
    workers: int = 1,
    outputs: Sequence[str] | None = None,
    n_images: int | None = None,
    allow_bf16: bool = True,
) -> Runner:
    """Prepare a graph for running.

    Parameters
    ----------
    model : bytes or Path
        A serialised ONNX graph, or its file. Its input is `images`, uint8 [N, H, W, 3].
    engine : {"auto", "onnxruntime", "openvino"}, default "auto"
        See `choose_engine`.
    workers : int, default 1
        How many threads will call the runner at once; each call then uses one core. With 1, a call uses all cores.
    outputs : sequence of str or None
        The outputs wanted; None for all.
    n_images : int or None
        How many pictures will be run, where known: it decides "auto".
    allow_bf16 : bool, default True
        Whether OpenVINO may compute in bfloat16 where the processor is faster with it.

    Raises
    ------
    EngineError
        The engine cannot load the graph.
    """
    chosen = choose_engine(engine, n_images)
    try:
        if chosen == "openvino":
            return _OpenVinoRunner(model, workers, outputs, allow_bf16)
        return _OnnxRuntimeRunner(model, workers, outputs)
    except (RuntimeError, ValueError, NotImplementedError) as error:
        what = model if isinstance(model, Path) else "the graph"
        raise EngineError(f"{chosen} cannot load {what}: {_first_line(error)}") from error
    except Exception as error:  # the engines' own exceptions share no base class
        if type(error).__module__.split(".")[0] not in {"onnxruntime", "openvino"}:
            raise
        raise EngineError(f"{chosen} cannot load {model!r:.80}: {_first_line(error)}") from error


class _OnnxRuntimeRunner:
    engine = "onnxruntime"

    def __init__(self, model: bytes | Path, workers: int, outputs: Sequence[str] | None) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = _QUIET
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if workers > 1:
            options.intra_op_num_threads = 1
        source = str(model) if isinstance(model, Path) else model
        self._session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self._names = list(outputs or [output.name for output in self._session.get_outputs()])
        self.family = "onnxruntime"

    def __call__(self, images: NDArray[np.uint8]) -> Outputs:
        try:
            values = self._session.run(self._names, {"images": images})
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise EngineError(
                f"onnxruntime failed on a batch of {len(images)}: {_first_line(error)}"
            ) from error
        return dict(zip(self._names, values, strict=True))


class _OpenVinoRunner:
    engine = "openvino"

    def __init__(
        self, model: bytes | Path, workers: int, outputs: Sequence[str] | None, allow_bf16: bool
    ) -> None:
        core = _openvino_core()
        graph = core.read_model(str(model) if isinstance(model, Path) else model)
        bf16 = allow_bf16 and _prefers_bf16(core, graph)
        config: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32"}
        if workers > 1:
            config |= {"NUM_STREAMS": str(workers), "INFERENCE_NUM_THREADS": workers}
        self._compiled = core.compile_model(graph, "CPU", config)
        # the declared outputs are Identity nodes that OpenVINO removes: one tensor then has several names
        declared = [result.get_friendly_name().removesuffix(_SINK) for result in graph.get_results()]
        ports = {name: port for port in self._compiled.outputs for name in port.get_names()}
        self._ports = {name: ports[name] for name in (outputs or declared)}
        self._local = threading.local()
        self._first = threading.Lock()
        self._warm = False
        self.family = "openvino-bf16" if bf16 else "openvino"

    def __call__(self, images: NDArray[np.uint8]) -> Outputs:
        if not self._warm:  # the first calls of a process may block each other for ever: one goes ahead
            with self._first:
                outputs = self._infer(images)
                self._warm = True
                return outputs
        return self._infer(images)

    def _infer(self, images: NDArray[np.uint8]) -> Outputs:
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        try:
            request.infer({"images": images})
        except RuntimeError as error:
            raise EngineError(f"openvino failed on a batch of {len(images)}: {_first_line(error)}") from error
        # Copies: the request overwrites its own memory at the next call.
        return {name: np.array(request.get_tensor(port).data) for name, port in self._ports.items()}


def _openvino_core() -> Any:
    os.environ.setdefault("OPENVINO_TELEMETRY", "0")
    import openvino

    core = openvino.Core()
    blobs = cache_dir() / "openvino"
    if os.access(blobs.parent, os.W_OK):
        core.set_property({"CACHE_DIR": str(blobs)})  # compiled once, loaded in a fifth of the time after
    return core


def cpu_capabilities() -> tuple[str, tuple[str, ...]]:
    """Return the processor's name and the number types that OpenVINO finds it fast with: "FP32", "INT8", "BF16" ...

    Raises
    ------
    EngineError
        OpenVINO is not installed.
    """
    choose_engine("openvino")
    core = _openvino_core()
    return (
        str(core.get_property("CPU", "FULL_DEVICE_NAME")),
        tuple(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")),
    )


def _prefers_bf16(core: Any, graph: Any) -> bool:
    return _is_fast_with_bf16(core) and not any(op.get_type_name() in _NOT_FOR_BF16 for op in graph.get_ops())


def _is_fast_with_bf16(core: Any) -> bool:
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
