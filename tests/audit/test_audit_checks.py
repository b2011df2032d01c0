"""Every check by name keeps the contract; what each of them finds."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genus.audit.audit_checks import CHECKS
from genus.audit.checks import AuditCheckContractError, check_audit_check, made_up_facts
from genus.audit.constants import check_constants
from genus.audit.duplicates import check_duplicates
from genus.audit.finding import Finding, Found
from genus.audit.joining import joined
from genus.audit.labels import check_labels
from genus.audit.leaks import check_leaks
from genus.audit.outliers import check_outliers
from genus.audit.pictures import check_pictures
from genus.audit.shortcuts import check_shortcuts
from genus.neighbors import nearest_others


@pytest.mark.parametrize("name", list(CHECKS))
def test_every_check_keeps_the_contract(name: str) -> None:
    check_audit_check(CHECKS.get(name))


def test_a_check_that_breaks_a_law_is_told_which() -> None:
    with pytest.raises(AuditCheckContractError, match="severities"):
        check_audit_check(lambda facts: Found((Finding(0, "odd", 2.0, "because"),)))
    with pytest.raises(AuditCheckContractError, match="another image"):
        check_audit_check(lambda facts: Found((Finding(0, "odd", 0.5, "because", other=0),)))


class TestLabels:
    def test_every_labelled_image_is_ranked_and_the_wrong_one_is_first(self) -> None:
        facts = made_up_facts()
        found = sorted(check_labels(facts).findings, key=lambda f: -f.severity)
        assert len(found) == len(facts) and found[0].row == 7
        assert found[0].suggestion == facts.classes[7 % 3] and found[1].suggestion == ""

    def test_what_argues_has_the_suggested_label(self) -> None:
        facts = made_up_facts()
        worst = next(f for f in check_labels(facts).findings if f.row == 7)
        assert worst.other is not None
        assert {facts.codes[i] for i in (worst.other, *worst.argues)} == {7 % 3}

    def test_a_missing_label_of_several_is_found_and_added(self) -> None:
        facts = made_up_facts()
        values = np.eye(3, dtype=np.int8)[np.arange(60) % 3]
        values[9] = 0  # it shows a cat
        found = check_labels(replace(facts, codes=None, values=values))
        worst = max(found.findings, key=lambda f: f.severity)
        assert (worst.row, worst.suggestion) == (9, "cat")

    def test_a_rare_label_is_not_wrong_because_it_is_improbable_everywhere(self) -> None:
        facts = made_up_facts()
        values = np.zeros((60, 3), np.int8)
        values[::2, 0] = values[1::2, 1] = values[:6, 2] = 1
        proba = np.where(values == 1, 0.97, 0.03)
        proba[:, 2] = 0.1  # as many as have it: whether an image does cannot be seen
        proba[4, 0] = 0.01  # and this one has another label wrongly
        found = check_labels(replace(facts, codes=None, values=values, proba=proba))
        assert [f.row for f in found.findings if f.severity >= 0.5] == [4]

    def test_what_is_unknown_is_not_judged(self) -> None:
        facts = made_up_facts()
        values = np.full((60, 3), -1, np.int8)
        values[:30] = np.eye(3, dtype=np.int8)[np.arange(30) % 3]
        found = check_labels(replace(facts, codes=None, values=values))
        assert {f.row for f in found.findings} == set(range(30))

    def test_a_label_that_nobody_could_judge_is_not_called_wrong(self) -> None:
        facts = made_up_facts()
        values = np.eye(3, dtype=np.int8)[np.arange(60) % 3]
        values[:, 2] = 1  # all have it: nothing to hold it against
        proba = facts.proba.copy()
        proba[:, 2] = np.nan
        found = check_labels(replace(facts, codes=None, values=values, proba=proba))
        assert max(f.severity for f in found.findings if f.row != 7) < 0.5

    def test_what_is_unknown_stays_unknown_in_a_suggestion(self) -> None:
        facts = made_up_facts()
        values = np.eye(3, dtype=np.int8)[np.arange(60) % 3]
        values[9] = (0, 0, -1)  # it shows a cat
        found = check_labels(replace(facts, codes=None, values=values))
        assert max(found.findings, key=lambda f: f.severity).suggestion == "cat|?owl"


class TestDuplicates:
    def test_all_images_of_a_picture_share_a_number(self) -> None:
        facts = made_up_facts()
        found = [f for f in check_duplicates(facts).findings if f.issue == "exact_duplicate"]
        assert [(f.row, f.other, f.group) for f in found] == [(0, 3, 0), (3, 0, 0)]

    def test_the_one_to_learn_from_is_kept(self) -> None:
        facts = replace(made_up_facts(), splits=np.array(["test", *["train"] * 59]))
        found = {f.row: f.suggestion for f in check_duplicates(facts).findings}
        assert found == {0: "-", 3: ""}

    def test_thousands_of_copies_take_no_time(self) -> None:
        facts = made_up_facts()
        n = 20_000
        many = replace(
            facts, contents=np.full(n, "a"), pictures=np.zeros(n, np.int64), codes=None, classes=()
        )
        many = replace(many, X=np.zeros((n, 1), np.float32), splits=None, proba=None)
        assert len(check_duplicates(many).findings) == n

    def test_two_labels_for_one_picture_are_a_conflict_on_both_sides(self) -> None:
        facts = made_up_facts()
        codes = facts.codes.copy()
        codes[3] = 1
        conflicts = [
            f for f in check_duplicates(replace(facts, codes=codes)).findings if f.issue == "conflict"
        ]
        assert [f.row for f in conflicts] == [0, 3]
        assert [f.suggestion for f in conflicts] == ["", "cat"]  # models say that it is a cat

    @given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30))
    @settings(max_examples=20, deadline=None)
    def test_groups_are_transitive(self, pairs: list[tuple[int, int]]) -> None:
        groups = joined(20, np.array(pairs, np.int64).reshape(-1, 2))
        assert all(groups[i] == groups[j] for i, j in pairs)
        assert len(np.unique(groups)) >= 20 - len(pairs)
        assert groups[0] == 0 and set(groups) == set(range(groups.max() + 1))


class TestLeaks:
    def test_the_judging_side_is_reported_with_the_training_image(self) -> None:
        found = check_leaks(made_up_facts())
        assert [(f.row, f.other, f.suggestion) for f in found.findings] == [(3, 0, "-")]
        assert found.remarks[0].figures["n_leaked"] == 1

    def test_without_parts_there_is_nothing_to_leak_between(self) -> None:
        assert check_leaks(replace(made_up_facts(), splits=None)).left_out

    def test_what_is_in_val_too_is_no_training_image(self) -> None:
        splits = np.array(["val", *["train"] * 2, "test", *["train"] * 56])
        found = check_leaks(replace(made_up_facts(), splits=splits))
        assert [(f.row, f.other) for f in found.findings] == [(3, 0)] and not found.remarks

    def test_copies_within_a_part_are_no_leak(self) -> None:
        facts = made_up_facts()
        assert not check_leaks(replace(facts, splits=np.full(60, "train"))).findings


class TestOutliers:
    def test_what_is_like_nothing_else_is_found(self) -> None:
        facts = made_up_facts()
        X = facts.X.copy()
        X[11] = -np.eye(16, dtype=np.float32)[9]
        found = check_outliers(replace(facts, X=X, nearest=nearest_others(X, 10))).findings
        assert found and max(found, key=lambda f: f.severity).row == 11

    def test_an_outlier_with_a_copy_is_still_one(self) -> None:
        facts = made_up_facts()
        X = facts.X.copy()
        X[0] = X[3] = -np.eye(16, dtype=np.float32)[9]
        found = check_outliers(replace(facts, X=X, nearest=nearest_others(X, 10))).findings
        assert {0, 3} <= {f.row for f in found}


@pytest.mark.parametrize(
    ("statistic", "value", "issue"),
    [
        ("dark_share", 0.99, "dark"),
        ("bright_share", 0.99, "bright"),
        ("width", 2000.0, "odd_aspect"),
        ("height", 12.0, "tiny"),
        ("border", 0.4, "border"),
    ],
)
def test_odd_pictures_are_found(statistic: str, value: float, issue: str) -> None:
    facts = made_up_facts()
    values = {**facts.statistics, statistic: facts.statistics[statistic].copy()}
    values[statistic][5] = value
    found = check_pictures(replace(facts, statistics=values)).findings
    assert (5, issue) in {(f.row, f.issue) for f in found}


def test_what_most_pictures_have_belongs_to_the_set() -> None:
    facts = made_up_facts()
    night = {**facts.statistics, "dark_share": np.full(60, 0.95)}
    assert "dark" not in {f.issue for f in check_pictures(replace(facts, statistics=night)).findings}


class TestShortcuts:
    def test_a_size_that_gives_the_class_away_is_told_with_its_accuracy(self) -> None:
        facts = made_up_facts()
        telling = {**facts.statistics, "width": 64.0 + 10 * facts.codes}
        remarks = check_shortcuts(replace(facts, statistics=telling)).remarks
        size = next(r for r in remarks if r.figures["family"] == "size and shape")
        assert size.figures["accuracy"] > 0.95 and size.figures["chance"] < 0.4

    def test_a_class_that_a_part_of_the_images_lacks_does_no_harm(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("genus.audit.shortcuts._MOST", 50)
        facts = made_up_facts()
        codes = facts.codes % 2
        codes[:3] = 2  # two or three of sixty
        telling = {**facts.statistics, "width": 64.0 + 10 * codes}
        assert check_shortcuts(replace(facts, codes=codes, statistics=telling)).remarks

    def test_metadata_that_say_nothing_are_not_mentioned(self) -> None:
        assert not check_shortcuts(made_up_facts()).remarks


def test_a_mark_in_the_corner_of_one_class_is_found() -> None:
    facts = made_up_facts()
    thumbnails = facts.thumbnails.copy()
    mark = np.array([[0, 255, 0, 255]] * 3, np.uint8)
    thumbnails[facts.codes == 2, 12:15, 11:15] = mark
    remarks = check_constants(replace(facts, thumbnails=thumbnails)).remarks
    assert [r.figures["label"] for r in remarks] == ["owl"]
    assert remarks[0].figures["where"] == "bottom right"
