"""The index of a folder or table, kept in the cache: made at the first search, opened at the next ones.

It is known by the place of the data and by what is computed. If a file was added, removed or written to, or a label
has changed, it is built anew; features that are in the cache are not computed again.
"""

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from genus.data.dataset import Dataset, SkippedImage
from genus.data.parquet import ParquetImage
from genus.errors import DataError, ImageError, OutputError
from genus.estimators.index_building import IndexOptions, build_index
from genus.estimators.index_file import read_index, write_index
from genus.estimators.index_images import file_stamp
from genus.estimators.index_state import IndexState, identity_of
from genus.files import cache_dir
from genus.images.decode import Limits, decode
from genus.progress import SILENT, Progress

_FORM = 2  # raised when what is built, or how it is measured, changes
_MOST = 20  # indexes kept; those unused for longest go first


def searches_folder() -> Path:
    """Return the folder of all indexes in the cache."""
    return cache_dir() / "searches"


def cached_index(
    source: str,
    data: Dataset,
    options: IndexOptions,
    metadata: Mapping[str, Sequence[Any]] | None = None,
    *,
    progress: Progress = SILENT,
) -> tuple[IndexState, tuple[SkippedImage, ...]]:
    """Open the index of some data, or build it and keep it.

    Parameters
    ----------
    source : str
        What the data was read from, as the user names it.
    data : Dataset
    options : IndexOptions
    metadata : mapping of str to sequence of n values, or None
    progress : Progress

    Returns
    -------
    IndexState, tuple of SkippedImage
        What could not be read, now or when the index was built.

    Raises
    ------
    DataError
        No image can be read.
    """
    listing = _listing(source, data, metadata or {})
    folder = searches_folder() / _key(source, options)
    with suppress(DataError):
        state = read_index(folder, options.feature_set)
        if state.listing == listing and not _has_become_readable(state.skipped, data, options.runtime.limits):
            with suppress(OSError):
                os.utime(folder)
            return _with_cells(state, data), state.skipped
        progress.say(f"{source} has changed since it was indexed; the index is built again")
    state, skipped = build_index(data, options, metadata, progress=progress)
    state = replace(state, listing=listing, skipped=skipped)
    try:
        write_index(state, folder, progress=progress)
    except OutputError as error:
        progress.say(f"The index is not kept: {error}")
        return state, skipped
    _prune(folder)
    return state, skipped


def clear_searches() -> int:
    """Remove all indexes from the cache; returns how many those were."""
    folders = [each for each in _folders() if each.is_dir()]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return len(folders)


def _key(source: str, options: IndexOptions) -> str:
    parts = (
        os.path.abspath(source),
        identity_of(options.feature_set),
        f"{_FORM} {options.tune} {options.storage} {options.random_state} {options.runtime.engine}",
        repr(options.runtime.limits),
    )
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()


def _listing(source: str, data: Dataset, metadata: Mapping[str, Sequence[Any]]) -> str:
    """Return a hash of the images' names, sizes, times, and of what is known of them."""
    digest = hashlib.blake2b(digest_size=16)
    place = Path(source)  # images that are cells of a table have no times of their own
    digest.update(repr(file_stamp(place) if place.is_file() else None).encode())
    none, files = (None,) * len(data), dict[Path, tuple[int, int]]()
    rows = zip(
        data.sources, data.label_texts() or none, data.splits or none, data.groups or none, strict=True
    )
    for image, *known in rows:
        line = f"{image.name}\t{file_stamp(image.path)}\t{known}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
        if isinstance(image.data, bytes):
            digest.update(image.data)
        elif isinstance(image.data, ParquetImage):
            digest.update(_cell(image.data, files).encode("utf-8", "surrogateescape"))
    digest.update(repr({name: list(values) for name, values in metadata.items()}).encode("utf-8", "replace"))
    return digest.hexdigest()


def _cell(image: ParquetImage, stamps: dict[Path, tuple[int, int]]) -> str:
    """Say which cell of which file an image is; `stamps` of files that were looked at are kept."""
    path = image.column.path
    if path not in stamps:
        stamps[path] = file_stamp(path)
    return f"{path}\t{stamps[path]}\t{image.column.column}\t{image.group}\t{image.row}\n"


def _has_become_readable(skipped: Sequence[SkippedImage], data: Dataset, limits: Limits) -> bool:
    """Whether an image that could not be read can be now: a disk is back, a permission was given."""
    names = {one.source for one in skipped}
    for image in data.sources if names else ():
        if image.name in names:
            with suppress(ImageError):
                decode(image, None, limits)
                return True
    return False


def _with_cells(state: IndexState, data: Dataset) -> IndexState:
    """Return the index with the images that are no files, so that they can be shown."""
    cells = {image.name: image for image in data.sources if image.path is None}
    if not cells:
        return state
    names = enumerate(state.images.names)
    sources = {place: cells[name] for place, name in names if name in cells}
    return replace(state, images=replace(state.images, sources=sources))


def _folders() -> list[Path]:
    with suppress(OSError):
        return list(searches_folder().iterdir())
    return []


def _prune(kept: Path) -> None:
    folders = [each for each in _folders() if each != kept]
    with suppress(OSError):
        for old in sorted(folders, key=lambda each: each.stat().st_mtime)[: max(0, len(folders) + 1 - _MOST)]:
            shutil.rmtree(old, ignore_errors=True)
