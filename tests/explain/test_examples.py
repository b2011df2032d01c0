"""Explanation by example: the labelled images that look most like another one to the model."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from genus import ImageClassifier, read_dataset
from genus.errors import DataError
from genus.explain.examples import nearest_examples
from genus.images.source import as_source
from genus.model_file import ModelFile
from genus.predictor import Predictor
from photographs import photographs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pieces of each photograph, in class folders."""
    found = tmp_path_factory.mktemp("examples")
    for i, pixels in enumerate(photographs(96)):
        name = "china" if i % 10 < 5 else "flower"
        (found / name).mkdir(exist_ok=True)
        cv2.imwrite(str(found / name / f"{i}.png"), pixels[:, :, ::-1])
    return found


@pytest.fixture(scope="module")
def model(folder: Path) -> ModelFile:
    return (
        ImageClassifier(features="efficientnet-lite0@96", heads=["prototype"], random_state=0)
        .fit(folder)
        .model_
    )


def test_like_is_found_beside_like(model: ModelFile, folder: Path) -> None:
    turned = [as_source(np.ascontiguousarray(one[:, ::-1])) for one in photographs(96)[:10]]
    found = nearest_examples(model, read_dataset(folder), turned, n=3)
    for i, examples in enumerate(found):
        assert len(examples) == 3
        assert examples[0].label == ("china" if i < 5 else "flower")
        apart = [example.distance for example in examples]
        assert apart == sorted(apart) and 0 <= apart[0] < 1


def test_the_image_itself_is_no_example(model: ModelFile, folder: Path) -> None:
    itself = folder / "flower" / "6.png"
    (examples,) = nearest_examples(model, read_dataset(folder), [as_source(itself)], n=4)
    assert len(examples) == 4 and str(itself) not in [example.image for example in examples]


def test_it_is_as_far_as_novelty_says(folder: Path) -> None:
    """Distances are those that --reject goes by."""
    model = ImageClassifier(features="efficientnet-lite0@96", heads=["logistic"], random_state=0)
    model.fit(folder)
    picture = np.ascontiguousarray(photographs(96)[7][::-1])
    (examples,) = nearest_examples(model.model_, read_dataset(folder), [as_source(picture)], n=1)
    novelty = Predictor(model.model_).novelty([picture])[0]
    assert examples[0].distance == pytest.approx(novelty, abs=0.02)


def test_what_cannot_be_read_has_none(model: ModelFile, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    images = [as_source(tmp_path / "bad.png"), as_source(photographs(96)[0])]
    none, some = nearest_examples(model, read_dataset(folder), images)
    assert none == () and len(some) == 3
    with pytest.raises(DataError, match="no labelled images"):
        nearest_examples(model, read_dataset([folder / "china" / "0.png"]), images)
