"""The page of groups: what each is, how they lie, what was tried and why the winner won."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.estimators.grouped import GroupedImages
from genus.files import write_text
from genus.progress import SILENT, Progress
from genus.report.content import Fact, SkippedRow
from genus.report.dendrogram import draw_dendrogram
from genus.report.group_words import WHAT_IT_MEANS, WHAT_TRUTH_MEANS, basis, headline, why
from genus.report.page import render_page
from genus.report.pictures import Sources, made_on_all_cores, named_copy

_TYPICAL, _DOUBTFUL = 12, 6  # pictures a group
_SIZE, _SMALL = 128, 72  # of a picture, in pixels
_MAX_POINTS = 20_000  # on the map
_MAX_HOVER = 1500  # points of the map with a picture of their own
_MAX_OUTLIERS = 36
_MAX_SKIPPED = 500
_GOLDEN_ANGLE = 137.508  # degrees between the hues of groups: neighbours in number are far apart in colour
_FIRST_HUE = 166.0


@dataclass(frozen=True, slots=True)
class Picture:
    """One image on the page."""

    name: str
    short_name: str
    uri: str | None
    confidence: float


@dataclass(frozen=True, slots=True)
class GroupView:
    """One group: its figures, and the images that show what it is."""

    number: int
    name: str | None
    hue: float
    size: int
    share: float
    cohesion: float
    known: tuple[tuple[str, float], ...]
    typical: tuple[Picture, ...]
    doubtful: tuple[Picture, ...]


def write_groups_page(
    grouped: GroupedImages,
    path: str | PathLike[str],
    *,
    title: str,
    folder: str,
    sources: Sources | None = None,
    progress: Progress = SILENT,
) -> None:
    """Write the page of groups, whole or not at all.

    Parameters
    ----------
    grouped : GroupedImages
    path : path
    title : str
        The name of the data.
    folder : str
        Where the groups are kept, for the commands that the page proposes.
    sources : mapping of str to ImageSource, or None
        The images by name; None takes names for paths.
    progress : Progress

    Raises
    ------
    OutputError
        It cannot be written.
    """
    write_text(path, render_groups(grouped, title=title, folder=folder, sources=sources, progress=progress))


def render_groups(
    grouped: GroupedImages,
    *,
    title: str,
    folder: str,
    sources: Sources | None = None,
    progress: Progress = SILENT,
) -> str:
    """Return the page of groups as HTML (see `write_groups_page`)."""
    typical, doubtful = grouped.representatives(_TYPICAL), grouped.borderline(_DOUBTFUL)
    outliers = grouped.outliers[:_MAX_OUTLIERS]
    shown = np.unique(np.concatenate([*typical.values(), *doubtful.values(), outliers]))
    uris = _pictures(grouped.names, shown, sources, _SIZE, progress)
    picture = partial(_picture, grouped, uris)
    groups = [
        _group_view(
            grouped,
            number,
            [picture(i) for i in typical[number]],
            [picture(i) for i in doubtful[number] if i not in typical[number]],
        )
        for number in grouped.sizes
    ]
    tree = grouped.hierarchy()
    compared = grouped.comparison
    values = {
        "title": title,
        "headline": headline(grouped),
        "basis": basis(grouped),
        "about": _facts(grouped),
        "groups": groups,
        "outliers": [picture(i) for i in outliers],
        "n_outliers": len(grouped.outliers),
        "map": _map_data(grouped, sources, progress),
        "tree": draw_dendrogram(tree.merges, tree.heights) if len(groups) > 1 else None,
        "why": why(grouped),
        "trials": compared["rows"],
        "meanings": WHAT_IT_MEANS | (WHAT_TRUTH_MEANS if compared["rows"][0]["truth"] else {}),
        "metric": compared["metric"],
        "numbers": compared["numbers"],
        "n_found": compared["n_clusters"],
        "notes": compared["notes"],
        "skipped": [SkippedRow(s.source, s.reason) for s in grouped.skipped[:_MAX_SKIPPED]],
        "n_skipped": len(grouped.skipped),
        "commands": _commands(grouped, folder),
        "provenance": grouped.provenance,
    }
    return render_page("groups.html", values, scripts=("page.js", "map.js"))


def _group_view(
    grouped: GroupedImages, number: int, typical: Sequence[Picture], doubtful: Sequence[Picture]
) -> GroupView:
    size = grouped.sizes[number]
    return GroupView(
        number=number,
        name=grouped.group_names.get(number),
        hue=hue_of(number),
        size=size,
        share=size / max(1, int((grouped.labels >= 0).sum())),
        cohesion=grouped.cohesion[number],
        known=tuple(grouped.known_labels(number)),
        typical=tuple(typical),
        doubtful=tuple(doubtful),
    )


def hue_of(number: int) -> float:
    """Return the hue of a group's colour in degrees: the same wherever the group is shown."""
    return round((_FIRST_HUE + number * _GOLDEN_ANGLE) % 360, 1)


def _picture(grouped: GroupedImages, uris: Mapping[int, str | None], i: int) -> Picture:
    name = grouped.names[i]
    return Picture(
        name, os.path.basename(name), uris.get(int(i)), float(grouped.row_confidence[grouped.row[i]])
    )


def _pictures(
    names: Sequence[str], places: NDArray[np.int64], sources: Sources | None, size: int, progress: Progress
) -> dict[int, str | None]:
    """Make small copies of some images, by their places."""
    quality = 72 if size == _SIZE else 60

    def small(place: int) -> str | None:
        return named_copy(names[place], sources, size=size, quality=quality)

    return made_on_all_cores(places.tolist(), small, progress)


def _map_data(grouped: GroupedImages, sources: Sources | None, progress: Progress) -> dict[str, Any]:
    """Return the points of the map: places, groups, names, and pictures for as many as fit a page."""
    rng = np.random.default_rng(0)
    m = len(grouped.rows)
    places = grouped.map_places
    rows = np.arange(m) if m <= _MAX_POINTS else np.sort(rng.choice(m, _MAX_POINTS, replace=False))
    images = grouped.first[rows]
    seen = (
        np.arange(len(rows)) if len(rows) <= _MAX_HOVER else rng.choice(len(rows), _MAX_HOVER, replace=False)
    )
    seen = np.sort(seen)
    uris = _pictures(grouped.names, images[seen], sources, _SMALL, progress)
    names = [grouped.names[i] for i in images]
    start = len(os.path.commonpath(names)) + 1 if len(names) > 1 and all(map(os.path.isabs, names)) else 0
    return {
        "x": np.round(1000 * places[rows, 0]).astype(int).tolist(),
        "y": np.round(1000 * places[rows, 1]).astype(int).tolist(),
        "group": grouped.row_labels[rows].tolist(),
        "name": [name[start:] for name in names],
        "seen": seen.tolist(),
        "picture": [uris[int(images[i])] for i in seen],
        "groups": {
            str(number): {"hue": hue_of(number), "name": grouped.group_names.get(number) or ""}
            for number in grouped.sizes
        },
        "total": m,
    }


def _facts(grouped: GroupedImages) -> list[Fact]:
    compared, first = grouped.comparison, grouped.comparison["rows"][0]
    facts = [
        Fact("Images", f"{len(grouped.names):,}, {len(grouped.rows):,} different"),
        Fact("Groups", f"{len(grouped.numbers)}"),
        Fact("Found by", f"{first['name']}"),
        Fact("Tried", f"{len(compared['rows'])} groupings in {compared['seconds']:.0f} s"),
    ]
    return facts


def _commands(grouped: GroupedImages, folder: str) -> list[str]:
    unnamed = [number for number in sorted(grouped.numbers) if number not in grouped.group_names]
    pairs = " ".join(f"{number}=NAME" for number in unnamed[:3]) + (" ..." if len(unnamed) > 3 else "")
    naming = [f"genus name {folder} --suggest", f"genus name {folder} {pairs}"] if unnamed else []
    return [*naming, f"genus train {os.path.join(folder, 'labels.csv')}"]
