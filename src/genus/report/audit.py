"""The page of an audit: pictures side by side with what argues against them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike

from genus.audit.finding import SUSPECT
from genus.estimators.audit import Audit
from genus.estimators.audited import AuditRow
from genus.files import write_text
from genus.progress import SILENT, Progress
from genus.report.audit_words import HOW, advice, basis, headline, more_images
from genus.report.content import Fact
from genus.report.page import render_page
from genus.report.pictures import Sources, made_on_all_cores, named_copy
from genus.report.words import duration
from genus.wording import count

_MAX_ROWS = 40  # of an issue on the page; the table has all
_BESIDE = 3  # images beside one
_SIZE = 144  # pixels
_ORDER = (
    "label",
    "conflict",
    "leak",
    "near_duplicate",
    "exact_duplicate",
    "outlier",
)  # then whatever else there is


@dataclass(frozen=True, slots=True)
class Shown:
    """An image on the page."""

    name: str
    short_name: str
    uri: str | None
    label: str


@dataclass(frozen=True, slots=True)
class Case:
    """An image and those that argue against it."""

    image: Shown
    beside: tuple[Shown, ...]
    row: AuditRow


@dataclass(frozen=True, slots=True)
class Issue:
    """All cases of one issue."""

    name: str
    title: str
    how: str
    n: int
    cases: tuple[Case, ...]


def write_audit_page(
    audit: Audit,
    path: str | PathLike[str],
    *,
    title: str,
    commands: Sequence[str] = (),
    sources: Sources | None = None,
    progress: Progress = SILENT,
) -> None:
    """Write the page of an audit, whole or not at all.

    Parameters
    ----------
    audit : Audit
    path : path
    title : str
        The name of the data.
    commands : sequence of str
        What to do next.
    sources : mapping of str to ImageSource, or None
        The images by name; None takes names for paths.
    progress : Progress

    Raises
    ------
    OutputError
        It cannot be written.
    """
    page = render_audit(audit, title=title, commands=commands, sources=sources, progress=progress)
    write_text(path, page)


def render_audit(
    audit: Audit,
    *,
    title: str,
    commands: Sequence[str] = (),
    sources: Sources | None = None,
    progress: Progress = SILENT,
) -> str:
    """Return the page of an audit as HTML (see `write_audit_page`)."""
    chosen = {name: rows for name in _issues(audit) if (rows := audit.issue(name))}
    names = {name for rows in chosen.values() for row in rows[:_MAX_ROWS] for name in _images(row)}
    small = partial(named_copy, sources=sources, size=_SIZE, quality=72)
    pictures = made_on_all_cores(sorted(names), small, progress)
    issues = [_issue(audit, name, rows, pictures) for name, rows in chosen.items()]
    difficulty = audit.about("difficulty")
    values = {
        "title": title,
        "headline": headline(audit),
        "basis": basis(audit),
        "about": _facts(audit),
        "advice": advice(audit),
        "issues": issues,
        "remarks": [remark for remark in audit.remarks if remark.severity > 0],
        "classes": difficulty[0].figures["classes"] if difficulty else [],
        "counts": next((remark.figures["counts"] for remark in audit.about("balance")), {}),
        "more": more_images(audit.learning_curve),
        "left_out": audit.left_out,
        "notes": audit.notes,
        "commands": commands,
    }
    return render_page("audit.html", values)


def _issues(audit: Audit) -> list[str]:
    found = audit.counts
    return [*(name for name in _ORDER if name in found), *(name for name in found if name not in _ORDER)]


def _images(row: AuditRow) -> list[str]:
    """Return an image and those that are shown beside it."""
    return [name for name in (row.image, row.other_image, *row.argues) if name][: 1 + _BESIDE]


def _issue(audit: Audit, name: str, rows: Sequence[AuditRow], pictures: Mapping[str, str | None]) -> Issue:
    title, how = HOW.get(name, (name.replace("_", " ").capitalize(), ""))
    cases = []
    for row in rows[:_MAX_ROWS]:
        first, *others = (
            Shown(image, os.path.basename(image), pictures.get(image), audit.labels.get(image, ""))
            for image in _images(row)
        )
        cases.append(Case(first, tuple(others), row))
    return Issue(name, title, how, len(rows), tuple(cases))


def _facts(audit: Audit) -> list[Fact]:
    n_touched = len({row.image for row in audit.rows if row.severity >= SUSPECT})
    facts = [
        Fact("Images", f"{audit.n_images:,}"),
        Fact("With a label", f"{audit.n_labelled:,}"),
        Fact("To look at", count(n_touched, "image")),
        Fact("Time", duration(audit.seconds)),
    ]
    return facts
