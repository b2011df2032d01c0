"""`ImageClassifier`: what every user of it may rely on."""

import inspect
import os
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score

import genus
from genus.errors import DataError, ImageError, OutputError, ParameterError
from genus.estimators import training
from genus.estimators.classifier import ImageClassifier
from genus.model_file import read_model_file

from .conftest import digit_pictures, quick, write_folders


class TestContract:
    """scikit-learn's, as far as it makes sense for images."""

    def test_the_constructor_only_stores(self) -> None:
        values = {"preset": "x", "features": 1, "test_size": "wrong", "random_state": object()}
        estimator = ImageClassifier(**values)
        assert all(getattr(estimator, name) is value for name, value in values.items())
        assert vars(estimator).keys() == inspect.signature(ImageClassifier).parameters.keys()

    def test_clone_has_equal_parameters_and_nothing_learned(self, trained: ImageClassifier) -> None:
        copy = clone(trained)
        assert copy.get_params() == trained.get_params()
        assert not [name for name in vars(copy) if name.endswith("_")]

    def test_using_it_before_fit_says_so(self) -> None:
        for use in (lambda c: c.predict([]), lambda c: c.save("x.onnx"), lambda c: c.leaderboard_):
            with pytest.raises(NotFittedError):
                use(ImageClassifier())

    def test_cross_validation_works(self, digits: tuple[np.ndarray, np.ndarray]) -> None:
        pictures, labels = digits
        small = labels < 3
        scores = cross_val_score(quick(heads=["prototype"]), list(pictures[small]), labels[small], cv=2)
        assert scores.min() > 0.8

    def test_set_params_changes_what_fit_does(self, digit_folder: Path) -> None:
        model = quick().set_params(heads=["prototype"]).fit(digit_folder)
        assert {row.name for row in model.leaderboard_} == {"prototype"}


class TestLearning:
    def test_it_learns(self, trained: ImageClassifier) -> None:
        accuracy = trained.evaluation_.accuracy
        assert accuracy.value > 0.85
        assert accuracy.low < accuracy.value <= accuracy.high

    def test_classes_come_back_in_the_type_they_were_given_in(
        self, digits: tuple[np.ndarray, np.ndarray]
    ) -> None:
        pictures, labels = digits
        model = quick(heads=["prototype"]).fit(list(pictures), labels)
        assert model.classes_.tolist() == list(range(10))
        assert model.predict(list(pictures[:2])).dtype.kind == "i"

    def test_class_names_are_naturally_sorted(self, tmp_path: Path) -> None:
        pictures, labels = digit_pictures(8)
        names = np.array(["10", "9", "2"])[labels[labels < 3]]
        model = quick(heads=["prototype"]).fit(write_folders(tmp_path, pictures[labels < 3], names))
        assert model.classes_.tolist() == ["2", "9", "10"]

    def test_probabilities_sum_to_one_in_the_order_of_classes(
        self, trained: ImageClassifier, digits: tuple[np.ndarray, np.ndarray]
    ) -> None:
        proba = trained.predict_proba(list(digits[0][:40]))
        np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
        assert (trained.classes_[proba.argmax(axis=1)] == trained.predict(list(digits[0][:40]))).all()

    def test_a_seed_fixes_everything(self, digit_folder: Path) -> None:
        one, other = (quick(random_state=3).fit(digit_folder) for _ in range(2))
        assert one.result_.test.names == other.result_.test.names
        np.testing.assert_array_equal(one.result_.test.proba, other.result_.test.proba)
        assert [r.score for r in one.leaderboard_] == [r.score for r in other.leaderboard_]

    def test_paths_arrays_bytes_and_pil_images_give_the_same(
        self, trained: ImageClassifier, digit_folder: Path
    ) -> None:
        path = digit_folder / "3" / "72.png"
        pixels = cv2.imread(str(path))[:, :, ::-1]
        given = [str(path), path, path.read_bytes(), pixels, Image.open(path)]
        proba = trained.predict_proba(given)
        np.testing.assert_allclose(proba, np.tile(proba[0], (5, 1)), atol=1e-6)

    @pytest.mark.parametrize("shape", [(1, 1), (9, 200), (64, 64, 4), (30, 20, 1)])
    def test_any_shape_of_picture_is_accepted(self, trained: ImageClassifier, shape: tuple[int, ...]) -> None:
        assert trained.predict([np.full(shape, 200, np.uint8)]).shape == (1,)

    def test_the_batch_does_not_change_the_prediction(
        self, trained: ImageClassifier, digits: tuple[np.ndarray, np.ndarray]
    ) -> None:
        pictures = list(digits[0][:35])
        alone = np.concatenate([trained.predict_proba([picture]) for picture in pictures])
        np.testing.assert_allclose(trained.predict_proba(pictures), alone, atol=1e-5)

    def test_input_is_not_changed(self, trained: ImageClassifier) -> None:
        picture = np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)
        before = picture.copy()
        trained.predict([picture])
        np.testing.assert_array_equal(picture, before)

    def test_score_is_the_accuracy(self, trained: ImageClassifier, digit_folder: Path) -> None:
        result = trained.evaluate(digit_folder)
        assert trained.score(digit_folder) == pytest.approx(result.evaluation.accuracy.value)

    def test_a_time_budget_stops_the_search_and_says_what_was_left(self, digit_folder: Path) -> None:
        model = quick(preset="balanced", time_budget=0.01).fit(digit_folder)
        assert model.result_.not_tried
        assert any("time budget" in note for note in model.result_.notes)
        assert model.predict([np.zeros((8, 8), np.uint8)]).shape == (1,)

    @pytest.mark.parametrize(("budget", "said"), [(5.0, True), (1000.0, False), (None, False)])
    def test_a_time_budget_that_was_not_enough_is_admitted(
        self, digit_folder: Path, monkeypatch: pytest.MonkeyPatch, budget: float | None, said: bool
    ) -> None:
        ticks = count()
        slow = SimpleNamespace(perf_counter=lambda: float(next(ticks)))
        monkeypatch.setattr(training, "time", slow)
        notes = quick(heads=["knn"], time_budget=budget).fit(digit_folder).result_.notes
        assert any("s, not the 5 s that were wanted" in note for note in notes) == said

    def test_without_refit_the_test_images_stay_unseen(self, digit_folder: Path) -> None:
        model = quick(refit=False, heads=["knn"]).fit(digit_folder)
        assert model.score(list(model.result_.test.names), model.result_.test.true) == pytest.approx(
            model.evaluation_.accuracy.value
        )


class TestFile:
    def test_saved_and_loaded_it_predicts_the_same(
        self, trained: ImageClassifier, digits: tuple[np.ndarray, np.ndarray], tmp_path: Path
    ) -> None:
        trained.save(tmp_path / "m.onnx")
        loaded = genus.load(tmp_path / "m.onnx")
        np.testing.assert_array_equal(
            loaded.predict_proba(list(digits[0])), trained.predict_proba(list(digits[0]))
        )

    def test_nothing_is_overwritten_unless_told_so(self, trained: ImageClassifier, tmp_path: Path) -> None:
        target = tmp_path / "m.onnx"
        target.write_bytes(b"precious")
        with pytest.raises(OutputError, match="exists already"):
            trained.save(target)
        assert target.read_bytes() == b"precious"
        trained.save(target, force=True)
        assert read_model_file(target).classes == trained.model_.classes

    def test_it_says_where_it_comes_from(self, trained: ImageClassifier) -> None:
        details = trained.model_.details
        assert details["provenance"]["genus"] == genus.__version__
        assert details["provenance"]["random_state"] == 0
        assert len(details["provenance"]["data_hash"]) == 32
        assert details["metrics"] == trained.evaluation_.to_dict()

    def test_the_file_agrees_with_the_model_as_trained(self, trained: ImageClassifier) -> None:
        assert trained.result_.parity["onnxruntime"] <= 0.02

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
    def test_a_folder_without_permission_is_named(self, trained: ImageClassifier, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        with pytest.raises(OutputError, match="no permission"):
            trained.save(tmp_path / "m.onnx")


class TestBadInput:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"preset": "fastest"}, "no preset named 'fastest'"),
            ({"features": "efficientnet-lite9"}, "no backbone named 'efficientnet-lite9'"),
            ({"features": "thumbnail@7"}, "size must be"),
            ({"precision": "int4"}, "precision must be"),
            ({"test_size": 1.5}, "test_size must be between 0 and 1"),
            ({"time_budget": -1}, "time_budget must be"),
            ({"heads": ["forest"]}, "no head named 'forest'"),
            ({"metric": "beauty"}, "beauty"),
        ],
    )
    def test_wrong_parameters_are_named(
        self, digit_folder: Path, changes: dict[str, object], message: str
    ) -> None:
        with pytest.raises(ParameterError, match=message):
            quick(**changes).fit(digit_folder)

    def test_no_such_folder(self) -> None:
        with pytest.raises(DataError, match=r"/no/such/folder: no such file or folder"):
            quick().fit("/no/such/folder")

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="no images in this folder"):
            quick().fit(tmp_path)

    def test_one_class(self, tmp_path: Path) -> None:
        pictures, labels = digit_pictures(5)
        with pytest.raises(DataError, match="only one class, '4'"):
            quick().fit(write_folders(tmp_path, pictures[labels == 4], labels[labels == 4]))

    def test_no_labels(self, tmp_path: Path) -> None:
        pictures, _ = digit_pictures(3)
        for i, picture in enumerate(pictures):
            cv2.imwrite(str(tmp_path / f"{i}.png"), picture)
        with pytest.raises(DataError, match="no labels found"):
            quick().fit(tmp_path)

    def test_labels_of_another_number(self, digits: tuple[np.ndarray, np.ndarray]) -> None:
        with pytest.raises(DataError, match="3 images, but 2 labels"):
            quick().fit(list(digits[0][:3]), [0, 1])

    def test_a_class_with_one_image_is_learned_but_not_judged(self, tmp_path: Path) -> None:
        pictures, labels = digit_pictures(12)
        keep = (labels < 3) | (np.arange(len(labels)) == np.flatnonzero(labels == 7)[0])
        model = quick(heads=["prototype"]).fit(write_folders(tmp_path, pictures[keep], labels[keep]))
        assert "7" in model.classes_
        assert any("too few images" in note and "7" in note for note in model.result_.notes)
        lonely = pictures[np.flatnonzero(labels == 7)[0]]
        assert model.predict([lonely]).tolist() == ["7"]

    def test_classes_of_marked_splits_may_differ(self, tmp_path: Path) -> None:
        pictures, labels = digit_pictures(12)
        for split, wanted in {"train": (0, 1, 2), "test": (1, 2, 5)}.items():
            keep = np.isin(labels, wanted) & ((np.arange(len(labels)) % 2 == 0) == (split == "train"))
            write_folders(tmp_path / split, pictures[keep], labels[keep])
        model = quick(heads=["prototype"]).fit(tmp_path)
        assert model.classes_.tolist() == ["0", "1", "2"]
        assert model.result_.test_kind == "given"
        assert any("unknown to the model: 5" in note for note in model.result_.notes)
        assert "1 of 3 classes have no test images (0)" in model.evaluation_.notes[0]

    def test_unreadable_images_are_left_out_and_listed(self, tmp_path: Path) -> None:
        pictures, labels = digit_pictures(8)
        write_folders(tmp_path, pictures[labels < 2], labels[labels < 2])
        (tmp_path / "0" / "empty.png").touch()
        (tmp_path / "1" / "text.jpg").write_text("not a picture")
        model = quick(heads=["prototype"]).fit(tmp_path)
        assert {Path(s.source).name for s in model.result_.skipped} == {"empty.png", "text.jpg"}
        assert all(s.reason for s in model.result_.skipped)

    def test_an_unreadable_image_to_predict_is_named(self, trained: ImageClassifier, tmp_path: Path) -> None:
        (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        with pytest.raises(ImageError, match=r"broken\.png"):
            trained.predict([tmp_path / "broken.png"])

    def test_images_that_are_all_alike_cannot_be_split(self) -> None:
        with pytest.raises(DataError, match="different images"):
            quick().fit([np.zeros((9, 9), np.uint8)] * 6, ["a", "b"] * 3)


class TestHonesty:
    def test_duplicates_never_straddle_the_split(self, tmp_path: Path) -> None:
        pictures, labels = digit_pictures(10)
        keep = labels < 3
        twice = np.concatenate([pictures[keep], pictures[keep]])
        model = quick(heads=["prototype"]).fit(
            write_folders(tmp_path, twice, np.concatenate([labels[keep]] * 2))
        )
        tested = {Path(name).read_bytes() for name in model.result_.test.names}
        others = [p for p in tmp_path.rglob("*.png") if str(p) not in set(model.result_.test.names)]
        assert not any(p.read_bytes() in tested for p in others)
        assert any("duplicates" in note for note in model.result_.notes)

    def test_leaks_between_marked_splits_are_reported(self, tmp_path: Path) -> None:
        pictures, labels = digit_pictures(10)
        small = labels < 2
        write_folders(tmp_path / "train", pictures[small], labels[small])
        test = np.flatnonzero(small)[::4]
        write_folders(tmp_path / "test", pictures[test], labels[test])
        fresh = np.flatnonzero(digit_pictures(14)[1] < 2)
        more, names = digit_pictures(14)
        write_folders(tmp_path / "test", more[fresh][10:14], names[fresh][10:14])
        model = quick(heads=["prototype"]).fit(tmp_path)
        assert any("duplicate among the training images" in note for note in model.result_.notes)

    def test_a_test_on_the_training_images_says_so(
        self, trained: ImageClassifier, digit_folder: Path
    ) -> None:
        assert trained.evaluate(digit_folder).evaluation.n_seen == 240

    def test_a_test_on_images_kept_apart_does_not(self, digit_folder: Path) -> None:
        model = quick(refit=False, heads=["prototype"]).fit(digit_folder)
        fresh = model.evaluate(list(model.result_.test.names), model.result_.test.true)
        assert fresh.evaluation.n_seen == 0

    def test_the_split_does_not_depend_on_where_the_folder_is(
        self, digits: tuple[np.ndarray, np.ndarray], digit_folder: Path, tmp_path: Path
    ) -> None:
        moved = write_folders(tmp_path / "elsewhere", *digits)
        one, other = (quick(heads=["prototype"]).fit(root) for root in (digit_folder, moved))
        assert {Path(n).name for n in one.result_.test.names} == {
            Path(n).name for n in other.result_.test.names
        }


def test_a_plan_says_what_would_be_done(digit_folder: Path) -> None:
    plan = quick().plan(digit_folder)
    assert plan.n_images == 240
    assert {"features", "selection", "total"} <= plan.seconds.keys()
    assert plan.seconds["total"] > 0
    assert plan.memory_mb > 0
    assert "logistic" in plan.heads


def test_real_photographs_end_to_end(shared_data: Path, tmp_path: Path) -> None:
    model = ImageClassifier("fast", random_state=0).fit(shared_data / "hymenoptera")
    assert model.evaluation_.accuracy.value > 0.88
    model.save(tmp_path / "insects.onnx")
    result = genus.load(tmp_path / "insects.onnx").evaluate(
        genus.read_dataset(shared_data / "hymenoptera/val")
    )
    assert result.evaluation.n == 153
