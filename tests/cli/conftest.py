"""Digits as data, and a model of them that the command line itself has trained."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from estimators.conftest import digit_pictures, one_thread, write_folders

from .command import CHEAP, QUICK, done

__all__ = ["one_thread"]

N_CLASSES = 4
N_EACH = 12


def some_digits(first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each of the first four digits, the pictures number first to last."""
    pictures, labels = digit_pictures(last)
    number = np.arange(len(labels)) % last
    keep = (labels < N_CLASSES) & (number >= first)
    return pictures[keep], labels[keep]


@pytest.fixture
def running() -> Iterator[list[Any]]:
    """Processes that must not outlive the test."""
    processes: list[Any] = []
    yield processes
    for process in processes:
        with suppress(OSError):
            process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 pictures of the digits 0 to 3 in class folders. Nobody writes here."""
    return write_folders(tmp_path_factory.mktemp("cli") / "digits", *some_digits(0, N_EACH))


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 more that no model has learned from. Nobody writes here."""
    return write_folders(tmp_path_factory.mktemp("cli") / "fresh", *some_digits(N_EACH, N_EACH + 5))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """A model of the digits. Nobody writes here."""
    path = tmp_path_factory.mktemp("cli") / "digits.onnx"
    done("train", digits, "-o", path, *QUICK, "--no-report")
    return path


@pytest.fixture(scope="session")
def other_model(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """Another one, of another method."""
    path = tmp_path_factory.mktemp("cli") / "other.onnx"
    done("train", digits, "-o", path, *CHEAP, "--heads", "knn", "--no-report")
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of one's own, in which nothing is."""
    monkeypatch.setenv("GENUS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
