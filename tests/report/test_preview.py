"""Pictures before and after pre-processing."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genus.data.read import read_dataset
from genus.errors import OutputError, ParameterError
from genus.images.decode import Limits
from genus.images.preprocess import Preprocess
from genus.report.preview import preview_pictures, write_preview

SQUARE = Preprocess(32, 32, fit="squash")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four images of class a, two of class b, one of which cannot be read."""
    for i in range(4):
        (tmp_path / "a").mkdir(exist_ok=True)
        Image.fromarray(np.full((200, 400, 3), 60 * i, np.uint8)).save(tmp_path / "a" / f"{i}.png")
    (tmp_path / "b").mkdir()
    Image.fromarray(np.zeros((50, 20, 3), np.uint8)).save(tmp_path / "b" / "<i>.png")
    (tmp_path / "b" / "z.png").write_bytes(b"no image")
    return tmp_path


def test_every_class_has_its_turn_before_any_has_its_second(photos: Path) -> None:
    shown = preview_pictures(read_dataset(photos), SQUARE, n=3)
    assert [picture.label for picture in shown] == ["a", "b", "a"]


def test_before_is_the_whole_image_and_after_what_the_model_sees(photos: Path) -> None:
    first = preview_pictures(read_dataset(photos), SQUARE, n=1)[0]
    assert first.before is not None and first.before.shape == (80, 160, 3)
    assert first.after is not None and first.after.shape == (32, 32, 3)
    assert first.about == "400 × 200 PNG RGB"


def test_what_cannot_be_read_is_shown_with_the_reason(photos: Path) -> None:
    last = preview_pictures(read_dataset(photos), SQUARE)[3]
    assert last.before is None and "not an image" in last.about


def test_an_image_that_is_too_large_says_so(photos: Path) -> None:
    first = preview_pictures(read_dataset(photos), SQUARE, n=1, limits=Limits(max_pixels=100))[0]
    assert first.after is None and "more than the limit" in first.about


class Tags(HTMLParser):
    """Counts the images of a page, and notes where they come from."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "i", "a file's name became markup"
        if tag == "img":
            self.sources.append(dict(attrs)["src"] or "")


def test_the_page_holds_all_it_shows(photos: Path, tmp_path: Path) -> None:
    shown = preview_pictures(read_dataset(photos), SQUARE)
    write_preview(tmp_path / "page.html", shown, "photos", SQUARE)
    tags = Tags()
    tags.feed((tmp_path / "page.html").read_text("utf-8"))
    assert len(tags.sources) == 2 * 5
    assert all(source.startswith("data:image/") for source in tags.sources)


def test_the_sheet_is_a_picture(photos: Path, tmp_path: Path) -> None:
    write_preview(tmp_path / "sheet.png", preview_pictures(read_dataset(photos), SQUARE), "photos", SQUARE)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG" and sheet.width > 900


def test_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"must end in \.html or \.png"):
        write_preview(tmp_path / "page.pdf", (), "photos", SQUARE)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder does not exist"):
        write_preview(tmp_path / "no" / "page.html", (), "photos", SQUARE)
