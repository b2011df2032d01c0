"""Training on a handful of images a class: it does its best, and says what it cannot know."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from genus.errors import DataError
from genus.estimators.classifier import ImageClassifier
from genus.metrics.evaluation import Evaluation
from genus.report.page import render_report
from genus.report.training import training_report

from .conftest import digit_pictures, quick, write_folders

PICTURES, LABELS = digit_pictures(24)


def few(*sizes: int) -> tuple[list[np.ndarray], np.ndarray]:
    """So many pictures of the digits 0, 1, 2 ..."""
    rows = np.concatenate([np.flatnonzero(LABELS == digit)[:size] for digit, size in enumerate(sizes)])
    return list(PICTURES[rows]), LABELS[rows]


def others(n_classes: int) -> tuple[list[np.ndarray], np.ndarray]:
    """The last pictures of the first digits."""
    rows = np.concatenate([np.flatnonzero(LABELS == digit)[-4:] for digit in range(n_classes)])
    return list(PICTURES[rows]), LABELS[rows]


def as_json(value: object) -> object:
    """Through strict JSON and back: NaN raises."""
    return json.loads(json.dumps(value, allow_nan=False))


class TestOneImageAClass:
    def test_it_learns(self) -> None:
        model = quick().fit(*few(1, 1, 1))
        assert model.score(*others(3)) > 0.6

    def test_what_was_not_measured_is_not_made_up(self) -> None:
        model = quick().fit(*few(1, 1, 1))
        assert model.evaluation_.n == 0
        assert math.isnan(model.evaluation_.accuracy.value)
        assert model.evaluation_.accuracy.text() == "not measured"
        assert "Not measured" in model.evaluation_.notes[0]
        assert model.result_.learning_curve is None
        plain = as_json(model.result_.to_dict())
        assert isinstance(plain, dict)
        assert plain["evaluation"]["metrics"][0]["value"] is None
        assert plain["winner"]["score"] is None

    def test_the_file_says_so_too(self, tmp_path: Path) -> None:
        model = quick().fit(*few(1, 1, 1))
        details = as_json(dict(model.model_.details))
        assert isinstance(details, dict)
        assert Evaluation.from_dict(details["metrics"]).accuracy.text() == "not measured"

    def test_the_report_says_so_too(self) -> None:
        model = quick().fit(*few(1, 1, 1))
        page = render_report(training_report(model.result_, title="few"))
        assert "was not measured" in page
        assert "nan" not in page.lower().replace("genus", "").split("<script")[0]

    def test_sets_of_names_then_hold_all_names(self) -> None:
        model = quick().fit(*few(1, 1, 1))
        assert {len(names) for names in model.predict(few(1, 1, 1)[0], coverage=0.9)} == {3}

    def test_marked_test_images_judge_all_the_same(self, tmp_path: Path) -> None:
        write_folders(tmp_path / "train", *(np.asarray(part) for part in few(1, 1, 1)))
        write_folders(tmp_path / "test", *(np.asarray(part) for part in others(3)))
        result = quick().fit(tmp_path).result_
        assert (result.test_kind, result.n_train, result.n_test) == ("given", 3, 12)
        assert result.evaluation.accuracy.value > 0.6


class TestAHandful:
    def test_every_image_is_learned_from_and_judged(self) -> None:
        result = quick().fit(*few(5, 5, 5)).result_
        assert (result.test_kind, result.n_train, result.n_test) == ("each in turn", 15, 15)
        assert [row.note for row in result.leaderboard] == ["chosen beforehand"]
        assert result.evaluation.accuracy.low < result.evaluation.accuracy.value

    def test_two_images_a_class_judge_each_other(self) -> None:
        result = quick().fit(*few(2, 2, 2)).result_
        assert result.n_test == 6
        assert any("50% of the images" in note for note in result.notes)

    def test_calibration_is_left_out_where_that_is_asked_for_and_simple_where_it_is_not(self) -> None:
        plain = quick(calibration="none").fit(*few(4, 4, 4)).result_
        assert plain.calibration.method == "none"
        platt = quick(calibration="platt").fit(*few(4, 4, 4)).result_
        assert platt.calibration.method == "temperature"
        assert any("too few images a class to calibrate by platt" in note for note in platt.notes)

    def test_a_single_image_of_a_class_is_learned_and_not_judged(self) -> None:
        model = quick().fit(*few(1, 4, 4))
        assert model.classes_.tolist() == [0, 1, 2]
        assert model.result_.n_test == 8
        assert any("could not be judged: 0" in note for note in model.result_.notes)

    def test_one_class_of_one_beside_classes_of_twenty(self) -> None:
        model = quick(heads="fast").fit(*few(1, 20, 20, 20))
        assert model.result_.test_kind == "held out"
        assert model.classes_.tolist() == [0, 1, 2, 3]

    def test_duplicates_never_judge_each_other(self) -> None:
        pictures, labels = few(3, 3)
        copies = [picture.copy() for picture in pictures]
        result = quick().fit([*pictures, *copies], np.concatenate([labels, labels])).result_
        assert result.test_kind == "each in turn"
        assert any("duplicates" in note for note in result.notes)

    def test_heads_that_are_named_are_compared(self) -> None:
        result = quick(heads=["prototype", "knn"]).fit(*few(6, 6, 6)).result_
        assert result.test_kind == "held out"
        assert {row.name for row in result.leaderboard} == {"prototype", "knn"}

    def test_pictures_all_alike_are_an_error(self) -> None:
        with pytest.raises(DataError, match="different images"):
            quick().fit([np.zeros((9, 9), np.uint8)] * 4, [0, 1, 0, 1])

    def test_the_same_seed_gives_the_same_model(self) -> None:
        one, two = (quick().fit(*few(4, 4, 4)) for _ in range(2))
        assert np.array_equal(one.predict_proba(others(3)[0]), two.predict_proba(others(3)[0]))

    def test_costs_are_measured_on_images_judged_in_turn(self) -> None:
        result = quick(costs={"0": {"1": 5}}).fit(*few(4, 4)).result_
        assert result.test.costs is not None
        assert result.test.costs.n == 8

    def test_the_plan_says_that_nothing_is_compared(self) -> None:
        assert quick().plan(*few(3, 3)).heads == ("logistic",)


class TestLearningCurve:
    def test_it_is_measured_forecast_and_kept(self) -> None:
        model = quick().fit(*few(20, 20, 20))
        curve = model.result_.learning_curve
        assert curve is not None
        assert curve.now == 20
        assert [p.per_class for p in curve.points] == sorted(p.per_class for p in curve.points)
        assert as_json(model.model_.details["learning_curve"]) == as_json(curve.to_dict())

    def test_the_report_draws_it(self) -> None:
        model = quick().fit(*few(20, 20, 20))
        page = render_report(training_report(model.result_, title="digits"))
        assert 'id="more"' in page
        assert "of accuracy" in page

    def test_a_time_budget_that_is_spent_leaves_it_out(self) -> None:
        model = quick(time_budget=1e-6).fit(*few(20, 20, 20))
        assert model.result_.learning_curve is None

    def test_several_labels_an_image_have_none(self) -> None:
        pictures, labels = few(8, 8, 8)
        model = quick(heads=["logistic"]).fit(pictures, [[str(x)] if x < 2 else [] for x in labels])
        assert isinstance(model, ImageClassifier)
        assert model.result_.learning_curve is None
