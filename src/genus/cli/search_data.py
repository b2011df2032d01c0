"""What `genus search` searches in: an index, or data whose index is made and kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genus.cli.console import Console
from genus.cli.options import read_named
from genus.errors import ParameterError

if TYPE_CHECKING:
    from genus.data.dataset import Dataset
    from genus.estimators.image_index import ImageIndex
    from genus.features.runtime import Runtime

_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
_MOST_NAMED = 5  # images that cannot be read are named one by one


def read_box(text: str) -> tuple[float, float, float, float]:
    """Read "left,top,right,bottom".

    Raises
    ------
    ParameterError
        These are not four numbers.

    Examples
    --------
    >>> read_box("10,20, 30,40.5")
    (10.0, 20.0, 30.0, 40.5)
    """
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
        if not all(map(isfinite, (left, top, right, bottom))):
            raise ValueError
    except ValueError:
        raise ParameterError(
            f"--box {text}: expected left,top,right,bottom, such as 120,80,260,300."
        ) from None
    return left, top, right, bottom


@dataclass(frozen=True, slots=True)
class SearchedData:
    """The data that a command line names, and how an index of it is made."""

    data: str
    features: str | None
    preset: str
    precision: Literal["int8", "float32"]
    tune: bool
    runtime: "Runtime"
    columns: tuple[str | None, str | None, str | None]  # reader, images, labels
    keeps_index: bool
    command: str

    def index(self, console: Console) -> "ImageIndex":
        """Open the index, or make one."""
        from genus.estimators.image_index import ImageIndex
        from genus.estimators.index_file import is_index

        if is_index(self.data):
            return ImageIndex.open(self.data, features=self.features, runtime=self.runtime)
        from genus.estimators.index_building import IndexOptions, build_index
        from genus.estimators.index_cache import cached_index
        from genus.features.feature_set import chosen_features

        options = IndexOptions(
            chosen_features(self.preset, self.features, self.precision),
            tune=self.tune,
            runtime=self.runtime,
            command=self.command,
        )
        reader, image, label = self.columns
        dataset = read_named(self.data, reader, image, label, None, None)
        metadata = further_columns(self.data, dataset, image)
        if self.keeps_index:
            state, skipped = cached_index(self.data, dataset, options, metadata, progress=console)
        else:
            state, skipped = build_index(dataset, options, metadata, progress=console)
        for one in skipped[:_MOST_NAMED]:
            console.say(f"Skipped {one.source}: {one.reason}")
        if len(skipped) > _MOST_NAMED:
            console.say(
                f"... and {len(skipped) - _MOST_NAMED:,} more that cannot be read; genus data lists them."
            )
        return ImageIndex(state, runtime=self.runtime, skipped=skipped)


def further_columns(data: str, dataset: "Dataset", image: str | None) -> Mapping[str, Sequence[Any]]:
    """Return the other columns of a table, for conditions; of images that stand in several rows the first."""
    path = Path(data).expanduser()
    if not path.is_file() or path.suffix.lower() not in _TABLES:
        return {}
    from genus.data.coco import is_coco
    from genus.data.tables import TableOptions, image_column, read_rows
    from genus.estimators.index_images import OWN_COLUMNS

    if path.suffix.lower() == ".json" and is_coco(path):
        return {}
    rows = read_rows(path)
    column = image_column(list(rows[0]), TableOptions(image_column=image), data)
    by_name: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        by_name.setdefault(str(row.get(column)), row)
    own = {column, *OWN_COLUMNS}
    found = [by_name.get(name, {}) for name in dataset.names]
    return {name: [row.get(name) for row in found] for name in rows[0] if name not in own}
