"""Nearest rows: what a sort of all distances gives, whatever the batch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genus import neighbors
from genus.neighbors import nearest_rows


@given(st.integers(0, 40), st.integers(0, 9), st.integers(0, 12), st.integers(0, 1000))
def test_they_are_the_first_of_all_sorted(m: int, n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    stored, rows = rng.normal(size=(m, 5)).astype(np.float32), rng.normal(size=(n, 5)).astype(np.float32)
    found = nearest_rows(stored, rows, k)
    apart = ((rows[:, None] - stored[None]) ** 2).sum(axis=2)
    assert found.indices.shape == found.distances.shape == (n, min(k, m))
    assert np.allclose(found.distances, np.sort(apart, axis=1)[:, :k], atol=1e-4)


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    stored, rows = rng.random((30, 4), np.float32), rng.random((50, 4), np.float32)
    whole = nearest_rows(stored, rows, 3)
    monkeypatch.setattr(neighbors, "_AT_ONCE", 90)
    parts = nearest_rows(stored, rows, 3)
    assert np.array_equal(whole.indices, parts.indices)


def test_of_equally_near_rows_the_first_stored_comes_first() -> None:
    assert nearest_rows(np.ones((4, 2), np.float32), np.zeros((1, 2), np.float32), 3).indices.tolist() == [
        [0, 1, 2]
    ]
