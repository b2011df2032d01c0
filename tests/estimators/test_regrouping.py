"""Splitting, merging and naming groups by hand."""

import numpy as np
import pytest

from genus.data.read import read_dataset
from genus.errors import DataError
from genus.estimators.grouped import GroupedImages
from genus.estimators.grouping import group_images, model_of
from genus.estimators.grouping_options import GroupingOptions
from genus.estimators.naming import named_images, suggest_names
from genus.estimators.regrouping import merge_groups, split_group
from genus.features.feature_set import parse_feature_set
from genus.predictor import Predictor

Digits = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def found(digits: Digits) -> GroupedImages:
    """96 pictures of four digits in three groups."""
    pictures, labels = digits
    options = GroupingOptions(
        parse_feature_set("thumbnail@32"), 3, algorithms=("K-Means", "Ward", "BIRCH"), random_state=0
    )
    return group_images(read_dataset(list(pictures[labels < 4])), options)[0]


class TestSplit:
    def test_the_largest_part_keeps_the_number_and_the_others_get_new_ones(
        self, found: GroupedImages
    ) -> None:
        split = split_group(found, 1, 3)
        assert set(split.labels) == {0, 1, 2, 3, 4}
        assert set(split.labels[found.labels == 1]) == {1, 3, 4}
        assert split.sizes[1] >= max(split.sizes[3], split.sizes[4])
        assert (split.labels[found.labels != 1] == found.labels[found.labels != 1]).all()
        assert split.comparison["notes"][-1] == "group 1 was split by hand into 1, 3, 4"

    def test_the_number_of_parts_can_be_searched_for(self, found: GroupedImages) -> None:
        assert len(split_group(found, 0).numbers) > 3

    def test_numbers_are_never_used_twice(self, found: GroupedImages) -> None:
        twice = split_group(split_group(found, 0, 2), 0, 2)
        assert sorted(twice.numbers) == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize(
        ("number", "parts", "match"),
        [
            (7, 2, "no group 7; there are: 0, 1, 2"),
            (0, 1, "2 parts or more"),
            (0, 90, "too few to split into 90"),
        ],
    )
    def test_what_cannot_be(self, found: GroupedImages, number: int, parts: int, match: str) -> None:
        with pytest.raises(DataError, match=match):
            split_group(found, number, parts)


class TestMerge:
    def test_the_lowest_number_and_its_name_stay(self, found: GroupedImages) -> None:
        merged = merge_groups(found.renamed({0: "round", 2: "bent"}), [2, 0])
        assert set(merged.labels) == {0, 1} and merged.group_names == {0: "round"}
        assert (merged.labels[found.labels == 2] == 0).all()

    def test_a_split_can_be_undone(self, found: GroupedImages) -> None:
        back = merge_groups(split_group(found, 2, 2), [2, 3])
        assert (back.labels == found.labels).all()

    @pytest.mark.parametrize(
        ("numbers", "match"), [([1], "name two"), ([1, 1], "name two"), ([0, 8], "no group 8")]
    )
    def test_what_cannot_be(self, found: GroupedImages, numbers: list[int], match: str) -> None:
        with pytest.raises(DataError, match=match):
            merge_groups(found, numbers)


def test_the_model_follows(found: GroupedImages, digits: Digits) -> None:
    changed = merge_groups(split_group(found, 0, 2), [1, 2])
    pictures = digits[0][digits[1] < 4]
    said = Predictor(model_of(changed)).predict(list(pictures))
    assert set(said) <= {"0", "1", "3"}
    assert (said.astype(int) == changed.labels).mean() > 0.9


class TestNames:
    def test_they_become_labels(self, found: GroupedImages) -> None:
        images = named_images(found.renamed({0: "a", 1: "-"}))
        assert {one.label for one in images} == {"a"} and len(images) == found.sizes[0]
        assert all(0 < one.confidence <= 1 and one.group == 0 for one in images)

    def test_the_doubtful_can_be_left_out(self, found: GroupedImages) -> None:
        named = found.renamed({0: "a", 1: "a", 2: "a"})
        middle = float(np.median(found.row_confidence))
        assert len(named_images(named, above=middle)) == int((found.row_confidence >= middle).sum())

    def test_groups_that_do_not_exist_have_none(self, found: GroupedImages) -> None:
        with pytest.raises(DataError, match="no group 5"):
            found.renamed({0: "a", 5: "b"})

    def test_guesses_are_what_the_model_sees_in_typical_images(
        self, found: GroupedImages, digits: Digits
    ) -> None:
        sources = dict(zip(found.names, read_dataset(list(digits[0][digits[1] < 4])).sources, strict=True))
        guesses = suggest_names(found, Predictor(model_of(found)), sources=sources)
        assert {number: best[0][0] for number, best in guesses.items()} == {0: "0", 1: "1", 2: "2"}

    def test_images_that_are_gone_cannot_be_guessed(self, found: GroupedImages) -> None:
        with pytest.raises(DataError, match="cannot be read any more"):
            suggest_names(found, Predictor(model_of(found)))
