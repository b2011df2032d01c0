"""The built-in checks by name. Listing them imports nothing."""

from typing import Protocol

from genus.audit.facts import Facts
from genus.audit.finding import Found
from genus.registry import Registry


class AuditCheck(Protocol):
    """A check: facts in, findings out. It changes nothing, and the same facts give the same findings."""

    def __call__(self, facts: Facts) -> Found:
        """Look for one kind of thing."""
        ...


CHECKS = Registry(
    "audit check",
    {
        "labels": "genus.audit.labels:check_labels",
        "duplicates": "genus.audit.duplicates:check_duplicates",
        "leaks": "genus.audit.leaks:check_leaks",
        "outliers": "genus.audit.outliers:check_outliers",
        "pictures": "genus.audit.pictures:check_pictures",
        "constants": "genus.audit.constants:check_constants",
        "shortcuts": "genus.audit.shortcuts:check_shortcuts",
        "balance": "genus.audit.balance:check_balance",
        "difficulty": "genus.audit.difficulty:check_difficulty",
    },
    "genus.audit_checks",
)
