"""What augmentation makes of a person's own images, as a page or a picture."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genus.cnn.augmentation import PRESETS, Augmentation
from genus.data.dataset import Dataset
from genus.data.label_sets import LabelSets
from genus.data.read import read_dataset
from genus.errors import DataError, MissingExtraError, ParameterError
from genus.images.source import as_source
from genus.report.augmentation import AugmentedImage, Sampling, augmented_images, write_augmentation
from genus.report.augmentation_words import augmentation_facts

MIXED = Augmentation(mirror="alternate", mixup=1.0, cutmix=1.0)
FEW = Sampling(n_images=3, n_draws=4, side=32)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three images of class a, two of class b, one of which cannot be read."""
    for i in range(3):
        (tmp_path / "a").mkdir(exist_ok=True)
        Image.fromarray(np.full((200, 400, 3), 60 * i, np.uint8)).save(tmp_path / "a" / f"{i}.png")
    (tmp_path / "b").mkdir()
    Image.fromarray(np.full((50, 20, 3), 200, np.uint8)).save(tmp_path / "b" / "<i>.png")
    (tmp_path / "b" / "z.png").write_bytes(b"no image")
    return tmp_path


class Tags(HTMLParser):
    """Notes the images of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "i", "a file's name became markup"
        if tag == "img":
            self.sources.append(dict(attrs)["src"] or "")


def draw(photos: Path, augmentation: Augmentation) -> tuple[AugmentedImage, ...]:
    pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")
    return augmented_images(read_dataset(photos), augmentation, FEW)[0]


def test_every_class_is_shown_and_what_cannot_be_read_is_named(photos: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")
    sampling = Sampling(n_images=9, n_draws=2, side=32)
    shown, skipped = augmented_images(read_dataset(photos), PRESETS["light"], sampling)
    assert [image.label for image in shown] == ["a", "b", "a", "a"]
    assert [Path(image.source).name for image in skipped] == ["z.png"]


def test_the_original_is_what_is_measured_and_a_draw_is_an_epoch(photos: Path) -> None:
    shown = draw(photos, Augmentation())
    assert all(np.array_equal(image.original, each) for image in shown for each in image.draws)
    assert all(len(image.draws) == 4 and image.original.shape == (32, 32, 3) for image in shown)


def test_the_same_seed_draws_the_same(photos: Path) -> None:
    one, two = draw(photos, PRESETS["strong"]), draw(photos, PRESETS["strong"])
    for a, b in zip(one, two, strict=True):
        assert np.array_equal(a.draws, b.draws) and np.array_equal(a.mixed, b.mixed) and a.shares == b.shares


def test_mixed_images_say_the_shares_of_their_labels(photos: Path) -> None:
    shown = draw(photos, MIXED)
    assert all(len(image.mixed) == len(image.shares) == 4 for image in shown)
    assert any("% a, " in share and share.endswith("% b") for image in shown for share in image.shares)


def test_several_labels_and_none_have_words() -> None:
    pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")
    pictures = tuple(as_source(np.full((8, 8, 3), 50 * i, np.uint8)) for i in range(3))
    sets = LabelSets.of([["cat", "dog"], [], None], ["cat", "dog"])
    shown, _ = augmented_images(Dataset(pictures, label_sets=sets), MIXED, FEW)
    said = {part for image in shown for share in image.shares for part in share.split(", ")}
    assert said & {"unknown"} and any(part.endswith("% cat") for part in said)
    shown, _ = augmented_images(Dataset(pictures), MIXED, FEW)
    assert {share for image in shown for share in image.shares} == {"100% no label"}


@pytest.mark.parametrize("augmentation", [PRESETS["none"], PRESETS["standard"], MIXED])
def test_the_page_holds_all_it_shows(photos: Path, tmp_path: Path, augmentation: Augmentation) -> None:
    shown = draw(photos, augmentation)
    write_augmentation(tmp_path / "page.html", shown, augmentation, "photos")
    text = (tmp_path / "page.html").read_text("utf-8")
    tags = Tags()
    tags.feed(text)
    assert len(tags.sources) == 3 * (1 + 4 + 4 * augmentation.mixes)
    assert all(source.startswith("data:image/") for source in tags.sources)
    for fact in augmentation_facts(augmentation):
        assert fact.label in text and fact.value in text


@pytest.mark.parametrize("augmentation", [PRESETS["none"], MIXED])
def test_the_sheet_is_a_picture(photos: Path, tmp_path: Path, augmentation: Augmentation) -> None:
    write_augmentation(tmp_path / "sheet.png", draw(photos, augmentation), augmentation, "photos")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG" and sheet.width > 5 * 96


def test_what_is_off_is_not_said() -> None:
    assert augmentation_facts(Augmentation()) == ()
    every = Augmentation(
        mirror="random",
        upside_down=True,
        quarter_turns=True,
        crop=(0.5, 1),
        shift=0.1,
        rotate=10,
        shear=5,
        zoom=0.2,
        brightness=0.1,
        contrast=0.1,
        saturation=0.1,
        hue=0.1,
        grey=0.1,
        blur=0.1,
        erase=0.1,
        operations=2,
        mixup=1,
    )
    assert len(augmentation_facts(every)) == 17


def test_without_the_extra_it_is_named(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genus.report.augmentation.find_spec", lambda name: None)
    with pytest.raises(
        MissingExtraError, match=r'Augmentation needs the extra .cnn.: pip install "genus\[cnn\]"'
    ):
        augmented_images(read_dataset(photos), PRESETS["light"], FEW)


def test_bad_wishes_are_refused(photos: Path) -> None:
    with pytest.raises(ParameterError, match="n_draws must be from 1 to 64, not 65"):
        Sampling(n_draws=65)
    pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")
    for path in (photos / "a").iterdir():
        path.unlink()
    (photos / "b" / "<i>.png").unlink()
    with pytest.raises(DataError, match="none of the images can be read"):
        augmented_images(read_dataset(photos), PRESETS["light"], FEW)
