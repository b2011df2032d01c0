"""A classifier learned elsewhere, and a head whose calibration is given: both are heads like the others."""

from typing import Any

import numpy as np
import pytest
from feature_making import make_features
from sklearn.base import clone

from genus.classify.calibrated_head import CalibratedHead
from genus.classify.calibration import Identity, Temperature
from genus.classify.checks import check_head, exported_logits
from genus.classify.ensemble import EnsembleHead
from genus.classify.given_head import GivenLinearHead
from genus.classify.head import probabilities
from genus.classify.knn import KNNHead
from genus.classify.logistic import LogisticHead
from genus.classify.platt import Platt
from genus.errors import DataError

RNG = np.random.default_rng(0)
COEF, INTERCEPT = RNG.normal(size=(4, 20)).astype(np.float32), RNG.normal(size=4).astype(np.float32)


def given(start: int = 0) -> GivenLinearHead:
    return GivenLinearHead(COEF, INTERCEPT, start)


def same(head: Any, X: np.ndarray) -> bool:
    """Whether ONNX Runtime computes what the head does."""
    ours = head.logits(X)
    return bool(np.abs(exported_logits(head, X) - ours).max() <= 1e-4 * max(1.0, np.abs(ours).max()))


class TestGivenLinearHead:
    @pytest.mark.parametrize("start", [0, 7, 40], ids=lambda start: f"from column {start}")
    def test_its_logits_are_those_of_the_given_numbers(self, start: int) -> None:
        X, y = make_features()
        head = given(start).fit(X, y)
        np.testing.assert_allclose(
            head.logits(X), X[:, start : start + 20] @ COEF.T + INTERCEPT, rtol=1e-4, atol=1e-4
        )
        assert same(head, X)

    def test_where_it_reads_all_columns_nothing_is_cut_in_the_file(self) -> None:
        X, y = make_features(d=20)
        assert same(given().fit(X, y), X)

    def test_it_can_be_cloned_and_has_its_parameters(self) -> None:
        copy = clone(given(7))
        assert copy.start == 7 and copy.get_params()["coef"] is copy.coef
        np.testing.assert_array_equal(copy.coef, COEF)
        assert not hasattr(copy, "classes_")

    def test_fit_learns_names_only(self) -> None:
        X, y = make_features()
        names = np.array(["ant", "bee", "cat", "dog"])[y]
        head = given().fit(X, names, sample_weight=np.ones(len(X)))
        assert list(head.classes_) == ["ant", "bee", "cat", "dog"]
        np.testing.assert_array_equal(head.logits(X), given().fit(-X, names).logits(X))
        assert (head.predict(X) == head.classes_[head.predict_proba(X).argmax(axis=1)]).all()
        assert head.predict_proba(X).sum(axis=1) == pytest.approx(1, abs=1e-5)
        assert head.n_stored_examples == 0

    def test_with_several_labels_each_column_is_a_yes_or_no(self) -> None:
        X, y = make_features()
        head = given().fit(X, np.eye(4, dtype=np.int8)[y])
        np.testing.assert_allclose(head.predict_proba(X), probabilities(head.logits(X), several=True))
        np.testing.assert_array_equal(head.predict(X), head.logits(X) > 0)
        assert same(head, X)

    def test_other_classes_than_it_has_are_refused(self) -> None:
        X, y = make_features()
        with pytest.raises(DataError, match="a classifier of 4 classes was given 3"):
            given().fit(X[y < 3], y[y < 3])


class TestCalibratedHead:
    def test_it_keeps_the_contract_of_heads(self) -> None:
        check_head(CalibratedHead(LogisticHead(), Temperature(2.0)))

    def test_it_is_the_head_with_its_logits_mapped(self) -> None:
        X, y = make_features()
        plain = LogisticHead().fit(X, y)
        scale, bias = np.float32([1, 2, 0.5, 1]), np.float32([0, 1, 0, -1])
        mapped = CalibratedHead(LogisticHead(), Platt(scale, bias)).fit(X, y)
        np.testing.assert_allclose(mapped.logits(X), plain.logits(X) * scale + bias, rtol=1e-5)
        assert same(mapped, X)

    @pytest.mark.parametrize("head", [LogisticHead(), KNNHead()], ids=lambda head: type(head).__name__)
    def test_it_can_be_kept_from_columns_that_are_not_its_own(self, head: Any) -> None:
        """A head given as an object reads all columns there are; in a mixture those of a network are among them."""
        X, y = make_features()
        noise = 1e3 * np.ones((len(X), 5), np.float32)
        wide = np.hstack([X, noise])
        member = CalibratedHead(head, Identity(), n_columns=X.shape[1]).fit(wide, y)
        np.testing.assert_allclose(member.logits(wide), clone(head).fit(X, y).logits(X), atol=1e-5)
        assert member.n_features_in_ == wide.shape[1]
        assert same(member, wide)

    def test_it_holds_as_many_examples_as_its_head(self) -> None:
        X, y = make_features()
        head = CalibratedHead(KNNHead(), Identity())
        assert head.n_stored_examples == 0
        assert head.fit(X, y).n_stored_examples == 200

    def test_several_labels(self) -> None:
        X, y = make_features()
        head = CalibratedHead(LogisticHead(), Temperature(0.5)).fit(X, np.eye(4, dtype=np.int8)[y])
        np.testing.assert_array_equal(head.predict(X), head.logits(X) > 0)
        assert head.multilabel_ and same(head, X)


@pytest.mark.parametrize("pool", ["linear", "logarithmic"])
@pytest.mark.parametrize("several", [False, True], ids=["one class", "several labels"])
def test_a_network_and_a_head_are_mixed_in_one_graph(several: bool, pool: str) -> None:
    X, y = make_features()
    targets = np.eye(4, dtype=np.int8)[y] if several else y
    mixture = EnsembleHead(
        heads=[CalibratedHead(KNNHead(), Temperature(0.7), 40), given(40)],
        weights=[0.3, 0.7],
        temperatures=[1.0, np.full(4, 3.0)],
        biases=[0.0, np.full(4, -1.0)] if several else None,
        pool=pool,
    )
    clone(mixture)
    mixture.fit(X, targets)
    assert same(mixture, X)
    raw = X[:, 40:] @ COEF.T + INTERCEPT
    parts = [
        KNNHead().fit(X[:, :40], targets).logits(X[:, :40]) / np.float32(0.7),
        raw / 3 - (1 if several else 0),
    ]
    if pool == "linear":
        one, other = (probabilities(part, several=several) for part in parts)
        expected = 0.3 * one + 0.7 * other
    else:
        expected = probabilities(0.3 * parts[0] + 0.7 * parts[1], several=several)
    np.testing.assert_allclose(mixture.predict_proba(X), expected, atol=1e-4)
