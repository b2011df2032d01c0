"""What a file is, by its first bytes: the name of a file says nothing."""

from codecs import getincrementaldecoder

FORMATS = (
    "JPEG",
    "PNG",
    "GIF",
    "BMP",
    "TIFF",
    "WEBP",
    "PPM",
    "JPEG2000",
    "ICO",
    "PSD",
    "QOI",
    "AVIF",
    "HEIF",
)

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\0\0\1\0", "ICO"),
    (b"8BPS\0\1", "PSD"),
    (b"qoif", "QOI"),
    (b"BM", "BMP"),
)
_HEIF_BRANDS = frozenset(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"mif2")
)

_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document; save its pages as images"),
    (b"PK\x03\x04", "a ZIP archive (or an Office document)"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x1f\x8b", "gzip-compressed"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"BZh", "bzip2-compressed"),
    (b"\xfd7zXZ", "xz-compressed"),
    (b"(\xb5/\xfd", "zstd-compressed"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (b"\0\0\1\xba", "an MPEG video"),
    (b"ID3", "an MP3 sound"),
    (b"OggS", "an Ogg sound or video"),
    (b"fLaC", "a FLAC sound"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image, which Genus cannot read; save it as PNG or JPEG"),
    (b"\xff\x0a", "a JPEG XL image, which Genus cannot read; save it as PNG or JPEG"),
    (b"v/1\x01", "an OpenEXR image, which Genus cannot read; save it as PNG or TIFF"),
    (b"#?RADIANCE", "a Radiance HDR image, which Genus cannot read; save it as PNG or TIFF"),
    (b"%!PS", "a PostScript drawing; save it as PNG"),
    (b"\x93NUMPY", "a NumPy file; load it and pass the array"),
    (b"version https://git-lfs", "a Git LFS pointer in place of the image; run: git lfs pull"),
    (b"\0\x05\x16\x07", "a macOS resource file (._name), not the image itself"),
    (b"Bud1", "a macOS folder-settings file (.DS_Store)"),
    (b"\0\0\0\1Bud1", "a macOS folder-settings file (.DS_Store)"),
    (b"SQLite format 3", "an SQLite database"),
    (b"PAR1", "a Parquet table; read it as a table"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
    (b"\x89HDF", "an HDF5 file"),
)


def sniff(data: bytes) -> str | None:
    """Return the format that the first bytes of `data` announce, or None where they announce no image.

    Parameters
    ----------
    data : bytes
        The whole file or its beginning (132 bytes suffice).

    Returns
    -------
    str or None
        One of `FORMATS`, or "DICOM".

    Examples
    --------
    >>> sniff(b"GIF89a..."), sniff(b"hello")
    ('GIF', None)
    """
    for magic, name in _MAGIC:
        if data.startswith(magic):
            return None if name == "BMP" and not _is_bmp(data) else name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _sniff_isobmff(data)
    if data[:1] == b"P" and data[1:2] in b"123456fF7" and data[2:3].isspace():
        return "PPM"
    if data[128:132] == b"DICM":
        return "DICOM"
    return None


def describe(data: bytes) -> str:
    r"""Say in a few words what bytes that are no image look like.

    Examples
    --------
    >>> describe(b"%PDF-1.7")
    'it is a PDF document; save its pages as images'
    >>> describe(b"name,label\n")
    'it is text, not an image'
    """
    for magic, what in _FOREIGN:
        if data.startswith(magic):
            return f"it is {what}"
    if data[4:8] == b"ftyp":
        return "it is a video (MP4 or QuickTime)"
    if data[:4] == b"RIFF":
        return "it is a video or sound (RIFF)"
    if not data.strip(b"\0"):
        return "it holds only zero bytes: a copy or download went wrong"
    return _describe_text(data[:4096]) or "it is not an image, or of a format that Genus does not know"


def _describe_text(start: bytes) -> str | None:
    try:
        # incremental: the start may end amid a character
        text = getincrementaldecoder("utf-8-sig")().decode(start).lstrip().lower()
    except UnicodeDecodeError:
        return None
    if "<svg" in text:
        return "it is an SVG drawing, not pixels; save it as PNG"
    if text.startswith(("<!doctype html", "<html", "<head", "<body")):
        return "it is an HTML page (a download that went wrong?)"
    if text.startswith("<?xml"):
        return "it is an XML document"
    if all(char.isprintable() or char.isspace() for char in text):
        return "it is text, not an image"
    return None


def _is_bmp(data: bytes) -> bool:
    # "BM" begins many a text: the length of the next header tells
    return int.from_bytes(data[14:18], "little") in (12, 16, 40, 52, 56, 64, 108, 124)


def _sniff_isobmff(data: bytes) -> str | None:
    length = min(int.from_bytes(data[:4], "big"), 132)
    brands = {data[8:12], *(data[i : i + 4] for i in range(16, length - 3, 4))}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    return "HEIF" if brands & _HEIF_BRANDS else None
