"""Feature vectors on disk, for any number of images in bounded memory.

Rows are first written where they belong into a plain file beside the target, since they come nearly but not strictly
in order and some images have none; from there they are copied, a few at a time, into the format wanted.
"""

import time
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

from genus.cli.output import as_text, load_pyarrow, open_parquet, open_table
from genus.errors import DataError, OutputError, ParameterError
from genus.files import atomic_write, check_writable, output_error
from genus.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from genus.data.dataset import Dataset, SkippedImage
    from genus.features.feature_set import FeatureSet
    from genus.features.runtime import Runtime

_FORMATS = (".npz", ".npy", ".parquet", ".csv")
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class WrittenFeatures:
    """What was written.

    Attributes
    ----------
    n_images, n_features : int
        Rows and columns.
    n_cached : int
        Rows that came from the cache.
    skipped : tuple of SkippedImage
        Images without a row.
    seconds : float
    """

    n_images: int
    n_features: int
    n_cached: int
    skipped: "tuple[SkippedImage, ...]"
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "n_images": self.n_images,
            "n_features": self.n_features,
            "n_cached": self.n_cached,
            "skipped": [{"source": s.source, "reason": s.reason} for s in self.skipped],
            "seconds": round(self.seconds, 3),
        }


def check_feature_file(path: str | PathLike[str], *, force: bool) -> Path:
    """Find out before the work whether features can be written to `path`.

    Raises
    ------
    ParameterError
        Its suffix is none of .npz, .npy, .parquet, .csv.
    OutputError
        See `genus.files.check_writable`.
    MissingExtraError
        It is Parquet, and pyarrow is not installed.
    """
    target = Path(path)
    if target.suffix not in _FORMATS:
        raise ParameterError(
            f"{target}: the name must end in one of {', '.join(_FORMATS)}, which is the format."
        )
    if target.suffix == ".parquet":
        load_pyarrow()
    if target.suffix == ".npy":
        check_writable(names_beside(target), force=force)
    return check_writable(target, force=force)


def names_beside(target: Path) -> Path:
    """Return the table that says which row of a .npy file is which image."""
    return target.with_suffix(".images.csv")


def write_features(
    target: Path, dataset: "Dataset", feature_set: "FeatureSet", runtime: "Runtime", progress: Progress
) -> WrittenFeatures:
    """Compute the features of a data set and write them; the file appears whole or not at all.

    Raises
    ------
    OutputError
        There is no room, or no permission.
    """
    begun = time.perf_counter()
    try:
        file = TemporaryFile(dir=target.parent)  # closed below
    except OSError as error:
        raise output_error(target, error) from error
    with closing(file):
        try:
            rows = _extract(file, dataset, feature_set, runtime, progress)
        except OutputError:
            raise
        except OSError as error:
            raise output_error(target, error) from error
        _WRITERS[target.suffix](target, rows)
    skipped = tuple(rows.skipped[i] for i in sorted(rows.skipped))
    return WrittenFeatures(
        len(rows.kept), rows.n_features, rows.n_cached, skipped, time.perf_counter() - begun
    )


@dataclass(slots=True)
class _Rows:
    """Features in a plain file, row i for source i; rows of skipped sources are never read."""

    file: IO[bytes]
    dataset: "Dataset"
    columns: list[str]
    n_cached: int = 0
    skipped: "dict[int, SkippedImage]" = field(default_factory=dict)

    @property
    def n_features(self) -> int:
        return len(self.columns)

    @property
    def kept(self) -> list[int]:
        return [i for i in range(len(self.dataset)) if i not in self.skipped]

    @property
    def paths(self) -> list[str]:
        return [self.dataset.sources[i].name for i in self.kept]

    @property
    def labels(self) -> list[str | None] | None:
        labels = self.dataset.label_texts()
        return None if labels is None else [labels[i] for i in self.kept]

    def put(self, index: int, row: "NDArray[np.float32]") -> None:
        """Write one row."""
        self.file.seek(index * row.nbytes)
        self.file.write(row.tobytes())

    def chunks(self) -> "Iterator[NDArray[np.float32]]":
        """Read the kept rows in order, some at a time."""
        import numpy as np

        width = 4 * self.n_features
        for start in range(0, len(self.dataset), _ROWS_AT_ONCE):
            stop = min(start + _ROWS_AT_ONCE, len(self.dataset))
            kept = [i - start for i in range(start, stop) if i not in self.skipped]
            if not kept:
                continue
            self.file.seek(start * width)
            block = np.frombuffer(self.file.read((kept[-1] + 1) * width), np.float32)
            yield block.reshape(-1, self.n_features)[kept]


def _extract(
    file: IO[bytes], dataset: "Dataset", feature_set: "FeatureSet", runtime: "Runtime", progress: Progress
) -> _Rows:
    from genus.features.stream import extract_batches

    columns = [f"{block.name}_{i}" for block in feature_set.blocks for i in range(block.stop - block.start)]
    rows = _Rows(file, dataset, columns)
    batches = extract_batches(dataset.sources, feature_set, runtime=runtime, progress=progress)
    with closing(batches):
        for batch in batches:
            for index, row in zip(batch.indices.tolist(), batch.X, strict=True):
                rows.put(index, row)
            rows.skipped.update(batch.skipped)
            rows.n_cached += batch.n_cached
    file.flush()
    if len(rows.skipped) == len(dataset):
        first = rows.skipped[0]
        raise DataError(
            f"none of the {len(dataset)} images could be read; the first is {first.source}: {first.reason}"
        )
    return rows


def _write_array(file: IO[bytes], rows: _Rows) -> None:
    """Write the features in NumPy's format."""
    from numpy.lib import format as npy

    header = {"descr": "<f4", "fortran_order": False, "shape": (len(rows.kept), rows.n_features)}
    npy.write_array_header_1_0(file, header)
    for chunk in rows.chunks():
        file.write(chunk.astype("<f4", copy=False).tobytes())


def _write_npy(target: Path, rows: _Rows) -> None:
    with open_table(names_beside(target), "csv", {"row": int, "path": str, "label": str}) as table:
        labels = rows.labels or [None] * len(rows.kept)
        for number, (path, label) in enumerate(zip(rows.paths, labels, strict=True)):
            table.write({"row": number, "path": path, "label": label})
    with atomic_write(target) as file:
        _write_array(file, rows)


def _write_npz(target: Path, rows: _Rows) -> None:
    import numpy as np

    names = {"paths": np.array(rows.paths), "columns": np.array(rows.columns)}
    if rows.labels is not None:
        names["labels"] = np.array([label or "" for label in rows.labels])
    with atomic_write(target) as file, zipfile.ZipFile(file, "w") as archive:
        with archive.open("X.npy", "w", force_zip64=True) as part:
            _write_array(part, rows)
        for name, values in names.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as part:
                np.lib.format.write_array(part, values, allow_pickle=False)


def _write_csv(target: Path, rows: _Rows) -> None:
    import csv
    import io

    labels = rows.labels
    pattern = ",".join(["%.9g"] * rows.n_features)  # nine digits bring a float32 back exactly
    with atomic_write(target) as file:
        text = io.TextIOWrapper(file, "utf-8", errors="surrogateescape", newline="")
        writer = csv.writer(text, lineterminator="")
        names = iter(zip(rows.paths, labels or rows.paths, strict=True))
        writer.writerow(["path", *(["label"] if labels else []), *rows.columns])
        for chunk in rows.chunks():
            for values in chunk.tolist():
                path, label = next(names)
                text.write("\n")
                writer.writerow([path, label] if labels else [path])
                text.write("," + pattern % tuple(values))
        text.write("\n")
        text.detach()


def _write_parquet(target: Path, rows: _Rows) -> None:
    pyarrow, _ = load_pyarrow()
    kind = pyarrow.list_(pyarrow.float32(), rows.n_features)
    fields = [("path", pyarrow.string()), ("label", pyarrow.string()), ("features", kind)]
    schema = pyarrow.schema([f for f in fields if f[0] != "label" or rows.labels is not None])
    paths, labels, start = rows.paths, rows.labels, 0
    with atomic_write(target) as file, open_parquet(file, schema) as writer:
        for chunk in rows.chunks():
            stop = start + len(chunk)
            columns = [pyarrow.array([as_text(path) for path in paths[start:stop]])]
            if labels is not None:
                columns.append(pyarrow.array(labels[start:stop], pyarrow.string()))
            columns.append(pyarrow.FixedSizeListArray.from_arrays(chunk.ravel(), rows.n_features))
            writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))
            start = stop


_WRITERS = {".npz": _write_npz, ".npy": _write_npy, ".parquet": _write_parquet, ".csv": _write_csv}
