"""Grouping, step by step: wishes, copies, what cannot be read, and what would not fit."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from genus.cluster.trials import ALGORITHMS
from genus.data.read import read_dataset
from genus.errors import DataError
from genus.estimators import grouping, grouping_cost
from genus.estimators.grouped import GroupedImages
from genus.estimators.grouping import group_images
from genus.estimators.grouping_cost import cost_note, memory_mb, plan_grouping
from genus.estimators.grouping_options import GroupingOptions, Wishes
from genus.features.feature_set import parse_feature_set
from genus.progress import SILENT

Digits = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def some(digits: Digits) -> Digits:
    pictures, labels = digits
    return pictures[labels < 4], labels[labels < 4].astype(str)


def options(n_clusters: Any = 4, **changes: Any) -> GroupingOptions:
    known = {"algorithms": ("K-Means", "Ward", "BIRCH"), "random_state": 0}
    return GroupingOptions(parse_feature_set("thumbnail@32"), n_clusters, **{**known, **changes})


def group(images: Any, n_clusters: Any = 4, wishes: Wishes | None = None, **changes: Any) -> GroupedImages:
    return group_images(read_dataset(images), options(n_clusters, **changes), wishes)[0]


class TestWishes:
    def test_seeds_of_one_label_share_a_group(self, some: Digits) -> None:
        pictures, labels = some
        seeds: list[str | None] = [None] * len(labels)
        for label in ("0", "1", "2"):
            for place in np.flatnonzero(labels == label)[:3]:
                seeds[place] = label
        found = group(list(pictures), wishes=Wishes(seeds)).labels
        homes = [
            {int(found[i]) for i, seed in enumerate(seeds) if seed == label} for label in ("0", "1", "2")
        ]
        assert [len(home) for home in homes] == [1, 1, 1]
        assert len(set.union(*homes)) == 3

    def test_links_are_met_even_against_the_pictures(self, some: Digits) -> None:
        pictures, labels = some
        zero, one = np.flatnonzero(labels == "0"), np.flatnonzero(labels == "1")
        wishes = Wishes(must_link=[(zero[0], one[0])], cannot_link=[(zero[1], zero[2])])
        found = group(list(pictures), wishes=wishes)
        assert found.labels[zero[0]] == found.labels[one[0]]
        assert found.labels[zero[1]] != found.labels[zero[2]]
        assert any("because it was asked for" in note for note in found.comparison["notes"])

    def test_wishes_that_contradict_each_other(self, some: Digits) -> None:
        with pytest.raises(DataError, match="must be in one group, and must not"):
            group(list(some[0]), wishes=Wishes(must_link=[(0, 1)], cannot_link=[(1, 0)]))

    def test_an_image_that_does_not_exist(self, some: Digits) -> None:
        with pytest.raises(DataError, match=r"\(0, 96\) names an image that does not exist"):
            group(list(some[0]), wishes=Wishes(must_link=[(0, 96)]))


class TestCopies:
    def test_all_copies_are_in_one_group_and_count_once(self, some: Digits) -> None:
        pictures = list(some[0])
        found = group([*pictures, *[pictures[0]] * 200])
        assert len(found.rows) == len(pictures)
        assert set(found.labels[len(pictures) :]) == {found.labels[0]}
        assert found.sizes[int(found.labels[0])] > 200
        assert "200 images are exact copies" in found.comparison["notes"][0]

    def test_masses_of_copies_do_not_change_the_groups(self, some: Digits) -> None:
        pictures = list(some[0])
        alone, crowded = group(pictures), group([*pictures, *[pictures[5]] * 300])
        together = alone.labels[:, None] == alone.labels
        assert ((crowded.labels[:96, None] == crowded.labels[:96]) == together).all()

    @pytest.mark.parametrize("n_clusters", [None, 1])
    def test_all_images_identical_make_one_group(self, some: Digits, n_clusters: int | None) -> None:
        found = group([some[0][0]] * 20, n_clusters)
        assert found.sizes == {0: 20} and found.cohesion == {0: 1.0}

    def test_identical_images_make_no_two_groups(self, some: Digits) -> None:
        with pytest.raises(DataError, match="1 different images that can be read cannot make 2 groups"):
            group([some[0][0]] * 20, 2)


class TestFewImages:
    def test_one(self, some: Digits) -> None:
        found = group([some[0][0]], None)
        assert found.labels.tolist() == [0] and found.map_places.shape == (1, 2)

    @pytest.mark.parametrize("n", [2, 3, 5])
    def test_a_few(self, some: Digits, n: int) -> None:
        assert group(list(some[0][::20][:n]), None).labels.shape == (n,)

    def test_as_many_groups_as_images(self, some: Digits) -> None:
        assert sorted(group(list(some[0][::20][:4])).labels) == [0, 1, 2, 3]

    def test_fewer_images_than_groups(self, some: Digits) -> None:
        with pytest.raises(DataError, match="3 images cannot make 4 groups"):
            group(list(some[0][:3]))


class TestWhatCannotBeRead:
    def test_it_is_left_out_and_named(self, digit_folder: Path, tmp_path: Path) -> None:
        good = sorted(digit_folder.rglob("*.png"))[:60]
        bad = tmp_path / "bad.png"
        bad.write_bytes(b"\x89PNG\r\n\x1a\n")
        found = group([*good[:30], bad, *good[30:]])
        assert found.labels[30] == -1 and (np.delete(found.labels, 30) >= 0).all()
        assert [skipped.source for skipped in found.skipped] == [str(bad)]
        assert sum(found.sizes.values()) == 60 and 30 not in found.outliers

    def test_if_it_is_all_there_is(self, tmp_path: Path) -> None:
        (tmp_path / "bad.png").write_bytes(b"nothing")
        with pytest.raises(DataError, match="none of the 1 images can be read"):
            group([tmp_path / "bad.png"], None)

    def test_links_to_it_are_forgotten(self, digit_folder: Path, tmp_path: Path) -> None:
        (tmp_path / "bad.png").write_bytes(b"nothing")
        images = [tmp_path / "bad.png", *sorted(digit_folder.rglob("*.png"))[:40]]
        assert group(images, wishes=Wishes(must_link=[(0, 1)])).labels[0] == -1


class TestManyImages:
    def test_what_does_not_fit_in_one_table_is_streamed(
        self, digit_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        images = sorted(digit_folder.rglob("*.png"))
        bad = tmp_path / "bad.png"
        bad.write_bytes(b"nothing")
        images = [*images[:70], bad, *images[70:], images[0]]
        whole = group(images, 10)
        monkeypatch.setattr(grouping, "_MAX_TABLE", 100)
        streamed = group(images, 10)
        assert streamed.row.tolist() == whole.row.tolist()
        assert streamed.rows.shape[0] == whole.rows.shape[0] and streamed.labels[70] == -1
        assert [s.source for s in streamed.skipped] == [str(bad)]
        assert set(streamed.labels) == {-1, *range(10)}

    def test_more_than_this_machine_can_hold_is_refused_before_the_work(
        self, some: Digits, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(grouping_cost, "_memory_of_machine_mb", lambda: 100.0)
        with pytest.raises(
            DataError, match=r"96 images need about \d+ MB of memory, and this machine has 100"
        ):
            group(list(some[0]))

    def test_memory_hardly_grows_with_images(self) -> None:
        assert memory_mb(1_000_000, 6000) < 4 * memory_mb(10_000, 6000)


class TestCost:
    def test_a_plan_has_times_and_memory(self, some: Digits) -> None:
        plan = plan_grouping(read_dataset(list(some[0])), options()).to_dict()
        assert plan["n_images"] == 96 and plan["memory_mb"] > 100
        assert plan["seconds"]["total"] == pytest.approx(
            plan["seconds"]["features"] + plan["seconds"]["comparison"], abs=0.2
        )

    def test_only_what_takes_long_is_announced(self) -> None:
        assert cost_note(100, options()) == ""
        assert "comparing groupings of 50,000 images: about" in cost_note(
            50_000, options(None, algorithms=None)
        )

    def test_it_is_announced_before_the_work(self, some: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(grouping_cost, "_WORTH_SAYING", 0.0)
        said: list[str] = []

        class Told:
            task = SILENT.task
            say = staticmethod(said.append)

        group_images(read_dataset(list(some[0])), options(), progress=Told())
        assert len(said) == 1 and "MB of memory" in said[0]


def test_pictures_stored_twice_in_different_bytes_are_two_images(some: Digits, tmp_path: Path) -> None:
    picture = some[0][0]
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    cv2.imwrite(str(tmp_path / "b.bmp"), picture)
    cv2.imwrite(str(tmp_path / "c.png"), some[0][50])
    assert len(group(sorted(tmp_path.iterdir()), 2).rows) == 3


def test_all_algorithms_are_tried_where_none_is_named(some: Digits) -> None:
    found = group(list(some[0]), algorithms=None)
    assert {row["name"] for row in found.comparison["rows"]} == {*ALGORITHMS, "consensus"}
