"""Grouping, step by step: features, preparation, comparison, the grouping of all images, the model file."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.cluster.comparison import Comparison, checked_algorithms, compare_views
from genus.cluster.constraints import Constraints
from genus.cluster.export import ClusterHead
from genus.cluster.preparation import Preparation
from genus.cluster.views import Views, fit_preparations, make_views
from genus.data.dataset import Dataset, SkippedImage
from genus.errors import DataError
from genus.estimators.grouped import GroupedImages
from genus.estimators.grouping_cost import check_memory, cost_note
from genus.estimators.grouping_options import GroupingOptions, Pair, Wishes
from genus.estimators.provenance import provenance_of
from genus.features.feature_set import FeatureSet
from genus.features.stream import extract, extract_batches
from genus.model_file import ModelFile, build_model_file
from genus.progress import SILENT, Progress
from genus.wording import count

_MAX_TABLE = 10_000  # rows of features in memory at once; the preparations are learned from them

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What is kept of the images: prepared rows of the distinct ones."""

    views: Views
    row: Labels
    skipped: tuple[SkippedImage, ...]


def group_images(
    dataset: Dataset, options: GroupingOptions, wishes: Wishes | None = None, *, progress: Progress = SILENT
) -> tuple[GroupedImages, Comparison]:
    """Sort images into groups.

    Returns
    -------
    GroupedImages, Comparison

    Raises
    ------
    DataError
        No image can be read, there are fewer different images than groups, or the wishes contradict each other.
    ParameterError
        An option cannot work.
    """
    n = len(dataset)
    _check(dataset, options)
    seen = _see(dataset, options, progress)
    _check_number(len(seen.views), "different images that can be read", dataset, options)
    known = _constraints(wishes or Wishes(), seen.row, len(seen.views))
    if note := cost_note(len(seen.views), options):
        progress.say(note)
    compared = compare_views(
        seen.views,
        n_clusters=options.n_clusters,
        algorithms=options.algorithms,
        metric=options.metric,
        y=_labels_of_rows(dataset, seen),
        constraints=known,
        random_state=options.random_state,
        progress=progress,
    )
    notes = (*dataset.notes, *_copies_note(seen), *compared.notes)
    grouped = GroupedImages(
        origin=dataset.origin,
        names=dataset.names,
        row=seen.row,
        skipped=(*dataset.skipped, *seen.skipped),
        truth=dataset.labels,
        features=options.feature_set.to_dict(),
        views=dict(seen.views.rows),
        view=compared.winner.preparation,
        preparation=compared.preparation,
        clusterer=compared.clusterer,
        numbers=tuple(range(compared.clusterer.n_clusters_)),
        temperature=compared.temperature,
        comparison=_summary(compared, notes),
        provenance={
            **provenance_of(options.command, options.random_state),
            "data": dataset.origin,
            "n_images": n,
        },
        group_names={},
    )
    return grouped, compared


def model_of(grouped: GroupedImages) -> ModelFile:
    """Return the groups as a model file: classes are the groups' numbers, and "noise" where there is any."""
    head = ClusterHead(grouped.preparation, grouped.clusterer, grouped.temperature)
    classes = (*map(str, grouped.numbers), *(("noise",) if head.has_noise else ()))
    winner = grouped.comparison["rows"][0]
    details = {
        "kind": "clusterer",
        "head": {
            "name": winner["name"],
            "params": {"groups": str(len(grouped.numbers)), "preparation": winner["preparation"]},
            "n_stored_examples": len(grouped.clusterer.prototypes_),
        },
        "comparison": dict(grouped.comparison),
        "provenance": dict(grouped.provenance),
    }
    return build_model_file(FeatureSet.from_dict(dict(grouped.features)), head, classes, details)


def _check(dataset: Dataset, options: GroupingOptions) -> None:
    """Find out before the work what cannot work."""
    checked_algorithms(options.algorithms, options.metric, has_labels=any(dataset.labels or ()))
    _check_number(len(dataset), "images", dataset, options)
    check_memory(len(dataset), options.feature_set.n_features)


def _check_number(n: int, of_what: str, dataset: Dataset, options: GroupingOptions) -> None:
    wanted = options.n_clusters
    least = wanted[0] if isinstance(wanted, tuple) else wanted or 1
    if n < least:
        raise DataError(f"{dataset.origin}: {n} {of_what} cannot make {least} groups.")


def _see(dataset: Dataset, options: GroupingOptions, progress: Progress) -> _Seen:
    """Compute features, and keep of each distinct image its prepared rows only."""
    n = len(dataset)
    rng = np.random.default_rng(options.random_state)
    first = np.arange(n) if n <= _MAX_TABLE else np.sort(rng.choice(n, _MAX_TABLE, replace=False))
    table = extract(
        [dataset.sources[i] for i in first], options.feature_set, runtime=options.runtime, progress=progress
    )
    if not len(table):
        reason = table.skipped[0].reason if table.skipped else "there are none"
        raise DataError(f"{dataset.origin}: none of the {n} images can be read: {reason}.")
    contents: list[str | None] = [None] * n
    for place, content in zip(first[table.kept].tolist(), table.content_hashes, strict=True):
        contents[place] = content
    preparations = _preparations(table.X, table.content_hashes, options)
    skipped = list(table.skipped)

    def batches() -> Iterator[tuple[Labels, Floats]]:
        yield first[table.kept], table.X
        rest = np.setdiff1d(np.arange(n), first)
        others = [dataset.sources[i] for i in rest]
        found = extract_batches(others, options.feature_set, runtime=options.runtime, progress=progress)
        with closing(found) as stream:
            for batch in stream:
                places = rest[batch.indices]
                for place, info in zip(places.tolist(), batch.infos, strict=True):
                    contents[place] = info.content_hash
                skipped.extend(batch.skipped.values())
                yield places, batch.X

    views = make_views(preparations, batches(), n)
    row, kept = _distinct(contents)
    return _Seen(views if len(kept) == n else views.take(kept), row, tuple(skipped))


def _preparations(X: Floats, contents: Sequence[str], options: GroupingOptions) -> dict[str, Preparation]:
    """Learn from what networks see last: groups by what is in a picture, not by its textures."""
    blocks = options.feature_set.blocks
    kept = np.unique(np.asarray(contents), return_index=True)[1]
    return fit_preparations(
        X if len(kept) == len(X) else X[np.sort(kept)],
        n_components=options.n_components,
        blocks=[(block.start, block.stop) for block in blocks],
        use=[i for i, block in enumerate(blocks) if not block.middle],
        random_state=options.random_state,
    )


def _distinct(contents: Sequence[str | None]) -> tuple[Labels, Labels]:
    """Number distinct contents by first occurrence: the number of each image, and the first image of each."""
    numbers: dict[str, int] = {}
    row = np.array([-1 if c is None else numbers.setdefault(c, len(numbers)) for c in contents], np.int64)
    readable = np.flatnonzero(row >= 0)
    return row, readable[np.unique(row[readable], return_index=True)[1]]


def _constraints(wishes: Wishes, row: Labels, m: int) -> Constraints:
    """Turn what is known of images into what is known of distinct images."""
    seeds: list[str | None] = [None] * m
    for place, label in enumerate(wishes.seeds or ()):
        if label and row[place] >= 0:
            seeds[row[place]] = label
    pairs = [
        [(int(row[a]), int(row[b])) for a, b in _checked(kind, len(row)) if row[a] >= 0 and row[b] >= 0]
        for kind in (wishes.must_link, wishes.cannot_link)
    ]
    return Constraints.of(m, seeds=seeds, must_link=pairs[0], cannot_link=pairs[1])


def _checked(pairs: Iterable[Pair], n: int) -> list[Pair]:
    found = list(pairs)
    for pair in found:
        if not all(0 <= i < n for i in pair):
            raise DataError(f"the pair {pair} names an image that does not exist: there are {n}, from 0.")
    return found


def _labels_of_rows(dataset: Dataset, seen: _Seen) -> list[str | None] | None:
    if dataset.labels is None or not any(dataset.labels):
        return None
    labels: list[str | None] = [None] * len(seen.views)
    for place, label in zip(seen.row.tolist(), dataset.labels, strict=True):
        if place >= 0 and label:
            labels[place] = label
    return labels


def _summary(compared: Comparison, notes: Sequence[str]) -> dict[str, Any]:
    return {
        "metric": compared.metric,
        "n_clusters": compared.n_clusters,
        "rows": [row.to_dict() for row in compared.rows],
        "numbers": [row.to_dict() for row in compared.numbers],
        "notes": list(notes),
        "seconds": round(compared.seconds, 2),
    }


def _copies_note(seen: _Seen) -> tuple[str, ...]:
    n_copies = int((seen.row >= 0).sum()) - len(seen.views)
    if not n_copies:
        return ()
    copies = count(n_copies, "image is an exact copy", "images are exact copies")
    return (f"{copies} of others; each picture counted once",)
