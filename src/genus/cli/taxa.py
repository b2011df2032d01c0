"""The deepest taxon that is sure of an image: `genus predict --sure`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genus.errors import ParameterError

if TYPE_CHECKING:
    from genus.predictor import Predictor

NOT_SURE = "(not sure of anything)"
TAXON_COLUMNS = {"taxon": str, "taxon_confidence": float, "depth": int, "rank": str}
"""What tables say of a taxon."""

TaxonMaker = Callable[[Any], "Sequence[Taxon]"]


@dataclass(frozen=True, slots=True)
class Taxon:
    """A taxon that is sure of an image.

    Attributes
    ----------
    parts : tuple of str
        The names of all it belongs to, and its own; empty where nothing is sure.
    path : str
        The same as one text.
    confidence : float
        Its probability: 1 for nothing.
    rank : str
        What its level is called, where that is known.
    """

    parts: tuple[str, ...]
    path: str
    confidence: float
    rank: str

    @property
    def text(self) -> str:
        """What is printed of it."""
        return f"{self.path} {self.confidence:.1%}" if self.path else NOT_SURE

    def row(self) -> dict[str, Any]:
        """Return its columns of a table."""
        values = self.path, self.confidence, len(self.parts), self.rank
        return dict(zip(TAXON_COLUMNS, values, strict=True))


def taxon_maker(predictor: "Predictor", sure: float | None, *, with_sets: bool) -> TaxonMaker | None:
    """Return what finds the deepest sure taxa from probabilities; None where none are wanted.

    Raises
    ------
    ParameterError
        `sure` is not between 0 and 1, the classes form no tree, or sets of names are wanted as well.
    """
    if sure is None:
        return None
    if with_sets:
        raise ParameterError("--sure and --coverage exclude each other: one gives a taxon, the other names.")
    found = predictor.rules.sure_taxa(sure)
    tree = found.taxonomy

    def make(proba: Any) -> list[Taxon]:
        places, confidences = found.taxa(proba, sure)
        rows = []
        for place, confidence in zip(places.tolist(), confidences.tolist(), strict=True):
            parts = tuple(tree.names[i] for i in tree.lineage[place].tolist() if i >= 0)
            rank = tree.rank(len(parts)) if parts and tree.ranks else ""
            rows.append(Taxon(parts, tree.path(place), round(confidence, 6), rank))
        return rows

    return make
