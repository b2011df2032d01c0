"""What is said and shown of classes that form a tree."""

from dataclasses import dataclass

from genus.metrics.taxa import TaxonomyEvaluation, TaxonPair, TaxonRow
from genus.report.words import percent, span

_USUAL_COVERAGE = 0.95
_MAX_ROWS = 400
_MAX_PAIRS = 10


def by_level(taxa: TaxonomyEvaluation) -> str:
    """Say how often predictions are right at each level, and how far off the mistakes are."""
    shares = ", ".join(f"{row.rank} {percent(row.accuracy, 1)}" for row in taxa.levels)
    found = [figure for figure in taxa.figures if figure.name == "mistake_distance"]
    if not found:
        return f"Right by level: {shares}."
    far = f"{found[0].value:.1f} ({found[0].low:.1f}-{found[0].high:.1f})"
    return f"Right by level: {shares}. Mistakes are {far} levels off on average."


def where_sure(taxa: TaxonomyEvaluation) -> str:
    """Say how deep predictions go that stop where they are sure."""
    row = next(row for row in taxa.sure if row.asked == _USUAL_COVERAGE)
    if row.full == 1:
        deep = "every image gets a class"
    else:
        above = percent(1 - row.full - row.nothing, 0)
        nothing = f" and {percent(row.nothing, 0)} nothing" if row.nothing else ""
        deep = f"{percent(row.full, 0)} of the images get a class, {above} a taxon above it{nothing}"
    return (
        f"Stopping where it is sure to be right {100 * row.asked:.0f} times in 100, {deep}; "
        f"{percent(row.covered, 1)} ({span(row.low, row.high, 1)}) were right."
    )


@dataclass(frozen=True, slots=True)
class TaxaView:
    """The tree as an indented list, as deep as fits a page.

    Attributes
    ----------
    by_level, where_sure : str
        The findings in words.
    rows : tuple of TaxonRow
        With images, or predictions.
    n_left_out : int
        Taxa too deep for the page.
    pairs : tuple of TaxonPair
    """

    by_level: str
    where_sure: str
    rows: tuple[TaxonRow, ...]
    n_left_out: int
    pairs: tuple[TaxonPair, ...]


def taxa_view(taxa: TaxonomyEvaluation | None) -> TaxaView | None:
    """Prepare the tree for the page."""
    if taxa is None:
        return None
    rows = [row for row in taxa.taxa if row.n or row.n_predicted]
    depth = max((row.depth for row in rows), default=0)
    shown = rows
    while len(shown) > _MAX_ROWS and depth > 1:
        depth -= 1
        shown = [row for row in rows if row.depth <= depth]
    shown = shown[:_MAX_ROWS]
    return TaxaView(
        by_level(taxa), where_sure(taxa), tuple(shown), len(rows) - len(shown), taxa.pairs[:_MAX_PAIRS]
    )
