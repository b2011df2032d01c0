"""The kinds of error: few, told apart by type, and still what Python's own callers expect."""

import pickle

import pytest

from genus import errors
from genus.errors import GenusError, ImageError, MissingExtraError

KINDS = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GenusError)),
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_caught_as_a_genus_error_and_is_in_the_tree(kind: type[GenusError]) -> None:
    assert issubclass(kind, GenusError)
    assert kind.__name__ in str(errors.__doc__)


@pytest.mark.parametrize(
    ("kind", "standard"),
    [
        (errors.ParameterError, ValueError),
        (errors.DataError, ValueError),
        (errors.OutputError, OSError),
        (errors.MissingExtraError, ImportError),
    ],
)
def test_errors_are_also_the_standard_ones_that_callers_expect(
    kind: type[GenusError], standard: type[Exception]
) -> None:
    assert issubclass(kind, standard)


def test_an_image_error_says_which_image_and_why() -> None:
    error = ImageError("a b/ünï.jpg", "truncated")
    assert str(error) == "a b/ünï.jpg: truncated"
    assert (error.source, error.reason) == ("a b/ünï.jpg", "truncated")


def test_an_image_error_survives_the_way_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(ImageError("a.jpg", "empty")))
    assert (type(error), error.source, error.reason) == (ImageError, "a.jpg", "empty")


def test_a_missing_extra_says_how_to_install_it() -> None:
    error = MissingExtraError("Reading Parquet tables", "tables")
    assert str(error) == "Reading Parquet tables needs the extra 'tables': pip install \"genus[tables]\""


def test_a_missing_extra_survives_the_way_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(MissingExtraError("Reading Parquet tables", "tables")))
    assert error.extra == "tables"
