"""What turns a model's numbers into answers: thresholds, sets of names, costs, trees, the unknown, as its file says.

No scikit-learn is imported here, for the same reason as in `genus.predictor`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.errors import ParameterError
from genus.judgement import name_sets
from genus.metrics.conformal import ConformalScores, check_coverage
from genus.metrics.costs import UNKNOWN, Costs, unknown_name
from genus.metrics.label_conformal import LabelScores
from genus.metrics.sure import SureTaxa
from genus.metrics.thresholds import Thresholds
from genus.metrics.unknown import KnownScores
from genus.model_file import ModelFile

Choose = Callable[[NDArray[np.float32]], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """What a model file says of how its probabilities become names.

    Parameters
    ----------
    model : ModelFile
    """

    model: ModelFile

    def answers(
        self,
        *,
        coverage: float | None = None,
        by_class: bool = False,
        threshold: float | Mapping[str, float] | None = None,
        costs: Any = None,
        reject: float | str | None = None,
        names: Sequence[Any] | None = None,
    ) -> "Answers":
        """Return what gives the answers that are wanted; for the parameters see `genus.predictor.Predictor.predict`.

        Parameters
        ----------
        names : sequence of c
            What the classes are called; None for their names.

        Raises
        ------
        ParameterError
            Some of it does not suit the model, or does not go together.
        """
        choose = self.chooser(coverage, by_class=by_class, threshold=threshold)
        return Answers(
            self.model.classes if names is None else tuple(names),
            unknown_name(self.model.classes),
            choose,
            self.costs(costs) if choose is None else None,
            self.reject_above(reject),
        )

    def chooser(
        self,
        coverage: float | None = None,
        *,
        by_class: bool = False,
        threshold: float | Mapping[str, float] | None = None,
    ) -> Choose | None:
        """Return what chooses names from probabilities, (n, c) to bool (n, c); None: the most probable one.

        Raises
        ------
        ParameterError
            The coverage or a threshold is not between 0 and 1, or the model has nothing to make sets from.
        """
        several = self.model.multilabel
        if threshold is not None and (not several or coverage is not None):
            with_one = "a threshold is for models with several labels an image; this one names one class"
            raise ParameterError(f"{with_one}." if not several else "take either a threshold or a coverage.")
        if coverage is not None:
            scores = self.conformal(coverage)
            if isinstance(scores, LabelScores):
                return lambda proba: scores.sets(proba, coverage)
            return lambda proba: scores.sets(proba, coverage, by_class=by_class)
        if not several:
            return None
        tuned = self.thresholds()
        return (tuned if threshold is None else tuned.changed(threshold)).apply

    def costs(self, given: Any = None) -> Costs | None:
        """Return what mistakes cost: as given, else as the file says, else None; False is None.

        Raises
        ------
        ParameterError
            They do not fit the classes, or the model gives several labels an image.
        """
        stored = self.model.details.get("costs")
        if given is False or (given is None and stored is None):
            return None
        if self.model.multilabel:
            raise ParameterError(
                "with several labels an image, say what a missed label costs when training: aim."
            )
        return Costs.of(stored if given is None else given, self.model.classes)

    def thresholds(self) -> Thresholds:
        """Return the thresholds in the file of a model with several labels an image.

        Raises
        ------
        ParameterError
            It names one class an image.
        """
        if not self.model.multilabel:
            raise ParameterError("this model names one class an image, so it has no thresholds.")
        return Thresholds.from_dict(self.model.details["thresholds"], self.model.classes)

    def conformal(self, coverage: float) -> ConformalScores | LabelScores:
        """Return what sets of names are made with.

        Raises
        ------
        ParameterError
            `coverage` is not between 0 and 1, or the model has nothing to make sets from.
        """
        check_coverage(coverage)
        if (found := self.scores()) is None:
            raise ParameterError(
                "this model cannot say how many names are enough: it is no classifier that this version of Genus has "
                "trained. Train it anew."
            )
        return found

    def scores(self) -> ConformalScores | LabelScores | None:
        """Return the same, or None where the file has nothing to make sets from."""
        known = self.model.details.get("conformal")
        if known is None:
            return None
        return LabelScores.from_dict(known) if self.model.multilabel else ConformalScores.from_dict(known)

    def sure_taxa(self, coverage: float = 0.95) -> SureTaxa:
        """Return the tree that the classes form, and what is needed to stop where it is sure.

        Raises
        ------
        ParameterError
            `coverage` is not between 0 and 1, or the classes form no tree.
        """
        check_coverage(coverage)
        if (found := self.sure()) is None:
            raise ParameterError(
                "this model's classes form no tree: train it with names such as Plantae/Rosa, or with --taxonomy."
            )
        return found

    def sure(self) -> SureTaxa | None:
        """Return the same, or None where the classes form no tree."""
        known = self.model.details.get("taxonomy")
        return None if known is None else SureTaxa.from_dict(known)

    def known_scores(self) -> KnownScores | None:
        """Return how novel images of known classes are, or None where the model cannot tell novelty."""
        found = self.model.details.get("unknown")
        return None if found is None else KnownScores.from_list(found["scores"])

    def reject_above(self, share: float | str | None) -> float | None:
        """Return the novelty from which on to say "unknown", so that this share of known images is; None: never.

        Raises
        ------
        ParameterError
            `share` is neither "auto" nor between 0 and 1, or the model cannot tell novelty.
        """
        if share is None:
            return None
        if (known := self.known_scores()) is None:
            raise ParameterError(
                "this model cannot tell images of no known class: it was trained by an older Genus or without a "
                "memory, was added to, or is no classifier of its own images. Train it anew."
            )
        return known.threshold(share)


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Gives answers in one way, batch by batch.

    Attributes
    ----------
    names : tuple of c
        What the classes are called.
    unknown : str
        What an image of no known class is called.
    choose : callable or None
        Makes sets of names from probabilities; None where one name is wanted.
    costs : Costs or None
        What mistakes cost, for one name.
    reject_above : float or None
        The novelty above which an image is unknown; None: any is known.
    """

    names: tuple[Any, ...]
    unknown: str
    choose: Choose | None = None
    costs: Costs | None = None
    reject_above: float | None = None

    @property
    def needs_novelty(self) -> bool:
        """Whether the novelty of the images is wanted too."""
        return self.reject_above is not None

    def are_unknown(self, novelty: NDArray[np.float32] | None) -> NDArray[np.bool_] | None:
        """Tell which images are of no known class, (n,); None where that is not asked."""
        if self.reject_above is None or novelty is None:
            return None
        return np.asarray(novelty > self.reject_above, np.bool_)

    def __call__(
        self, proba: NDArray[np.float32], novelty: NDArray[np.float32] | None = None
    ) -> NDArray[Any]:
        """Return a name for each image, (n,), or a tuple of names, (n,) object.

        Parameters
        ----------
        proba : (n, c) float32
        novelty : (n,) float32
            Where `needs_novelty`.
        """
        unknown = self.are_unknown(novelty)
        if self.choose is not None:
            found = name_sets(proba, self.choose(proba), self.names)
            for i in np.flatnonzero(unknown) if unknown is not None else ():
                found[i] = (self.unknown,)
            return found
        codes = proba.argmax(axis=1) if self.costs is None else self.costs.answers(proba)
        if unknown is not None:
            codes = np.where(unknown, UNKNOWN, codes)
        elif self.costs is None or self.costs.unknown is None:
            return np.asarray(self.names)[codes]  # in the type of the labels
        return np.asarray([*map(str, self.names), self.unknown])[codes]
