"""Where a result comes from: versions, time, command, seed. Written into every model file."""

import hashlib
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from genus._version import __version__
from genus.data.dataset import Dataset
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


def data_hash(content_hashes: Sequence[str], data: Dataset) -> str:
    """Return a hash of the images' contents and labels, whatever their names and order."""
    digest = hashlib.blake2b(digest_size=16)
    for content, label in sorted(zip(content_hashes, _label_texts(data), strict=True)):
        digest.update(f"{content}\t{label}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _label_texts(data: Dataset) -> Sequence[str]:
    """Return each image's label, or its labels, as text."""
    if data.label_sets is None:
        return [label or "" for label in data.labels or ()]
    return ["|".join(data.label_sets[i]) for i in range(len(data))]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
