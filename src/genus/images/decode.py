"""The one decoder: whatever the source, the result is upright 8-bit RGB, or an `ImageError` that says why not.

Plain 8-bit JPEG and WebP go through OpenCV, JPEG at 1/2, 1/4 or 1/8 of its size where that suffices (DCT scaling:
whole frequencies are left out, which is faster and better than shrinking). All else goes through Pillow.

A truncated image is unreadable, however little is missing: a picture that is partly grey would be data nobody
took. Colour profiles are ignored, in every format alike.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genus.errors import ImageError
from genus.images.header import Header, png_picture, read_header
from genus.images.orientation import turned, upright
from genus.images.sniff import describe, sniff
from genus.images.source import ImageSource

DECODER_VERSION: int = 1
"""Part of cache keys; raised whenever the pixels of some image change."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused before it is allocated.

    Parameters
    ----------
    max_pixels : int, default 180 million
        Pixels in memory; of a JPEG, after DCT scaling.
    max_bytes : int, default 512 MiB
        Bytes of the encoded image.
    """

    max_pixels: int = 180_000_000
    max_bytes: int = 1 << 29


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What is known of an image beside its pixels.

    Attributes
    ----------
    width, height : int
        Of the original, before any scaling and after EXIF orientation.
    format : str
        As found in the bytes, whatever the name says: "JPEG", "PNG" ...; "array" for pixels.
    mode : str
        Kind of pixels in Pillow's words: "RGB", "L", "CMYK", "P", "I;16", "RGBA" ...
    n_bytes : int
        Length of the encoded image (of the pixels, for an array).
    content_hash : str
        BLAKE2b with 128 bits of the encoded bytes (of shape and pixels, for an array), 32 hex digits.
    """

    width: int
    height: int
    format: str
    mode: str
    n_bytes: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """Pixels and what is known of them.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (h, w, 3)
        RGB, upright, contiguous; for a JPEG smaller than `info` says if less was asked for.
    info : ImageInfo
        About the original.
    """

    pixels: NDArray[np.uint8]
    info: ImageInfo


def decode(
    source: ImageSource, at_least: tuple[int, int] | None = None, limits: Limits = DEFAULT_LIMITS
) -> DecodedImage:
    """Decode one image to upright RGB.

    Parameters
    ----------
    source : ImageSource
        See `genus.images.source.as_source`.
    at_least : (height, width), optional
        Of the upright image, in pixels: a JPEG may come at 1/2, 1/4 or 1/8 of its size as long as neither side
        falls below. Nothing is ever enlarged or shrunk otherwise.
    limits : Limits
        What is too much.

    Returns
    -------
    DecodedImage

    Raises
    ------
    ImageError
        Whatever is wrong with the image, with its name and a plain reason.

    Notes
    -----
    A 640 x 427 JPEG takes about 1 ms on one core at full size and 0.7 ms at half; OpenCV's own part is nine
    tenths of that, and runs outside Python's lock.

    Examples
    --------
    >>> from genus.images.source import as_source
    >>> image = decode(as_source(np.zeros((4, 6), np.uint8)))
    >>> image.pixels.shape, image.info.format
    ((4, 6, 3), 'array')
    """
    if isinstance(source.data, np.ndarray):
        return _from_array(source.name, source.data, limits)
    data = source.read(limits.max_bytes)
    format = sniff(data)
    if format is None:
        raise ImageError(source.name, describe(data))
    pixels, width, height, mode = _Job(source.name, data, format, at_least, limits).run()
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    return DecodedImage(
        np.ascontiguousarray(pixels), ImageInfo(width, height, format, mode, len(data), digest)
    )


_Result = tuple[NDArray[np.uint8], int, int, str]  # pixels, upright; original width, height; mode


@dataclass(frozen=True, slots=True)
class _Job:
    """One decoding under way: what all its steps need to know."""

    name: str
    data: bytes
    format: str
    at_least: tuple[int, int] | None
    limits: Limits

    def run(self) -> _Result:
        if self.format == "DICOM":
            from genus.images.dicom_decode import decode_dicom

            pixels, mode = decode_dicom(self.data, self.name, check_size=self.check_size)
            return pixels, pixels.shape[1], pixels.shape[0], mode
        header = read_header(self.data, self.format, self.name)
        if header is None:
            return self.carefully()
        if header.format == "JPEG":
            return self.jpeg(header)
        self.check_size(header.width, header.height)
        if header.format == "PNG":
            return self.png(header)
        return (self.fast(header, 1) if header.plain else None) or self.carefully()

    def jpeg(self, header: Header) -> _Result:
        scale = self.scale(header)
        divisor = 1 if header.buffered else scale
        self.check_size(-(-header.width // divisor), -(-header.height // divisor))
        result = self.fast(header, scale) if header.plain else None
        return result or self.carefully(header, scale)

    def png(self, header: Header) -> _Result:
        picture, orientation = png_picture(self.data, self.name)
        if header.mode.endswith(";16") and header.mode != "I;16":
            from genus.images.opencv_decode import decode_deep

            deep = decode_deep(picture)
            if deep is not None:
                return self.result(header, upright(deep, orientation), orientation)
        from genus.images.pillow_decode import decode_with_pillow

        found = decode_with_pillow(
            picture, "PNG", self.name, check_size=self.check_size, orientation=orientation
        )
        return found.pixels, found.width, found.height, header.mode

    def fast(self, header: Header, scale: int) -> _Result | None:
        from genus.images.opencv_decode import decode_plain

        pixels = decode_plain(self.data, scale)
        if pixels is None:
            return None
        return self.result(header, upright(pixels, header.orientation), header.orientation)

    def carefully(self, header: Header | None = None, scale: int = 1) -> _Result:
        from genus.images.pillow_decode import decode_with_pillow

        orientation = header.orientation if header else None
        found = decode_with_pillow(
            self.data,
            self.format,
            self.name,
            check_size=lambda width, height: None if header else self.check_size(width, height),
            scale=scale,
            orientation=orientation,
        )
        if header:
            return self.result(header, found.pixels, header.orientation)
        return found.pixels, found.width, found.height, found.mode

    def scale(self, header: Header) -> int:
        """Return the largest of 8, 4, 2 at which the image is still large enough, or 1."""
        if self.at_least is None:
            return 1
        height, width = self.at_least
        if turned(header.orientation):
            height, width = width, height
        for scale in (8, 4, 2):
            if -(-header.height // scale) >= height and -(-header.width // scale) >= width:
                return scale
        return 1

    def result(self, header: Header, pixels: NDArray[np.uint8], orientation: int) -> _Result:
        width, height = header.width, header.height
        if turned(orientation):
            width, height = height, width
        return pixels, width, height, header.mode

    def check_size(self, width: int, height: int) -> None:
        """Refuse a size that is too large."""
        if width * height > self.limits.max_pixels:
            raise ImageError(
                self.name,
                f"{width} x {height} pixels are more than the limit of {self.limits.max_pixels / 1e6:g} million",
            )


def _from_array(name: str, pixels: NDArray[np.uint8], limits: Limits) -> DecodedImage:
    height, width = pixels.shape[:2]
    _Job(name, b"", "array", None, limits).check_size(width, height)
    pixels = np.ascontiguousarray(pixels)
    digest = hashlib.blake2b(f"{height} {width} 3\n".encode(), digest_size=16)
    digest.update(pixels.data)
    return DecodedImage(pixels, ImageInfo(width, height, "array", "RGB", pixels.nbytes, digest.hexdigest()))
