import numpy as np
import pytest
from feature_making import make_features
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genus.classify.checks import check_head, exported_logits
from genus.classify.ensemble import EnsembleHead, greedy_shares
from genus.classify.knn import KNNHead
from genus.classify.lda import LDAHead
from genus.classify.logistic import LogisticHead
from genus.classify.rbf import RBFHead


@given(arrays(np.float64, (4, 30), elements=st.floats(1e-3, 1)))
def test_greedy_weights_are_shares_and_no_worse_than_the_best_member(own) -> None:
    shares = greedy_shares(own)
    assert shares.sum() == pytest.approx(1)
    assert (shares >= 0).all()
    # the first step takes the best member; a later one is taken only because every step must add one
    assert -np.log(shares @ own).mean() <= -np.log(own).mean(axis=1).min() + 0.05


def test_a_mixture_is_the_weighted_mean_of_the_members_probabilities() -> None:
    X, y = make_features(separation=0.5)
    members = [LogisticHead(5.0).fit(X, y), LDAHead(0.5).fit(X, y)]
    mixed = EnsembleHead([LogisticHead(5.0), LDAHead(0.5)], [3, 1]).fit(X, y)
    expected = 0.75 * members[0].predict_proba(X) + 0.25 * members[1].predict_proba(X)
    np.testing.assert_allclose(mixed.predict_proba(X), expected, atol=1e-5)


def test_a_mixture_of_all_sorts_exports() -> None:
    X, y = make_features(separation=0.5)
    head = EnsembleHead([LogisticHead(power=1.0), RBFHead(), KNNHead(5)], [0.5, 0.3, 0.2], [1.5, 0.1, 1.0])
    check_head(head)
    head.fit(X, y)
    np.testing.assert_allclose(np.exp(exported_logits(head, X)), head.predict_proba(X), atol=1e-4)
    assert head.n_stored_examples == 400
