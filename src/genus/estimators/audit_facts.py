"""Gathers what the checks are made on: everything that needs images, features or classifiers."""

import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.audit.facts import Facts
from genus.classify.learning_curve import LearningCurve
from genus.data.dataset import Dataset, SkippedImage
from genus.errors import DataError
from genus.estimators.audit_models import Judged, judge_labels, leak_scores
from genus.estimators.same_pictures import bits_apart, confirmed_pairs, proposed_pairs, same_pictures
from genus.features.comparable import comparable, comparable_width
from genus.features.feature_set import FeatureSet
from genus.features.runtime import Runtime
from genus.features.stream import compact, extract_batches
from genus.images.decode import ImageInfo
from genus.images.statistics import STATISTICS
from genus.images.survey import Survey, survey
from genus.neighbors import Neighbors, nearest_others
from genus.progress import Progress

_NEIGHBOURS = 20
_DIMENSIONS = 256  # in which neighbours are looked for, where there are many images
_MANY = 4000
_SAMPLE = 5000
# Pairs that are compared by their pixels, at most, the likeliest first: two an image of the first 10,000, one to four
# images of the others. That takes some 15 ms of a core a pair: five minutes for 60,000 images on two.
_PAIRS_AN_IMAGE, _FIRST, _PAIRS_AN_IMAGE_MORE = 2.0, 10_000, 0.25
_LEAST_PAIRS = 2000
_NUMBER = re.compile(r"(\d+)(?!.*\d)")  # the last one in a name

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """Facts of the images that can be read, and what is known of the others.

    Attributes
    ----------
    facts : Facts of m images
    names : tuple of m str
    skipped : tuple of SkippedImage
    notes : tuple of str
    learning_curve : LearningCurve or None
    """

    facts: Facts
    names: tuple[str, ...]
    skipped: tuple[SkippedImage, ...]
    notes: tuple[str, ...]
    learning_curve: LearningCurve | None


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    Z: Floats
    kept: NDArray[np.int64]
    infos: tuple[ImageInfo, ...]
    hashes: NDArray[np.uint64]
    skipped: tuple[SkippedImage, ...]


def gather(
    dataset: Dataset,
    feature_set: FeatureSet,
    runtime: Runtime,
    *,
    random_state: int | None,
    progress: Progress,
) -> Gathered:
    """Open every image, and find out what the checks need to know.

    Raises
    ------
    DataError
        No image can be read.
    """
    seen = _see(dataset, feature_set, runtime, progress)
    data = dataset.take(seen.kept)
    workers = runtime.n_workers(len(data))
    looks = survey(data.sources, workers=workers, limits=runtime.limits, progress=progress)
    nearest = nearest_others(_compact(seen.Z), _NEIGHBOURS)
    contents = [info.content_hash for info in seen.infos]
    pictures, cut = _pictures(data, seen, looks, nearest, runtime, progress)
    judged = judge_labels(data, seen.Z, contents, pictures, random_state=random_state)
    scores = leak_scores(data, seen.Z)
    notes = (*cut, *judged.notes)
    facts = _facts(data, seen, looks, nearest, pictures, judged, scores)
    return Gathered(facts, data.names, (*dataset.skipped, *seen.skipped), notes, judged.learning_curve)


def _pictures(
    data: Dataset, seen: _Seen, looks: Survey, nearest: Neighbors, runtime: Runtime, progress: Progress
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Number the pictures, and say where not all that may be copies could be compared."""
    codes = np.unique([info.content_hash for info in seen.infos], return_inverse=True)[1].astype(np.int64)
    every, most = proposed_pairs(seen.hashes, looks.mirrored, nearest, codes), most_pairs(len(data))
    pairs = every[:most]
    same = confirmed_pairs(
        data.sources,
        pairs,
        seen.Z,
        bits_apart(seen.hashes, looks.mirrored, pairs),
        looks.squares,
        nearest,
        workers=runtime.n_workers(len(data)),
        limits=runtime.limits,
        progress=progress,
    )
    note = f"of {len(every):,} pairs of images that are alike the likeliest {most:,} were compared, pixel by pixel"
    return same_pictures(codes, same), (note,) if len(every) > most else ()


def most_pairs(n: int) -> int:
    """Return how many pairs of `n` images are compared by their pixels, at most.

    Examples
    --------
    >>> most_pairs(100), most_pairs(5_000), most_pairs(60_000)
    (2000, 10000, 32500)
    """
    first = min(n, _FIRST)
    return max(_LEAST_PAIRS, int(_PAIRS_AN_IMAGE * first + _PAIRS_AN_IMAGE_MORE * (n - first)))


def _see(dataset: Dataset, feature_set: FeatureSet, runtime: Runtime, progress: Progress) -> _Seen:
    """Compute features, and keep what networks see last of them: what a picture is of, not its textures."""
    n = len(dataset)
    Z = np.empty((n, comparable_width(feature_set.blocks)), np.float32)
    infos: list[ImageInfo | None] = [None] * n
    hashes = np.zeros(n, np.uint64)
    skipped: dict[int, SkippedImage] = {}
    with closing(
        extract_batches(dataset.sources, feature_set, runtime=runtime, progress=progress)
    ) as batches:
        for batch in batches:
            Z[batch.indices] = comparable(batch.X, feature_set.blocks)
            hashes[batch.indices] = batch.hashes
            for place, info in zip(batch.indices.tolist(), batch.infos, strict=True):
                infos[place] = info
            skipped.update(batch.skipped)
    kept = np.array([i for i, info in enumerate(infos) if info is not None], np.int64)
    failed = tuple(skipped[i] for i in sorted(skipped))
    if not len(kept):
        reason = f"; the first is {failed[0].source}: {failed[0].reason}" if failed else ""
        raise DataError(f"{dataset.origin}: none of the {n} images can be read{reason}.")
    known = tuple(info for info in infos if info is not None)
    return _Seen(compact(Z, kept), kept, known, hashes[kept], failed)


def _compact(Z: Floats) -> Floats:
    """Return rows in fewer dimensions, where there are many: neighbours are looked for among all pairs."""
    if len(Z) <= _MANY or Z.shape[1] <= _DIMENSIONS:
        return Z
    sample = Z[np.random.default_rng(0).choice(len(Z), _SAMPLE, replace=False)] if len(Z) > _SAMPLE else Z
    _, axes = np.linalg.eigh(sample.T @ sample)
    rows = Z @ np.ascontiguousarray(axes[:, -_DIMENSIONS:])
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12), np.float32)


def _facts(
    data: Dataset,
    seen: _Seen,
    looks: Survey,
    nearest: Neighbors,
    pictures: NDArray[np.int64],
    judged: Judged,
    scores: Mapping[str, NDArray[np.float64]],
) -> Facts:
    splits = None
    if data.splits is not None and any(data.splits):
        splits = np.array([split or "" for split in data.splits])
    return Facts(
        X=seen.Z,
        contents=np.array([info.content_hash for info in seen.infos]),
        pictures=pictures,
        nearest=nearest,
        classes=data.classes,
        codes=judged.codes,
        values=None if data.label_sets is None else data.label_sets.values,
        proba=judged.proba,
        why_no_proba=judged.why_not,
        splits=splits,
        leak_scores=scores,
        statistics=_statistics(seen.infos, looks),
        thumbnails=looks.thumbnails,
        metadata=_metadata(data, seen.infos, looks),
    )


def _statistics(infos: tuple[ImageInfo, ...], looks: Survey) -> dict[str, NDArray[np.float64]]:
    found = {name: looks.values[:, i].astype(np.float64) for i, name in enumerate(STATISTICS)}
    for name in ("width", "height", "n_bytes"):
        found[name] = np.array([getattr(info, name) for info in infos], np.float64)
    return found


def _metadata(data: Dataset, infos: tuple[ImageInfo, ...], looks: Survey) -> dict[str, NDArray[Any]]:
    numbers = [_NUMBER.search(re.split(r"[/\\]", name)[-1]) for name in data.names]
    return {
        "format": np.array([info.format for info in infos]),
        "mode": np.array([info.mode for info in infos]),
        "camera": np.array(looks.cameras),
        "number": np.array([float(m[1][-15:]) if m else -1.0 for m in numbers]),
    }
