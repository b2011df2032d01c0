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
from genus.classify.mixing import mix, pair_shares
from genus.classify.rbf import RBFHead
from genus.classify.truth import OneClass
from genus.errors import ParameterError


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


def test_a_logarithmic_pool_is_the_weighted_mean_of_the_members_logits() -> None:
    X, y = make_features(separation=0.5)
    heads = [LogisticHead(5.0), LDAHead(0.5)]
    pooled = EnsembleHead(heads, [3, 1], [1.0, 2.0], pool="logarithmic").fit(X, y)
    one, other = (head.fit(X, y).logits(X) for head in heads)
    np.testing.assert_allclose(pooled.logits(X), 0.75 * one + 0.125 * other, atol=1e-5)
    np.testing.assert_allclose(exported_logits(pooled, X), pooled.logits(X), atol=1e-4)
    check_head(pooled)


def test_a_pool_that_there_is_not() -> None:
    X, y = make_features()
    with pytest.raises(ParameterError, match="pool='geometric': expected one of linear, logarithmic"):
        EnsembleHead(pool="geometric").fit(X, y)


@given(arrays(np.float32, (2, 12, 3), elements=st.floats(-9, 9, width=32)))
def test_the_shares_of_a_pair_are_the_likeliest_with_a_draw_to_equal_ones(pair) -> None:
    codes = np.arange(12) % 3

    def likelihood(share: float) -> float:
        pooled = share * pair[0].astype(float) + (1 - share) * pair[1]
        own = pooled[np.arange(12), codes] - np.logaddexp.reduce(pooled, axis=1)
        return float(own.sum() + np.log(share * (1 - share)))

    shares = pair_shares(pair, OneClass(codes))
    assert shares.sum() == pytest.approx(1) and shares.min() > 0.049
    assert all(likelihood(shares[0]) >= likelihood(w) - 1e-3 for w in (0.05, 0.3, 0.5, 0.8, 0.95))


def test_what_a_pair_says_of_a_row_does_not_depend_on_that_row() -> None:
    rng = np.random.default_rng(0)
    codes, fold = rng.integers(0, 3, 30), np.arange(30) % 5
    members = [
        rng.normal(size=(30, 3)).astype(np.float32) + 2 * np.eye(3, dtype=np.float32)[codes] for _ in "ab"
    ]
    pooled, _ = mix(members, OneClass(codes), fold, "logarithmic")
    changed = codes.copy()
    changed[fold == 2] = (codes[fold == 2] + 1) % 3
    again, _ = mix(members, OneClass(changed), fold, "logarithmic")
    np.testing.assert_array_equal(pooled[fold == 2], again[fold == 2])
