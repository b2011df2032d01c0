"""Keeping an index on disk: a folder of plain arrays, mapped when it is opened, and one JSON file that names them.

All arrays are written into a new folder beside the old one; only then `index.json` is replaced, in one step. Whenever
the writer is killed, the index is the old one or the new one. Nothing in it is executable.
"""

import errno
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from genus.data.dataset import SkippedImage
from genus.errors import DataError, GenusError, OutputError
from genus.estimators.index_arrays import Array, load_array, save_array, save_vectors
from genus.estimators.index_images import Coded, IndexedImages, Texts
from genus.estimators.index_state import IndexState, identity_of
from genus.features.feature_set import FeatureSet
from genus.files import atomic_write, output_error
from genus.images.decode import DECODER_VERSION
from genus.progress import SILENT, Progress
from genus.search.graph import Graph, is_installed
from genus.search.identity import Acquaintance
from genus.search.likeness import Likeness
from genus.search.metric import Metric
from genus.search.storage import StoredRows
from genus.search.vector_index import Recall, VectorIndex

FORMAT_VERSION = 1
MANIFEST = "index.json"
_ABANDONED = 3600  # seconds after which a half-written index is nobody's work any more
_KIND = "genus image index"
_ARRAYS = re.compile(r"rows-[0-9a-f]{8}")
_GRAPH = "graph.usearch"
_TEXTS, _CODED = ("names", "paths"), ("labels", "splits", "groups", "formats")
_PLAIN = ("contents", "hashes", "stamps", "sizes")
_KNOWN = ("strangers", "own", "other", "names")


def is_index(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is an index, whole, half-written or damaged; not one of pictures with some index.json."""
    folder = Path(path)
    if not folder.is_dir():
        return False
    if not (folder / MANIFEST).is_file():
        return any(_half_written(folder))
    try:
        about = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return any(_half_written(folder))
    return isinstance(about, dict) and about.get("kind") == _KIND


def check_target(path: str | os.PathLike[str], *, force: bool) -> Path:
    """Find out before the work whether an index can be written there.

    Raises
    ------
    OutputError
        It is a file or a folder of something else, it exists and `force` is false, or it cannot be written.
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: an index is a folder, and this is a file; choose another name.")
    if folder.is_dir() and any(folder.iterdir()):
        if not is_index(folder):
            raise OutputError(f"{folder}: cannot write an index there: the folder holds other things.")
        if not force and (folder / MANIFEST).exists():  # half of one is nobody's loss
            raise OutputError(
                f"{folder}: exists already. Choose another name, or replace it with --force (force=True)."
            )
    above = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not os.access(above, os.W_OK):
        raise output_error(folder, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    return folder


def write_index(
    state: IndexState, path: str | os.PathLike[str], *, progress: Progress = SILENT
) -> IndexState:
    """Write an index, whole or not at all; one that is there is replaced.

    Returns
    -------
    IndexState
        The same, mapped from what was written, whoever replaces that a moment later.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    folder = Path(path)
    state.vectors.settle(progress=progress)
    before = ""
    with suppress(DataError):
        before = str(_manifest(folder)["arrays"])
    arrays = folder / f"rows-{os.urandom(4).hex()}"
    try:
        arrays.mkdir(parents=True)
        about = _write_arrays(state, arrays)
        kept = _mapped(about, arrays, state.feature_set)
        with atomic_write(folder / MANIFEST) as file:
            file.write(json.dumps(about, indent=1).encode("ascii"))
    except BaseException as error:
        shutil.rmtree(arrays, ignore_errors=True)
        with suppress(OSError):
            folder.rmdir()  # only if there is nothing else
        if isinstance(error, OSError) and not isinstance(error, GenusError):
            raise output_error(folder, error) from error
        raise
    _clear(folder, arrays, before)
    return kept


def _clear(folder: Path, kept: Path, before: str) -> None:
    """Remove the arrays that were replaced, and what killed writers have left; not what another one is writing now."""
    for old in list(_half_written(folder)):
        with suppress(OSError):
            is_old = time.time() - old.stat().st_mtime > _ABANDONED
            if old != kept and (is_old or old.name == before):
                shutil.rmtree(old, ignore_errors=True)


def read_index(path: str | os.PathLike[str], features: FeatureSet | None = None) -> IndexState:
    """Open an index: its arrays are mapped, and read when they are needed.

    Parameters
    ----------
    path : path
    features : FeatureSet or None
        The one it must have been made with; None for the one that it names.

    Raises
    ------
    DataError
        It is missing, half-written, damaged, written by a newer version, or made with another backbone or
        pre-processing.
    """
    folder = Path(path)
    about = _manifest(folder)
    try:
        return _opened(folder, about, features)
    except DataError:
        now = _manifest(folder)
        if now.get("arrays") == about.get("arrays"):
            raise
    return _opened(folder, now, features)  # another process has replaced it just now


def _opened(folder: Path, about: dict[str, Any], features: FeatureSet | None) -> IndexState:
    try:
        if not _ARRAYS.fullmatch(about["arrays"]):
            raise ValueError("its arrays have another name")
        return _mapped(about, folder / about["arrays"], _feature_set(folder, about, features))
    except GenusError:
        raise
    except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError) as error:
        raise DataError(f"{folder}: the index is damaged ({error}). Build it again.") from error


def _mapped(about: dict[str, Any], arrays: Path, feature_set: FeatureSet) -> IndexState:
    loaded = {name: load_array(arrays / f"{name}.npy", size) for name, size in about["files"].items()}
    return _restored(about, loaded, arrays, feature_set)


def _half_written(folder: Path) -> Iterator[Path]:
    return (each for each in folder.iterdir() if each.is_dir() and _ARRAYS.fullmatch(each.name))


def _manifest(folder: Path) -> dict[str, Any]:
    if not folder.exists():
        raise DataError(f"{folder}: no such index. Build one: genus search DATA --save {folder}")
    if not folder.is_dir():
        raise DataError(f"{folder}: an index is a folder; this is a file.")
    if not (folder / MANIFEST).is_file():
        if any(_half_written(folder)):
            raise DataError(
                f"{folder}: half of an index: it was killed while it was written. Build it again."
            )
        raise DataError(f"{folder}: no index: there is no {MANIFEST} in it.")
    try:
        about = json.loads((folder / MANIFEST).read_text("utf-8"))
        if about["kind"] != _KIND:
            raise ValueError("it describes something else")
        version = int(about["format"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: no index, or a damaged one: {MANIFEST}: {error}.") from error
    if version > FORMAT_VERSION:
        raise DataError(f"{folder}: written by a newer Genus. Upgrade: pip install --upgrade genus")
    return dict(about)


def _feature_set(folder: Path, about: dict[str, Any], given: FeatureSet | None) -> FeatureSet:
    """Return what the index was made with, if that is what would be computed today."""
    found = FeatureSet.from_dict(about["features"])
    if given is not None:
        found = replace(given, precision=found.precision)
    identity = identity_of(found)
    if identity == about["identity"]:
        return found
    was = FeatureSet.from_dict(about["features"]).name
    why = f"{found.name} was asked for" if given is not None else "it has changed since then"
    if identity.split()[0] != about["identity"].split()[0] or int(about["decoder"]) != DECODER_VERSION:
        why = "images are decoded in another way since then"
    raise DataError(
        f"{folder}: made with another backbone or pre-processing ({was}; {why}), so its vectors cannot be compared. "
        "Build it again."
    )


def _write_arrays(state: IndexState, folder: Path) -> dict[str, Any]:
    kept = np.flatnonzero(state.vectors.alive)
    images, vectors = state.images.take(kept), state.vectors
    arrays: dict[str, Array] = {name: getattr(images, name) for name in _PLAIN}
    for name in _TEXTS:
        texts = getattr(images, name)
        arrays |= {f"{name}.letters": texts.letters, f"{name}.ends": texts.ends}
    arrays |= {name: getattr(images, name).codes for name in _CODED}
    for number, column in enumerate(images.more.values()):
        arrays[f"more.{number}"] = column.codes if isinstance(column, Coded) else column
    arrays |= {"keys": vectors.keys[kept]}
    if state.metric.mean is not None and state.metric.directions is not None:
        arrays |= {"metric.mean": state.metric.mean, "metric.directions": state.metric.directions}
    if state.acquaintance is not None:
        known = state.acquaintance
        arrays |= {f"known.{name}": getattr(known, name) for name in _KNOWN}
    sizes = {name: save_array(folder / f"{name}.npy", array) for name, array in arrays.items()}
    sizes |= save_vectors(vectors, folder)
    if vectors.graph is not None:
        vectors.graph.save(folder / _GRAPH)
        with (folder / _GRAPH).open("rb") as written:
            os.fsync(written.fileno())
    n_built = int(vectors.alive[: state.n_built].sum())
    return _about(state, images, folder, sizes, n_built)


def _about(
    state: IndexState, images: IndexedImages, folder: Path, sizes: dict[str, int], n_built: int
) -> dict[str, Any]:
    return {
        "kind": _KIND,
        "format": FORMAT_VERSION,
        "arrays": folder.name,
        "files": sizes,
        "graph": (folder / _GRAPH).stat().st_size if state.vectors.graph is not None else None,
        "n_images": len(images),
        "width": state.vectors.width,
        "features": _with_whole_paths(state.feature_set.to_dict()),
        "identity": identity_of(state.feature_set),
        "decoder": DECODER_VERSION,
        "engine": state.engine,
        "metric": state.metric.name,
        "likeness": None if state.likeness is None else state.likeness.to_dict(),
        "recall": None if state.vectors.recall is None else asdict(state.vectors.recall),
        "texts": {name: list(getattr(images, name).texts) for name in _CODED},
        "several_labels": images.several_labels,
        "more": [
            [name, list(column.texts) if isinstance(column, Coded) else None]
            for name, column in images.more.items()
        ],
        "known_share": None if state.acquaintance is None else state.acquaintance.share,
        "figures": dict(state.figures),
        "origin": state.origin,
        "notes": list(state.notes),
        "provenance": dict(state.provenance),
        "listing": state.listing,
        "skipped": [[one.source, one.reason] for one in state.skipped],
        "n_built": n_built,
    }


def _with_whole_paths(features: dict[str, Any]) -> dict[str, Any]:
    """Return a feature set's values with the whole paths of networks, so that it is found from any folder."""
    for branch in features["branches"]:
        if branch["backbone"].lower().endswith(".onnx"):
            branch["backbone"] = os.path.abspath(branch["backbone"])
    return features


def _images(about: dict[str, Any], arrays: dict[str, Array]) -> IndexedImages:
    more = {
        name: arrays[f"more.{i}"] if texts is None else Coded(arrays[f"more.{i}"], tuple(texts))
        for i, (name, texts) in enumerate(about["more"])
    }
    return IndexedImages(
        names=Texts(arrays["names.letters"], arrays["names.ends"]),
        paths=Texts(arrays["paths.letters"], arrays["paths.ends"]),
        contents=arrays["contents"],
        hashes=arrays["hashes"],
        stamps=arrays["stamps"],
        sizes=arrays["sizes"],
        labels=Coded(arrays["labels"], tuple(about["texts"]["labels"])),
        splits=Coded(arrays["splits"], tuple(about["texts"]["splits"])),
        groups=Coded(arrays["groups"], tuple(about["texts"]["groups"])),
        formats=Coded(arrays["formats"], tuple(about["texts"]["formats"])),
        more=more,
        several_labels=bool(about["several_labels"]),
    )


def _restored(
    about: dict[str, Any], arrays: dict[str, Array], folder: Path, feature_set: FeatureSet
) -> IndexState:
    n, width = int(about["n_images"]), int(about["width"])
    images = _images(about, arrays)
    lengths = [
        *(len(arrays[name]) for name in (*_PLAIN, *_CODED, "keys")),
        len(images.names),
        len(images.paths),
    ]
    if any(length != n for length in lengths) or arrays["vectors"].shape != (n, width):
        raise ValueError("its parts do not fit together")
    graph = None if about["graph"] is None else _open_graph(folder, about["graph"], width, n)
    recall = None if about["recall"] is None or graph is None else Recall(**about["recall"])
    stored = StoredRows(arrays["vectors"], arrays.get("scales"))
    has_metric = "metric.mean" in arrays
    known = None
    if "known.names" in arrays:  # earlier indexes did not say whose the strangers' images were
        share = float(about["known_share"])
        known = Acquaintance(**{name: arrays[f"known.{name}"] for name in _KNOWN}, share=share)
    return IndexState(
        feature_set=feature_set,
        engine=str(about["engine"]),
        images=images,
        vectors=VectorIndex(stored, graph, np.array(arrays["keys"]), recall),
        metric=Metric(about["metric"], arrays["metric.mean"], arrays["metric.directions"])
        if has_metric
        else Metric(about["metric"]),
        likeness=None if about["likeness"] is None else Likeness.from_dict(about["likeness"]),
        acquaintance=known,
        figures=about["figures"],
        origin=about["origin"],
        notes=tuple(about["notes"]),
        provenance=about["provenance"],
        listing=about["listing"],
        skipped=tuple(SkippedImage(*one) for one in about.get("skipped", ())),
        n_built=int(about.get("n_built", n)),
    )


def _open_graph(folder: Path, size: int, width: int, n: int) -> Graph | None:
    found = (folder / _GRAPH).stat().st_size
    if found != size:
        raise ValueError(f"{_GRAPH} has {found} bytes instead of {size}")
    return Graph.open(folder / _GRAPH, width, n) if is_installed() else None  # all rows are compared then
