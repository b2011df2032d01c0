"""Several labels an image, from data to file and back: two digits in one picture, or one, or none."""

import json
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from sklearn.base import clone

from genus import ImageClassifier, load
from genus.data.label_sets import LabelSets
from genus.data.read import read_dataset
from genus.errors import DataError, ParameterError

from .conftest import digit_pictures, quick

KINDS = 4  # digits that occur
N = 160

Labels = list[tuple[str, ...]]


def pairs_of_digits(n: int = N, seed: int = 0) -> tuple[np.ndarray, Labels]:
    """Pictures 64 x 128 of up to two digits side by side, and which digits they show."""
    pictures, digits = digit_pictures()
    rng = np.random.default_rng(seed)
    canvas, labels = np.zeros((n, 64, 128), np.uint8), []
    for i in range(n):
        shown = rng.choice(KINDS, rng.choice(3, p=[0.1, 0.3, 0.6]), replace=False)
        for place, digit in zip(rng.permutation(2), shown, strict=False):
            picture = pictures[rng.choice(np.flatnonzero(digits == digit))]
            canvas[i, :, 64 * place : 64 * place + 64] = picture
        labels.append(tuple(sorted(str(digit) for digit in shown)))
    return canvas, labels


def write_table(folder: Path, pictures: np.ndarray, labels: Labels) -> Path:
    for i, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{i}.png"), picture)
    rows = [f"{i}.png,{'|'.join(found)}" for i, found in enumerate(labels)]
    table = folder / "labels.csv"
    table.write_text("\n".join(["image,labels", *rows]), "utf-8")
    return table


@pytest.fixture(scope="module")
def pairs() -> tuple[np.ndarray, Labels]:
    return pairs_of_digits()


@pytest.fixture(scope="module")
def two(pairs: tuple[np.ndarray, Labels]) -> ImageClassifier:
    return quick().fit(*pairs)


@pytest.fixture(scope="module")
def fresh() -> tuple[np.ndarray, Labels]:
    return pairs_of_digits(60, seed=1)


def test_lists_of_labels_train_a_model_of_several_labels(
    two: ImageClassifier, fresh: tuple[np.ndarray, Labels]
) -> None:
    proba, sets = two.predict_proba(fresh[0]), two.predict(fresh[0])
    assert list(two.classes_) == ["0", "1", "2", "3"] and proba.shape == (60, KINDS)
    assert not np.allclose(proba.sum(axis=1), 1)
    assert two.evaluation_.metrics[0].name == "mean_average_precision"
    assert two.evaluation_.metrics[0].value > 0.7
    right = np.mean([set(found) == set(true) for found, true in zip(sets, fresh[1], strict=True)])
    assert two.score(*fresh) == pytest.approx(right)
    assert all(isinstance(found, tuple) for found in sets)
    assert any(not found for found in sets), "an image without any digit is named nothing"


def test_the_most_probable_label_of_a_set_comes_first(
    two: ImageClassifier, fresh: tuple[np.ndarray, Labels]
) -> None:
    code = {name: i for i, name in enumerate(two.classes_)}
    for row, found in zip(two.predict_proba(fresh[0]), two.predict(fresh[0]), strict=True):
        assert [row[code[name]] for name in found] == sorted(
            (row[code[name]] for name in found), reverse=True
        )


def test_the_file_is_one_onnx_with_everything_inside(
    tmp_path: Path, two: ImageClassifier, fresh: tuple[np.ndarray, Labels]
) -> None:
    two.save(tmp_path / "two.onnx")
    model = load(tmp_path / "two.onnx")
    assert model.model.multilabel and model.rules.thresholds().aim == "f1"
    assert [set(a) for a in model.predict(fresh[0])] == [set(a) for a in two.predict(fresh[0])]
    session = onnxruntime.InferenceSession(tmp_path / "two.onnx")
    about = session.get_modelmeta().custom_metadata_map
    assert about["genus.format"] == "2" and json.loads(about["genus.details"])["multilabel"]
    size = json.loads(about["genus.preprocess"])
    image = np.zeros((1, size["height"], size["width"], 3), np.uint8)
    (proba,) = session.run(["probabilities"], {"images": image})
    assert ((proba >= 0) & (proba <= 1)).all()
    assert two.result_.parity["onnxruntime"] < 0.02


def test_a_threshold_given_at_prediction_takes_the_tuned_ones_place(
    two: ImageClassifier, fresh: tuple[np.ndarray, Labels]
) -> None:
    proba = two.predict_proba(fresh[0])
    assert [len(s) for s in two.predict(fresh[0], threshold=0.2)] == (proba >= 0.2).sum(axis=1).tolist()
    never = two.predict(fresh[0], threshold={"0": 1.0, "1": 1.0})
    assert not any({"0", "1"} & set(found) for found in never)
    for bad in (2.0, {"nine": 0.5}):
        with pytest.raises(ParameterError, match="threshold"):
            two.predict(fresh[0], threshold=bad)
    with pytest.raises(ParameterError, match="either a threshold or a coverage"):
        two.predict(fresh[0], threshold=0.5, coverage=0.9)


def test_coverage_gives_the_labels_that_may_be_there(
    two: ImageClassifier, fresh: tuple[np.ndarray, Labels]
) -> None:
    few, many = (two.predict(fresh[0], coverage=coverage) for coverage in (0.7, 0.95))
    assert all(set(a) <= set(b) for a, b in zip(few, many, strict=True))
    covered = [name in found for found, true in zip(many, fresh[1], strict=True) for name in true]
    assert np.mean(covered) > 0.85
    assert [row.asked for row in two.result_.test.coverages] == [0.8, 0.9, 0.95, 0.99]


def test_an_aim_moves_the_thresholds(pairs: tuple[np.ndarray, Labels]) -> None:
    lax = quick(aim="recall>=0.9").fit(*pairs).result_.test.thresholds
    strict = quick(aim="cost=0.1").fit(*pairs).result_.test.thresholds
    assert lax is not None and strict is not None
    assert np.mean(lax.values) < np.mean(strict.values)
    assert strict.values == pytest.approx([1 / 1.1] * KINDS)
    with pytest.raises(ParameterError, match="aim"):
        quick(aim="best").fit(*pairs)


def test_a_matrix_a_table_and_lists_say_the_same(
    tmp_path: Path, pairs: tuple[np.ndarray, Labels], two: ImageClassifier
) -> None:
    sets = LabelSets.of(pairs[1])
    from_table = quick().fit(write_table(tmp_path, *pairs))
    assert tuple(from_table.classes_) == sets.names
    assert from_table.evaluation_.metrics[0].value == two.evaluation_.metrics[0].value
    from_matrix = quick().fit(pairs[0], sets.values)
    assert from_matrix.evaluation_.metrics[0].value == two.evaluation_.metrics[0].value


def test_unknown_labels_are_neither_learned_from_nor_measured_on(pairs: tuple[np.ndarray, Labels]) -> None:
    values = LabelSets.of(pairs[1]).values.astype(float)
    values[::4, 0] = np.nan
    model = quick().fit(pairs[0], values)
    evaluation = model.evaluation_
    assert evaluation.per_label[0].n_unknown > 0
    assert evaluation.per_label[0].n + evaluation.per_label[0].n_absent < evaluation.n


def test_one_class_an_image_can_be_taken_for_sets(digits: tuple[np.ndarray, np.ndarray]) -> None:
    pictures, labels = digits
    few = labels < 3
    model = quick(multilabel=True).fit(pictures[few], labels[few])
    assert model.model_.multilabel and len(model.classes_) == 3
    plain = quick().fit(pictures[few], labels[few])
    assert not plain.model_.multilabel
    with pytest.raises(ParameterError, match="names one class"):
        plain.predict(pictures[:2], threshold=0.5)
    with pytest.raises(ParameterError, match="multilabel="):
        quick(multilabel="yes").fit(pictures[few], labels[few])


def test_a_label_on_no_image_or_on_all_is_left_out_and_said(pairs: tuple[np.ndarray, Labels]) -> None:
    values = LabelSets.of(pairs[1]).values
    more = np.column_stack([values, np.zeros(len(values)), np.ones(len(values))]).astype(np.int8)
    model = quick().fit(pairs[0], more)
    assert len(model.classes_) == KINDS
    notes = " ".join(model.result_.notes)
    assert "no training image has 4" in notes and "no training image is without 5" in notes


def test_too_little_to_learn_from_is_said(pairs: tuple[np.ndarray, Labels]) -> None:
    pictures = pairs[0][:20]
    with pytest.raises(DataError, match="some images have and others have not"):
        quick().fit(pictures, np.ones((20, 3), np.int8))
    lonely = np.zeros((20, 3), np.int8)
    lonely[0] = 1
    with pytest.raises(DataError):
        quick().fit(pictures, lonely)


def test_evaluation_matches_labels_by_name(two: ImageClassifier, fresh: tuple[np.ndarray, Labels]) -> None:
    renamed = [tuple("9" if name == "3" else name for name in found) for found in fresh[1]]
    result = two.evaluate(fresh[0], renamed)
    assert any("does not know: 9" in note for note in result.notes)
    assert any("says nothing about: 3" in note for note in result.notes)
    assert result.evaluation.per_label[3].n_unknown == len(fresh[1])
    with pytest.raises(DataError, match="none of its labels"):
        two.evaluate(fresh[0], [("a",), ("b",)] * 30)


def test_a_model_of_one_class_is_not_measured_on_sets(
    trained: ImageClassifier, fresh: tuple[np.ndarray, Labels]
) -> None:
    with pytest.raises(DataError, match="names one class an image"):
        trained.evaluate(*fresh)


def test_a_seed_means_the_same_model_and_clones_are_alike(pairs: tuple[np.ndarray, Labels]) -> None:
    one, other = quick().fit(*pairs), clone(quick()).fit(*pairs)
    np.testing.assert_array_equal(one.predict_proba(pairs[0][:9]), other.predict_proba(pairs[0][:9]))
    assert one.result_.provenance["data_hash"] == other.result_.provenance["data_hash"]


def test_sixty_labels_and_rows_without_any_work(pairs: tuple[np.ndarray, Labels]) -> None:
    rng = np.random.default_rng(0)
    many = (rng.random((N, 60)) < 0.05).astype(np.int8)
    model = quick(heads=["logistic"]).fit(pairs[0], many)
    assert model.predict_proba(pairs[0][:3]).shape == (3, len(model.classes_))


def test_a_plan_can_be_made(pairs: tuple[np.ndarray, Labels]) -> None:
    plan = quick().plan(*pairs)
    assert plan.n_images == N and "logistic" in plan.heads


def test_the_table_is_read_as_the_guide_says(tmp_path: Path, pairs: tuple[np.ndarray, Labels]) -> None:
    data = read_dataset(write_table(tmp_path, *pairs))
    assert data.is_multilabel and data.counts() == LabelSets.of(pairs[1]).counts()
