"""Whatever files people have: each is read, or left out with its reason; never a crash, never a wrong picture."""

import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from images.image_making import encode, exif

from .command import CHEAP, QUICK, done, genus

Picture = Image.Image


@pytest.fixture
def three(fresh: Path) -> Picture:
    """A handwritten three, 64 x 64, grey."""
    with Image.open(min(fresh.glob("3/*"))) as image:
        return image.convert("L")


def probabilities(model: Path, *names: object) -> np.ndarray:
    """What the model says of some images, one row each, columns in the order of the class names."""
    images = done("predict", "-m", model, *names, "--json").json["images"]
    assert len(images) == len(names)
    return np.array(
        [[g["confidence"] for g in sorted(image["top"], key=lambda g: g["label"])] for image in images]
    )


def as_palette(image: Picture) -> bytes:
    return encode(image.convert("P"), "PNG")


def as_deep_grey(image: Picture) -> bytes:
    return encode(np.asarray(image).astype(np.uint16) * 257, "PNG")


def with_alpha(image: Picture) -> bytes:
    """The same seen through a window: white where it is opaque and white, transparent where it is white too."""
    picture = image.convert("RGBA")
    picture.putalpha(image.point(lambda v: 0 if v == 255 else 255))
    return encode(picture, "PNG")


def animated(format: str) -> Callable[[Picture], bytes]:
    other = Image.new("L", (64, 64), 128)
    return lambda image: encode(
        image,
        format,
        save_all=True,
        append_images=[other, other],
        **({"lossless": True} if format == "WEBP" else {}),
    )


SAME_PICTURE: dict[str, Callable[[Picture], bytes]] = {
    "palette.png": as_palette,
    "sixteen bits.png": as_deep_grey,
    "rgb.png": lambda image: encode(image.convert("RGB"), "PNG"),
    "alpha.png": with_alpha,
    "grey and alpha.png": lambda image: encode(image.convert("LA"), "PNG"),
    "cmyk.tif": lambda image: encode(image.convert("RGB").convert("CMYK"), "TIFF"),
    "cmyk.jpg": lambda image: encode(image.convert("RGB").convert("CMYK"), "JPEG", quality=100),
    "animated.gif": animated("GIF"),
    "animated.webp": animated("WEBP"),
    "a PNG called.jpg": lambda image: encode(image, "PNG"),
    "a JPEG called.png": lambda image: encode(image, "JPEG", quality=100),
    "no suffix": lambda image: encode(image, "PNG"),
    "SHOUTING.BMP": lambda image: encode(image, "BMP"),
    "with space.png": lambda image: encode(image, "PNG"),
    "Ünïcödé 花.png": lambda image: encode(image, "PNG"),
    "new\nline.png": lambda image: encode(image, "PNG"),
    "-dash.png": lambda image: encode(image, "PNG"),
}


@pytest.mark.parametrize("name", SAME_PICTURE)
def test_the_same_picture_is_the_same_in_every_guise(
    model: Path, here: Path, three: Picture, name: str
) -> None:
    (here / "plain.png").write_bytes(encode(three, "PNG"))
    (here / name).write_bytes(SAME_PICTURE[name](three))
    plain, other = probabilities(model, "plain.png", f"./{name}")
    assert plain.argmax() == 3
    np.testing.assert_allclose(other, plain, atol=0.03)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_upright_however_the_camera_was_held(
    model: Path, here: Path, three: Picture, orientation: int
) -> None:
    stored = stored_as(three, orientation)
    (here / "plain.png").write_bytes(encode(three, "PNG"))
    (here / "turned.jpg").write_bytes(encode(stored, "JPEG", quality=100, exif=exif(orientation)))
    (here / "turned.png").write_bytes(encode(stored, "PNG", exif=exif(orientation)))
    plain, *turned = probabilities(model, "plain.png", "turned.jpg", "turned.png")
    np.testing.assert_allclose(turned, [plain, plain], atol=0.02)
    if orientation > 1:  # without the tag it is another picture
        (here / "untold.png").write_bytes(encode(stored, "PNG"))
        assert np.abs(features(here, "untold.png") - features(here, "plain.png")).max() > 0.02


def stored_as(image: Picture, orientation: int) -> Picture:
    """What a camera stores that was held so: turned back by the viewer, it is `image`."""
    turns = Image.Transpose
    how = {
        2: turns.FLIP_LEFT_RIGHT,
        3: turns.ROTATE_180,
        4: turns.FLIP_TOP_BOTTOM,
        5: turns.TRANSPOSE,
        6: turns.ROTATE_90,
        7: turns.TRANSVERSE,
        8: turns.ROTATE_270,
    }
    return image.transpose(how[orientation]) if orientation in how else image


def features(here: Path, name: str) -> np.ndarray:
    done("features", name, "-o", "x.npy", "--force", *CHEAP)
    return np.asarray(np.load(here / "x.npy"))


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 7)])
def test_tiny_and_narrow_images_are_images(model: Path, here: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size, "orange").save("small.png")
    assert probabilities(model, "small.png").sum() == pytest.approx(1, abs=1e-4)


def bomb() -> bytes:
    """A PNG of a few hundred bytes that says it is 60,000 pixels wide and high."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def whole(format: str) -> bytes:
    return encode(np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8), format)


UNREADABLE: dict[str, tuple[Callable[[], bytes], str]] = {
    "cut.jpg": (lambda: whole("JPEG")[:-200], "truncated JPEG"),
    "cut.png": (lambda: whole("PNG")[:-200], "truncated PNG"),
    "cut.webp": (lambda: whole("WEBP")[:-200], "truncated WEBP"),
    "cut.gif": (lambda: whole("GIF")[:-200], "truncated"),
    "header only.jpg": (lambda: whole("JPEG")[:10], "truncated"),
    "empty.png": (lambda: b"", "empty"),
    "text.jpg": (lambda: b"this is not a picture\n", "it is text"),
    "zeros.jpg": (lambda: bytes(5000), "zero bytes"),
    "page.png": (lambda: b"<!DOCTYPE html><html>404", "HTML"),
    "paper.jpg": (lambda: b"%PDF-1.7\n", "PDF"),
    "bomb.png": (bomb, "60000 x 60000 pixels are more than the limit of 180 million"),
}


@pytest.mark.parametrize("name", UNREADABLE)
class TestUnreadable:
    def test_one_alone_is_an_error_that_says_why(self, model: Path, here: Path, name: str) -> None:
        make, words = UNREADABLE[name]
        (here / name).write_bytes(make())
        complaint = genus("predict", "-m", model, name).complaint
        assert complaint.startswith(f"Error: {name}: ") and words in complaint

    def test_among_others_it_is_a_reported_skip(
        self, model: Path, fresh: Path, here: Path, name: str
    ) -> None:
        make, words = UNREADABLE[name]
        (here / name).write_bytes(make())
        outcome = done("predict", "-m", model, name, fresh / "1", "--json")
        (skip,) = outcome.json["skipped"]
        assert skip["source"] == name and words in skip["reason"]
        assert outcome.err == f"Skipped {name}: {skip['reason']}\n"
        assert len(outcome.json["images"]) == 5


def test_training_leaves_all_of_these_out_and_lists_them(here: Path, digits: Path) -> None:
    for path in digits.rglob("*.png"):
        target = here / "data" / path.relative_to(digits)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    for name, (make, _) in UNREADABLE.items():
        (here / "data" / "1" / name).write_bytes(make())
    found = done("train", "data", "--json", *QUICK).json
    assert {Path(skip["source"]).name for skip in found["skipped"]} == set(UNREADABLE)
    assert found["n_images"] == 48
    assert f"{len(UNREADABLE)} images could not be read" in found["notes"]
    report = (here / "data.report.html").read_text("utf-8")
    assert all(name in report for name in UNREADABLE)
    shown = done("train", "data", "--force", *QUICK).out
    assert "Left out, 11 in all" in shown and "60000 x 60000" in report


class TestMaxPixels:
    def test_larger_images_are_refused(self, model: Path, fresh: Path) -> None:
        image = min(fresh.glob("1/*"))
        assert done("predict", "-m", model, image, "--max-pixels", 64 * 64).code == 0
        complaint = genus("predict", "-m", model, image, "--max-pixels", 64 * 64 - 1).complaint
        assert "64 x 64 pixels are more than the limit" in complaint

    def test_what_counts_of_a_jpeg_is_its_size_after_scaled_decoding(self, model: Path, here: Path) -> None:
        Image.new("RGB", (800, 800), "orange").save("large.jpg")
        Image.new("RGB", (800, 800), "orange").save("large.png")
        assert done("predict", "-m", model, "large.jpg", "--max-pixels", 20_000).code == 0
        assert (
            "800 x 800 pixels" in genus("predict", "-m", model, "large.png", "--max-pixels", 20_000).complaint
        )

    @pytest.mark.parametrize("verb", ["data", "features", "evaluate", "compare", "train"])
    def test_every_verb_that_reads_images_obeys(
        self, verb: str, model: Path, digits: Path, here: Path
    ) -> None:
        arguments: dict[str, tuple[object, ...]] = {
            "data": ("data", digits, "--json"),
            "features": ("features", digits, "-o", "x.npy", "--no-cache", *CHEAP),
            "evaluate": ("evaluate", model, digits),
            "compare": ("compare", model, model, digits),
            "train": ("train", digits, "--no-cache", *QUICK),
        }
        outcome = genus(*arguments[verb], "--max-pixels", 1000)
        if verb == "data":
            assert outcome.json["n_readable"] == 0 and len(outcome.json["skipped"]) == 48
        else:
            assert "64 x 64 pixels are more than the limit" in outcome.complaint


@pytest.mark.skipif(os.name == "nt", reason="links and such names are Unix's")
class TestPlaces:
    def test_a_loop_of_links_ends(self, model: Path, here: Path, fresh: Path) -> None:
        for label in "12":
            (here / "data" / label).mkdir(parents=True)
            for path in (fresh / label).iterdir():
                (here / "data" / label / path.name).write_bytes(path.read_bytes())
        (here / "data" / "1" / "again").symlink_to(here / "data", target_is_directory=True)
        (here / "data" / "up").symlink_to(here, target_is_directory=True)
        found = done("data", "data", "--json").json
        assert found["counts"] == {"1": 5, "2": 5}
        assert len(done("predict", "-m", model, "data", "--json").json["images"]) == 10

    def test_a_link_to_itself_is_a_file_that_is_not_there(self, model: Path, here: Path) -> None:
        (here / "self.png").symlink_to("self.png")
        assert "self.png" in genus("predict", "-m", model, "self.png").complaint

    def test_a_link_to_nowhere_is_a_reported_skip(self, model: Path, here: Path, fresh: Path) -> None:
        (here / "pile").mkdir()
        (here / "pile" / "gone.png").symlink_to("nowhere.png")
        (here / "pile" / "good.png").write_bytes(min(fresh.glob("1/*")).read_bytes())
        found = done("predict", "-m", model, "pile", "--json").json
        assert [Path(skip["source"]).name for skip in found["skipped"]] == ["gone.png"]

    @pytest.mark.skipif(sys.platform == "darwin", reason="names are always text there")
    def test_a_name_that_is_no_text_survives_everything(self, model: Path, here: Path, fresh: Path) -> None:
        (here / "pile").mkdir()
        name = b"caf\xe9.png"
        Path(os.fsdecode(b"pile/" + name)).write_bytes(min(fresh.glob("1/*")).read_bytes())
        tables = ("--csv", "t.csv", "--jsonl", "t.jsonl", "--parquet", "t.parquet", "--sort-into", "sorted")
        done("predict", "-m", model, "pile", *tables)
        assert b"pile/" + name in Path("t.csv").read_bytes()
        assert [os.fsencode(path.name) for path in Path("sorted").glob("*/*")] == [name]
        for kind in ("npz", "npy", "csv", "parquet"):
            done("features", "pile", "-o", f"x.{kind}", *CHEAP)
        assert b"pile/" + name in Path("x.csv").read_bytes()
        assert r"caf\udce9.png" in done("predict", "-m", model, "pile").out

    def test_a_pipe_is_no_image_and_nobody_waits_for_it(self, model: Path, here: Path) -> None:
        os.mkfifo("pipe.png")
        code = "from genus.cli.main import run; run()"
        command = [sys.executable, "-c", code, "predict", "-m", str(model), "pipe.png"]
        ended = subprocess.run(command, capture_output=True, timeout=20, check=False)
        assert ended.returncode == 2 and b"pipe.png" in ended.stderr
