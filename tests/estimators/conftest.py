"""Handwritten digits as pictures: small, real, and shipped with scikit-learn."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_digits

from genus.estimators.classifier import ImageClassifier

N_EACH = 24


def digit_pictures(n_each: int = N_EACH) -> tuple[np.ndarray, np.ndarray]:
    """The first pictures of each digit, 64x64 uint8 grey, with their labels."""
    digits = load_digits()
    rows = np.concatenate([np.flatnonzero(digits.target == d)[:n_each] for d in range(10)])
    pictures = np.kron(digits.images[rows] * 15, np.ones((8, 8))).astype(np.uint8)
    return pictures, digits.target[rows]


def write_folders(root: Path, pictures: np.ndarray, labels: np.ndarray) -> Path:
    """One PNG a picture, one folder a class."""
    for i, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        folder = root / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{i}.png"), picture)
    return root


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    return digit_pictures()


@pytest.fixture(scope="session")
def digit_folder(tmp_path_factory: pytest.TempPathFactory, digits: tuple[np.ndarray, np.ndarray]) -> Path:
    return write_folders(tmp_path_factory.mktemp("digits") / "digits", *digits)


@pytest.fixture(scope="session")
def trained(digit_folder: Path) -> ImageClassifier:
    return quick().fit(digit_folder)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Small networks are no faster on several cores, which other tests are using."""
    torch = pytest.importorskip("torch", reason="networks are made in PyTorch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def quick(**changes: object) -> ImageClassifier:
    """A classifier that trains in a second: pixels as features."""
    return ImageClassifier(**{"preset": "fast", "features": "thumbnail@32", "random_state": 0, **changes})
