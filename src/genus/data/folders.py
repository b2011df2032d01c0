"""Read folders: one folder a class, split folders above them, or just a pile of images."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from genus.data.dataset import Dataset
from genus.data.order import natural_key
from genus.errors import DataError
from genus.images.source import ImageSource
from genus.taxonomy import SEPARATOR
from genus.wording import count

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
    ".txt .csv .tsv .json .jsonl .ndjson .md .rst .xml .html .htm .css .js .yaml .yml .toml .ini .cfg .py .ipynb .sh "
    ".onnx .pt .pth .h5 .pdf .doc .docx .xls .xlsx .ppt .pptx .zip .gz .bz2 .xz .tar .tgz .7z .rar .npy .npz "
    ".parquet .pq .arrow .pkl .mat .db .sqlite .log .mp4 .avi .mov .mkv .mp3 .wav".split()
)
_IGNORED = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
_Row = tuple[Path, str | None, str | None]  # file, label, split


@dataclass(frozen=True, slots=True)
class _Pile:
    """What lies somewhere: files that may be images, other files, folders that cannot be opened."""

    files: tuple[Path, ...] = ()
    n_other: int = 0
    closed: tuple[str, ...] = ()


def read_folder(root: Path, *, nested: bool = False) -> Dataset:
    """Read class folders, split folders with class folders, or a flat folder.

    Parameters
    ----------
    root : Path
        `root/<class>/...`, `root/{train,val,test}/<class>/...` (also training, valid, validation, dev, testing; any
        case), or images directly in `root`, which then have no labels. Only folders that hold images count.
    nested : bool, default False
        Whether folders within a class folder are classes below it: the label of `root/a/b/x.jpg` is "a/b", else "a".

    Returns
    -------
    Dataset
        Naturally sorted by path, whatever order the file system has.

    Raises
    ------
    DataError
        There is no such folder, or no image in it.
    """
    loose, below = _children(root)
    folders = {folder: pile.files for folder, pile in below.items() if pile.files}
    splits = [SPLIT_NAMES.get(folder.name.lower()) for folder in folders]
    notes: list[str] = []
    if not folders:
        rows: list[_Row] = [(path, None, None) for path in loose.files]
        kind = "a folder of images"
    elif all(splits):
        rows = [row for folder, files in folders.items() for row in _split_rows(folder, files, nested)]
        kind = f"{', '.join(s for s in ('train', 'val', 'test') if s in splits)} folders"
    else:
        rows = [(path, _label(path, root, nested), None) for files in folders.values() for path in files]
        kind = "nested class folders" if nested else "class folders"
        notes += _class_notes(folders, nested)
    notes += _left_out(loose if folders else replace(loose, files=()), below.values())
    if not rows:
        beside = f" ({'; '.join(notes)})" if notes else ""
        raise DataError(
            f"{root}: no images in this folder{beside}. Give a folder with images, or one folder a class."
        )
    return _dataset(rows, f"{root} ({kind})", notes)


def list_images(root: Path) -> tuple[Path, ...]:
    """Return all files below a folder that may be images, naturally sorted.

    Parameters
    ----------
    root : Path
        Hidden files and folders in it are left out, and files whose suffix says that they are no images.
    """
    return _walk(root).files


def looks_like_image(path: Path) -> bool:
    """Tell from its name whether a file may be an image; unknown suffixes may."""
    return path.suffix.lower() not in _NOT_IMAGES and not _is_hidden(path.name)


def _split_rows(folder: Path, files: Iterable[Path], nested: bool) -> Iterable[_Row]:
    split = SPLIT_NAMES[folder.name.lower()]
    for path in files:
        yield path, _label(path, folder, nested), split


def _label(path: Path, above: Path, nested: bool) -> str | None:
    """Return the class folder of an image, or the way to it through nested ones; None directly in `above`."""
    folders = path.relative_to(above).parts[:-1]
    return SEPARATOR.join(folders if nested else folders[:1]) or None


def _class_notes(folders: dict[Path, tuple[Path, ...]], nested: bool) -> Iterable[str]:
    taken = [folder.name for folder in folders if folder.name.lower() in SPLIT_NAMES]
    if taken:
        yield f"{', '.join(taken)}: taken for a class, since there are other class folders beside it"
    if not nested and (example := _finer_classes(folders)):
        yield f"folders in class folders ({example}) are not told apart; --taxonomy folders makes them classes"
    if len(folders) == 1 and not nested:
        ((folder, files),) = folders.items()
        inside = {parts[0] for parts in (path.relative_to(folder).parts for path in files) if len(parts) > 1}
        if len(inside) > 1:
            yield f"there is one class folder only; if the {len(inside)} folders in it are the classes, give {folder}"


def _finer_classes(folders: dict[Path, tuple[Path, ...]]) -> str | None:
    """Return an example of folders that look like finer classes: several in two class folders, each name once."""
    inside = [
        {parts[0] for parts in (path.relative_to(folder).parts for path in files) if len(parts) > 1}
        for folder, files in folders.items()
    ]
    several = [names for names in inside if len(names) > 1]
    if len(several) < 2 or len(set().union(*inside)) < sum(map(len, inside)):
        return None
    folder, names = next((f, n) for f, n in zip(folders, inside, strict=True) if len(n) > 1)
    return SEPARATOR.join((folder.name, min(names, key=natural_key)))


def _left_out(loose: _Pile, below: Iterable[_Pile]) -> Iterable[str]:
    piles = [loose, *below]
    n_other = sum(pile.n_other for pile in piles)
    closed = [name for pile in piles for name in pile.closed]
    if loose.files:
        yield f"{count(len(loose.files), 'file')} beside the folders left out, for example {loose.files[0].name}"
    if n_other:
        yield f"{count(n_other, 'file')} left out: no images by their names"
    if closed:
        yield f"{count(len(closed), 'folder')} left out: cannot be opened, for example {closed[0]}"


def _dataset(rows: list[_Row], origin: str, notes: list[str]) -> Dataset:
    labels = tuple(label for _, label, _ in rows)
    splits = tuple(split for _, _, split in rows)
    n_without = labels.count(None)
    if 0 < n_without < len(rows):
        notes.append(f"{count(n_without, 'image')} in no class folder: without a label")
    return Dataset(
        sources=tuple(ImageSource(str(path), path) for path, _, _ in rows),
        labels=labels if any(labels) else None,
        splits=splits if any(splits) else None,
        origin=origin,
        notes=tuple(notes),
    )


def _children(root: Path) -> tuple[_Pile, dict[Path, _Pile]]:
    """Return what lies directly in a folder, and what lies in each of its sub-folders."""
    try:
        names = sorted(os.listdir(root), key=natural_key)
    except OSError as error:
        raise DataError(f"{root}: cannot read the folder: {error.strerror}.") from error
    entries = [root / name for name in names if not _is_hidden(name)]
    files = [path for path in entries if not os.path.isdir(path)]
    images = tuple(path for path in files if looks_like_image(path))
    above = _and_above(root)
    below = {path: _walk(path, above) for path in entries if os.path.isdir(path)}
    return _Pile(images, len(files) - len(images)), below


def _walk(root: Path, above: frozenset[str] | None = None) -> _Pile:
    """Find all files below `root`; no folder is entered twice, and none of `above` (links can lead there)."""
    seen = set(_and_above(root.parent) if above is None else above)
    files: list[Path] = []
    closed: list[str] = []
    n_other = 0
    for folder, below, names in os.walk(
        root, followlinks=True, onerror=lambda e: closed.append(str(e.filename))
    ):
        real = os.path.realpath(folder)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted((name for name in below if not _is_hidden(name)), key=natural_key)
        for path in (Path(folder, name) for name in names if not _is_hidden(name)):
            if looks_like_image(path):
                files.append(path)
            else:
                n_other += 1
    files.sort(key=lambda path: [natural_key(part) for part in path.relative_to(root).parts])
    return _Pile(tuple(files), n_other, tuple(closed))


def _and_above(folder: Path) -> frozenset[str]:
    """Return the real path of a folder and those of the folders that it lies in."""
    real = Path(os.path.realpath(folder))
    return frozenset(map(str, (real, *real.parents)))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _IGNORED
