"""Every head and the normaliser pass scikit-learn's own checks."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from genus.classify.checks import made_up_features
from genus.classify.heads import HEADS
from genus.normalize import BlockNormalizer

_ESTIMATORS = [BlockNormalizer(), *(HEADS.get(name)() for name in HEADS)]

_WEIGHTS = "check_sample_weight_equivalence_on_dense_data"
_ROUNDING = "weights equal repeated rows to 1e-5, but the check wants 1e-7 and heads answer in float32"
_EXPECTED = {
    "LogisticHead": {_WEIGHTS: _ROUNDING},
    "LinearSVMHead": {_WEIGHTS: _ROUNDING},
    "LDAHead": {_WEIGHTS: _ROUNDING},
    "RBFHead": {_WEIGHTS: _ROUNDING},
    "EnsembleHead": {_WEIGHTS: _ROUNDING},
    "KNNHead": {_WEIGHTS: "a repeated row takes the place of another neighbour, a heavy row does not"},
    "MLPHead": {_WEIGHTS: "the order of the rows in stochastic descent depends on their number"},
    "PrototypeHead": {
        "check_class_weight_classifiers": "weights change the prior, not the mean, of a class; "
        "1000 to 1 does not outweigh a distance"
    },
}


def _expected_failures(estimator: Any) -> dict[str, str]:
    return _EXPECTED.get(type(estimator).__name__, {})


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(_ESTIMATORS, expected_failed_checks=_expected_failures)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("name", [n for n in HEADS if n not in ("knn", "mlp")])
def test_a_weight_of_two_equals_a_repeated_row(name: str) -> None:
    X, y = made_up_features(24, 0)
    weights = np.random.default_rng(0).integers(0, 3, len(X))
    weighted = clone(HEADS.get(name)()).fit(X, y, sample_weight=weights)
    repeated = clone(HEADS.get(name)()).fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-4)
