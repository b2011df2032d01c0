"""What is in a data set, found out by opening every image once."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np

from genus.data.dataset import Dataset, SkippedImage
from genus.data.label_summary import LabelSummary, summarise_labels
from genus.errors import ImageError
from genus.images.decode import DEFAULT_LIMITS, ImageInfo, Limits, decode
from genus.progress import SILENT, Progress
from genus.wording import count

TINY = 32  # pixels: a side below this holds little to learn from
_LOOK_AT = (64, 64)  # decoding small is enough to find out whether an image can be read
_SHOWN = 100
_AHEAD = 64
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the data.

    Attributes
    ----------
    kind : {"unreadable", "tiny", "duplicate", "conflict", "never", "always"}
    images : tuple of str
        The images it is about, at most 100 of them; none where it is about labels.
    n : int
        How many images (or labels) there are in all.
    text : str
        In words.
    """

    kind: str
    images: tuple[str, ...]
    n: int
    text: str


@dataclass(frozen=True, slots=True)
class Spread:
    """Smallest, middle and largest of some number."""

    low: int
    median: int
    high: int


@dataclass(frozen=True, slots=True)
class Description:
    """What is in a data set.

    Attributes
    ----------
    origin : str
    n_images : int
        All that were named, readable or not.
    n_readable, n_labelled : int
    counts : dict of str to int
        Images a class, or a label.
    labels : LabelSummary or None
        Where an image may have several labels.
    split_counts : dict of str to dict of str to int
        Images a class in each split that the data marks.
    n_groups : int or None
        Groups that the data marks.
    widths, heights : Spread or None
        In pixels; None where nothing can be read.
    formats, modes : dict of str to int
        Images of each file format and colour mode.
    problems : tuple of Problem
    skipped : tuple of SkippedImage
        Every image that cannot be read.
    notes : tuple of str
        What the reader decided.
    """

    origin: str
    n_images: int
    n_readable: int
    n_labelled: int
    counts: dict[str, int]
    labels: LabelSummary | None
    split_counts: dict[str, dict[str, int]]
    n_groups: int | None
    widths: Spread | None
    heights: Spread | None
    formats: dict[str, int]
    modes: dict[str, int]
    problems: tuple[Problem, ...]
    skipped: tuple[SkippedImage, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def describe(
    dataset: Dataset,
    *,
    workers: int = 4,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress = SILENT,
) -> Description:
    """Open every image and say what there is and what is wrong.

    Parameters
    ----------
    dataset : Dataset
    workers : int, default 4
        Threads that decode.
    limits : Limits
        What is refused as too large.
    progress : Progress

    Notes
    -----
    JPEG files are decoded at an eighth of their size: thousands a second.
    """
    infos: dict[int, ImageInfo] = {}
    skipped = list(dataset.skipped)
    with progress.task("looking at images", total=len(dataset), unit="images") as task:
        for i, found in enumerate(_look(dataset, workers, limits)):
            if isinstance(found, ImageInfo):
                infos[i] = found
            else:
                skipped.append(found)
            task.advance()
    labels = None if dataset.label_sets is None else summarise_labels(dataset.label_sets)
    problems = [*_problems(dataset, infos, skipped), *_label_problems(labels)]
    return Description(
        origin=dataset.origin,
        n_images=len(dataset) + len(dataset.skipped),
        n_readable=len(infos),
        n_labelled=sum(dataset.counts().values()) if labels is None else labels.n_labelled,
        counts=dataset.counts(),
        labels=labels,
        split_counts=_split_counts(dataset),
        n_groups=None if dataset.groups is None else len(set(dataset.groups) - {None}),
        widths=_spread([info.width for info in infos.values()]),
        heights=_spread([info.height for info in infos.values()]),
        formats=dict(Counter(info.format for info in infos.values()).most_common()),
        modes=dict(Counter(info.mode for info in infos.values()).most_common()),
        problems=tuple(problems),
        skipped=tuple(skipped),
        notes=dataset.notes,
    )


def _look(dataset: Dataset, workers: int, limits: Limits) -> Iterator[ImageInfo | SkippedImage]:
    def look(i: int) -> ImageInfo | SkippedImage:
        try:
            return decode(dataset.sources[i], _LOOK_AT, limits).info
        except ImageError as error:
            return SkippedImage(error.source, error.reason)

    places = iter(range(len(dataset)))
    with ThreadPoolExecutor(workers, thread_name_prefix="genus-look") as pool:
        while chunk := list(islice(places, _AHEAD * workers)):
            yield from pool.map(look, chunk)


def _problems(
    dataset: Dataset, infos: dict[int, ImageInfo], skipped: list[SkippedImage]
) -> Iterator[Problem]:
    names = dataset.names
    if skipped:
        shown = tuple(skip.source for skip in skipped[:_SHOWN])
        yield Problem("unreadable", shown, len(skipped), f"{count(len(skipped), 'image')} cannot be read")
    tiny = [names[i] for i, info in infos.items() if min(info.width, info.height) < TINY]
    if tiny:
        text = f"{count(len(tiny), 'image is', 'images are')} less than {TINY} pixels wide or high"
        yield Problem("tiny", tuple(tiny[:_SHOWN]), len(tiny), text)
    by_content = defaultdict(list)
    for i, info in infos.items():
        by_content[info.content_hash].append(i)
    copies = [rows for rows in by_content.values() if len(rows) > 1]
    if copies:
        images = [names[i] for rows in copies for i in rows]
        text = f"{count(len(images) - len(copies), 'image is an exact copy', 'images are exact copies')} of others"
        yield Problem("duplicate", tuple(images[:_SHOWN]), len(images), text)
    contradictory = _contradictory(dataset, copies)
    if contradictory:
        images = [names[i] for rows in contradictory for i in rows]
        text = f"{len(contradictory)} identical files occur under different labels"
        yield Problem("conflict", tuple(images[:_SHOWN]), len(images), text)


def _contradictory(dataset: Dataset, copies: list[list[int]]) -> list[list[int]]:
    """Return those groups of identical files of which the labels say different things."""
    if dataset.label_sets is None:
        labels = dataset.labels or (None,) * len(dataset)
        return [rows for rows in copies if len({labels[i] for i in rows}) > 1]
    group = [number for number, rows in enumerate(copies) for _ in rows]
    found = dataset.label_sets.take([i for rows in copies for i in rows]).contradictions(group)
    return [copies[number] for number in found.tolist()]


def _label_problems(labels: LabelSummary | None) -> Iterator[Problem]:
    for kind, names, what in (
        ("never", labels.never if labels else (), "no image has"),
        ("always", labels.always if labels else (), "no image is known not to have"),
    ):
        if names:
            some = f"{', '.join(names[:_NAMED])}{' ...' if len(names) > _NAMED else ''}"
            yield Problem(
                kind,
                (),
                len(names),
                f"{count(len(names), 'label')} that {what}, so nothing can be learned: {some}",
            )


def _split_counts(dataset: Dataset) -> dict[str, dict[str, int]]:
    if dataset.splits is None:
        return {}
    found = {split for split in dataset.splits if split is not None}
    order = [split for split in ("train", "val", "test") if split in found]
    return {
        split: dataset.take(i for i, s in enumerate(dataset.splits) if s == split).counts() for split in order
    }


def _spread(values: list[int]) -> Spread | None:
    if not values:
        return None
    return Spread(min(values), int(np.median(values)), max(values))
