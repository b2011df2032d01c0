"""The folder that `genus cluster` writes and `genus name` goes on with: what is in it, and writing it."""

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from genus.cli.console import Console
from genus.cli.output import open_table
from genus.cli.sorting import HowToFile, Sorter, write_image
from genus.errors import ImageError, OutputError, ParameterError
from genus.files import check_writable, output_error

if TYPE_CHECKING:
    from genus.data.dataset import Dataset
    from genus.estimators.grouped import GroupedImages
    from genus.estimators.naming import NamedImage

NOISE_FOLDER = "noise"
_CLUSTERS = {"image": str, "cluster": int, "distance": float, "confidence": float}
_LABELS = {"image": str, "label": str, "confidence": float, "cluster": int}


@dataclass(frozen=True, slots=True)
class GroupFolder:
    """A folder of groups.

    Parameters
    ----------
    path : Path
        As the person wrote it: messages and proposed commands use it.
    """

    path: Path

    @property
    def state(self) -> Path:
        """Everything that splitting, merging and naming need."""
        return self.path / "groups.npz"

    @property
    def table(self) -> Path:
        """Each image with its group."""
        return self.path / "clusters.csv"

    @property
    def page(self) -> Path:
        """The page that shows the groups."""
        return self.path / "clusters.html"

    @property
    def model(self) -> Path:
        """The groups as a model file."""
        return self.path / "clusters.onnx"

    @property
    def labels(self) -> Path:
        """Each image with the name of its group, for training."""
        return self.path / "labels.csv"

    @property
    def sorted(self) -> Path:
        """A folder a group, with copies of its images or links to them."""
        return self.path / "sorted"

    @property
    def images(self) -> Path:
        """Images that were no files: cells of a table."""
        return self.path / "images"

    def to_dict(self) -> dict[str, Path]:
        """Return the files by what they are."""
        return {"page": self.page, "table": self.table, "model": self.model, "state": self.state}

    @contextmanager
    def prepared(self, *, force: bool, files_images: bool) -> Iterator[None]:
        """Make the folder, and find out before the work whether all can be written there.

        If the work fails before it leaves anything there, the folder goes again.

        Raises
        ------
        OutputError
        """
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path}: cannot write groups there: it is a file, not a folder.")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(self.path, error) from error
        for target in (self.state, self.table, self.page, self.model):
            check_writable(target, force=force)
        if files_images:
            self.check_sorted()
        try:
            yield
        finally:
            with suppress(OSError):  # it is not empty: the usual case
                self.path.rmdir()

    def check_sorted(self) -> None:
        """Raise `OutputError` where class folders are there already: they may be of other groups."""
        if self.sorted.exists() and (not self.sorted.is_dir() or any(self.sorted.iterdir())):
            raise OutputError(
                f"{self.sorted}: exists already, perhaps with other groups. Move or remove it first."
            )

    def read(self) -> "GroupedImages":
        """Read the groups.

        Raises
        ------
        DataError
            There are none, or they are damaged.
        """
        from genus.estimators.grouping_file import read_grouping

        return read_grouping(self.state)

    def adopt(self, dataset: "Dataset") -> "Dataset":
        """Return the data set with absolute paths for names; images that are no files become files in `images`.

        Whatever lies in this folder already is left out: it is the result of an earlier run.
        """
        from dataclasses import replace

        from genus.data.dataset import SkippedImage
        from genus.images.source import ImageSource

        own = os.path.join(os.path.abspath(self.path), "")
        sources, places, skipped = [], [], []
        for place, source in enumerate(dataset.sources):
            try:
                path = os.path.abspath(source.path or write_image(source, self._images_made()))
            except ImageError as error:
                skipped.append(SkippedImage(error.source, error.reason))
                continue
            if source.path is None or not path.startswith(own):
                sources.append(ImageSource(path, Path(path)))
                places.append(place)
        made = any(source.path is None for source in dataset.sources)
        notes = (f"images that are no files were written to {self.images}",) if made else ()
        return replace(
            dataset.take(places),
            sources=tuple(sources),
            notes=(*dataset.notes, *notes),
            skipped=(*dataset.skipped, *skipped),
        )

    def write(self, grouped: "GroupedImages", console: Console) -> None:
        """Write the state first, for it holds all, then what is made of it."""
        from genus.estimators.grouping import model_of
        from genus.estimators.grouping_file import write_grouping
        from genus.estimators.naming import named_images

        write_grouping(grouped, self.state)
        self._write_table(grouped)
        model_of(grouped).save(self.model, force=True)
        self.write_page(grouped, console)
        if grouped.group_names:
            self.write_labels(named_images(grouped))

    def write_page(self, grouped: "GroupedImages", console: Console) -> None:
        """Write the page alone."""
        from genus.report.groups import write_groups_page

        write_groups_page(
            grouped,
            self.page,
            title=Path(os.path.abspath(self.path)).name,
            folder=shlex.quote(str(self.path)),
            progress=console,
        )

    def write_names(self, grouped: "GroupedImages", console: Console) -> None:
        """Write what changes when groups get names; the labels are written by `write_labels`."""
        from genus.estimators.grouping_file import write_grouping

        write_grouping(grouped, self.state)
        self.write_page(grouped, console)

    def write_labels(self, images: "Sequence[NamedImage]") -> None:
        """Write `labels.csv`."""
        with open_table(self.labels, "csv", _LABELS) as table:
            for one in images:
                table.write(
                    {
                        "image": one.image,
                        "label": one.label,
                        "confidence": f"{one.confidence:.4f}",
                        "cluster": one.group,
                    }
                )

    def file_images(self, folders: Mapping[str, str], how: HowToFile, console: Console) -> int:
        """Copy or link images into class folders.

        Parameters
        ----------
        folders : mapping of str to str
            Each image's class.
        how : HowToFile
        console : Console

        Returns
        -------
        int
            How many there are.
        """
        from genus.images.source import as_source

        sorter = Sorter(self.sorted, 0.0, how)
        with console.task("filing", total=len(folders), unit="images") as task:
            for image, name in folders.items():
                sorter.put(as_source(image), name, 1.0)
                task.advance()
        return len(folders)

    def _write_table(self, grouped: "GroupedImages") -> None:
        with open_table(self.table, "csv", _CLUSTERS) as table:
            for image, row, number in zip(grouped.names, grouped.row, grouped.labels.tolist(), strict=True):
                if row >= 0:
                    table.write(
                        {
                            "image": image,
                            "cluster": number,
                            "distance": f"{grouped.row_distances[row]:.4f}",
                            "confidence": f"{grouped.row_confidence[row]:.4f}",
                        }
                    )

    def _images_made(self) -> Path:
        try:
            self.images.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(self.images, error) from error
        return self.images


def group_folders(grouped: "GroupedImages") -> dict[str, str]:
    """Return the folder of each image: its group's name or number; dropped groups have none."""
    from genus.estimators.naming import DROPPED

    names = {number: grouped.group_names.get(number, str(number)) for number in grouped.numbers}
    names[-1] = NOISE_FOLDER
    return {
        image: names[number]
        for image, row, number in zip(grouped.names, grouped.row, grouped.labels.tolist(), strict=True)
        if row >= 0 and names[number] != DROPPED
    }


def how_to_file(*, copy: bool, link: bool) -> HowToFile | None:
    """Return how images are filed, or None if they are not.

    Raises
    ------
    ParameterError
        Both are asked for.
    """
    if copy and link:
        raise ParameterError("--copy and --link exclude each other.")
    return HowToFile.copy if copy else HowToFile.link if link else None
