"""Every kind of image becomes upright 8-bit RGB."""

import hashlib
import struct
import sys
from io import BytesIO

import numpy as np
import pytest
from image_making import PHOTOS, corners, difference, encode, exif
from PIL import Image, ImageOps

from genus.errors import ImageError
from genus.images.decode import Limits, decode
from genus.images.source import as_source

PHOTO = PHOTOS[0]
NICE = {"quality": 95, "subsampling": 0}


def read(data, **options):
    return decode(as_source(data, "x"), **options)


# formats and modes

LOSSLESS = {
    "PNG": ("PNG", {}),
    "BMP": ("BMP", {}),
    "TIFF": ("TIFF", {}),
    "TIFF, deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "TIFF, LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "WebP, lossless": ("WEBP", {"lossless": True}),
    "PPM": ("PPM", {}),
    "JPEG 2000": ("JPEG2000", {}),
    "QOI": ("QOI", {}),
}


@pytest.mark.parametrize("case", LOSSLESS)
def test_lossless_formats_give_the_very_pixels(case):
    format, options = LOSSLESS[case]
    data = encode(PHOTO, format, **options)
    image = read(data)
    np.testing.assert_array_equal(image.pixels, PHOTO)
    assert image.pixels.flags.c_contiguous
    assert image.info.format == format
    assert image.info.mode == "RGB"


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF"])
def test_lossy_formats_come_close(format):
    image = read(encode(PHOTO, format, quality=95))
    assert difference(image.pixels, PHOTO) < 4
    assert image.info.format == format


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"optimize": True}]
)
def test_kinds_of_jpeg(options):
    data = encode(PHOTO, "JPEG", **NICE, **options)
    expected = np.asarray(Image.open(BytesIO(data)))
    assert difference(read(data).pixels, expected) < 0.5


def test_the_info_tells_of_the_original():
    data = encode(PHOTO, "JPEG")
    info = read(data, at_least=(50, 50)).info
    assert (info.width, info.height, info.format, info.mode) == (640, 427, "JPEG", "RGB")
    assert info.n_bytes == len(data)
    assert info.content_hash == hashlib.blake2b(data, digest_size=16).hexdigest()


def test_hashes_of_arrays_depend_on_pixels_and_shape():
    def digest(array):
        return read(array).info.content_hash

    a = np.zeros((4, 6, 3), np.uint8)
    assert digest(a) == digest(a[::-1, ::-1]) == digest(a[..., 0])
    assert digest(a) != digest(a.reshape(6, 4, 3))
    assert digest(a) != digest(a + np.uint8(1))
    assert len(digest(a)) == 32


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"])
def test_one_pixel_is_an_image(format):
    image = read(encode(Image.new("RGB", (1, 1), (200, 100, 50)), format))
    assert image.pixels.shape == (1, 1, 3)
    assert difference(image.pixels, np.array([[[200, 100, 50]]])) < 12


@pytest.mark.parametrize("shape", [(1, 5000), (5000, 1), (2, 3), (17, 9)])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_odd_shapes(format, shape):
    pixels = np.full((*shape, 3), 90, np.uint8)
    np.testing.assert_allclose(read(encode(pixels, format)).pixels, pixels, atol=6)


@pytest.mark.parametrize("name", ["photo.jpg", "photo.txt", "photo", "photo.dcm"])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "TIFF"])
def test_the_name_says_nothing(tmp_path, name, format):
    path = tmp_path / name
    path.write_bytes(encode(PHOTO, format))
    image = decode(as_source(path))
    assert image.info.format == format
    assert image.pixels.shape == PHOTO.shape


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "BMP", "WEBP"])
def test_grey_becomes_rgb(format):
    grey = Image.fromarray(PHOTO).convert("L")
    image = read(encode(grey, format, **({"lossless": True} if format == "WEBP" else {})))
    expected = np.repeat(np.asarray(grey)[..., None], 3, axis=2)
    assert difference(image.pixels, expected) < 5
    if format != "WEBP":  # which has no grey
        assert image.info.mode == "L"


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "PPM", "GIF"])
def test_black_and_white(format):
    bits = Image.fromarray(PHOTO).convert("1")
    expected = np.asarray(bits)[..., None].repeat(3, axis=2) * np.uint8(255)
    np.testing.assert_array_equal(read(encode(bits, format)).pixels, expected)


def test_cmyk_colours_are_plausible():
    data = encode(Image.fromarray(corners()).convert("CMYK"), "JPEG", quality=95)
    image = read(data)
    assert image.info.mode == "CMYK"
    assert difference(image.pixels, corners()) < 8
    assert difference(read(encode(Image.fromarray(corners()).convert("CMYK"), "TIFF")).pixels, corners()) < 1


def test_cmyk_is_scaled_too():
    data = encode(Image.fromarray(PHOTO).convert("CMYK"), "JPEG", quality=95)
    image = read(data, at_least=(200, 300))
    assert image.pixels.shape == (214, 320, 3)
    assert (image.info.width, image.info.height) == (640, 427)


# alpha, palettes, animation

CLEAR_LEFT = np.dstack([corners(), np.full((40, 60), 255, np.uint8)])
CLEAR_LEFT[:, :30, 3] = 0
ON_WHITE = corners()
ON_WHITE[:, :30] = 255


@pytest.mark.parametrize(
    ("format", "options"),
    [("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("ICO", {"sizes": [(60, 40)]})],
)
def test_alpha_is_laid_over_white(format, options):
    image = read(encode(CLEAR_LEFT, format, **options))
    assert image.info.mode == "RGBA"
    np.testing.assert_array_equal(image.pixels, ON_WHITE)


def test_half_transparent():
    grey = np.full((4, 4, 4), 100, np.uint8)
    grey[..., 3] = 128
    expected = round(100 * 128 / 255 + 255 * 127 / 255)
    np.testing.assert_array_equal(read(encode(grey, "PNG")).pixels, expected)
    np.testing.assert_array_equal(read(grey).pixels, expected)


def test_grey_with_alpha():
    image = Image.fromarray(CLEAR_LEFT).convert("LA")
    pixels = read(encode(image, "PNG")).pixels
    assert (pixels[:, :30] == 255).all()
    assert (pixels[..., 0] == pixels[..., 2]).all()


@pytest.mark.parametrize("format", ["PNG", "GIF", "BMP", "TIFF"])
def test_palettes(format):
    image = Image.fromarray(corners()).convert("P", palette=Image.Palette.ADAPTIVE)
    found = read(encode(image, format))
    assert found.info.mode == "P"
    np.testing.assert_array_equal(found.pixels, corners())


@pytest.mark.parametrize("transparency", [0, bytes([0, 255, 255, 255])])
def test_transparent_palette_entries_are_white(transparency):
    image = Image.fromarray(corners()).quantize(4)
    first = tuple(image.getpalette()[:3])
    found = read(encode(image, "PNG", transparency=transparency)).pixels
    expected = np.asarray(image.convert("RGB")).copy()
    expected[(expected == first).all(axis=2)] = 255
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("mode", "key"), [("RGB", (220, 30, 30)), ("L", 30)])
def test_a_transparent_colour_is_white(mode, key):
    image = Image.fromarray(corners()).convert("RGB")
    image = image if mode == "RGB" else image.getchannel("G")
    found = read(encode(image, "PNG", transparency=key)).pixels
    assert (found[:20, :30] == 255).all()
    assert (found[:20, 30:] != 255).any()


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_counts(format):
    options = {"lossless": True} if format == "WEBP" else {}
    frames = [Image.new("RGB", (60, 40), colour) for colour in ("red", "blue")]
    first = Image.fromarray(corners())
    found = read(encode(first, format, save_all=True, append_images=frames, **options))
    assert difference(found.pixels, corners()) < 2


# depth


def png16(samples, colour_type):
    """A 16-bit PNG of any colour type, which Pillow does not write."""
    import zlib

    height, width = samples.shape[:2]
    rows = samples.astype(">u2").tobytes()
    stride = len(rows) // height
    raw = b"".join(b"\0" + rows[i * stride : (i + 1) * stride] for i in range(height))

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


DEEP = corners().astype(np.uint16)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["grey PNG", "RGB PNG", "RGBA PNG", "grey TIFF", "RGB TIFF"])
def test_deep_images_are_neither_white_nor_black(bits, kind):
    import cv2

    samples = (DEEP << (bits - 8)) + 1 * (bits > 8)
    if "grey" in kind:
        samples = samples[..., 0]
    if kind == "RGBA PNG":
        data = png16(np.dstack([samples, np.full((40, 60), 65535)]), 6)
    elif "PNG" in kind:
        data = png16(samples, 0 if "grey" in kind else 2)
    elif "grey" in kind:
        data = encode(Image.fromarray(samples), "TIFF")
    else:
        data = cv2.imencode(".tiff", samples[..., ::-1])[1].tobytes()
    image = read(data)
    expected = corners() if "RGB" in kind else corners()[..., :1].repeat(3, axis=2)
    np.testing.assert_array_equal(image.pixels, expected)
    assert image.info.mode.endswith("16") or image.info.mode.startswith("I;16")


def test_deep_alpha_uses_its_whole_range():
    clear = png16(np.dstack([DEEP[..., 0] << 4, np.zeros((40, 60))]), 4)
    assert (read(clear).pixels == 255).all()
    half = np.dstack([DEEP << 8, np.full((40, 60), 32768)])
    assert difference(read(png16(half, 6)).pixels, (corners() + 255.0) / 2) < 1.5


def test_floating_point_tiff():
    ramp = np.linspace(0, 1, 40 * 60, dtype=np.float32).reshape(40, 60)
    found = read(encode(Image.fromarray(ramp), "TIFF")).pixels
    assert difference(found[..., 0], ramp * 255) < 0.6
    height_map = ramp * 9000 - 500
    found = read(encode(Image.fromarray(height_map), "TIFF")).pixels
    assert (found.min(), found.max()) == (0, 255)


@pytest.mark.parametrize("maximum", [255, 1023, 65535])
def test_pgm_of_any_depth(maximum):
    values = np.linspace(0, maximum, 256).astype(">u2" if maximum > 255 else np.uint8)
    found = read(b"P5 16 16 %d\n" % maximum + values.tobytes()).pixels
    assert difference(found[..., 0], np.arange(256).reshape(16, 16)) < 1.5


# orientation


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_orientation(format, orientation):
    options = {"JPEG": NICE, "WEBP": {"lossless": True}, "AVIF": {"quality": 95}}.get(format, {})
    data = encode(corners(), format, exif=exif(orientation), **options)
    with Image.open(BytesIO(data)) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored).convert("RGB"))
    image = read(data)
    assert difference(image.pixels, expected) < 1.5
    assert image.pixels.flags.c_contiguous
    assert (image.info.width, image.info.height) == expected.shape[1::-1]


def tiff16(samples, orientation, planar=False):
    """A 16-bit RGB TIFF with an orientation, which Pillow does not write."""
    height, width = samples.shape[:2]
    body = (samples.transpose(2, 0, 1) if planar else samples).astype("<u2").tobytes()
    plane = len(body) // 3
    tags = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, 3, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 3 if planar else 1, 14 if planar else 38),
        (274, 3, 1, orientation),
        (277, 3, 1, 3),
        (278, 3, 1, height),
        (279, 4, 3 if planar else 1, 26 if planar else len(body)),
        (284, 3, 1, 2 if planar else 1),
    ]
    strips = struct.pack("<6I", *(38 + i * plane for i in range(3)), plane, plane, plane)
    head = struct.pack("<3H", 16, 16, 16) + strips
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    return b"II*\0" + struct.pack("<I", 38 + len(body)) + head + body + directory


def test_deep_tiff_in_planes_is_refused_and_not_mixed_up():
    with pytest.raises(ImageError, match="separate planes"):
        read(tiff16(DEEP * 257, 1, planar=True))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_of_deep_tiff(orientation):
    image = read(tiff16(DEEP * 257, orientation))
    expected = ImageOps.exif_transpose(Image.open(BytesIO(encode(corners(), "PNG", exif=exif(orientation)))))
    np.testing.assert_array_equal(image.pixels, np.asarray(expected))
    assert (image.info.width, image.info.height) == expected.size


@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_in_either_byte_order(order):
    block = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(
        order + "IHHHIHH", 8, 1, 0x0112, 3, 1, 6, 0
    )
    data = encode(corners(), "JPEG", exif=b"Exif\0\0" + block)
    assert read(data).pixels.shape == (60, 40, 3)


def test_at_least_is_meant_upright():
    data = encode(PHOTO, "JPEG", exif=exif(6))  # 640 high, 427 wide once upright
    assert read(data, at_least=(320, 213)).pixels.shape == (320, 214, 3)
    assert read(data, at_least=(213, 320)).pixels.shape == (640, 427, 3)


# scaling


@pytest.mark.parametrize(
    ("at_least", "shape"),
    [
        (None, (427, 640)),
        ((427, 640), (427, 640)),
        ((215, 1), (427, 640)),
        ((214, 320), (214, 320)),
        ((107, 160), (107, 160)),
        ((54, 80), (54, 80)),
        ((1, 1), (54, 80)),
        ((1, 81), (107, 160)),
        ((9999, 9999), (427, 640)),
    ],
)
def test_the_scale_is_the_smallest_that_suffices(at_least, shape):
    assert read(encode(PHOTO, "JPEG"), at_least=at_least).pixels.shape == (*shape, 3)


@pytest.mark.parametrize("photo", PHOTOS)
@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_scaled_and_full_decoding_agree(photo, scale, options):
    data = encode(photo[:424], "JPEG", quality=90, **options)
    small = read(data, at_least=(424 // scale, 640 // scale)).pixels
    assert small.shape == (424 // scale, 640 // scale, 3)
    full = read(data).pixels.astype(np.float64)
    averaged = full.reshape(424 // scale, scale, 640 // scale, scale, 3).mean(axis=(1, 3))
    assert difference(small, averaged) < 3


def test_other_formats_are_not_scaled():
    assert read(encode(PHOTO, "PNG"), at_least=(10, 10)).pixels.shape == PHOTO.shape


# extras


def test_heic():
    heif = pytest.importorskip("pillow_heif")
    file = BytesIO()
    heif.from_pillow(Image.fromarray(PHOTO)).save(file, quality=90)
    image = read(file.getvalue())
    assert image.info.format == "HEIF"
    assert difference(image.pixels, PHOTO) < 5


def test_heic_without_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif.as_plugin", None)
    with pytest.raises(ImageError, match=r"genus\[heif\]"):
        read(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))


def test_dicom_without_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ImageError, match=r"genus\[dicom\]"):
        read(bytes(128) + b"DICM" + bytes(100))


def dicom(samples, photometric="MONOCHROME2", **tags):
    pydicom = pytest.importorskip("pydicom")
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

    file = pydicom.Dataset()
    file.file_meta = pydicom.dataset.FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    file.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    file.Rows, file.Columns = samples.shape[:2]
    file.SamplesPerPixel = samples.shape[2] if samples.ndim == 3 else 1
    if samples.ndim == 3:
        file.PlanarConfiguration = 0
    file.PhotometricInterpretation = photometric
    file.BitsAllocated = file.BitsStored = 8 * samples.itemsize
    file.HighBit = file.BitsStored - 1
    file.PixelRepresentation = 0
    for name, value in tags.items():
        setattr(file, name, value)
    file.PixelData = samples.tobytes()
    stream = BytesIO()
    pydicom.dcmwrite(stream, file, enforce_file_format=True)
    return stream.getvalue()


def test_dicom_grey_is_stretched():
    found = read(dicom(DEEP[..., 0] * 3 + 1000))
    assert (found.info.format, found.info.mode) == ("DICOM", "MONOCHROME2")
    assert (found.pixels.min(), found.pixels.max()) == (0, 255)
    inverted = read(dicom(DEEP[..., 0] * 3 + 1000, "MONOCHROME1"))
    np.testing.assert_array_equal(inverted.pixels, 255 - found.pixels)


def test_dicom_colour():
    np.testing.assert_array_equal(read(dicom(corners(), "RGB")).pixels, corners())


def test_dicom_limits():
    with pytest.raises(ImageError, match="limit"):
        read(dicom(corners(), "RGB"), limits=Limits(max_pixels=1000))


def test_real_files(shared_data):
    folder = shared_data / "imagededup_fixtures"
    kinds = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tiff", ".pbm", ".pgm", ".ppm"}
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in kinds]
    assert len(files) > 25
    for path in files:
        if "corrupt" in path.name:
            with pytest.raises(ImageError):
                decode(as_source(path))
            continue
        with Image.open(path) as stored:
            size = ImageOps.exif_transpose(stored).size
        image = decode(as_source(path))
        assert image.pixels.shape == (size[1], size[0], 3)
        assert (image.info.width, image.info.height) == size
        assert image.pixels.std() > 5
