"""From what is asked to what is found."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from genus.data.duplicates import MAX_DISTANCE, MIN_COSINE
from genus.errors import DataError, ImageError, ParameterError
from genus.estimators.index_facts import file_state
from genus.estimators.index_hits import Hit
from genus.estimators.index_state import IndexState
from genus.features.comparable import comparable
from genus.features.engines import available_engines
from genus.features.runtime import Runtime
from genus.features.stream import extract
from genus.images.decode import decode
from genus.images.source import ImageSource, as_source
from genus.progress import SILENT, Progress
from genus.search.conditions import matching, read_conditions
from genus.search.ranking import diverse, fold, joint_query
from genus.search.storage import Rows

Box = tuple[float, float, float, float]

_MOST = 4096  # are looked at, where most are copies
_MORE = 3  # times k are looked at, for copies that are folded
_VARIETY = 10  # times k are chosen from, where the hits shall differ


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of an index.

    Parameters
    ----------
    positive, negative : sequence of images
        What is looked for, and what it shall be unlike.
    of_class : str or None
        Images such as those with this label.
    box : (left, top, right, bottom) or None
        The part of the first image that is meant: in pixels, or, if no number is above 1, in parts of its sides.
    where : conditions
        See `genus.search.conditions.read_conditions`.
    diversity : float in [0, 1]
    fold_copies : bool
        Whether copies of a picture are one hit.
    """

    positive: Sequence[Any] = ()
    negative: Sequence[Any] = ()
    of_class: str | None = None
    box: Box | None = None
    where: Any = ()
    diversity: float = 0.0
    fold_copies: bool = True

    def check(self, k: int) -> None:
        """Raise ParameterError for what cannot be."""
        if k < 1:
            raise ParameterError(f"k must be at least 1, not {k}.")
        if not 0 <= self.diversity <= 1:
            raise ParameterError(f"diversity must be between 0 and 1, not {self.diversity}.")
        if not self.positive and self.of_class is None:
            raise ParameterError("nothing to look for: name an image, or a class.")
        if self.box is not None and len(self.positive) != 1:
            raise ParameterError("a box is a part of one image; name one.")
        if self.box is not None and (len(self.box) != 4 or not np.isfinite(self.box).all()):
            raise ParameterError(f"a box is four numbers: left, top, right, bottom; not {self.box}.")

    def in_words(self) -> str:
        """Say what is asked."""
        parts = [", ".join(str(image) if _is_path(image) else _name(image) for image in self.positive)]
        parts += [f"the part {','.join(f'{value:g}' for value in self.box)}"] if self.box else []
        parts += [f"class {self.of_class}"] if self.of_class is not None else []
        return "; ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A query as vectors.

    Attributes
    ----------
    vector : (p,) float32
    content : str or None
        The content hash of the one image that was asked for, as a whole.
    kind : {"one", "mean", "against"}
        Whether the similarity is a cosine, a mean of cosines, or one less that to negative examples.
    """

    vector: Rows
    content: str | None
    kind: Literal["one", "mean", "against"]


def images_of(given: Any) -> list[Any]:
    """Return one or several images as a list."""
    if given is None:
        return []
    if isinstance(given, np.ndarray):
        return list(given) if given.dtype == object or given.ndim > 3 else [given]
    is_one = isinstance(given, str | bytes | ImageSource) or hasattr(given, "__fspath__")
    return [given] if is_one or hasattr(given, "convert") else list(given)


def cut_out(image: Any, box: Box, runtime: Runtime) -> ImageSource:
    """Return a part of an image as an image.

    Raises
    ------
    ParameterError
        The box lies outside the image, or has no area.
    ImageError
        The image cannot be read.
    """
    source = as_source(image)
    pixels = decode(source, None, runtime.limits).pixels
    height, width = pixels.shape[:2]
    scale = (width, height, width, height) if max(box) <= 1 else (1, 1, 1, 1)
    left, top, right, bottom = (round(value * by) for value, by in zip(box, scale, strict=True))
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise ParameterError(
            f"{source.name}: the box {left},{top},{right},{bottom} does not lie in its {width} x {height} pixels; "
            "it is left,top,right,bottom."
        )
    part = np.ascontiguousarray(pixels[top:bottom, left:right])
    return ImageSource(f"{source.name} [{left},{top},{right},{bottom}]", part)


def vectors_of(
    state: IndexState, images: Sequence[Any], runtime: Runtime, *, progress: Progress = SILENT
) -> tuple[Rows, tuple[str, ...]]:
    """Compute the vectors of images as the index has them; all must be readable.

    Returns
    -------
    (n, p) float32, and the content hashes

    Raises
    ------
    ImageError
        One cannot be read.
    """
    sources = [as_source(image, None if _is_named(image) else f"image {i}") for i, image in enumerate(images)]
    table = extract(sources, state.feature_set, runtime=runtime_for(state, runtime), progress=progress)
    if table.skipped:
        raise ImageError(table.skipped[0].source, table.skipped[0].reason)
    return state.metric.apply(comparable(table.X, table.blocks)), table.content_hashes


def runtime_for(state: IndexState, runtime: Runtime) -> Runtime:
    """Let the engine that computed the index compute the query too, where it is installed."""
    if runtime.engine != "auto" or state.engine not in available_engines():
        return runtime
    return replace(runtime, engine=state.engine)


def ask(state: IndexState, wish: Wish, runtime: Runtime) -> Asked:
    """Turn a wish into a vector.

    Raises
    ------
    DataError
        The index is empty, or no image has the label.
    ImageError, ParameterError
        See `vectors_of` and `cut_out`.
    """
    if not len(state.vectors):
        raise DataError("the index is empty: add images before searching.")
    positive: list[Rows] = []
    contents: tuple[str, ...] = ()
    if wish.positive:
        images = list(wish.positive)
        if wish.box is not None:
            images = [cut_out(images[0], wish.box, runtime)]
        rows, contents = vectors_of(state, images, runtime)
        positive.append(rows)
    if wish.of_class is not None:
        positive.append(_mean(state, members_of(state, wish.of_class)))
    negative = vectors_of(state, wish.negative, runtime)[0] if wish.negative else None
    is_one = len(contents) == 1 and wish.of_class is None
    return Asked(
        joint_query(np.concatenate(positive), negative),
        contents[0] if is_one and wish.box is None else None,
        "against" if negative is not None else "one" if is_one else "mean",
    )


def _mean(state: IndexState, places: NDArray[np.int64]) -> Rows:
    """Return the mean of some vectors, (1, p); they may be more than fit in memory."""
    total = np.zeros((1, state.vectors.width))
    for _, rows in state.vectors.blocks(places):
        total += rows.sum(axis=0, dtype=np.float64)
    return np.asarray(total / len(places), np.float32)


def members_of(state: IndexState, label: str) -> NDArray[np.int64]:
    """Return the images with a label.

    Raises
    ------
    DataError
        There are none; the message names the labels there are.
    """
    columns = state.images.columns(())
    mask = matching(read_conditions({"label": label}), columns, len(state.images)) & state.vectors.alive
    if not mask.any():
        known = state.images.labels.texts
        there = ", ".join(known[:20]) + (" ..." if len(known) > 20 else "")
        raise DataError(f"no image has the label {label!r}; there are: {there or 'none'}.")
    return np.flatnonzero(mask)


def allowed_by(state: IndexState, where: Any) -> NDArray[np.bool_]:
    """Tell which images may be found.

    Raises
    ------
    ParameterError
        See `genus.search.conditions`.
    """
    conditions = read_conditions(where)
    columns = state.images.columns([each.column for each in conditions])
    return matching(conditions, columns, len(state.images)) & state.vectors.alive


def hits_for(
    state: IndexState, asked: Asked, wish: Wish, k: int, allowed: NDArray[np.bool_]
) -> tuple[Hit, ...]:
    """Search, fold copies, mix, and say what is known of each hit."""
    n_allowed, wanted = int(allowed.sum()), _at_first(wish, k)
    most = max(wanted, min(n_allowed, _MOST))
    while True:
        found = state.vectors.search(asked.vector[None], wanted, allowed)
        places = found.rows[0][found.rows[0] >= 0]
        scores = found.scores[0][: len(places)]
        stacks = [[i] for i in range(len(places))]
        if wish.fold_copies:
            stacks = _stacks(state, places, k * (_VARIETY if wish.diversity else 1))
        if len(stacks) >= k or wanted >= most:
            break
        wanted = min(4 * wanted, most)
    first = np.array([stack[0] for stack in stacks], np.int64)
    if wish.diversity:
        chosen = diverse(scores[first], state.vectors.read(places[first]), k, wish.diversity)
    else:
        chosen = np.arange(min(k, len(first)))
    return tuple(_hit(state, asked, places, scores, stacks[i]) for i in chosen.tolist())


def _at_first(wish: Wish, k: int) -> int:
    """Return how many images are looked at before it is known how many of them are copies."""
    return k * _VARIETY if wish.diversity else k * (_MORE if wish.fold_copies else 1)


def _stacks(state: IndexState, places: NDArray[np.int64], most: int) -> list[list[int]]:
    """Put copies together, as `duplicate_groups` tells them; each to the best of them."""
    contents, hashes = state.images.contents[places], state.images.hashes[places]
    rows = state.vectors.read(places)

    def same(one: int, others: NDArray[np.int64]) -> NDArray[np.bool_]:
        copies = (contents[others] == contents[one]).all(axis=1)
        near = np.flatnonzero(np.bitwise_count(hashes[others] ^ hashes[one]) <= MAX_DISTANCE)
        copies[near] |= rows[others[near]] @ rows[one] >= MIN_COSINE
        return np.asarray(copies, bool)

    return fold(len(places), same, most)


def _hit(state: IndexState, asked: Asked, places: NDArray[np.int64], scores: Rows, stack: list[int]) -> Hit:
    place, similarity = int(places[stack[0]]), float(scores[stack[0]])
    images, score = state.images, similarity
    if state.likeness is not None and asked.kind == "one":
        score = float(state.likeness.of(np.array([similarity], np.float32))[0])
    return Hit(
        image=images.names[place],
        score=score,
        label=images.labels[place],
        similarity=similarity,
        place=place,
        same_file=asked.content is not None and images.content(place) == asked.content,
        copies=tuple(images.names[int(places[i])] for i in stack[1:]),
        file=file_state(images, place),
        source=images.source(place),
        split=images.splits[place],
    )


def sources_named(state: IndexState, images: Sequence[Any], name: str) -> list[ImageSource]:
    """Return images as sources; those that have no name of their own are called "Ann 1", "Ann 2" ..."""
    texts = state.images.labels.texts
    n_before = int((state.images.labels.codes == texts.index(name)).sum()) if name in texts else 0
    return [
        as_source(image, None if _is_named(image) else f"{name} {n_before + i}")
        for i, image in enumerate(images, 1)
    ]


def places_named(state: IndexState, names: Sequence[str]) -> NDArray[np.int64]:
    """Return the rows of images by their names or paths.

    Raises
    ------
    DataError
        One of them is not in the index.
    """
    known: dict[str, list[int]] = {}
    for place in np.flatnonzero(state.vectors.alive).tolist():
        for text in {state.images.names[place], state.images.paths[place]} - {""}:
            known.setdefault(text, []).append(place)
    found: set[int] = set()
    for name in names:
        rows = known.get(name) or known.get(os.path.abspath(name) if name else "")
        if not rows:
            raise DataError(f"{name}: not in the index.")
        found |= set(rows)
    return np.array(sorted(found), np.int64)


def warnings_about(hits: Sequence[Hit], wish: Wish, k: int, n_allowed: int) -> tuple[str, ...]:
    """Say what has become of the files that were found, and whether copies left too few."""
    notes = []
    if len(hits) < k and n_allowed > (most := max(_at_first(wish, k), _MOST)):
        notes.append(
            f"The {most:,} most alike images are copies of so few pictures; no others were looked at."
        )
    for state, words in (("changed", "changed"), ("vanished", "gone")):
        if n := sum(hit.file == state for hit in hits):
            notes.append(f"{n} of the images found: {words} since they were indexed. Build the index again.")
    return tuple(notes)


def _is_path(image: Any) -> bool:
    return isinstance(image, str) or hasattr(image, "__fspath__")


def _name(image: Any) -> str:
    return image.name if isinstance(image, ImageSource) else "an image"


def _is_named(image: Any) -> bool:
    return isinstance(image, ImageSource) or _is_path(image)
