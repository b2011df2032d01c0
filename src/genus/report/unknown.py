"""What is said and shown of images of no known class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genus.classify.novelty import LeftOut
from genus.metrics.unknown import Rejection
from genus.report.words import percent, span

_MAX_ROWS = 50
_MAX_NAMED = 2


def rejected(found: Rejection | None) -> str:
    """Say what rejecting the usual share costs, and what it catches; nothing where that was not measured.

    Examples
    --------
    >>> print(rejected(Rejection(0.05, 0.4, 0.06, 0.04, 0.09, 280)))
    Saying "unknown" gives up 6.0% (4.0–9.0) of these images, all of known classes (--reject auto asks for 5%).
    >>> print(rejected(Rejection(0.05, 0.4, 0.16, 0.12, 0.21, 280)))
    Saying "unknown" gives up 16.0% (12.0–21.0) of these images, all of known classes (--reject auto asks for 5%):
    images of known classes look less familiar here than in training.
    """
    if found is None:
        return ""
    given_up = f"{percent(found.known, 1)} ({span(found.known_low, found.known_high, 1)})"
    asked = f"(--reject auto asks for {percent(found.asked, 0)})"
    # beyond chance: new images of the same kind would not be
    if found.known_low > found.asked:
        asked += ": images of known classes look less familiar here than in training"
    if found.caught is None or found.caught_low is None or found.caught_high is None:
        return f'Saying "unknown" gives up {given_up} of these images, all of known classes {asked}.'
    caught = f"{percent(found.caught, 1)} ({span(found.caught_low, found.caught_high, 1)})"
    return (
        f'Saying "unknown" catches {caught} of the {found.n_unknown:,} images of unknown classes and gives up '
        f"{given_up} of the others, AUROC {found.auroc:.2f} {asked}."
    )


def new_classes(left_out: Sequence[LeftOut]) -> str:
    """Say how well images of a new class would show; nothing where that was not measured.

    Examples
    --------
    >>> from genus.metrics.unknown import auroc
    >>> rows = [LeftOut("daisy", auroc([0.1, 0.3], [0.2, 0.4])), LeftOut("rose", auroc([0.1, 0.2], [0.3, 0.4]))]
    >>> print(new_classes(rows))
    A class it has not seen would stand out with an AUROC of 0.88 (each class left out in turn); least of all one like
    daisy (0.75).
    """
    if not left_out:
        return ""
    mean = float(np.mean([row.found.value for row in left_out]))
    least = sorted(left_out, key=lambda row: row.found.value)[:_MAX_NAMED]
    named = ", ".join(f"{row.name} ({row.found.value:.2f})" for row in least[: max(1, len(left_out) - 1)])
    return (
        f"A class it has not seen would stand out with an AUROC of {mean:.2f} (each class left out in turn); least of "
        f"all one like {named}."
    )


@dataclass(frozen=True, slots=True)
class UnknownView:
    """The findings in words, and the classes left out, those that stand out least first.

    Attributes
    ----------
    rejected, new_classes : str
        Empty where not measured.
    rows : tuple of LeftOut
    n_more : int
        Classes too many for the page.
    """

    rejected: str
    new_classes: str
    rows: tuple[LeftOut, ...]
    n_more: int


def unknown_view(found: Rejection | None, left_out: Sequence[LeftOut]) -> UnknownView | None:
    """Work out what the page shows; None where nothing was measured."""
    if found is None and not left_out:
        return None
    rows = sorted(left_out, key=lambda row: row.found.value)
    return UnknownView(
        rejected(found), new_classes(left_out), tuple(rows[:_MAX_ROWS]), max(0, len(rows) - _MAX_ROWS)
    )
