"""The contract that every audit check keeps, as one function to hold a check to it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from genus.audit.facts import Facts
from genus.audit.finding import Finding, Found
from genus.errors import GenusError
from genus.neighbors import nearest_others

_N, _WIDTH = 60, 16


class AuditCheckContractError(GenusError, AssertionError):
    """A check breaks the contract; the message says which law."""


def check_audit_check(check: Callable[[Facts], Found], *, random_state: int = 0) -> None:
    """Hold a check to every law: on full facts, on few, without labels, with several labels an image, on one image.

    Parameters
    ----------
    check : AuditCheck
    random_state : int, default 0
        Seed of the made-up facts.

    Raises
    ------
    AuditCheckContractError
        A law is broken.

    Examples
    --------
    >>> from genus.audit.balance import check_balance
    >>> check_audit_check(check_balance)
    """
    facts = made_up_facts(random_state)
    several = np.eye(3, dtype=np.int8)[facts.codes]
    bare = replace(facts, statistics={}, metadata={}, thumbnails=None, splits=None, leak_scores={})
    unlabelled = replace(bare, classes=(), codes=None, proba=None)
    worlds = {
        "full facts": facts,
        "few facts": bare,
        "no labels": unlabelled,
        "several labels an image": replace(facts, codes=None, values=several),
        "labels that no model judged": replace(facts, proba=None, why_no_proba="too few"),
        "one image": _one(unlabelled),
    }
    for name, world in worlds.items():
        _check_world(check, world, name)


def made_up_facts(random_state: int = 0) -> Facts:
    """Return facts of 60 images of three classes, of which one has a wrong label and two are copies."""
    rng = np.random.default_rng(random_state)
    truth = np.arange(_N) % 3
    X = (np.eye(3, _WIDTH)[truth] + 0.1 * rng.normal(size=(_N, _WIDTH))).astype(np.float32)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    X[3] = X[0]
    codes = truth.copy()
    codes[7] = (codes[7] + 1) % 3
    proba = 0.9 * np.eye(3)[truth] + 0.1 / 3
    pictures = np.arange(_N)
    pictures[3] = 0
    statistics = {
        name: rng.random(_N) for name in ("brightness", "contrast", "entropy", "sharpness", "colour")
    }
    zeros = {name: np.zeros(_N) for name in ("dark_share", "bright_share", "border")}
    sizes = {"width": np.full(_N, 64.0), "height": np.full(_N, 64.0), "n_bytes": 1e3 + rng.random(_N)}
    splits = np.where(np.arange(_N) < 3, "train", np.where(np.arange(_N) < 20, "test", "train"))
    return Facts(
        X,
        np.array([f"{picture:04}" for picture in pictures]),
        pictures,
        nearest_others(X, 10),
        ("cat", "dog", "owl"),
        codes,
        None,
        proba,
        "",
        splits,
        {"test": np.where(splits == "test", 1.0, np.nan)},
        {**statistics, **zeros, **sizes},
        rng.integers(0, 255, (_N, 16, 16), np.uint8),
        {"format": np.full(_N, "PNG"), "mode": np.full(_N, "RGB"), "camera": np.full(_N, "")},
    )


def _one(facts: Facts) -> Facts:
    return replace(
        facts,
        X=facts.X[:1],
        contents=facts.contents[:1],
        pictures=facts.pictures[:1],
        nearest=nearest_others(facts.X[:1], 10),
    )


def _check_world(check: Callable[[Facts], Found], facts: Facts, name: str) -> None:
    before = [array.copy() for array in _arrays(facts)]
    found = check(facts)
    _require(isinstance(found, Found), f"{name}: a check returns Found")
    changed = any(
        not np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        for a, b in zip(before, _arrays(facts), strict=True)
    )
    _require(not changed, f"{name}: a check changes no facts")
    _require(check(facts) == found, f"{name}: the same facts give the same findings")
    for finding in found.findings:
        _check_finding(finding, len(facts), name)
    for remark in found.remarks:
        _require(0 <= remark.severity <= 1, f"{name}: severities are in [0, 1]")
        _require(bool(remark.topic and remark.text), f"{name}: a remark says what it is about")


def _check_finding(finding: Finding, n: int, name: str) -> None:
    others = [i for i in (finding.other, *finding.argues) if i is not None]
    _require(0 <= finding.row < n, f"{name}: findings are about images that exist")
    _require(all(0 <= i < n and i != finding.row for i in others), f"{name}: what argues is another image")
    _require(0 <= finding.severity <= 1, f"{name}: severities are in [0, 1]")
    _require(bool(finding.issue and finding.evidence), f"{name}: a finding has an issue and evidence")


def _arrays(facts: Facts) -> list[Any]:
    several = [*facts.statistics.values(), *facts.metadata.values(), *facts.leak_scores.values()]
    alone = [facts.X, facts.contents, facts.pictures, facts.codes, facts.values, facts.proba, facts.splits]
    return [array for array in (*alone, *several) if array is not None]


def _require(kept: bool, law: str) -> None:
    if not kept:
        raise AuditCheckContractError(f"broken law: {law}.")
