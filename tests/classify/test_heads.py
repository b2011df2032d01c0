"""The laws that every registered head keeps."""

import numpy as np
import pytest
from feature_making import make_features, make_folds
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from genus.classify.bench import Bench
from genus.classify.checks import HeadContractError, check_head, exported_logits
from genus.classify.heads import HEADS
from genus.classify.prototype import PrototypeHead
from genus.errors import GenusError, ParameterError
from genus.normalize import normalize_blocks

_SHARING = [name for name in HEADS if hasattr(HEADS.get(name), "cv_logits")]
_SETTINGS = {
    "logistic": [{"C": 3.0}, {"C": 30.0}],
    "linear_svm": [{"C": 0.3}, {"C": 3.0}],
    "lda": [{"shrinkage": 0.2}, {"shrinkage": "auto"}],
    "prototype": [{"temperature": 0.05}],
    "knn": [{"n_neighbors": 3}, {"n_neighbors": 500}],
    "rbf": [{"gamma": 1.0, "alpha": 0.1}, {"gamma": 2.0, "alpha": 1.0}],
}


@pytest.mark.parametrize("name", list(HEADS))
def test_contract(name) -> None:
    check_head(HEADS.get(name)())


@pytest.mark.parametrize("name", [name for name in HEADS if name != "ensemble"])
@pytest.mark.parametrize("use", [None, [0], [1, 0]])
def test_export_with_blocks(name, use) -> None:
    X, y = make_features(d=40)
    head = HEADS.get(name)(blocks=[(0, 25), (25, 40)], use=use, power=0.4).fit(X, y)
    np.testing.assert_allclose(
        exported_logits(head, X), head.logits(X), atol=2e-4 * np.abs(head.logits(X)).max()
    )


@pytest.mark.parametrize("name", _SHARING)
@pytest.mark.parametrize("d", [60, 400], ids=["more rows than columns", "fewer rows than columns"])
def test_shared_work_gives_what_fitting_each_fold_gives(name, d) -> None:
    X, y = make_features(d=d, separation=0.5)
    fold = make_folds(y)
    Z = normalize_blocks(X, [(0, d)], 0.5).astype(np.float64)
    bench = Bench(Z, y, np.ones(len(y)), 4, fold, 4)
    head = HEADS.get(name)()
    for setting, shared in zip(_SETTINGS[name], head.cv_logits(bench, _SETTINGS[name]), strict=True):
        for f in range(4):
            train = fold != f
            alone = clone(head).set_params(**setting).fit(X[train], y[train]).logits(X[~train])
            ours = shared[~train] - shared[~train].mean(axis=1, keepdims=True)
            theirs = alone - alone.mean(axis=1, keepdims=True)  # a shift of all logits means nothing
            assert np.abs(ours - theirs).max() <= 0.05 * np.abs(theirs).max()


@pytest.mark.parametrize("name", _SHARING)
def test_a_class_that_a_fold_has_never_seen_is_no_obstacle(name) -> None:
    X, y = make_features(separation=1.5)
    fold = make_folds(y)
    fold[y == 3] = 2
    Z = normalize_blocks(X, [(0, X.shape[1])], 0.5).astype(np.float64)
    bench = Bench(Z, y, np.ones(len(y)), 4, fold, 4)
    for logits in HEADS.get(name)().cv_logits(bench, [{}]):
        assert np.isfinite(logits).all()
        assert (logits[fold != 2].argmax(axis=1) == y[fold != 2]).mean() > 0.9


@pytest.mark.parametrize("name", ["knn", "rbf"])
def test_heads_that_hold_examples_say_how_many_and_keep_to_the_cap(name) -> None:
    X, y = make_features()
    cap = {"knn": "max_stored", "rbf": "max_centers"}[name]
    head = HEADS.get(name)()
    assert head.n_stored_examples == 0
    assert head.fit(X, y).n_stored_examples == 200
    capped = HEADS.get(name)(**{cap: 50}).fit(X, y)
    assert capped.n_stored_examples == 50
    assert capped.score(X, y) > 0.8


@pytest.mark.parametrize("name", ["logistic", "linear_svm", "lda", "prototype", "mlp"])
def test_other_heads_hold_none(name) -> None:
    assert HEADS.get(name)().fit(*make_features()).n_stored_examples == 0


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("logistic", {"C": 0.0}),
        ("linear_svm", {"C": float("inf")}),
        ("lda", {"shrinkage": 0.0}),
        ("lda", {"shrinkage": "some"}),
        ("prototype", {"temperature": 0.0}),
        ("knn", {"n_neighbors": 0}),
        ("rbf", {"gamma": -1.0}),
        ("rbf", {"max_centers": 0}),
        ("mlp", {"hidden": 0}),
        ("ensemble", {"heads": []}),
        ("ensemble", {"weights": [1.0]}),
    ],
)
def test_settings_that_cannot_work_are_refused(name, parameters) -> None:
    with pytest.raises(ParameterError, match="expected"):
        HEADS.get(name)(**parameters).fit(*make_features())


def test_balanced_weights_make_a_rare_class_heard() -> None:
    X, y = make_features(400, separation=0.25, n_classes=2, shares=(0.93, 0.07))
    for name in ("logistic", "linear_svm", "lda", "knn", "rbf", "prototype", "mlp"):
        plain = HEADS.get(name)(power=0.5).fit(X, y).predict(X).sum()
        balanced = HEADS.get(name)(power=0.5, class_weight="balanced").fit(X, y).predict(X).sum()
        assert balanced >= plain, name


class _Forgetful(PrototypeHead):
    def export(self, graph, x):
        return graph.op("Neg", super().export(graph, x))


class _NoHead(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_, self.n_features_in_ = np.unique(y), X.shape[1]
        return self

    def logits(self, X):
        return np.zeros((len(X), len(self.classes_)), np.float32)

    def predict_proba(self, X):
        return self.logits(X)

    def predict(self, X):
        return self.classes_[self.logits(X).argmax(axis=1)]


@pytest.mark.parametrize(
    ("head", "law"),
    [(_Forgetful(), "the exported graph gives the same logits"), (_NoHead(), "probabilities sum to one")],
)
def test_the_contract_catches_heads_that_break_it(head, law) -> None:
    with pytest.raises(HeadContractError, match=law) as caught:
        check_head(head)
    assert isinstance(caught.value, GenusError)
