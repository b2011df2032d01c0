"""How sure a grouping is: the other groupings' votes, and the temperature that repeats them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genus.cluster.confidence import fit_temperature, soften, vote_shares


def test_unanimous_votes_are_certain() -> None:
    labels = np.array([0, 0, 1, 1, 2])
    shares = vote_shares(labels, 3, [labels, (labels + 1) % 3], [1.0, 1.0])
    assert np.array_equal(shares.argmax(axis=1), labels) and (shares.max(axis=1) == 1).all()


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 50), k=st.integers(1, 6))
def test_shares_add_up(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, n)
    shares = vote_shares(labels, k, [rng.integers(-1, 5, n) for _ in range(3)], [1.0, 0.5, 0.1])
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-5) and (shares >= 0).all()


def test_the_temperature_that_made_the_shares_is_found() -> None:
    squared = np.random.default_rng(0).random((400, 4)).astype(np.float32)
    for temperature in (0.02, 0.1, 1.0):
        assert abs(fit_temperature(squared, soften(squared, temperature)) / temperature - 1) < 0.02


def test_less_agreement_is_less_confidence() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    squared = (np.eye(3)[labels] * -0.5 + 0.6 + rng.random((300, 3)) * 0.1).astype(np.float32)
    sure = fit_temperature(squared, vote_shares(labels, 3, [labels], [1.0]))
    torn = [np.where(rng.random(300) < 0.5, labels, rng.integers(0, 3, 300)) for _ in range(3)]
    unsure = fit_temperature(squared, vote_shares(labels, 3, torn, [1.0] * 3))
    assert soften(squared, sure).max(axis=1).mean() > 0.99 > 0.9 > soften(squared, unsure).max(axis=1).mean()
