"""Reading any data that describes images, by looking at what was given."""

from collections.abc import Callable
from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from genus.data.coco import is_coco
from genus.data.dataset import Dataset
from genus.data.folder_copies import with_copies
from genus.data.folders import list_images, looks_like_image, read_folder
from genus.data.label_sets import LabelSets
from genus.data.memory import read_list, with_labels
from genus.data.order import natural_key
from genus.data.tables import TableOptions
from genus.data.voc import is_voc, read_voc
from genus.errors import DataError, ParameterError
from genus.images.source import ImageSource
from genus.registry import Registry

Reader = Callable[[Path, TableOptions], Dataset]

READERS = Registry(
    "reader",
    {
        "folders": "genus.data.read:read_class_folders",
        "flat": "genus.data.read:read_flat",
        "table": "genus.data.tables:read_table",
        "parquet": "genus.data.parquet:read_parquet",
        "coco": "genus.data.coco:read_coco",
        "voc": "genus.data.voc:read_voc",
    },
    entry_point_group="genus.readers",
)
_TABLES = {
    ".csv": "table",
    ".tsv": "table",
    ".jsonl": "table",
    ".ndjson": "table",
    ".json": "table",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_TABLE_NAMES = ("labels", "metadata")


def read_dataset(
    data: Any,
    y: Any = None,
    *,
    reader: str | None = None,
    options: TableOptions | None = None,
    multilabel: bool | None = None,
) -> Dataset:
    """Read a data set from whatever describes it.

    Parameters
    ----------
    data : path, list, array, DataFrame, Arrow table or Dataset
        Class folders, split folders with class folders, a flat folder, a table (CSV, TSV, JSON lines, Parquet), COCO
        annotations (JSON), a folder of Pascal VOC annotations, an image file, a pattern such as "photos/*.jpg"; a list
        of paths, arrays, bytes or PIL images; an array (n, h, w) or (n, h, w, c); a DataFrame or Arrow table with
        columns as in a table.
    y : sequence of n labels, lists or sets of labels, a matrix (n, c) of 0 and 1, or None
        For images in a list or array; it replaces the labels that the data itself has. See
        `genus.data.given_labels.read_labels`.
    reader : str or None
        How to read a path: "folders", "flat", "table", "parquet", "coco" or "voc"; None decides by looking.
    options : TableOptions or None
        Column names and the like.
    multilabel : bool or None, default None
        Whether an image may have several labels, or none. None looks; True makes sets of single labels too; False
        takes what looks like several for one. Instead of `TableOptions.multilabel`.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        Nothing is there, or it cannot be understood; the message says what to do.

    Examples
    --------
    >>> import numpy as np
    >>> data = read_dataset(np.zeros((3, 8, 8), np.uint8), ["b", "a", "b"])
    >>> data.classes, data.counts()
    (('a', 'b'), {'a': 1, 'b': 2})
    """
    options = options or TableOptions()
    if multilabel is not None:
        options = replace(options, multilabel=multilabel)
    if isinstance(data, Dataset):
        found = data
    elif isinstance(data, str | Path):
        found = _read_path(str(data), reader, options)
    elif type(data).__module__.partition(".")[0] in ("pandas", "pyarrow"):
        found = _read_columns(data, options)
    elif isinstance(data, dict) or not hasattr(data, "__iter__"):
        raise ParameterError(
            f"cannot read a data set from a {type(data).__name__}; "
            "expected a path, a list of images, an array or a table."
        )
    else:
        return read_list(data, y, options.multilabel)
    if y is not None:
        return with_labels(found, y, options.multilabel)
    return _as_wished(found, options.multilabel)


def read_class_folders(path: Path, options: TableOptions) -> Dataset:
    """Read folders, whatever tables lie beside them."""
    return with_copies(read_folder(path, nested=options.nested), options.multilabel)


def read_flat(path: Path, options: TableOptions) -> Dataset:
    """Read all images below a folder as one unlabelled pile."""
    files = list_images(path)
    if not files:
        raise DataError(f"{path}: no images in this folder.")
    return Dataset(tuple(ImageSource(str(file), file) for file in files), origin=f"{path} (all images below)")


def _read_path(text: str, reader: str | None, options: TableOptions) -> Dataset:
    path = Path(text).expanduser()
    if not path.exists() and has_magic(text):
        return _read_pattern(text)
    if not path.exists():
        raise DataError(f"{text}: no such file or folder.")
    if reader is not None:
        chosen: Reader = READERS.get(reader)
        return chosen(path, options)
    if path.is_dir():
        return _read_directory(path, options)
    if path.suffix.lower() in _TABLES:
        return _read_file(path, options)
    if not looks_like_image(path):
        raise DataError(f"{text}: neither a folder, nor a table ({', '.join(_TABLES)}), nor an image.")
    return Dataset((ImageSource(text, path),), origin=f"{text} (an image)")


def _as_wished(data: Dataset, multilabel: bool | None) -> Dataset:
    """Make sets of single labels, or single labels of sets that have one each."""
    if multilabel and data.labels is not None:
        rows = [None if label is None else [label] for label in data.labels]
        return replace(data, labels=None, label_sets=LabelSets.of(rows))
    if multilabel is not False or data.label_sets is None:
        return data
    sets = data.label_sets
    n_labels = (sets.values == 1).sum(axis=1)
    if (n_labels > 1).any():
        raise DataError(
            f"{data.origin}: {data.names[int(n_labels.argmax())]} has several labels; leave out --single-label "
            "(multilabel=False)."
        )
    labels = tuple(names[0] if (names := sets[i]) else None for i in range(len(sets)))
    return replace(data, labels=labels, label_sets=None)


def _read_directory(path: Path, options: TableOptions) -> Dataset:
    """Annotations and class folders count before a labels or metadata table, unless that is named."""
    tables = [
        path / f"{name}{suffix}"
        for name in _TABLE_NAMES
        for suffix in _TABLES
        if (path / f"{name}{suffix}").is_file()
    ]
    if not tables:
        return read_voc(path, options) if is_voc(path) else read_class_folders(path, options)
    table = tables[0]
    if is_voc(path):
        data, of = read_voc(path, options), "annotations"
    elif options.nested or _n_class_folders(path) >= 2:
        data, of = read_class_folders(path, options), "class folders"
    else:
        data = _read_file(table, options)
        return replace(data, notes=(f"labels taken from {table.name}", *data.notes))
    note = f"labels taken from the {of}; to use the table instead, name it: {table}"
    return replace(data, notes=(note, *data.notes))


def _read_file(path: Path, options: TableOptions) -> Dataset:
    """Read a table, or what only has a table's suffix."""
    kind = _TABLES[path.suffix.lower()]
    chosen: Reader = READERS.get("coco" if path.suffix.lower() == ".json" and is_coco(path) else kind)
    return chosen(path, options)


def _n_class_folders(path: Path) -> int:
    """Count the folders that hold images; one alone, such as images/, is no classification."""
    return sum(
        1
        for child in path.iterdir()
        if child.is_dir() and not child.name.startswith(".") and list_images(child)
    )


def _read_pattern(pattern: str) -> Dataset:
    files = [Path(name) for name in glob(pattern, recursive=True)]
    images = sorted(
        (f for f in files if f.is_file() and looks_like_image(f)), key=lambda f: natural_key(str(f))
    )
    if not images:
        raise DataError(f"{pattern}: no image matches this pattern.")
    return Dataset(tuple(ImageSource(str(f), f) for f in images), origin=pattern)


def _read_columns(data: Any, options: TableOptions) -> Dataset:
    from genus.data.parquet import read_arrow, read_frame

    if type(data).__module__.startswith("pyarrow"):
        return read_arrow(data, options)
    if getattr(data, "ndim", 2) == 1:  # a Series of paths
        return read_list(list(data))
    return read_frame(data, options)
