"""Audits of pictures: what the two columns find together."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from genus import Audit
from genus.data.dataset import Dataset
from genus.data.label_sets import LabelSets
from genus.errors import DataError, ParameterError
from genus.estimators.audit_limits import exceeded_limits, parse_limits
from genus.estimators.audited import COLUMNS
from genus.estimators.label_fixes import accepted, fixed_labels, review_rows
from genus.images.source import as_source
from photographs import photographs

from .conftest import digit_pictures, write_folders

CHEAP = "thumbnail@32"


@pytest.fixture(scope="module")
def found() -> Audit:
    """Digits, of which one has a wrong label, one is there twice, and one is black; and a file that is none."""
    pictures, labels = digit_pictures(15)
    wrong = labels.copy()
    wrong[4] = 7  # a zero
    sources = [as_source(picture, f"{i}.png") for i, picture in enumerate(pictures)]
    sources += [as_source(pictures[20], "twice.png"), as_source(np.zeros((64, 64), np.uint8), "black.png")]
    sources.append(as_source(b"no image", "broken.png"))
    names = (*(str(label) for label in wrong), "1", "2", "3")
    splits = ("train",) * len(pictures) + ("test", "test", "test")
    return Audit.of(Dataset(tuple(sources), names, splits=splits, origin="digits"), features=CHEAP)


def test_the_wrong_label_is_the_first_of_the_labels_and_every_label_is_ranked(found: Audit) -> None:
    every = found.issue("label", at_least=0.0)
    assert (every[0].image, every[0].suggestion) == ("4.png", "0")
    assert len(every) == found.n_labelled
    assert next(row for row in every if row.image == "broken.png").evidence == "not judged: it cannot be read"


def test_copies_leaks_black_pictures_and_broken_files_are_found(found: Audit) -> None:
    assert {row.image for row in found.issue("exact_duplicate")} == {"20.png", "twice.png"}
    assert [(row.image, row.other_image) for row in found.issue("leak")] == [("twice.png", "20.png")]
    assert "black.png" in {row.image for row in found.issue("low_information")}
    assert [row.image for row in found.issue("unreadable")] == ["broken.png"]
    assert (
        len(
            {row.group for row in found.rows if row.image in ("20.png", "twice.png") and row.issue != "label"}
        )
        == 1
    )


def test_the_table_is_ranked_and_has_its_columns(found: Audit) -> None:
    severities = [row["severity"] for row in found.table]
    assert severities == sorted(severities, reverse=True)
    assert all(0 <= severity <= 1 for severity in severities)
    assert tuple(found.table[0]) == COLUMNS
    assert found.to_dict()["counts"]["leak"] == 1


def test_it_is_a_data_frame_too(found: Audit) -> None:
    pytest.importorskip("pandas")
    frame = found.to_frame()
    assert list(frame.columns) == list(COLUMNS) and len(frame) == len(found.rows)


def test_cropped_mirrored_and_recoloured_photographs_are_near_duplicates() -> None:
    photos = list(photographs(192)[:10])
    h, w = photos[0].shape[:2]
    changed = [photos[1][:, ::-1].copy(), photos[3][: int(0.8 * h), : int(0.8 * w)].copy()]
    changed.append(cv2.cvtColor(photos[8], cv2.COLOR_RGB2BGR))
    names = [f"{i}" for i in range(13)]
    sources = tuple(as_source(p, name) for p, name in zip([*photos, *changed], names, strict=True))
    found = Audit.of(Dataset(sources), features="efficientnet-lite0@224", checks=["duplicates"])
    groups: dict[object, set[str]] = {}
    for row in found.issue("near_duplicate"):
        groups.setdefault(row.group, set()).add(row.image)
    assert any({"1", "10"} <= group for group in groups.values())
    assert any({"3", "11"} <= group for group in groups.values())
    assert not any({"1", "3"} <= group for group in groups.values())


def test_accepting_everything_keeps_one_of_each_picture() -> None:
    photos = photographs(96)[[0, 1, 7]]
    images = [as_source(photos[0], "test.png"), *(as_source(p, f"{i}.png") for i, p in enumerate(photos))]
    data = Dataset(tuple(images), ("a", "a", "b", "a"), splits=("test", "train", "train", "train"))
    found = Audit.of(data, features=CHEAP, checks=["duplicates", "leaks"])
    review = [{**row, "accept": "yes"} for row in review_rows(found)]
    fixed = fixed_labels(data, accepted(review, "review.csv"), "review.csv")  # type: ignore[arg-type]
    assert fixed.left_out == ("test.png",)


def test_two_lids_on_a_table_are_not_one_picture() -> None:
    rng = np.random.default_rng(0)

    def lid(radius: int, text: str) -> np.ndarray:
        table = np.full((192, 192, 3), 200, np.uint8) + rng.integers(0, 6, (192, 192, 3), np.uint8)
        cv2.circle(table, (90, 100), radius, (120, 90, 60), -1, cv2.LINE_AA)
        return np.asarray(cv2.putText(table, text, (70, 105), 0, 0.5, (250, 250, 250), 1), np.uint8)

    lids = [lid(32 + 6 * i, text) for i, text in enumerate(("jam", "tea", "oil", "rye"))]
    sources = tuple(as_source(p, f"{i}") for i, p in enumerate([*lids, *photographs(192)[:5]]))
    found = Audit.of(Dataset(sources), features="efficientnet-lite0@224", checks=["duplicates"])
    assert not found.issue("near_duplicate")


def test_many_empty_pictures_do_not_keep_copies_from_being_found() -> None:
    photos = list(photographs(128)[:10])
    empty = [np.full((64, 64, 3), grey, np.uint8) for grey in range(0, 210, 3)]
    pictures = [*empty, *photos, photos[6][:, ::-1].copy()]
    sources = tuple(as_source(p, f"{i}") for i, p in enumerate(pictures))
    found = Audit.of(Dataset(sources), features="efficientnet-lite0@224", checks=["duplicates"])
    last = len(pictures) - 1
    assert {row.image for row in found.issue("near_duplicate")} >= {f"{last}", f"{last - 4}"}


class TestBadInput:
    def test_images_without_labels_are_audited_as_far_as_they_go(self) -> None:
        pictures, _ = digit_pictures(4)
        found = Audit.of(list(pictures), features=CHEAP)
        assert not found.issue("label", at_least=0.0)
        assert {"labels", "shortcuts", "balance"} <= set(found.left_out)

    def test_one_class_has_nothing_to_hold_its_labels_against(self) -> None:
        pictures, _ = digit_pictures(3)
        found = Audit.of(list(pictures), ["digit"] * len(pictures), features=CHEAP)
        assert "one class only, 'digit'" in found.left_out["labels"]

    def test_labels_that_nobody_judged_have_a_row_all_the_same(self) -> None:
        pictures, _ = digit_pictures(3)
        found = Audit.of(list(pictures), ["digit"] * len(pictures), features=CHEAP, checks=["labels"])
        rows = found.issue("label", at_least=0.0)
        assert len(rows) == len(pictures) and {row.severity for row in rows} == {0.0}

    def test_a_class_of_one_image_is_left_out_and_named(self) -> None:
        pictures, labels = digit_pictures(6)
        names = [str(label) for label in labels]
        names[0] = "lonely"
        found = Audit.of(list(pictures), names, features=CHEAP, checks=["labels"])
        assert any("lonely" in note for note in found.notes)
        assert len(found.issue("label", at_least=0.0)) == len(names)

    def test_one_image_is_enough(self) -> None:
        found = Audit.of([digit_pictures(1)[0][0]], ["a"], features=CHEAP)
        assert found.n_images == 1

    def test_nothing_that_can_be_read_is_an_error_that_names_the_first(self) -> None:
        with pytest.raises(DataError, match="x.png"):
            Audit.of(Dataset((as_source(b"text", "x.png"),)), features=CHEAP)

    def test_an_unknown_check_is_refused_before_anything_is_computed(self) -> None:
        with pytest.raises(ParameterError, match="Did you mean 'labels'"):
            Audit.of([], checks=["label"])


def test_several_labels_an_image() -> None:
    pictures, digits = digit_pictures(12)
    values = np.stack([digits % 2 == 0, digits < 5, digits >= 5], axis=1).astype(np.int8)
    values[3] = 1 - values[3]
    data = Dataset(
        tuple(as_source(p, f"{i}") for i, p in enumerate(pictures)),
        label_sets=LabelSets(("even", "low", "high"), values),
    )
    found = Audit.of(data, features=CHEAP, checks=["labels"])
    assert "3" in [row.image for row in found.issue("label", at_least=0.0)[:3]]


def test_limits(found: Audit) -> None:
    assert exceeded_limits(found, parse_limits("leaks")) == ["leak: 1"]
    assert exceeded_limits(found, parse_limits("leaks>1,labels>50%")) == []
    assert exceeded_limits(found, parse_limits("noise>90%")) == []
    assert exceeded_limits(found, parse_limits("noise>0.01%"))[0].startswith("noise: ")
    partly = replace(found, checks=("duplicates",))
    assert exceeded_limits(partly, parse_limits("labels")) == [
        "label: not checked: it was not among the checks"
    ]
    with pytest.raises(ParameterError, match="leave the number out"):
        parse_limits("shortcuts>2%")
    with pytest.raises(ParameterError, match="no issue named 'leeks'"):
        parse_limits("leeks")
    with pytest.raises(ParameterError, match="expected an issue"):
        parse_limits("labels>many")


def test_the_same_folder_gives_the_same_audit(tmp_path: Path) -> None:
    folder = write_folders(tmp_path / "digits", *digit_pictures(5))
    one, other = (Audit.of(folder, features=CHEAP) for _ in range(2))
    assert one.rows == other.rows
