"""What a check finds: something about one image, or about the data as a whole."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SUSPECT = 0.5
"""Severity from which somebody should look at an image; for labels: likelier wrong than right."""

LEAVE_OUT = "-"
"""The suggestion to leave an image out; anything else that is suggested is a label."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about one image.

    Attributes
    ----------
    row : int
        The image, by its place.
    issue : str
        What kind of thing: "label", "exact_duplicate", "dark" ...
    severity : float
        In [0, 1], higher is worse; from 0.5 somebody should look at it.
    evidence : str
        Why, in words.
    suggestion : str
        The label it should have, or `LEAVE_OUT`; empty where nothing follows by itself.
    other : int or None
        The image that argues most against it, by its place.
    group : int or None
        Images that show the same picture share a number.
    argues : tuple of int
        More images that argue against it, the most telling first.
    """

    row: int
    issue: str
    severity: float
    evidence: str
    suggestion: str = ""
    other: int | None = None
    group: int | None = None
    argues: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about the data as a whole.

    Attributes
    ----------
    topic : str
        What kind of thing: "noise", "confused", "shortcut", "balance" ...
    severity : float
        In [0, 1], higher is worse; from 0.5 somebody should do something about it.
    text : str
        In words.
    figures : mapping
        The numbers behind it, in plain values.
    """

    topic: str
    severity: float
    text: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Found:
    """What one check has to say.

    Attributes
    ----------
    findings : tuple of Finding
    remarks : tuple of Remark
    left_out : str
        Why the check could not be made; empty where it was.
    """

    findings: tuple[Finding, ...] = ()
    remarks: tuple[Remark, ...] = ()
    left_out: str = ""
