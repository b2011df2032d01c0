"""What becomes of predictions: lines, JSON, tables, folders. Each is a sink that takes one image at a time."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from genus.cli.output import Kind, RowWriter, aligned, open_table, print_json, print_line
from genus.cli.sorting import Sorter
from genus.cli.taxa import NOT_SURE, TAXON_COLUMNS, Taxon, TaxonMaker
from genus.progress import SILENT, Progress

if TYPE_CHECKING:
    from genus.images.source import ImageSource
    from genus.metrics.costs import Costs
    from genus.predictor import PredictedBatch, Predictor

NameSets = Callable[[Any], Sequence[tuple[str, ...]]]
SEPARATOR = "|"  # between the names of a set in a table
NOTHING = "(nothing)"  # said of an image without any label
_OWN_COLUMNS = ("path", "labels", "error")

_BAR = 24  # characters at 100%
_SHOWN_INLINE = 3  # guesses on a line
_WORTH_SHOWING = 0.01


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of one image.

    Attributes
    ----------
    source : ImageSource
    guesses : tuple of (str, float)
        Class names and probabilities, the most probable first; empty if the image cannot be read.
    error : str or None
        Why it cannot be read.
    names : tuple of str or None
        The set of names that was asked for, the most probable first; of a model with several labels an image always.
    labels : mapping of str to float, or None
        Of such a model: the probability of every label.
    taxon : Taxon or None
        The deepest sure taxon, where that was asked for.
    """

    source: "ImageSource"
    guesses: tuple[tuple[str, float], ...] = ()
    error: str | None = None
    names: tuple[str, ...] | None = None
    labels: Mapping[str, float] | None = None
    taxon: Taxon | None = None

    @property
    def name(self) -> str:
        """The image's name."""
        return self.source.name

    def row(self) -> dict[str, Any]:
        """Return the row of a table."""
        row: dict[str, Any] = {"path": self.name, "error": self.error}
        if self.labels is not None:
            return {**row, "labels": SEPARATOR.join(self.names or ()), **label_columns(self.labels)}
        if self.names is not None:
            row["set"] = SEPARATOR.join(self.names)
        if self.taxon is not None:
            row |= self.taxon.row()
        for i, (label, confidence) in enumerate(self.guesses, start=1):
            row |= {_column("label", i): label, _column("confidence", i): confidence}
        return row

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        if self.error is not None:
            return {"path": self.name, "error": self.error}
        if self.labels is not None:
            return {"path": self.name, "labels": list(self.names or ()), "probabilities": dict(self.labels)}
        label, confidence = self.guesses[0]
        top = [{"label": label, "confidence": confidence} for label, confidence in self.guesses]
        found = {"path": self.name, "label": label, "confidence": confidence, "top": top}
        if self.taxon is not None:
            found |= self.taxon.row()
        return found if self.names is None else {**found, "set": list(self.names)}


def predictions(
    predictor: "Predictor",
    sources: "Sequence[ImageSource]",
    top: int,
    progress: Progress = SILENT,
    name_sets: NameSets | None = None,
    *,
    costs: "Costs | None" = None,
    make_taxa: TaxonMaker | None = None,
) -> Iterator[Prediction]:
    """Predict images in their order, `top` guesses each; unreadable ones come with their error.

    `name_sets` turns probabilities into sets of names, `make_taxa` into taxa, where those were asked for. With `costs`
    the first guess is the cheapest answer; the confidence of "unknown" is that of the most probable class.
    """
    n_guesses = min(top, len(predictor.classes_))
    for batch in predictor.stream(sources, progress=progress):
        found = _of_batch(batch, sources, predictor, n_guesses, name_sets, costs)
        yield from found if make_taxa is None else _with_taxa(found, make_taxa(batch.proba))


def set_maker(
    predictor: "Predictor",
    coverage: float | None,
    *,
    by_class: bool = False,
    threshold: float | Mapping[str, float] | None = None,
) -> NameSets | None:
    """Return what makes sets of names; None where one name is wanted.

    Raises
    ------
    ParameterError
        The coverage or a threshold is not between 0 and 1, or the model cannot make sets.
    """
    from genus.judgement import name_sets

    choose = predictor.chooser(coverage, by_class=by_class, threshold=threshold)
    if choose is None:
        return None

    def make(proba: Any) -> Sequence[tuple[str, ...]]:
        found: Sequence[tuple[str, ...]] = name_sets(proba, choose(proba), predictor.model.classes).tolist()
        return found

    return make


def label_columns(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table's columns for labels: their names, unless those are taken.

    Examples
    --------
    >>> label_columns({"cat": 0.9, "path": 0.1})
    {'cat': 0.9, 'label path': 0.1}
    """
    return {f"label {name}" if name in _OWN_COLUMNS else name: value for name, value in labels.items()}


def _of_batch(
    batch: "PredictedBatch",
    sources: "Sequence[ImageSource]",
    predictor: "Predictor",
    n_guesses: int,
    name_sets: NameSets | None,
    costs: "Costs | None",
) -> Iterator[Prediction]:
    classes, several = predictor.model.classes, predictor.model.multilabel
    found = {index: Prediction(sources[index], error=skipped.reason) for index, skipped in batch.skipped}
    order = (-batch.proba).argsort(axis=1, kind="stable")[:, :n_guesses]
    answers = [None] * len(order) if costs is None else costs.names(batch.proba).tolist()
    sets = [None] * len(order) if name_sets is None else name_sets(batch.proba)
    rows = zip(batch.indices.tolist(), order.tolist(), batch.proba, sets, answers, strict=True)
    for index, codes, proba, names, answer in rows:
        guesses = tuple((classes[code], round(float(proba[code]), 6)) for code in codes)
        if answer is not None and answer != guesses[0][0]:
            guesses = _answer_first(answer, guesses, proba, classes)
        every = (
            {name: round(float(p), 6) for name, p in zip(classes, proba, strict=True)} if several else None
        )
        found[index] = Prediction(sources[index], guesses, names=names, labels=every)
    yield from (found[index] for index in sorted(found))


def _with_taxa(found: Iterator[Prediction], taxa: Sequence[Taxon]) -> Iterator[Prediction]:
    of_readable = iter(taxa)
    for one in found:
        yield one if one.error is not None else replace(one, taxon=next(of_readable))


def _answer_first(
    answer: str, guesses: tuple[tuple[str, float], ...], proba: Any, classes: Sequence[str]
) -> tuple[tuple[str, float], ...]:
    """Put the cheapest answer before the most probable ones."""
    known = dict(zip(classes, proba.tolist(), strict=True))
    first = (answer, round(known.get(answer, guesses[0][1]), 6))
    return (first, *(guess for guess in guesses if guess[0] != answer))[: len(guesses)]


class Sink(AbstractContextManager["Sink"], Protocol):
    """Takes predictions; as a context manager, it finishes its work at the end of the block."""

    def take(self, found: Prediction) -> None:
        """Take in one prediction."""


class _Plain:
    """A sink that has nothing to open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()

    def finish(self) -> None:
        """Print what can be said only at the end."""


class Lines(_Plain):
    """Prints each image as it is done: a line, or a little chart for one alone."""

    def __init__(self, *, alone: bool) -> None:
        self._alone = alone

    def take(self, found: Prediction) -> None:
        """Print one."""
        if found.error is not None:
            return
        if found.taxon is not None:
            print_line(f"{found.name}: {found.taxon.text}")
            return
        if found.labels is not None and not self._alone:
            named = "  ".join(f"{name} {found.labels[name]:.1%}" for name in found.names or ())
            print_line(f"{found.name}: {named or NOTHING}")
            return
        if found.names is not None and found.labels is None:
            print_line(f"{found.name}: {' or '.join(found.names)}")
            return
        if self._alone:
            print_line(found.name)
            chosen = found.names if found.labels is not None else ()
            rows = [
                (f"{p:.1%}", label, ("█" * round(_BAR * p)) + (" *" if label in (chosen or ()) else ""))
                for label, p in found.guesses
            ]
            print(*aligned(rows, right=[0]), sep="\n", flush=True)
            if found.labels is not None:
                print_line("  * named" if found.names else f"  {NOTHING}")
            return
        worth = [guess for guess in found.guesses[:_SHOWN_INLINE] if guess[1] >= _WORTH_SHOWING]
        guesses = "  ".join(f"{label} {p:.1%}" for label, p in worth or found.guesses[:1])
        print_line(f"{found.name}: {guesses}")


class JsonSink(_Plain):
    """Prints one JSON object at the end."""

    def __init__(self, model: str, outputs: Sequence[str]) -> None:
        self._begun = time.perf_counter()
        self._about = {"model": model, "outputs": list(outputs)}
        self._images: list[dict[str, Any]] = []
        self._skipped: list[dict[str, Any]] = []

    def take(self, found: Prediction) -> None:
        """Remember one."""
        if found.error is None:
            self._images.append(found.to_dict())
        else:
            self._skipped.append({"source": found.name, "reason": found.error})

    def finish(self) -> None:
        """Print all."""
        seconds = round(time.perf_counter() - self._begun, 3)
        print_json({**self._about, "images": self._images, "skipped": self._skipped, "seconds": seconds})


class Summary(_Plain):
    """Prints how many images of which class there were, and where the results are."""

    def __init__(self, outputs: Sequence[str]) -> None:
        self._counts: Counter[str] = Counter()
        self._n = self._n_skipped = 0
        self._outputs = outputs

    def take(self, found: Prediction) -> None:
        """Count one."""
        if found.labels is not None:
            self._counts.update(found.names or (NOTHING,))
        elif found.taxon is not None:
            self._counts[found.taxon.path or NOT_SURE] += 1
        elif found.error is None:
            self._counts[found.guesses[0][0]] += 1
        if found.error is None:
            self._n += 1
        else:
            self._n_skipped += 1

    def finish(self) -> None:
        """Print the counts."""
        rows = [(name, f"{n:,}") for name, n in self._counts.most_common()]
        print(*aligned([*rows, ("in all", f"{self._n:,}")], right=[1]), sep="\n")
        if self._n_skipped:
            print(f"{self._n_skipped:,} could not be read")
        for path in self._outputs:
            print_line(f"Written to {path}")


class Table:
    """Writes a table."""

    def __init__(
        self,
        path: Path,
        kind: Kind,
        n_guesses: int,
        *,
        with_sets: bool = False,
        labels: Sequence[str] | None = None,
        with_taxa: bool = False,
    ) -> None:
        columns: dict[str, type] = {"path": str}
        if labels is not None:
            columns |= {"labels": str, **label_columns(dict.fromkeys(labels, float))}
            n_guesses = 0
        elif with_sets:
            columns["set"] = str
        elif with_taxa:
            columns |= TAXON_COLUMNS
        for i in range(1, n_guesses + 1):
            columns |= {_column("label", i): str, _column("confidence", i): float}
        self._open = open_table(path, kind, {**columns, "error": str})
        self._writer: RowWriter | None = None

    def take(self, found: Prediction) -> None:
        """Write one row."""
        if self._writer is not None:
            self._writer.write(found.row())

    def __enter__(self) -> Self:
        self._writer = self._open.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)


class Sorted(_Plain):
    """Files images by class."""

    def __init__(self, sorter: Sorter) -> None:
        self._sorter = sorter

    def take(self, found: Prediction) -> None:
        """File one."""
        if found.taxon is not None:
            self._sorter.put(found.source, found.taxon.parts, 1.0)
        elif found.error is None:
            self._sorter.put(found.source, *found.guesses[0])


def _column(what: str, rank: int) -> str:
    return what if rank == 1 else f"{what}_{rank}"
