"""The arrays of an index on disk: written so that they are there when the call returns, mapped when they are read."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.search.vector_index import VectorIndex

Array = NDArray[Any]


def save_vectors(vectors: VectorIndex, folder: Path) -> dict[str, int]:
    """Write the rows that are left piece by piece, as they may be more than fit in memory; returns bytes by name."""
    n, names = len(vectors), ["vectors", *(["scales"] if vectors.storage == "int8" else [])]
    shapes = {"vectors": ((n, vectors.width), vectors.storage), "scales": ((n,), "float32")}
    for name in names:
        shape, kind = shapes[name]
        with (folder / f"{name}.npy").open("wb") as file:
            header = {"descr": np.dtype(kind).str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for piece in vectors.pieces():
                part = piece.values if name == "vectors" else piece.scales
                file.write(b"" if part is None else np.ascontiguousarray(part).tobytes())
            file.flush()
            os.fsync(file.fileno())
    return {name: (folder / f"{name}.npy").stat().st_size for name in names}


def save_array(path: Path, array: Array) -> int:
    """Write an array; returns its bytes on disk."""
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    return path.stat().st_size


def load_array(path: Path, size: int) -> Array:
    """Map an array; raises ValueError or OSError if it is not what was written."""
    found = path.stat().st_size
    if found != size:
        raise ValueError(f"{path.name} has {found} bytes instead of {size}")
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:  # nothing in it cannot be mapped
        array = np.load(path, allow_pickle=False)
    return array
