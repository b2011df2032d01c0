"""The same picture in several class folders: how a file system says that an image has several labels."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from pathlib import Path

from genus.data.dataset import Dataset
from genus.data.label_cells import Cell, join_cells
from genus.wording import count

_HEAD = 4096
_CHUNK = 1 << 20


def with_copies(data: Dataset, multilabel: bool | None) -> Dataset:
    """Join the copies of a picture in several class folders, or say that there are some.

    Parameters
    ----------
    data : Dataset
        Of class folders.
    multilabel : bool or None
        True makes one image of identical files of one split, with the labels of all of them. None leaves the labels as
        they are, but notes identical files under different labels. False does not look.

    Notes
    -----
    Only files of equal size are opened, and only those that begin alike are read whole.
    """
    if multilabel is False or data.labels is None:
        return data
    groups = _copies(data)
    if not multilabel:
        labels = data.labels
        n = sum(len({labels[i] for i in rows}) > 1 for rows in groups)
        note = (
            f"{count(n, 'picture')} {'lies' if n == 1 else 'lie'} in several class folders, as identical files; "
            "--multi-label reads them as several labels an image"
        )
        return replace(data, notes=(*data.notes, note)) if n else data
    return _joined(data, groups)


def _joined(data: Dataset, groups: Iterable[list[int]]) -> Dataset:
    members = {rows[0]: rows for rows in groups}
    copies = {i for rows in members.values() for i in rows[1:]}
    kept = [i for i in range(len(data)) if i not in copies]
    said = [Cell(open=True) if label is None else Cell((label,)) for label in data.labels or ()]
    cells = [[said[row] for row in members.get(i, [i])] for i in kept]
    notes = [*data.notes, "the class folders an image lies in are read as its labels"]
    if copies:
        joined = f"{count(len(copies), 'identical file')} joined: an image has the labels of all its copies"
        notes.append(joined)
    chosen = replace(data, labels=None).take(kept)
    return replace(chosen, label_sets=join_cells(cells), notes=tuple(notes))


def _copies(data: Dataset) -> list[list[int]]:
    """Return the groups of identical files, those of one split together, each with at least two."""
    paths = [source.path for source in data.sources]
    splits = data.splits or (None,) * len(data)
    sizes = [_size(path) for path in paths]
    every = [i for i, size in enumerate(sizes) if size > 0]  # empty files are no copies of a picture
    groups = _parted([every], lambda i: (splits[i], sizes[i]))
    groups = _parted(groups, lambda i: _digest(paths[i], _HEAD))
    return _parted(groups, lambda i: _digest(paths[i], None))


def _parted(groups: Iterable[list[int]], key: Callable[[int], Hashable]) -> list[list[int]]:
    """Part groups by a key, and keep those that still have two members."""
    parts: dict[Hashable, list[int]] = defaultdict(list)
    for number, rows in enumerate(groups):
        for i in rows:
            parts[number, key(i)].append(i)
    return [rows for rows in parts.values() if len(rows) > 1]


def _size(path: Path | None) -> int:
    try:
        return path.stat().st_size if path is not None else 0
    except OSError:
        return 0


def _digest(path: Path | None, n_bytes: int | None) -> Hashable:
    """Return a checksum of a file, or of its beginning; a file that cannot be read is like no other."""
    digest = hashlib.blake2b(digest_size=16)
    if path is None:
        return object()
    try:
        with path.open("rb") as file:
            if n_bytes is not None:
                digest.update(file.read(n_bytes))
            else:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
    except OSError:
        return object()
    return digest.digest()
