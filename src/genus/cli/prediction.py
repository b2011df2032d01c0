"""What a model says of each image, as `genus predict` hands it out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from genus.cli.taxa import Taxon, TaxonMaker
from genus.progress import SILENT, Progress

if TYPE_CHECKING:
    from genus.images.source import ImageSource
    from genus.metrics.costs import Costs
    from genus.predictor import PredictedBatch, Predictor
    from genus.rules import Answers

NameSets = Callable[[Any], Sequence[tuple[str, ...]]]
SEPARATOR = "|"  # between the names of a set in a table
_OWN_COLUMNS = ("path", "labels", "error")


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
    novelty : float or None
        How unlike the training images it is, where that was asked for.
    unknown : str or None
        The answer instead of all others, where it is too unlike them.
    """

    source: "ImageSource"
    guesses: tuple[tuple[str, float], ...] = ()
    error: str | None = None
    names: tuple[str, ...] | None = None
    labels: Mapping[str, float] | None = None
    taxon: Taxon | None = None
    novelty: float | None = None
    unknown: str | None = None

    @property
    def name(self) -> str:
        """The image's name."""
        return self.source.name

    def row(self) -> dict[str, Any]:
        """Return the row of a table."""
        row: dict[str, Any] = {"path": self.name, "error": self.error}
        if self.novelty is not None:
            row["novelty"] = self.novelty
        if self.labels is not None:
            return {**row, "labels": SEPARATOR.join(self.names or ()), **label_columns(self.labels)}
        if self.names is not None:
            row["set"] = SEPARATOR.join(self.names)
        if self.taxon is not None:
            row |= self.taxon.row()
        for i, (label, confidence) in enumerate(self._answers, start=1):
            row |= {column("label", i): label, column("confidence", i): confidence}
        return row

    @property
    def _answers(self) -> tuple[tuple[str, float | None], ...]:
        """The guesses, with the unknown before them: no probability belongs to it."""
        if self.unknown is None:
            return self.guesses
        return ((self.unknown, None), *self.guesses[: max(1, len(self.guesses)) - 1])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        if self.error is not None:
            return {"path": self.name, "error": self.error}
        novelty = {} if self.novelty is None else {"novelty": self.novelty}
        if self.labels is not None:
            named = {"labels": list(self.names or ()), "probabilities": dict(self.labels)}
            return {"path": self.name, **named, **novelty}
        label, confidence = self._answers[0]
        top = [{"label": label, "confidence": confidence} for label, confidence in self._answers]
        found = {"path": self.name, "label": label, "confidence": confidence, "top": top, **novelty}
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
    rejecting: "Answers | None" = None,
) -> Iterator[Prediction]:
    """Predict images in their order, `top` guesses each; unreadable ones come with their error.

    `name_sets` turns probabilities into sets of names, `make_taxa` into taxa, where those were asked for. With `costs`
    the first guess is the cheapest answer; the confidence of "unknown" is that of the most probable class. `rejecting`
    says which images are too unlike the training images to be named.
    """
    n_guesses = min(top, len(predictor.classes_))
    novelty = rejecting is not None and rejecting.needs_novelty
    for batch in predictor.stream(sources, progress=progress, novelty=novelty):
        found = _of_batch(batch, sources, predictor, n_guesses, name_sets, costs)
        if make_taxa is not None:
            found = _with_taxa(found, make_taxa(batch.proba))
        yield from (
            found if rejecting is None or not novelty else with_unknown(found, rejecting, batch.novelty)
        )


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

    choose = predictor.rules.chooser(coverage, by_class=by_class, threshold=threshold)
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


def with_unknown(found: Iterator[Prediction], rejecting: "Answers", novelty: Any) -> Iterator[Prediction]:
    """Answer "unknown" where an image is too unlike the training images."""
    unknown = rejecting.are_unknown(novelty)
    if unknown is None:
        yield from found
        return
    of_readable = zip(novelty.tolist(), unknown.tolist(), strict=True)
    for one in found:
        if one.error is not None:
            yield one
            continue
        value, rejected = next(of_readable)
        one = replace(one, novelty=round(value, 4))
        if rejected:
            names = None if one.names is None else (rejecting.unknown,)
            taxon = None if one.taxon is None else Taxon((rejecting.unknown,), rejecting.unknown, 1.0, "")
            one = replace(one, unknown=rejecting.unknown, names=names, taxon=taxon)
        yield one


def _answer_first(
    answer: str, guesses: tuple[tuple[str, float], ...], proba: Any, classes: Sequence[str]
) -> tuple[tuple[str, float], ...]:
    """Put the cheapest answer before the most probable ones."""
    known = dict(zip(classes, proba.tolist(), strict=True))
    first = (answer, round(known.get(answer, guesses[0][1]), 6))
    return (first, *(guess for guess in guesses if guess[0] != answer))[: len(guesses)]


def column(what: str, rank: int) -> str:
    """Return the name of a table's column: label, confidence, label_2, confidence_2 ..."""
    return what if rank == 1 else f"{what}_{rank}"
