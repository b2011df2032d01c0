"""How much of what may be wrong with the data: "leaks,labels>2%", for whoever wants to be told by an exit code."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from genus.audit.finding import SUSPECT
from genus.errors import ParameterError
from genus.estimators.audit import Audit

_LIMIT = re.compile(r"\s*([a-z_]+)\s*(?:>\s*(\d+(?:\.\d+)?)\s*(%?)\s*)?")
ISSUES = (
    "label",
    "exact_duplicate",
    "near_duplicate",
    "conflict",
    "leak",
    "outlier",
    "unreadable",
    "dark",
    "bright",
    "blurry",
    "low_information",
    "grey",
    "tiny",
    "odd_size",
    "odd_aspect",
    "border",
)
# The checks without which nobody knows. Leaks are not among them: between parts that do not exist there are none.
_CHECKED_BY = {
    **dict.fromkeys(("label", "noise", "confused"), "labels"),
    **dict.fromkeys(("exact_duplicate", "near_duplicate", "conflict"), "duplicates"),
    "outlier": "outliers",
    "overlap": "difficulty",
    "shortcut": "shortcuts",
    "balance": "balance",
}
TOPICS = ("shortcut", "balance", "overlap", "confused", "constant", "noise")


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many images, or so large a share of them, may have an issue.

    Attributes
    ----------
    issue : str
    most : float
    is_share : bool
        Whether `most` is a share of the images, in [0, 1].
    """

    issue: str
    most: float
    is_share: bool

    def exceeded(self, audit: Audit) -> str:
        """Say by how much the data exceed it, or that nobody knows; nothing where they do not."""
        if self.issue in _CHECKED_BY and (why := audit.not_checked(_CHECKED_BY[self.issue])):
            return f"{self.issue}: not checked: {why}"
        if self.issue == "noise" and self.is_share:
            rate = max((remark.figures["rate"] for remark in audit.about("noise")), default=0.0)
            return "" if rate <= self.most else f"noise: {rate:.1%} (at most {self.most:.1%})"
        n = audit.counts.get(self.issue, 0) if self.issue in ISSUES else len(_serious(audit, self.issue))
        of = audit.n_labelled if self.issue == "label" else audit.n_images
        allowed = self.most * of if self.is_share else self.most
        if n <= allowed:
            return ""
        share = f" ({n / of:.1%} of {of:,}; at most {self.most:.1%})" if self.is_share and of else ""
        most = "" if self.is_share or not self.most else f" (at most {self.most:g})"
        return f"{self.issue}: {n:,}{share}{most}"


def parse_limits(text: str) -> tuple[Limit, ...]:
    """Read "leaks,labels>2%,outliers>10": without a number none may be there. Issues may stand in the plural.

    Raises
    ------
    ParameterError
        It cannot be understood, or names no issue.

    Examples
    --------
    >>> [(limit.issue, limit.most, limit.is_share) for limit in parse_limits("leaks, labels>2%")]
    [('leak', 0.0, False), ('label', 0.02, True)]
    """
    return tuple(_limit(part) for part in text.split(",") if part.strip())


def exceeded_limits(audit: Audit, limits: Iterable[Limit]) -> list[str]:
    """Return in words which limits the data exceed."""
    return [said for limit in limits if (said := limit.exceeded(audit))]


def _limit(part: str) -> Limit:
    found = _LIMIT.fullmatch(part)
    if not found:
        raise ParameterError(
            f"{part.strip()!r}: expected an issue, or an issue with a limit: leaks, labels>2%, dark>10."
        )
    name = found[1]
    known = {*ISSUES, *TOPICS}
    issue = next(
        (each for each in (name, name.removesuffix("s"), name.removesuffix("es")) if each in known), None
    )
    if issue is None:
        raise ParameterError(f"no issue named {name!r}. There are: {', '.join((*ISSUES, *TOPICS))}.")
    if found[2] is not None and issue in TOPICS and not (issue == "noise" and found[3]):
        raise ParameterError(f"{part.strip()!r}: {issue} is about no single image; leave the number out.")
    number = float(found[2] or 0)
    return Limit(issue, number / 100 if found[3] else number, bool(found[3]))


def _serious(audit: Audit, topic: str) -> list[str]:
    return [remark.text for remark in audit.about(topic) if remark.severity >= SUSPECT]
