"""What `genus audit` leaves in its folder: the table, the same as JSON, the page, and what a person can accept."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genus.cli.console import Console
from genus.cli.output import as_text, open_table, plain
from genus.cli.output_folder import empty_folder, make_folder
from genus.files import check_writable, write_text

if TYPE_CHECKING:
    from genus.data.dataset import Dataset
    from genus.estimators.audit import Audit

_TABLE = {
    "image": str,
    "issue": str,
    "severity": float,
    "evidence": str,
    "suggestion": str,
    "other_image": str,
    "group": int,
}


@dataclass(frozen=True, slots=True)
class AuditFolder:
    """The folder of an audit.

    Parameters
    ----------
    path : Path
    """

    path: Path

    @property
    def table(self) -> Path:
        """Everything about single images, the worst first."""
        return self.path / "audit.csv"

    @property
    def summary(self) -> Path:
        """The same, and what is about the data as a whole."""
        return self.path / "audit.json"

    @property
    def page(self) -> Path:
        """What to look at."""
        return self.path / "audit.html"

    @property
    def review(self) -> Path:
        """What a person can accept, or not."""
        return self.path / "review.csv"

    def to_dict(self) -> dict[str, Path]:
        """Return the files by what they are."""
        return {"table": self.table, "summary": self.summary, "page": self.page, "review": self.review}

    def prepare(self, *, force: bool) -> None:
        """Make the folder, and find out before the work whether it can be written to.

        Raises
        ------
        OutputError
            It is a file, not empty and `force` is false, or not writable.
        """
        make_folder(empty_folder(str(self.path), force=force))
        check_writable(self.table, force=force)

    def write(self, audit: "Audit", dataset: "Dataset", asked: dict[str, Any], console: Console) -> None:
        """Write all files.

        Parameters
        ----------
        audit : Audit
        dataset : Dataset
            What was audited: the pictures of the page.
        asked : dict
            How the data were named, kept so that `--fix` reads the same.
        console : Console
        """
        from genus.estimators.label_fixes import REVIEW_COLUMNS, review_rows
        from genus.report.audit import write_audit_page

        with open_table(self.table, "csv", _TABLE) as table:
            for row in audit.table:
                table.write({**row, "severity": f"{row['severity']:.4f}"})
        with open_table(self.review, "csv", dict.fromkeys(REVIEW_COLUMNS, str)) as table:
            for entry in review_rows(audit):
                table.write({**entry, "severity": f"{entry['severity']:.4f}"})
        found = _texts(plain({"asked": asked, **audit.to_dict()}))
        write_text(self.summary, json.dumps(found, ensure_ascii=False, indent=1) + "\n")
        sources = {source.name: source for source in dataset.sources}
        commands = [f"genus audit --fix {self.review} -o labels.csv", "genus train labels.csv"]
        write_audit_page(
            audit, self.page, title=str(asked["data"]), commands=commands, sources=sources, progress=console
        )


def _texts(value: Any) -> Any:
    """Escape the bytes of file names that are no text, everywhere in plain values."""
    if isinstance(value, dict):
        return {as_text(key): _texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return as_text(value)
