"""`genus cache`: show, bound or clear what was computed before."""

from pathlib import Path

import pytest

from genus.cli.cache import parse_bytes
from genus.errors import ParameterError

from .command import CHEAP, below, done, genus

pytestmark = pytest.mark.usefixtures("empty_cache")


def n_cached(digits: Path, *arguments: object) -> int:
    """Extract the digits' features; how many of them the cache knew."""
    found = done("features", digits, "-o", "x.npy", "--force", "--json", *CHEAP, *arguments).json
    return int(found["n_cached"])


def test_what_was_computed_is_found_again(digits: Path, here: Path) -> None:
    assert [n_cached(digits), n_cached(digits)] == [0, 48]


def test_it_says_what_is_there(digits: Path, here: Path, empty_cache: Path) -> None:
    n_cached(digits)
    out = done("cache").out
    assert str(empty_cache) in out
    assert "48 feature vectors of 48 images" in out
    assert "of at most 4.0 GiB" in out


def test_size_is_what_it_does_without_being_told(here: Path) -> None:
    assert "0 feature vectors of 0 images" in done("cache").out
    assert done("cache", "size").out.splitlines()[2] == done("cache").out.splitlines()[2]


def test_the_same_in_json(digits: Path, here: Path, empty_cache: Path) -> None:
    n_cached(digits)
    found = done("cache", "--json").json
    assert found["path"] == str(empty_cache / "features.sqlite")
    assert (found["n_rows"], found["n_images"], found["limit"]) == (48, 48, 4 << 30)
    assert 48 * 3072 < found["n_bytes"] < 4 << 20
    assert found["problem"] is None


def test_clear_empties_it(digits: Path, here: Path) -> None:
    n_cached(digits)
    before = done("cache", "--json").json["n_bytes"]
    assert done("cache", "clear", "--json").json["n_rows"] == 0
    assert done("cache", "--json").json["n_bytes"] < before
    assert n_cached(digits) == 0


def test_an_empty_cache_can_be_cleared(here: Path) -> None:
    assert "0 feature vectors of 0 images" in done("cache", "clear").out


def test_a_limit_lasts_and_is_kept_to(digits: Path, here: Path) -> None:
    n_cached(digits)
    done("features", digits, "-o", "y.npy", "--features", "thumbnail@64")
    assert done("cache", "limit", "3M", "--json").json["n_bytes"] <= 3 << 20
    found = done("cache", "--json").json
    assert found["limit"] == 3 << 20
    assert 0 < found["n_rows"] < 96


def test_without_it_nothing_is_kept(digits: Path, here: Path, empty_cache: Path) -> None:
    assert [n_cached(digits, "--no-cache"), n_cached(digits)] == [0, 0]
    assert n_cached(digits, "--no-cache") == 0


def test_train_uses_what_features_has_computed(digits: Path, here: Path, empty_cache: Path) -> None:
    n_cached(digits)
    rows = done("cache", "--json").json["n_rows"]
    done("train", digits, *CHEAP, "--heads", "prototype", "--no-report")
    assert done("cache", "--json").json["n_rows"] == rows


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("limit",), "takes a size"),
        (("clear", "2G"), "the other actions take none"),
        (("size", "2G"), "the other actions take none"),
        (("limit", "much"), "'much' is no size"),
        (("limit", "12"), "at least 1,048,576 bytes"),
    ],
)
def test_wrong_use_is_explained(arguments: tuple[str, ...], words: str) -> None:
    assert words in genus("cache", *arguments).complaint
    assert done("cache", "--json").json["limit"] == 4 << 30


def test_an_unknown_action_is_refused() -> None:
    outcome = genus("cache", "burn")
    assert outcome.code == 2 and "burn" in outcome.err


def test_a_cache_that_cannot_be_used_stops_no_work(
    digits: Path, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("a file, not a folder")
    monkeypatch.setenv("GENUS_CACHE", str(tmp_path / "file"))
    outcome = done("features", digits, "-o", "x.npy", *CHEAP)
    assert outcome.err.count("\n") == 1 and str(tmp_path / "file") in outcome.err
    assert (here / "x.npy").is_file()
    assert done("features", digits, "-o", "y.npy", "--quiet", *CHEAP).err == ""
    assert "Problem" in done("cache").out
    assert str(tmp_path / "file") in genus("cache", "clear").complaint
    assert str(tmp_path / "file") in genus("cache", "limit", "1G").complaint
    assert below(here) == {"x.npy", "x.images.csv", "y.npy", "y.images.csv"}


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("0", 0),
        ("1073741824", 1 << 30),
        ("1_000", 1000),
        ("500M", 500 << 20),
        ("2 GB", 2 << 30),
        ("2GiB", 2 << 30),
        ("1.5k", 1536),
        (" 1t ", 1 << 40),
    ],
)
def test_sizes_as_people_write_them(text: str, n_bytes: int) -> None:
    assert parse_bytes(text) == n_bytes


@pytest.mark.parametrize("text", ["", "G", "-1", "1e9", "1.2.3", "2 gigs", "nan", "inf"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ParameterError, match="is no size"):
        parse_bytes(text)
