"""What a model remembers of its images: enough to go on learning without them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genus.classify.lda import LDAHead
from genus.classify.memory import POWER, SHRINKAGE, Memory, remembered
from genus.errors import DataError

BLOCKS = ((0, 24),)


def rows(n: int, n_classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % n_classes
    return np.maximum(rng.normal(size=(n, 24)) + 2 * np.eye(24)[codes], 0).astype(np.float32), codes


class TestMemory:
    @given(st.integers(1, 119), st.integers(0, 5))
    def test_adding_in_two_steps_is_the_same_as_at_once(self, cut: int, seed: int) -> None:
        X, codes = rows(120, seed=seed)
        whole = Memory.of(X, codes, 4)
        parts = Memory.of(X[:cut], codes[:cut], 4).with_rows(X[cut:], codes[cut:], 4)
        assert parts.counts.tolist() == whole.counts.tolist()
        assert np.allclose(parts.means, whole.means, atol=1e-5)
        assert np.allclose(parts.scatter.T @ parts.scatter, whole.scatter.T @ whole.scatter, atol=1e-2)

    def test_new_classes_come_after_the_known_ones(self) -> None:
        X, codes = rows(80)
        known = codes < 2
        grown = Memory.of(X[known], codes[known], 2).with_rows(X[~known], codes[~known], 4)
        assert np.allclose(grown.means, Memory.of(X, codes, 4).means, atol=1e-5)

    def test_its_head_is_the_one_that_all_images_would_give(self) -> None:
        X, codes = rows(400)
        test, true = rows(200, seed=1)
        own = remembered(X, codes, 4, BLOCKS).head(BLOCKS).predict(test)
        again = LDAHead(SHRINKAGE, power=POWER, blocks=BLOCKS).fit(X, codes).predict(test)
        assert (own == again).mean() > 0.98
        assert (own == true).mean() > (again == true).mean() - 0.02

    def test_it_survives_a_file(self) -> None:
        X, codes = rows(100)
        kept = remembered(X, codes, 4, BLOCKS)
        read = Memory.from_dict(json.loads(json.dumps(kept.to_dict(), allow_nan=False)))
        assert np.allclose(read.means, kept.means, atol=1e-3)
        assert np.allclose(read.head(BLOCKS).logits(X), kept.head(BLOCKS).logits(X), atol=0.5)

    def test_many_columns_are_held_in_few_directions(self) -> None:
        rng = np.random.default_rng(0)
        Z = (rng.normal(size=(600, 3)) @ rng.normal(size=(3, 500))).astype(np.float32)
        memory = Memory.of(Z, np.zeros(600, np.int64), 1)
        around = Z - Z.mean(axis=0)
        assert np.allclose(memory.scatter.T @ memory.scatter, around.T @ around, rtol=1e-2, atol=1.0)
        assert memory.rest < 1e-3 * float((around**2).sum())

    def test_rows_all_alike_do_no_harm(self) -> None:
        Z = np.ones((6, 24), np.float32)
        head = Memory.of(Z, np.array([0, 0, 0, 1, 1, 1]), 2).head(BLOCKS)
        assert np.isfinite(head.logits(Z)).all()

    def test_one_class_is_no_model(self) -> None:
        X, _ = rows(5)
        with pytest.raises(DataError, match="two classes"):
            Memory.of(X, np.zeros(5, np.int64), 1).head(BLOCKS)

    @pytest.mark.parametrize(
        "damaged", [{}, {"counts": [1], "means": "?", "scatter": "", "unit": 1, "rest": 0}]
    )
    def test_what_is_no_memory_is_refused(self, damaged: dict[str, object]) -> None:
        with pytest.raises(DataError, match="cannot be read"):
            Memory.from_dict(damaged)
