"""An index as a Parquet table, which every vector database reads."""

from importlib import util
from os import PathLike
from typing import Any

import numpy as np

from genus.errors import MissingExtraError
from genus.estimators.index_state import IndexState
from genus.files import atomic_write, check_writable

_ROWS = 4096  # written at once


def check_export() -> None:
    """Find out before the work whether tables can be written; raises MissingExtraError."""
    if util.find_spec("pyarrow") is None:
        raise MissingExtraError("Writing Parquet tables", "tables")


def export_index(state: IndexState, path: str | PathLike[str], *, force: bool = False) -> None:
    """Write a row an image: image, path, label, split, and `vector`, a list of float32 of fixed length.

    Raises
    ------
    OutputError
        It exists and `force` is false, or cannot be written.
    MissingExtraError
        pyarrow is not installed.
    """
    check_export()
    import pyarrow as pa
    from pyarrow import parquet

    target = check_writable(path, force=force)
    text, vector = pa.string(), pa.list_(pa.float32(), state.vectors.width)
    schema = pa.schema(
        [("image", text), ("path", text), ("label", text), ("split", text), ("vector", vector)]
    )
    places = np.flatnonzero(state.vectors.alive)
    with atomic_write(target) as file, parquet.ParquetWriter(file, schema) as writer:
        for start in range(0, len(places), _ROWS):
            writer.write_batch(_batch(state, places[start : start + _ROWS], schema, pa))


def _batch(state: IndexState, places: Any, schema: Any, pa: Any) -> Any:
    images, rows = state.images, places.tolist()
    vectors = pa.array(np.ravel(state.vectors.read(places)), pa.float32())
    columns = [
        pa.array([_text(images.names[i]) for i in rows], pa.string()),
        pa.array([_text(images.paths[i]) or None for i in rows], pa.string()),
        pa.array([_text(images.labels[i]) for i in rows], pa.string()),
        pa.array([_text(images.splits[i]) for i in rows], pa.string()),
        pa.FixedSizeListArray.from_arrays(vectors, state.vectors.width),
    ]
    return pa.record_batch(columns, schema=schema)


def _text(name: str | None) -> str | None:
    """Escape the bytes of a file name that are no text; labels may be names of folders."""
    return None if name is None else name.encode("utf-8", "backslashreplace").decode("utf-8")
