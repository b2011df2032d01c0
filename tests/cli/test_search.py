"""`genus search`: the first call makes the index, the next ones open it."""

import shutil
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

from .command import CHEAP, below, done, genus


@pytest.fixture
def photos(here: Path, digits: Path, empty_cache: Path) -> Path:
    """A copy of the digits, to change."""
    return Path(shutil.copytree(digits, here / "photos"))


def one(folder: Path, label: str = "3") -> Path:
    return sorted((folder / label).iterdir())[0]


def test_the_first_search_makes_an_index_and_the_next_one_opens_it(photos: Path, empty_cache: Path) -> None:
    first = done("search", photos, one(photos), "-k", 3, *CHEAP, "--json").json
    assert [hit["label"] for hit in first["hits"]] == ["3"] * 3 and first["hits"][0]["same_file"]
    (kept,) = (empty_cache / "searches").iterdir()
    made = sorted(below(kept))
    again = done("search", photos, one(photos), "-k", 3, *CHEAP, "--json").json
    assert again["hits"] == first["hits"] and sorted(below(kept)) == made
    done("search", photos, "--class", "1", *CHEAP)
    assert sorted(below(kept)) == made


def test_it_sees_what_has_changed(photos: Path, empty_cache: Path) -> None:
    done("search", photos, "--class", "1", *CHEAP)
    gone = one(photos, "1")
    gone.unlink()
    (photos / "0" / "new.png").write_bytes(one(photos, "2").read_bytes()[:-1] + b"x")
    outcome = done("search", photos, "--class", "1", "-k", 99, "--copies", "--json", *CHEAP)
    assert "has changed since it was indexed" in outcome.err
    assert str(gone) not in [hit["image"] for hit in outcome.json["hits"]]
    done("cache", "clear")
    assert list((empty_cache / "searches").iterdir()) == []


def test_what_is_said(photos: Path) -> None:
    query = one(photos)
    said = done("search", photos, query, "-k", 2, *CHEAP).out.splitlines()
    assert len(said) == 2 and str(query) in said[0] and "the same file" in said[0] and "%" in said[0]
    about = done("search", photos, *CHEAP).out
    assert "48, 48 of them with a label" in about and "every image is compared" in about
    few = done("search", photos, query, "--where", "label=1", "-k", 50, *CHEAP).out
    assert "No more than" in few and "the conditions" in few


def test_the_page_holds_its_pictures(photos: Path) -> None:
    arguments = ("search", photos, one(photos), "--not", one(photos, "1"), "--box", "0,0,0.9,1", *CHEAP)
    found = done(*arguments, "--html", "found.html", "--json").json
    page = Path(found["page"]).read_text("utf-8")
    assert page.count("data:image/jpeg") == len(found["hits"]) + 3 and "not like this" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "less half of that" in page and "cosine of the features" not in page
    assert "exists already" in genus(*arguments, "--html", "found.html").complaint


def test_an_index_of_ones_own(photos: Path) -> None:
    done("search", photos, "--save", "photos.index", "--export", "v.parquet", *CHEAP)
    assert pyarrow.parquet.read_table("v.parquet").num_rows == 48
    found = done("search", "photos.index", one(photos), "-k", 1, "--json").json
    assert found["hits"][0]["image"] == str(one(photos))
    assert "exists already" in genus("search", photos, "--save", "photos.index", *CHEAP).complaint
    other = genus("search", "photos.index", one(photos), "--features", "hog@32").complaint
    assert "another backbone or pre-processing" in other
    (Path("photos.index") / "index.json").unlink()
    assert "half of an index" in genus("search", "photos.index", one(photos)).complaint


def test_who_it_is(photos: Path) -> None:
    said = done("search", photos, one(photos), "--identify", "0.1", "--no-tune", *CHEAP)
    assert f"{one(photos)}: 3 (nearest 3" in said.out
    assert "Of strangers about 0.1 get a name" in said.out and "(it takes 13 to assure it)" in said.out
    found = done("search", photos, one(photos), "--identify", "0.1", "--no-tune", *CHEAP, "--json").json
    assert found["identified"][0]["n_strangers"] == 48
    assert "cannot be shown" in genus("search", photos, one(photos), "--identify", "0.001", *CHEAP).complaint


def test_columns_of_a_table_can_be_asked_for(photos: Path) -> None:
    rows = [
        f"{path},{'north' if i % 2 else 'south'},{i}" for i, path in enumerate(sorted(photos.rglob("*.png")))
    ]
    Path("table.csv").write_text("\n".join(["image,region,number", *rows]))
    found = done(
        *("search", "table.csv", one(photos), "--where", "region=north", "--where", "number<10"),
        *("-k", 20, "--copies", "--json", *CHEAP),
    ).json
    assert found["n_allowed"] == 5 and found["score_means"] == "cosine"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--class", "9"), "no image has the label '9'"),
        (("--html", "x.html"), "--html shows what was found"),
        (("--identify", "0.1"), "--identify says who is in an image"),
        (("3.png", "--box", "1,2,3"), "expected left,top,right,bottom"),
        (("3.png", "--box", "nan,0,1,1"), "expected left,top,right,bottom"),
        (("3.png", "4.png", "--box", "0,0,1,1"), "--box is a part of one image"),
        (("3.png", "--identify", "0.1", "--box", "0,0,1,1"), "--identify takes whole images"),
        (("3.png", "--identify", "0.1", "--not", "4.png", "--where", "label=1"), "Leave out --not, --where"),
        (("3.png", "--identify", "0.1", "--class", "1", "--diversity", "0.1"), "--class, --diversity"),
        (("--box", "0,0,1,1"), "--box: nothing is looked for"),
        (("--not", "3.png", "--copies"), "--not, --copies: nothing is looked for"),
        (("--where", "label=1", "--diversity", "0.5"), "--where, --diversity: nothing is looked for"),
        (("--class", "1", "--html", "x", "--export", "./x"), "--html and --export name the same file"),
        (("missing.png",), "no such file"),
        (("--class", "1", "--where", "shape=round"), "no column 'shape'"),
        (("--class", "1", "--where", "round"), "is no condition"),
    ],
)
def test_wishes_that_cannot_be(photos: Path, arguments: tuple[str, ...], words: str) -> None:
    assert words in genus("search", photos, *arguments, *CHEAP, "-q").complaint


def test_without_pyarrow_an_export_is_refused_before_the_work(
    photos: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "genus[tables]" in genus("search", photos, "--export", "x.parquet", *CHEAP).complaint
    assert not (empty_cache / "searches").exists()


def test_a_folder_of_photos_with_some_index_json_is_searched(photos: Path) -> None:
    (photos / "index.json").write_text('{"kind": "gallery"}')
    assert done("search", photos, one(photos), "-k", 1, "--json", *CHEAP).json["hits"][0]["same_file"]
    assert "other things" in genus("search", photos, "--save", photos, "--force", *CHEAP).complaint


def test_images_that_cannot_be_read_are_named(photos: Path) -> None:
    (photos / "1" / "bad.png").write_bytes(b"no picture")
    outcome = done("search", photos, "--class", "1", *CHEAP)
    assert "Skipped" in outcome.err and "bad.png" in outcome.err
    assert "bad.png" in done("search", photos, "--class", "1", *CHEAP).err, "the index knows it, too"
    Path("only").mkdir()
    (Path("only") / "bad.png").write_bytes(b"no picture")
    assert "no image can be read" in genus("search", "only", one(photos), *CHEAP).complaint
