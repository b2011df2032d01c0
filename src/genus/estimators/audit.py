"""Auditing, step by step: features, a look at each picture, copies, models, checks."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from genus.audit.audit_checks import CHECKS, AuditCheck
from genus.audit.finding import SUSPECT, Finding, Found, Remark
from genus.classify.learning_curve import LearningCurve
from genus.data.dataset import Dataset
from genus.data.read import read_dataset
from genus.errors import DataError, MissingExtraError
from genus.estimators.audit_facts import Gathered, gather
from genus.estimators.audited import COLUMNS, AuditRow
from genus.features.feature_set import FeatureSet, PrecisionName, chosen_features
from genus.features.runtime import Runtime
from genus.progress import SILENT, Progress

Check = str | AuditCheck  # a name of `CHECKS`, or what looks itself


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """What an audit is told, beside the data (see `audit`)."""

    feature_set: FeatureSet
    checks: tuple[Check, ...]
    runtime: Runtime = field(default_factory=Runtime)
    random_state: int | None = 0


@dataclass(frozen=True, eq=False)
class Audit:
    """Everything that was found in some images and their labels.

    Attributes
    ----------
    origin : str
        What was read.
    n_images : int
        All that were named, readable or not.
    n_labelled : int
    rows : tuple of AuditRow
        What is wrong with single images, the worst first; every labelled image has a row of the issue "label".
    remarks : tuple of Remark
        What is wrong with the data as a whole, the worst first.
    left_out : mapping of str to str
        Checks that could not be made, with the reason.
    checks : tuple of str
        The checks that were wanted.
    notes : tuple of str
        What the reader and the audit decided.
    labels : mapping of str to str
        The label of each image that has one.
    learning_curve : LearningCurve or None
        Whether more images would help.
    seconds : float
    """

    origin: str
    n_images: int
    n_labelled: int
    rows: tuple[AuditRow, ...]
    remarks: tuple[Remark, ...]
    left_out: Mapping[str, str]
    checks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    learning_curve: LearningCurve | None = None
    seconds: float = 0.0

    @classmethod
    def of(
        cls,
        data: Any,
        y: Any = None,
        *,
        preset: str = "balanced",
        features: str | FeatureSet | None = None,
        precision: PrecisionName = "int8",
        checks: Iterable[Check] | None = None,
        runtime: Runtime | None = None,
        random_state: int | None = 0,
        progress: Progress = SILENT,
    ) -> "Audit":
        """Find out whether images and their labels are fit to learn from.

        Parameters
        ----------
        data : folder, table, list of paths, arrays or PIL images, DataFrame, or Dataset
            Anything `genus.read_dataset` reads, with labels or without.
        y : sequence of n labels, or None
        preset : {"fast", "balanced", "best"}, default "balanced"
            How much is computed from each image.
        features : str, FeatureSet or None
            What is computed instead, such as "efficientnet-lite2@320".
        precision : {"int8", "float32"}, default "int8"
        checks : iterable of str or AuditCheck, or None
            Names from `genus.audit.audit_checks.CHECKS`, or functions from facts to findings; None makes all.
        runtime : Runtime or None
        random_state : int or None, default 0
            The seed of the folds.
        progress : Progress

        Returns
        -------
        Audit

        Raises
        ------
        DataError
            No image can be read.
        ParameterError
            There is no check of that name.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_digits
        >>> digits = load_digits(n_class=4)
        >>> images = np.repeat(np.repeat(digits.images[:160] * 15, 8, 1), 8, 2).astype(np.uint8)
        >>> labels = digits.target[:160].copy()
        >>> labels[7] = 2  # a handwritten 3
        >>> found = Audit.of(list(images), labels, features="thumbnail@32", checks=["labels"])
        >>> found.rows[0].image, found.rows[0].issue, found.rows[0].suggestion
        ('image 7', 'label', '3')
        """
        wanted = tuple(checks) if checks is not None else tuple(CHECKS)
        found_checks(wanted)  # a name that does not exist is an error before anything is read
        options = AuditOptions(
            chosen_features(preset, features, precision),
            wanted,
            runtime or Runtime(),
            random_state,
        )
        return audit_dataset(read_dataset(data, y), options, progress=progress)

    @property
    def table(self) -> list[dict[str, Any]]:
        """The ranked table: one mapping a row, with the columns `COLUMNS`."""
        return [row.to_dict() for row in self.rows]

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many images have each issue, with a severity of 0.5 or more."""
        pairs = {(row.issue, row.image) for row in self.rows if row.severity >= SUSPECT}
        return dict(sorted(Counter(issue for issue, _ in pairs).items()))

    def issue(self, name: str, *, at_least: float = SUSPECT) -> tuple[AuditRow, ...]:
        """Return the rows of one issue, the worst first.

        Parameters
        ----------
        name : str
        at_least : float, default 0.5
            Severities below are left out.
        """
        return tuple(row for row in self.rows if row.issue == name and row.severity >= at_least)

    def not_checked(self, check: str) -> str:
        """Say why a check was not made; nothing where it was."""
        return self.left_out.get(check, "") if check in self.checks else "it was not among the checks"

    def about(self, topic: str) -> tuple[Remark, ...]:
        """Return what was found of the data as a whole on one topic: "noise", "confused", "shortcut" ..."""
        return tuple(remark for remark in self.remarks if remark.topic == topic)

    def to_frame(self) -> Any:
        """Return the ranked table as a pandas DataFrame.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingExtraError("A data frame of an audit", "tables") from error
        frame = pandas.DataFrame(self.table, columns=list(COLUMNS))
        frame["group"] = frame["group"].astype("Int64")
        return frame

    def summary(self) -> dict[str, Any]:
        """Return plain values for JSON: all but the table."""
        return {
            "origin": self.origin,
            "n_images": self.n_images,
            "n_labelled": self.n_labelled,
            "counts": self.counts,
            "remarks": [remark.to_dict() for remark in self.remarks],
            "left_out": dict(self.left_out),
            "notes": list(self.notes),
            "learning_curve": None if self.learning_curve is None else self.learning_curve.to_dict(),
            "seconds": round(self.seconds, 2),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: the summary and the table."""
        return {**self.summary(), "table": [{**asdict(row), "argues": list(row.argues)} for row in self.rows]}


def audit_dataset(dataset: Dataset, options: AuditOptions, *, progress: Progress = SILENT) -> Audit:
    """Audit a data set (see `audit`)."""
    start = time.perf_counter()
    checks = found_checks(options.checks)
    if not len(dataset) and not dataset.skipped:
        raise DataError(f"{dataset.origin}: there are no images to audit.")
    gathered = gather(
        dataset, options.feature_set, options.runtime, random_state=options.random_state, progress=progress
    )
    found: dict[str, Found] = {}
    with progress.task("checking", total=len(checks), unit="checks") as task:
        for name, check in checks.items():
            found[name] = check(gathered.facts)
            task.advance()
    texts = dataset.label_texts() or (None,) * len(dataset)
    labels = {name: text for name, text in zip(dataset.names, texts, strict=True) if text is not None}
    return Audit(
        origin=dataset.origin,
        n_images=len(dataset) + len(dataset.skipped),
        n_labelled=len(dataset.labelled()),
        rows=_ranked(gathered, [finding for each in found.values() for finding in each.findings], labels),
        remarks=_worst_first(remark for each in found.values() for remark in each.remarks),
        checks=tuple(checks),
        left_out={name: each.left_out for name, each in found.items() if each.left_out},
        notes=(*dataset.notes, *gathered.notes),
        labels=labels,
        learning_curve=gathered.learning_curve,
        seconds=time.perf_counter() - start,
    )


def found_checks(checks: Iterable[Check]) -> dict[str, AuditCheck]:
    """Return checks by what they are called.

    Raises
    ------
    ParameterError
        There is no check of a name.
    """
    return {str(check): CHECKS.get(check) if isinstance(check, str) else check for check in checks}


def _ranked(gathered: Gathered, findings: Sequence[Finding], labels: dict[str, str]) -> tuple[AuditRow, ...]:
    """Give findings their images' names, and order them by severity."""
    names = gathered.names
    rows = [
        AuditRow(
            names[f.row],
            f.issue,
            f.severity,
            f.evidence,
            f.suggestion,
            "" if f.other is None else names[f.other],
            f.group,
            labels.get(names[f.row], ""),
            tuple(names[i] for i in f.argues),
        )
        for f in findings
    ]
    for skip in gathered.skipped:
        label = labels.get(skip.source, "")
        rows.append(AuditRow(skip.source, "unreadable", 1.0, skip.reason, "-", label=label))
        if label:
            rows.append(AuditRow(skip.source, "label", 0.0, "not judged: it cannot be read", label=label))
    return tuple(sorted(rows, key=lambda row: -row.severity))


def _worst_first(remarks: Iterable[Remark]) -> tuple[Remark, ...]:
    return tuple(sorted(remarks, key=lambda remark: -remark.severity))
