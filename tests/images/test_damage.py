"""What cannot be read is reported in plain words: never a crash, a grey picture or a word on stderr."""

import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_making import PHOTOS, corners, encode
from PIL import Image

from genus.errors import ImageError
from genus.images.decode import Limits, decode
from genus.images.source import as_source

PHOTO = PHOTOS[0]
FILES = {
    "JPEG": encode(PHOTO, "JPEG"),
    "progressive JPEG": encode(PHOTO, "JPEG", progressive=True),
    "JPEG with restarts": encode(PHOTO, "JPEG", restart_marker_rows=2),
    "JPEG with a thumbnail": encode(PHOTO, "JPEG", exif=b"Exif\0\0" + encode(PHOTO[:64, :64], "JPEG")),
    "CMYK JPEG": encode(Image.fromarray(PHOTO).convert("CMYK"), "JPEG"),
    "PNG": encode(PHOTO, "PNG"),
    "WEBP": encode(PHOTO, "WEBP"),
    "animated WEBP": encode(PHOTO, "WEBP", save_all=True, append_images=[Image.new("RGB", (640, 427))]),
    "BMP": encode(PHOTO, "BMP"),
    "TIFF": encode(PHOTO, "TIFF"),
    "PPM": encode(PHOTO, "PPM"),
    "GIF": encode(PHOTO, "GIF"),
    "AVIF": encode(PHOTO[:64, :64], "AVIF"),
    "JPEG2000": encode(PHOTO[:64, :64], "JPEG2000"),
    "QOI": encode(PHOTO[:64, :64], "QOI"),
    "ICO": encode(PHOTO[:64, :64], "ICO"),
}


def read(data, **options):
    return decode(as_source(data, "x.jpg"), **options)


def reason(data, **options):
    with pytest.raises(ImageError) as caught:
        read(data, **options)
    assert caught.value.source == "x.jpg"
    assert caught.value.reason and "\n" not in caught.value.reason
    return caught.value.reason


# truncated


@pytest.mark.parametrize(
    "kind", ["JPEG", "progressive JPEG", "JPEG with restarts", "JPEG with a thumbnail", "CMYK JPEG"]
)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_every_truncated_jpeg_is_found_out(kind, data):
    whole = FILES[kind]
    cut = data.draw(st.integers(4, len(whole) - 1))
    assert reason(whole[:cut]) == "truncated JPEG: its end is missing"
    assert reason(whole[:cut], at_least=(50, 50)) == "truncated JPEG: its end is missing"


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "animated WEBP"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_truncated_png_and_webp(kind, data):
    whole = FILES[kind]
    cut = data.draw(st.integers(12, len(whole) - 1))
    assert reason(whole[:cut]) == f"truncated {kind.split()[-1]}: its end is missing"


@pytest.mark.parametrize("kind", ["BMP", "PPM", "TIFF", "GIF", "QOI"])
@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_other_truncated_formats(kind, part):
    whole = FILES[kind]
    assert reason(whole[: int(part * len(whole))])


@pytest.mark.parametrize("kind", ["JPEG", "progressive JPEG"])
def test_a_jpeg_whose_rest_is_zeros_is_truncated(kind):
    whole = FILES[kind]
    assert "truncated" in reason(whole[: len(whole) // 2] + bytes(len(whole) // 2))


@pytest.mark.parametrize("tail", [b"\0" * 500, b"garbage" * 100, FILES["JPEG"]])
@pytest.mark.parametrize("kind", ["JPEG", "progressive JPEG", "PNG"])
def test_what_follows_the_end_does_no_harm(kind, tail):
    np.testing.assert_array_equal(read(FILES[kind] + tail).pixels, read(FILES[kind]).pixels)


# not an image


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"%PDF-1.7\n...", "PDF"),
        (b"<!DOCTYPE html><html>404", "HTML page"),
        (b"\n <html><body>404", "HTML page"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b'<?xml version="1.0"?><note/>', "XML"),
        (b"name,label\na.jpg,cat\n", "it is text, not an image"),
        ("größe\n".encode() * 2000, "text"),
        (b"BMW is a maker of cars", "text"),
        (b"PK\x03\x04rest", "ZIP"),
        (b"\x1f\x8b\x08rest", "gzip"),
        (b"\0\0\0\x18ftypisom\0\0\0\0mp42avc1", "video"),
        (b"RIFF\0\0\0\0AVI LIST", "video"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\x05\x16\x07\0\x02\0\0", "macOS"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\x93NUMPY\x01\0", "NumPy"),
        (bytes(5000), "only zero bytes"),
        (b"\x9a\x03\xff\xfe\x12", "not an image"),
        (b"\xff", "not an image"),
    ],
)
def test_foreign_files_are_called_by_their_name(data, said):
    assert said in reason(data)


def test_a_jpeg_called_svg(shared_data):
    path = shared_data / "imagededup_fixtures/formats_images/ukbench09380.svg"
    assert decode(as_source(path)).info.format == "JPEG"


# bombs


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, *extra):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = zlib.compress(b"".join(b"\0" + bytes(3 * width) for _ in range(min(height, 4))))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def jpeg_claiming(width, height, kind="JPEG"):
    data = bytearray(FILES[kind])
    at = data.index(b"\xff\xc2" if "progressive" in kind else b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


GIF_BOMB = b"GIF89a" + struct.pack("<HH", 60000, 60000) + b"\x80\0\0" + bytes(6) + FILES["GIF"][-2000:]
BMP_BOMB = FILES["BMP"][:18] + struct.pack("<ii", 60000, 60000) + FILES["BMP"][26:]
WEBP_BOMB = FILES["animated WEBP"][:24] + b"\xff\xff\x00\xff\xff\x00" + FILES["animated WEBP"][30:]


@pytest.mark.parametrize(
    "data",
    [
        png(60000, 60000),
        GIF_BOMB,
        BMP_BOMB,
        WEBP_BOMB,
        b"P6 60000 60000 255\n" + bytes(1000),
        jpeg_claiming(60000, 60000),
        jpeg_claiming(60000, 60000, "progressive JPEG"),
        b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 60000, 60000, 8, 3) + bytes(100),
    ],
    ids=["PNG", "GIF", "BMP", "WEBP", "PPM", "JPEG", "progressive JPEG", "PSD"],
)
@pytest.mark.parametrize("at_least", [None, (100, 100)])
def test_bombs_are_refused_from_the_header(data, at_least):
    import tracemalloc

    tracemalloc.start()
    said = reason(data, at_least=at_least)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "limit" in said or "cannot hold" in said or "damaged" in said
    assert peak < 50e6


def test_texts_in_a_png_are_never_unpacked():
    bomb = zlib.compress(bytes(200_000_000), 9)
    texts = (
        chunk(b"zTXt", b"Comment\0\0" + bomb),
        chunk(b"iTXt", b"Comment\0\1\0\0\0" + bomb),
        chunk(b"iCCP", b"icc\0\0" + bomb),
        chunk(b"tEXt", b"Comment\0" + bytes(3_000_000)),
    )
    np.testing.assert_array_equal(read(png(4, 4, *texts)).pixels, np.zeros((4, 4, 3)))


def test_limits_count_a_jpeg_after_scaling():
    limits = Limits(max_pixels=320 * 214)
    assert "640 x 427 pixels are more than the limit" in reason(FILES["JPEG"], limits=limits)
    assert "limit" in reason(FILES["JPEG"], limits=limits, at_least=(300, 400))
    assert read(FILES["JPEG"], limits=limits, at_least=(200, 300)).pixels.shape == (214, 320, 3)
    # all its coefficients are held at full size
    assert "limit" in reason(FILES["progressive JPEG"], limits=limits, at_least=(200, 300))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM"])
def test_limits_hold_for_every_format(kind):
    assert "640 x 427 pixels are more than the limit of 0.2" in reason(
        FILES[kind], limits=Limits(max_pixels=200_000)
    )


def test_limits_hold_for_arrays():
    assert "limit" in reason(PHOTO, limits=Limits(max_pixels=200_000))


def test_limit_of_bytes(tmp_path):
    (tmp_path / "a.png").write_bytes(FILES["PNG"])
    with pytest.raises(ImageError, match="MiB"):
        decode(as_source(tmp_path / "a.png"), limits=Limits(max_bytes=1000))


def test_large_images_within_the_limit_raise_no_warning():
    # more than Pillow's own limit; warnings are errors here
    large = Image.new("1", (10_000, 9_500))
    assert read(encode(large, "PNG")).pixels.shape == (9500, 10000, 3)
    assert read(encode(large.convert("L"), "TIFF", compression="tiff_lzw")).pixels.shape == (9500, 10000, 3)


# anything at all


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_raise_image_error_only(data):
    with pytest.raises(ImageError):
        read(data)


STARTS = [
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"II*\0",
    b"MM\0*",
    b"RIFF\x40\0\0\0WEBPVP8X",
    b"BM",
    b"P6 ",
]
STARTS += [
    b"\0\0\0\x18ftypheic",
    b"\0\0\0\x18ftypavif",
    b"8BPS\0\1",
    b"qoif",
    b"\0\0\1\0",
    bytes(128) + b"DICM",
]
STARTS += [b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51", b"II+\0"]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(STARTS), st.binary(max_size=300))
def test_random_bytes_after_a_real_start(start, rest):
    try:
        pixels = read(start + rest).pixels
    except ImageError as error:
        assert error.reason
    else:
        assert pixels.dtype == np.uint8


@pytest.mark.parametrize("kind", FILES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_flipped_bytes_raise_image_error_only(kind, data):
    whole = bytearray(FILES[kind])
    where = st.one_of(st.integers(0, min(400, len(whole) - 1)), st.integers(0, len(whole) - 1))
    for at in data.draw(st.lists(where, min_size=1, max_size=5)):
        whole[at] = data.draw(st.integers(0, 255))
    try:
        pixels = read(bytes(whole), limits=Limits(max_pixels=2_000_000)).pixels
    except ImageError as error:
        assert error.reason
    else:
        assert pixels.dtype == np.uint8
        assert pixels.shape[2] == 3


def test_damage_inside_a_png_is_found_by_its_checksums():
    data = bytearray(FILES["PNG"])
    data[len(data) // 2] ^= 1
    assert reason(bytes(data)) == "damaged PNG: the checksum of its IDAT part fails"


def test_a_tiff_of_many_bands(shared_data, caplog):
    with pytest.raises(ImageError, match="a TIFF with 8 channels; Genus reads grey, RGB and CMYK"):
        decode(as_source(next(iter(sorted((shared_data / "landsat_pixels").glob("*stack.gtif"))))))
    assert not caplog.records


def test_nothing_is_written_to_stderr(tmp_path):
    broken = [data[: len(data) // 2] for data in FILES.values()]
    broken += [png(60000, 60000), WEBP_BOMB, FILES["JPEG"][:600] + b"\xff\x13\x37" + FILES["JPEG"][700:]]
    for i, data in enumerate(broken):
        (tmp_path / str(i)).write_bytes(data)
    script = """
import sys
from pathlib import Path
from genus.errors import ImageError
from genus.images.decode import decode
from genus.images.source import as_source
for path in Path(sys.argv[1]).iterdir():
    try:
        decode(as_source(path))
    except ImageError:
        pass
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, check=True)
    assert done.stderr == b""
    assert done.stdout == b""


def test_threads_do_not_disturb_one_another():
    expected = {kind: read(data).pixels for kind, data in FILES.items()}

    def work(i):
        kind = list(FILES)[i % len(FILES)]
        np.testing.assert_array_equal(read(FILES[kind]).pixels, expected[kind])
        with pytest.raises(ImageError):
            read(FILES["JPEG"][: 1000 + i])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(128)))


def test_light_modules_import_nothing_heavy():
    script = (
        "import sys, genus.images.decode, genus.images.preprocess, genus.images.thumbnail; "
        "print([m for m in ('cv2', 'PIL', 'pydicom', 'pillow_heif', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


def test_corners_is_a_good_test_image():
    turns = {np.rot90(image, k).tobytes() for image in (corners(8, 8), corners(8, 8)[::-1]) for k in range(4)}
    assert len(turns) == 8
