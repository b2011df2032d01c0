"""How unlike its training images an image is: near for what is stored, far for what is not, the same in the file."""

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genus.classify.novelty import MAX_STORED, Novelty, OutOfFold, spread_rows
from genus.graph import GraphBuilder
from genus.normalize import normalize_blocks

BLOCKS = ((0, 20), (24, 40))  # what lies between is not compared


def rows(n: int, seed: int = 0, kind: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.random((n, 40)) + 4 * (np.arange(40) % 5 == kind)).astype(np.float32)


def kept(n: int = 100) -> Novelty:
    return Novelty.of(rows(n), BLOCKS)


class TestNovelty:
    def test_a_stored_image_is_nothing_new(self) -> None:
        assert kept().score(rows(100)).max() < 1e-3

    def test_another_kind_is_further_than_more_of_the_same(self) -> None:
        novelty = kept()
        assert novelty.score(rows(50, seed=1, kind=3)).min() > novelty.score(rows(50, seed=1)).max()

    def test_it_is_the_distance_of_normalised_features(self) -> None:
        more = rows(30, seed=2, kind=1)
        a, b = (normalize_blocks(X, BLOCKS, 0.5) for X in (more, rows(100)))
        plain = ((a[:, None] - b) ** 2).sum(axis=2).min(axis=1)
        assert np.allclose(kept().score(more), plain, atol=0.005)

    def test_features_at_right_angles_are_as_far_as_can_be(self) -> None:
        along, across = np.eye(40, dtype=np.float32)[[0]], np.eye(40, dtype=np.float32)[[7]]
        novelty = Novelty.of(along, ((0, 40),))
        assert novelty.score(along)[0] < 1e-6 and novelty.score(across)[0] == pytest.approx(2.0, abs=0.01)

    def test_negative_features_are_features_too(self) -> None:
        novelty = Novelty.of(-rows(20), BLOCKS)
        assert novelty.score(-rows(20)).max() < 1e-3 < novelty.score(rows(20)).min()

    def test_columns_outside_the_blocks_do_not_matter(self) -> None:
        changed = rows(10, seed=3)
        changed[:, 20:24] = 1e6
        assert np.array_equal(kept().score(changed), kept().score(rows(10, seed=3)))

    def test_rows_of_nothing_are_no_error(self) -> None:
        nothing = np.zeros((3, 40), np.float32)
        assert np.isfinite(kept().score(nothing)).all()
        constant = Novelty.of(nothing, BLOCKS)
        assert constant.score(nothing).max() == 0 and np.isfinite(constant.score(rows(2))).all()

    def test_one_image_is_enough(self) -> None:
        one = Novelty.of(rows(1), BLOCKS)
        assert one.score(rows(1))[0] < 1e-3 < one.score(rows(1, seed=1, kind=2))[0]

    def test_very_many_images_are_scored_part_by_part(self) -> None:
        many = rows(4_500)
        assert np.allclose(
            kept().score(many)[[0, 1_999, 2_000, 4_499]], kept().score(many[[0, 1_999, 2_000, 4_499]])
        )
        assert kept().score(many[:0]).shape == (0,)

    def test_the_file_says_the_same(self) -> None:
        graph, novelty = GraphBuilder(), kept()
        graph.output(novelty.export(graph, "x", 40), "novelty", np.float32, ["N"])
        model = graph.model([("x", np.float32, ["N", 40])])
        session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        every = np.concatenate([rows(20), rows(20, seed=1), rows(20, seed=2, kind=4), np.zeros((1, 40))])
        (found,) = session.run(None, {"x": every.astype(np.float32)})
        assert found.shape == (61,)
        assert np.allclose(found, novelty.score(every.astype(np.float32)), atol=1e-5)


class TestStoredImages:
    @given(st.lists(st.integers(-1, 4), min_size=1, max_size=80), st.integers(1, 40))
    def test_small_classes_are_stored_whole_before_large_ones_get_more(
        self, codes: list[int], limit: int
    ) -> None:
        every = np.array(codes)
        chosen = spread_rows(every, limit)
        assert len(chosen) == min(limit, len(every)) == len(np.unique(chosen))
        classes, sizes = np.unique(every, return_counts=True)
        stored = np.array([(every[chosen] == c).sum() for c in classes])
        cut = stored < sizes
        if cut.any():  # a class that is cut short has no fewer than any other, up to one
            assert stored[cut].min() >= stored.max() - 1

    def test_there_is_a_limit(self) -> None:
        assert len(spread_rows(np.zeros(3 * MAX_STORED, np.int64))) == MAX_STORED


class TestOutOfFold:
    def apart(self, n: int = 120) -> tuple[OutOfFold, np.ndarray]:
        kinds = np.arange(n) % 3
        X = np.concatenate([rows(1, seed=i, kind=int(k)) for i, k in enumerate(kinds)])
        novelty = Novelty.of(X, BLOCKS)
        return OutOfFold.of(novelty, X, np.arange(n), (np.arange(n) // 3) % 4), kinds

    def test_an_image_is_never_its_own_neighbour(self) -> None:
        assert self.apart()[0].novelty.min() > 0.001

    def test_it_looks_as_novel_as_new_images_do(self) -> None:
        apart, _ = self.apart()
        X = np.concatenate([rows(1, seed=i, kind=i % 3) for i in range(120)])
        new = np.concatenate([rows(1, seed=1000 + i, kind=i % 3) for i in range(120)])
        fresh = Novelty.of(X, BLOCKS).score(new)
        assert np.median(apart.novelty) == pytest.approx(np.median(fresh), rel=0.1)

    def test_a_class_left_out_stands_out_where_classes_differ(self) -> None:
        apart, kinds = self.apart()
        found = apart.left_out(kinds[:, None] == np.arange(3), ["a", "b", "c"])
        assert [row.name for row in found] == ["a", "b", "c"]
        assert all(row.found.value > 0.99 and row.found.n_unknown == 40 for row in found)

    def test_and_does_not_where_they_do_not(self) -> None:
        apart, _ = self.apart()
        by_chance = np.random.default_rng(0).integers(0, 2, 120)[:, None] == np.arange(2)
        assert all(0.3 < row.found.value < 0.7 for row in apart.left_out(by_chance, ["a", "b"]))

    def test_classes_of_a_handful_are_not_judged(self) -> None:
        apart, _ = self.apart()
        members = np.zeros((120, 2), bool)
        members[:3, 0] = True
        members[:, 1] = True
        assert apart.left_out(members, ["rare", "every"]) == ()

    def test_what_is_never_judged_can_be_compared_with(self) -> None:
        X = rows(10)
        novelty = Novelty.of(X, BLOCKS)
        folds = np.array([0, 0, 1, 1, -1, -1, -1, -1, -1, -1])
        assert len(OutOfFold.of(novelty, X, np.arange(10), folds).novelty) == 4
        nobody = OutOfFold.of(novelty, X, np.arange(10), np.full(10, -1))
        assert len(nobody.novelty) == 0 and nobody.left_out(np.ones((10, 1), bool), ["a"]) == ()
        one_fold = OutOfFold.of(novelty, X, np.arange(10), np.zeros(10, np.int64))
        assert len(one_fold.novelty) == 0
