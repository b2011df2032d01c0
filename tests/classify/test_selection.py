"""Laws of the search over heads."""

import json

import numpy as np
import pytest
from feature_making import make_features, make_folds
from sklearn.naive_bayes import GaussianNB

from genus.classify.candidates import MAX_ROWS
from genus.classify.checks import exported_logits
from genus.classify.fitted import fit_final
from genus.classify.linear_solver import linear_path
from genus.classify.logistic import LogisticHead
from genus.classify.scores import METRICS, log_loss
from genus.classify.selection import plan, select
from genus.errors import DataError, ParameterError


@pytest.fixture(scope="module")
def data():
    X, y = make_features(240, 50, separation=0.45)
    return X, np.array(["ash", "beech", "cedar", "oak"])[y], make_folds(y, 5)


@pytest.mark.parametrize("heads", ["fast", "balanced", "best", ["logistic", "lda"], [LogisticHead(7.0)]])
def test_a_search_from_end_to_end(data, heads) -> None:
    X, y, folds = data
    found = select(X, y, folds, heads=heads)
    assert list(found.classes) == sorted(set(y))
    assert found.logits.shape == (240, 4)
    np.testing.assert_allclose(found.proba.sum(axis=1), 1, atol=1e-5)
    right = found.classes[found.logits.argmax(axis=1)] == y
    # calibrating each class by itself may change answers that were close
    assert right.mean() == pytest.approx(found.winner_row.accuracy, abs=0.02)
    assert found.winner_row in found.leaderboard
    assert found.winner_row.log_loss == min(
        row.log_loss for row in found.leaderboard if row.score == found.winner_row.score
    )
    assert not found.stopped_early
    assert not hasattr(found.winner, "classes_")
    json.dumps(found.to_dict())

    fitted = fit_final(found, X, y)
    assert list(fitted.classes_) == list(found.classes)
    assert (fitted.predict(X) == y).mean() >= right.mean()
    ours = fitted.logits(X)
    np.testing.assert_allclose(exported_logits(fitted, X), ours, atol=2e-4 * max(1, np.abs(ours).max()))


@pytest.mark.parametrize("metric", METRICS)
def test_the_leaderboard_goes_by_the_metric(data, metric) -> None:
    found = select(*data, heads="fast", metric=metric)
    scores = [row.score for row in found.leaderboard]
    best = min(scores) if metric == "log_loss" else max(scores)
    assert abs(found.winner_row.score - best) < 0.03
    column = {"accuracy": "accuracy", "log_loss": "log_loss"}.get(metric)
    if column:
        assert found.winner_row.score == pytest.approx(getattr(found.winner_row, column), abs=0.01)


def test_the_same_seed_gives_the_same_result_on_any_number_of_cores(data) -> None:
    one, two = (select(*data, n_jobs=n) for n in (1, 3))
    assert [row.params for row in one.leaderboard] == [row.params for row in two.leaderboard]
    np.testing.assert_array_equal(one.logits, two.logits)
    assert repr(one.winner) == repr(two.winner)


def test_the_order_of_the_rows_does_not_matter(data) -> None:
    X, y, folds = data
    order = np.random.default_rng(0).permutation(len(y))
    straight = select(X, y, folds, heads="fast")
    shuffled = select(X[order], y[order], folds[order], heads="fast")
    assert repr(straight.winner) == repr(shuffled.winner)
    np.testing.assert_allclose(shuffled.proba, straight.proba[order], atol=1e-3)


def test_out_of_fold_means_that_no_row_is_predicted_by_a_head_that_saw_it() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.random((120, 30)), np.arange(120) % 3  # nothing to learn
    found = select(X, y, np.arange(120) // 3 % 5)
    assert found.score_nested < 0.5
    assert log_loss(found.logits, y) > 1.0


def test_no_time_is_enough_for_one_head_and_it_says_what_is_missing(data) -> None:
    found = select(*data, time_budget=0.0)
    assert found.stopped_early
    assert {row.name for row in found.leaderboard} == {"logistic"}
    assert any(name.startswith("rbf") for name in found.not_tried)


def test_a_block_of_noise_is_left_out() -> None:
    X, y = make_features(300, 40, separation=0.4)
    noise = np.random.default_rng(1).standard_normal((300, 3)).astype(np.float32)
    found = select(np.hstack([X, noise]), y, make_folds(y, 5), heads=["knn"], blocks=[(0, 40), (40, 43)])
    assert found.winner.use == (0,)
    assert found.winner_row.params["use"] == (0,)


def test_class_weights_are_tried_where_classes_are_uneven_only(data) -> None:
    X, y = make_features(400, separation=0.25, n_classes=2, shares=(0.9, 0.1))
    uneven = select(X, y, make_folds(y, 5), heads="fast", metric="balanced_accuracy")
    assert uneven.winner.class_weight == "balanced"
    assert uneven.winner_row.params["class_weight"] == "balanced"
    even = select(*data, heads="fast")
    assert all("class_weight" not in row.params for row in even.leaderboard)


def test_any_scikit_learn_classifier_may_compete(data) -> None:
    found = select(*data, heads=[GaussianNB(), "logistic"])
    assert {row.name for row in found.leaderboard} >= {"GaussianNB", "logistic"}
    alone = fit_final(select(*data, heads=[GaussianNB()]), *data[:2])
    assert alone.n_stored_examples == 0
    with pytest.raises(ParameterError, match="GaussianNB cannot be exported"):
        alone.export(None, "x")


def test_many_rows_are_represented_by_a_sample_but_all_are_predicted(data, monkeypatch) -> None:
    monkeypatch.setitem(MAX_ROWS, "fast", 120)
    found = select(*data, heads="fast")
    assert found.logits.shape == (240, 4)
    assert any("of 240 rows" in note for note in found.notes)
    assert (found.classes[found.logits.argmax(axis=1)] == data[1]).mean() > 0.6


def test_costly_heads_are_given_up_after_one_hopeless_fold(data) -> None:
    class Hopeless(GaussianNB):
        def predict_proba(self, X):
            return np.full((len(X), 4), 0.25)

    found = select(*data, heads=["logistic", Hopeless()])
    row = next(row for row in found.leaderboard if row.name == "Hopeless")
    assert (row.n_fits, row.note) == (1, "given up after one fold")


@pytest.mark.parametrize(
    ("X", "y", "folds"),
    [
        (np.random.default_rng(0).random((8, 300)), np.arange(8) // 2 % 2, np.arange(8) % 2),
        (np.ones((40, 30)), np.arange(40) % 2, np.arange(40) // 2 % 4),
        (np.zeros((40, 30)), np.arange(40) % 2, np.arange(40) // 2 % 4),
        (np.random.default_rng(0).random((30, 50)), np.r_[:10, np.zeros(20, int)], np.arange(30) % 3),
        (np.random.default_rng(0).random((30, 50)), np.arange(30) // 20, np.arange(30) // 10),
        (
            np.repeat(np.random.default_rng(0).random((12, 50)), 3, axis=0),
            np.arange(36) // 9,
            np.arange(36) // 3 % 3,
        ),
    ],
    ids=["few rows", "all alike", "all empty", "one example a class", "a class in one fold", "duplicates"],
)
def test_poor_data_is_no_obstacle(X, y, folds) -> None:
    found = select(X, y, folds, heads="best")
    assert np.isfinite(found.logits).all()
    assert np.isfinite(fit_final(found, X, y).logits(X)).all()


def test_a_plan_names_what_a_search_tries(data) -> None:
    planned = plan(*data)
    assert {c.name for c in planned.candidates} >= {"logistic", "lda", "rbf", "knn"}
    assert planned.expected_seconds > 0
    assert planned.n_rows == 240
    assert "normalisation" in {c.stage for c in planned.candidates}
    json.dumps(planned.to_dict())


def test_uneven_data_and_blocks_make_a_longer_plan() -> None:
    X, y = make_features(300, 40, n_classes=2, shares=(0.9, 0.1))
    stages = {c.stage for c in plan(X, y, make_folds(y), blocks=[(0, 10), (10, 40)]).candidates}
    assert stages == {"heads", "normalisation", "blocks", "class weights"}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"y": np.repeat("ash", 240)}, DataError, "at least 2 classes, got 1 class: 'ash'"),
        ({"y": np.repeat("ash", 3)}, DataError, r"\(3,\)"),
        ({"folds": np.zeros(240)}, DataError, "at least 2 folds"),
        ({"X": np.full((240, 5), np.nan)}, DataError, "240 of 240 feature rows"),
        ({"metric": "auc"}, ParameterError, "balanced_accuracy"),
        ({"heads": "quick"}, ParameterError, "'fast'"),
        ({"heads": ["logstic"]}, ParameterError, "'logistic'"),
        ({"heads": []}, ParameterError, "at least one head"),
        ({"blocks": [(0, 51)]}, ParameterError, "do not fit 50"),
    ],
)
def test_input_that_cannot_work_is_refused(data, change, error, message) -> None:
    arguments = {**dict(zip(("X", "y", "folds"), data, strict=True)), **change}
    with pytest.raises(error, match=message):
        select(**arguments)


def test_penalties_are_fitted_one_after_the_other_with_the_same_result() -> None:
    from genus.classify.bench import Bench
    from genus.normalize import normalize_blocks

    X, y = make_features()
    Z = normalize_blocks(X, [(0, 60)], 0.5).astype(np.float64)
    bench = Bench(Z, y, np.ones(len(y)), 4, make_folds(y), 4)
    path = list(linear_path(bench, [1.0, 10.0], "softmax", 1e-12))
    (alone,) = linear_path(bench, [10.0], "softmax", 1e-12)
    np.testing.assert_allclose(path[1][0], alone[0], atol=1e-2)
