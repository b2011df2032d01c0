"""Read folders: one folder a class, split folders above them, or just a pile of images."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from genus.data.dataset import Dataset, natural_key
from genus.errors import DataError
from genus.images.source import ImageSource

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
_NOT_IMAGES = frozenset(
    ".txt .csv .tsv .json .jsonl .md .rst .xml .html .htm .yaml .yml .toml .ini .py .ipynb .onnx .pdf .doc .docx "
    ".zip .gz .tar .7z .npy .npz .parquet .pkl .mat .db .log .mp4 .avi .mov .mp3 .wav".split()
)
_IGNORED = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


@dataclass(frozen=True, slots=True)
class _Walk:
    """The files below a folder, and how many were passed over because of their suffix."""

    files: tuple[Path, ...]
    n_other: int


def read_folder(root: Path) -> Dataset:
    """Read class folders, split folders with class folders, or a flat folder.

    Parameters
    ----------
    root : Path
        `root/<class>/...`, `root/{train,val,test}/<class>/...` (also training, valid, validation, dev, testing; any
        case), or images directly in `root`, which then have no labels.

    Raises
    ------
    DataError
        There is no such folder, or no image in it.
    """
    folders, loose = _children(root)
    named = {folder: SPLIT_NAMES.get(folder.name.lower()) for folder in folders}
    if folders and all(named.values()):
        return _read_splits(root, {folder: split or "" for folder, split in named.items()}, loose)
    if not folders:
        return _read_flat(root, loose)
    notes = []
    if any(named.values()):
        taken = ", ".join(folder.name for folder, split in named.items() if split)
        notes.append(f"{taken}: taken for a class, since there are other class folders beside it")
    rows, n_other = _read_classes(folders)
    if loose.files:
        notes.append(f"{len(loose.files)} files beside the class folders were left out")
    if not rows:
        raise _no_images(root, n_other + loose.n_other)
    return _dataset(root, rows, None, "class folders", [*notes, *_other_note(n_other + loose.n_other)])


def list_images(root: Path) -> tuple[Path, ...]:
    """Return all files below a folder that may be images, naturally sorted."""
    return _walk(root).files


def looks_like_image(path: Path) -> bool:
    """Tell from its name whether a file may be an image; unknown suffixes may."""
    return path.suffix.lower() not in _NOT_IMAGES and not _is_hidden(path.name)


def _read_splits(root: Path, splits: dict[Path, str], loose: _Walk) -> Dataset:
    rows: list[tuple[Path, str]] = []
    of_row: list[str] = []
    n_other = loose.n_other
    unlabelled: list[Path] = []
    unlabelled_split: list[str] = []
    for folder, split in splits.items():
        classes, files = _children(folder)
        found, other = _read_classes(classes)
        rows += found
        of_row += [split] * len(found)
        unlabelled += files.files
        unlabelled_split += [split] * len(files.files)
        n_other += other + files.n_other
    if not rows and not unlabelled:
        raise _no_images(root, n_other)
    names = ", ".join(sorted(set(splits.values()), key=["train", "val", "test"].index))
    data = _dataset(root, rows, of_row, f"{names} folders", _other_note(n_other))
    if not unlabelled:
        return data
    return Dataset(
        sources=data.sources + tuple(ImageSource(str(path), path) for path in unlabelled),
        labels=(data.labels or ()) + (None,) * len(unlabelled),
        splits=(data.splits or ()) + tuple(unlabelled_split),
        origin=data.origin,
        notes=(*data.notes, f"{len(unlabelled)} images in no class folder have no label"),
    )


def _read_classes(folders: list[Path]) -> tuple[list[tuple[Path, str]], int]:
    rows: list[tuple[Path, str]] = []
    n_other = 0
    for folder in folders:
        walk = _walk(folder)
        rows += [(path, folder.name) for path in walk.files]
        n_other += walk.n_other
    return rows, n_other


def _read_flat(root: Path, loose: _Walk) -> Dataset:
    if not loose.files:
        raise _no_images(root, loose.n_other)
    sources = tuple(ImageSource(str(path), path) for path in loose.files)
    return Dataset(sources, origin=f"{root} (a folder of images)", notes=tuple(_other_note(loose.n_other)))


def _dataset(
    root: Path, rows: list[tuple[Path, str]], splits: list[str] | None, kind: str, notes: list[str]
) -> Dataset:
    return Dataset(
        sources=tuple(ImageSource(str(path), path) for path, _ in rows),
        labels=tuple(label for _, label in rows),
        splits=None if splits is None else tuple(splits),
        origin=f"{root} ({kind})",
        notes=tuple(notes),
    )


def _children(root: Path) -> tuple[list[Path], _Walk]:
    """Return a folder's sub-folders that hold anything, and its own files."""
    try:
        entries = sorted(root.iterdir(), key=lambda path: natural_key(path.name))
    except OSError as error:
        raise DataError(f"{root}: cannot read the folder: {error.strerror}.") from error
    entries = [path for path in entries if not _is_hidden(path.name)]
    files = [path for path in entries if not path.is_dir()]
    images = tuple(path for path in files if looks_like_image(path))
    folders = [path for path in entries if path.is_dir() and not _points_up(path)]
    return folders, _Walk(images, len(files) - len(images))


def _points_up(folder: Path) -> bool:
    """Tell whether a folder is a link to one that it lies in."""
    return folder.is_symlink() and folder.resolve() in folder.absolute().parents


def _walk(root: Path) -> _Walk:
    files: list[Path] = []
    n_other = 0
    for path in _every_file(root):
        if looks_like_image(path):
            files.append(path)
        else:
            n_other += 1
    parts = {path: natural_key(str(path.relative_to(root))) for path in files}
    return _Walk(tuple(sorted(files, key=parts.__getitem__)), n_other)


def _every_file(root: Path) -> Iterator[Path]:
    seen: set[str] = set()
    for folder, below, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link to a folder that was read already, perhaps one that it lies in
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(name for name in below if not _is_hidden(name))
        yield from (Path(folder, name) for name in names if not _is_hidden(name))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _IGNORED


def _other_note(n_other: int) -> list[str]:
    return [f"{n_other} files that are no images were left out"] if n_other else []


def _no_images(root: Path, n_other: int) -> DataError:
    beside = f" (only {n_other} other files)" if n_other else ""
    return DataError(
        f"{root}: no images in this folder{beside}. Give a folder with images, or one folder a class."
    )
