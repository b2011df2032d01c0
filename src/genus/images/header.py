"""What the header of a JPEG, PNG or WebP says, read without a decoder: it chooses the way to decode.

The walk through a JPEG's markers is also what tells a truncated file from a whole one. Decoders do not: they fill
what is missing with grey and say nothing.
"""

import re
import zlib
from dataclasses import dataclass
from struct import calcsize, pack, unpack_from
from struct import error as struct_error

from genus.errors import ImageError


@dataclass(frozen=True, slots=True)
class Header:
    """The header of an image.

    Attributes
    ----------
    format : str
        As in `genus.images.sniff.FORMATS`.
    width, height : int
        In pixels, as stored, before EXIF orientation; at least 1.
    mode : str
        Kind of pixels in Pillow's words: "RGB", "L", "CMYK", "P", "I;16" ...
    orientation : int
        EXIF orientation, 1 to 8; 1 where there is none.
    plain : bool
        Whether OpenCV decodes it right: 8 bits, grey or RGB, no alpha, no animation, no sign of damage.
    buffered : bool
        Whether a decoder must hold all coefficients at once (progressive JPEG), so that decoding at a smaller
        scale saves time but no memory.
    """

    format: str
    width: int
    height: int
    mode: str
    orientation: int = 1
    plain: bool = False
    buffered: bool = False


def read_header(data: bytes, format: str, name: str) -> Header | None:
    """Read the header of a JPEG, PNG or WebP; of other formats return None.

    Parameters
    ----------
    data : bytes
        The whole file.
    format : str
        What `genus.images.sniff.sniff` found.
    name : str
        The image's name, for errors.

    Raises
    ------
    ImageError
        The header is damaged or the file's end is missing.
    """
    reader = {"JPEG": _jpeg_header, "PNG": _png_header, "WEBP": _webp_header}.get(format)
    if reader is None:
        return None
    try:
        header = reader(data, name)
    except (IndexError, ValueError, struct_error) as error:
        raise ImageError(name, f"damaged {format}: its header makes no sense") from error
    if header.width < 1 or header.height < 1:
        raise ImageError(name, f"damaged {format}: its header gives no size")
    return header


def truncated(name: str, format: str) -> ImageError:
    """Return the error for a file whose end is missing."""
    return ImageError(name, f"truncated {format}: its end is missing")


# JPEG (ITU T.81) --------------------------------------------------------------------------------------------

# in entropy-coded data 0xFF is followed by 0 (a data byte), a restart marker or fill bytes; else it is a marker
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_SOS, _EOI, _APP1 = 0xDA, 0xD9, 0xE1
_FRAMES = frozenset((0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF))
_SEGMENTS = frozenset((0xC4, 0xCC, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE))  # tables, APPn, comments
_PLAIN_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive, Huffman-coded
_BUFFERED_FRAMES = (0xC2, 0xC6, 0xCA, 0xCE)
_JPEG_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_BIG = 1 << 24
_MOST_PIXELS_A_BYTE = 256  # of sequential Huffman coding: 64 pixels take at least two bits


def _jpeg_header(data: bytes, name: str) -> Header:
    frame, orientation, at = _walk_to_scan(data, name)
    marker, precision, height, width, n_channels = data[frame - 3], *unpack_from(">BHHB", data, frame)
    if marker in (0xC0, 0xC1) and width * height > max(_BIG, _MOST_PIXELS_A_BYTE * len(data)):
        raise ImageError(
            name, f"damaged JPEG: {len(data):,} bytes cannot hold the {width} x {height} pixels it claims"
        )
    whole = _walk_scans(data, at, name)
    return Header(
        "JPEG",
        width,
        height,
        _JPEG_MODES.get(n_channels, f"{n_channels} channels"),
        orientation,
        plain=whole and precision == 8 and n_channels in (1, 3) and marker in _PLAIN_FRAMES,
        buffered=marker in _BUFFERED_FRAMES,
    )


def _walk_to_scan(data: bytes, name: str) -> tuple[int, int, int]:
    """Return where the frame header's content is, the EXIF orientation, and where the first scan is."""
    at, end, frame, orientation = 2, len(data) - 4, 0, 1
    while at <= end:
        marker = data[at + 1]
        if data[at] != 0xFF:
            raise ImageError(name, "damaged JPEG: a marker is missing in its header")
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker == _SOS:
            if not frame:
                raise ImageError(name, "damaged JPEG: its header gives no size")
            return frame, orientation, at
        else:
            if marker in _FRAMES and not frame:
                frame = at + 4
            elif marker == _APP1 and orientation == 1 and data[at + 4 : at + 10] == b"Exif\0\0":
                orientation = exif_orientation(data[at + 10 : at + 2 + unpack_from(">H", data, at + 2)[0]])
            at += 2 + _segment_length(data, at, name)
    raise truncated(name, "JPEG")


def _walk_scans(data: bytes, at: int, name: str) -> bool:
    """Go from the first scan to the end marker; False where something stands that should not be there."""
    while found := _NEXT_MARKER.search(data, at):
        at = found.start()
        marker = data[at + 1]
        if marker == _EOI:
            return True
        if marker != _SOS and marker not in _SEGMENTS:
            return False
        if at + 4 > len(data):
            break
        at += 2 + _segment_length(data, at, name)
    raise truncated(name, "JPEG")


def _segment_length(data: bytes, at: int, name: str) -> int:
    length = data[at + 2] << 8 | data[at + 3]
    if length < 2:
        raise ImageError(name, "damaged JPEG: a segment has no length")
    return length


_ORIENTATION, _CHANNELS = 0x0112, 0x0115  # tags of TIFF 6.0


def exif_orientation(exif: bytes) -> int:
    r"""Return the orientation stored in a block of EXIF.

    Parameters
    ----------
    exif : bytes
        From the byte-order mark on; a leading `Exif\0\0` is skipped.

    Returns
    -------
    int
        1 to 8 as defined by EXIF 2.32, section 4.6.4; 1 where there is none or where the block is damaged.

    Examples
    --------
    >>> exif_orientation(b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0")
    6
    """
    exif = exif.removeprefix(b"Exif\0\0")
    found = _find_tag(exif, _ORIENTATION)
    if found is None:
        return 1
    at, kind = found
    value = unpack_from(kind, exif, at)[0]
    return value if 1 <= value <= 8 else 1


def without_orientation(tiff: bytes) -> bytes:
    """Return a TIFF that claims to be upright, for decoders that turn some kinds and not others."""
    found = _find_tag(tiff, _ORIENTATION)
    if found is None:
        return tiff
    at, kind = found
    return tiff[:at] + pack(kind, 1) + tiff[at + calcsize(kind) :]


def tiff_channels(tiff: bytes) -> int:
    """Return how many channels a TIFF says it has; 1 where it does not say."""
    found = _find_tag(tiff, _CHANNELS)
    return 1 if found is None else int(unpack_from(found[1], tiff, found[0])[0])


def _find_tag(tiff: bytes, wanted: int) -> tuple[int, str] | None:
    """Return where a number is in the first directory and how it is packed (EXIF is a small TIFF)."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 10:
        return None
    at = unpack_from(order + "I", tiff, 4)[0]
    if at + 2 > len(tiff):
        return None
    n_entries = unpack_from(order + "H", tiff, at)[0]
    for entry in range(at + 2, min(at + 2 + 12 * n_entries, len(tiff) - 11), 12):
        tag, kind = unpack_from(order + "HH", tiff, entry)
        if tag == wanted:
            return entry + 8, order + ("I" if kind == 4 else "H")
    return None


# PNG (W3C, third edition) -----------------------------------------------------------------------------------

_PNG_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}
_PNG_PICTURE = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"))


def _png_header(data: bytes, name: str) -> Header:
    if len(data) < 33:
        raise truncated(name, "PNG")
    if data[12:16] != b"IHDR":
        raise ImageError(name, "damaged PNG: its header is missing")
    width, height, depth, colour = unpack_from(">IIBB", data, 16)
    mode = _PNG_MODES.get(colour, "unknown")
    if colour == 0:
        mode = {1: "1", 16: "I;16"}.get(depth, "L")
    elif depth == 16:
        mode += ";16"
    return Header("PNG", width, height, mode)


def png_picture(data: bytes, name: str) -> tuple[bytes, int]:
    """Return a PNG with nothing but the picture in it, and its EXIF orientation.

    Texts, colour profiles and the frames of an animation stay out: they would not change the pixels, and a text
    of a few kilobytes may unpack to gigabytes.

    Raises
    ------
    ImageError
        The end is missing or a checksum fails.
    """
    parts, orientation, at = [data[:8]], 1, 8
    view = memoryview(data)
    while at + 12 <= len(data):
        length, kind = unpack_from(">I4s", data, at)
        stop = at + 12 + length
        if stop > len(data):
            break
        if kind in _PNG_PICTURE:
            if zlib.crc32(view[at + 4 : stop - 4]) != unpack_from(">I", data, stop - 4)[0]:
                raise ImageError(name, f"damaged PNG: the checksum of its {kind.decode()} part fails")
            parts.append(data[at:stop])
        elif kind == b"eXIf":
            orientation = exif_orientation(data[at + 8 : stop - 4])
        if kind == b"IEND":
            return b"".join(parts), orientation
        at = stop
    raise truncated(name, "PNG")


# WebP (RFC 9649) --------------------------------------------------------------------------------------------


def _webp_header(data: bytes, name: str) -> Header:
    if len(data) < 30 or len(data) < 8 + unpack_from("<I", data, 4)[0] // 2 * 2:
        raise truncated(name, "WEBP")
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = unpack_from("<HH", data, 26)
        return Header("WEBP", width & 0x3FFF, height & 0x3FFF, "RGB", plain=True)
    if kind == b"VP8L":
        bits = unpack_from("<I", data, 21)[0]
        alpha = bool(bits >> 28 & 1)
        mode = "RGBA" if alpha else "RGB"
        return Header("WEBP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, mode, plain=not alpha)
    if kind != b"VP8X":
        raise ImageError(name, "damaged WEBP: its header is missing")
    flags = data[20]
    width = int.from_bytes(data[24:27], "little") + 1
    height = int.from_bytes(data[27:30], "little") + 1
    plain = not flags & 0b11010  # alpha, EXIF (orientation), animation
    return Header("WEBP", width, height, "RGBA" if flags & 16 else "RGB", plain=plain)
