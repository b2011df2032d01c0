"""A model of coloured squares, trained once."""

import pytest

from genus.model_file import ModelFile
from squares import classifier, squares


@pytest.fixture(scope="session")
def trained() -> ModelFile:
    """Nobody changes it."""
    pictures, names, _ = squares()
    return classifier().fit(pictures, names).model_
