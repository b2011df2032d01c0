"""Preparations are fitted on a sample and applied batch by batch, with the same result as at once."""

import numpy as np

from genus.cluster.views import PREPARATIONS, fit_preparations, make_views


def test_batches_in_any_order_give_the_same_rows_as_all_at_once() -> None:
    X = np.random.default_rng(0).normal(size=(300, 90)).astype(np.float32)
    made = fit_preparations(X[:200])
    whole = make_views(made, [(np.arange(300), X)], 300)
    order = np.random.default_rng(1).permutation(300)
    parts = make_views(made, ((order[i : i + 70], X[order[i : i + 70]]) for i in range(0, 300, 70)), 300)
    assert set(whole.rows) == set(PREPARATIONS) and len(whole) == 300
    for name in whole.rows:
        assert np.allclose(whole.rows[name], parts.rows[name], atol=1e-5)
    assert len(whole.take(np.array([3, 5]))) == 2


def test_the_number_of_components_can_be_chosen() -> None:
    made = fit_preparations(np.random.default_rng(0).normal(size=(50, 30)), n_components=7)
    assert {part.n_components_ for part in made.values()} == {7}
