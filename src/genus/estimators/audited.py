"""A row of what an audit has found."""

from dataclasses import dataclass
from typing import Any

COLUMNS = ("image", "issue", "severity", "evidence", "suggestion", "other_image", "group")


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row of the table: something about one image.

    Attributes
    ----------
    image : str
        The image as it was given.
    issue : str
        "label", "exact_duplicate", "near_duplicate", "conflict", "leak", "outlier", "unreadable", "dark" ...
    severity : float
        In [0, 1], higher is worse.
    evidence : str
        Why, in words.
    suggestion : str
        The label it should have, or "-": leave it out. Empty where nothing follows by itself.
    other_image : str
        The image that argues most against it, or of which it is a copy.
    group : int or None
        Images that show the same picture share a number.
    label : str
        The label it has.
    argues : tuple of str
        More images that argue against it.
    """

    image: str
    issue: str
    severity: float
    evidence: str
    suggestion: str = ""
    other_image: str = ""
    group: int | None = None
    label: str = ""
    argues: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the columns of the table."""
        return {name: getattr(self, name) for name in COLUMNS}
