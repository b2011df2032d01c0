"""Where a result comes from: versions, time, command, seed. Written into every model file."""

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from genus._version import __version__
from genus.features.engines import available_engines

_LIBRARIES = ("numpy", "scikit-learn", "opencv-python-headless", "onnxruntime", "openvino")


def provenance_of(command: str | None, random_state: int | None) -> dict[str, Any]:
    """Return what others need to repeat a run, save the data.

    Examples
    --------
    >>> provenance_of("genus train flowers/", 0)["random_state"]
    0
    """
    return {
        "genus": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "random_state": random_state,
        "python": platform.python_version(),
        "engines": list(available_engines()),
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
