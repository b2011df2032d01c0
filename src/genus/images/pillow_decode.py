"""The careful way: Pillow decodes everything that OpenCV gets wrong or cannot read.

What is decided here: the first frame of an animation counts; CMYK is converted without a colour profile; alpha and
transparent palette entries are laid over white; deep samples follow `genus.images.samples`. Pillow's own limit on
pixels is replaced by `Limits`: plugins are opened directly, which also keeps out those that run other programs.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genus.errors import ImageError
from genus.images.header import exif_orientation, tiff_channels, truncated, without_orientation
from genus.images.orientation import upright
from genus.images.samples import over_white, to_rgb

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

_PLUGINS = {
    "JPEG": "PIL.JpegImagePlugin:JpegImageFile",
    "PNG": "PIL.PngImagePlugin:PngImageFile",
    "GIF": "PIL.GifImagePlugin:GifImageFile",
    "BMP": "PIL.BmpImagePlugin:BmpImageFile",
    "TIFF": "PIL.TiffImagePlugin:TiffImageFile",
    "WEBP": "PIL.WebPImagePlugin:WebPImageFile",
    "PPM": "PIL.PpmImagePlugin:PpmImageFile",
    "JPEG2000": "PIL.Jpeg2KImagePlugin:Jpeg2KImageFile",
    "ICO": "PIL.IcoImagePlugin:IcoImageFile",
    "PSD": "PIL.PsdImagePlugin:PsdImageFile",
    "QOI": "PIL.QoiImagePlugin:QoiImageFile",
    "AVIF": "PIL.AvifImagePlugin:AvifImageFile",
    "HEIF": "pillow_heif.as_plugin:HeifImageFile",
}
_TIFF_CHANNELS = 6  # of more, Pillow writes a line to the log
_PILLOW_LIMIT = 89_478_485  # above it some plugins warn by themselves
_BITS_PER_SAMPLE, _PLANAR = 258, 284  # TIFF tags

# about odd metadata, which does not concern the pixels; set once, since changing filters a call is not thread-safe
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")


@dataclass(frozen=True, slots=True)
class PillowPicture:
    """What came out: RGB pixels, upright; width and height before scaling; the mode as stored."""

    pixels: NDArray[np.uint8]
    width: int
    height: int
    mode: str


def decode_with_pillow(
    data: bytes,
    format: str,
    name: str,
    *,
    check_size: Callable[[int, int], None],
    scale: int = 1,
    orientation: int | None = None,
) -> PillowPicture:
    """Decode an image of a known format with Pillow's plugin for it.

    Parameters
    ----------
    data : bytes
        The encoded image.
    format : str
        One of `genus.images.sniff.FORMATS`.
    name : str
        The image's name, for errors.
    check_size : callable
        Called with width and height before pixels are allocated; raises where they are too many.
    scale : {1, 2, 4, 8}, default 1
        For JPEG: decode at a fraction of the size.
    orientation : int, optional
        EXIF orientation where the caller knows it; otherwise it is looked up.

    Raises
    ------
    ImageError
        The image is damaged, of an unsupported kind, or needs an extra.
    """
    if format == "TIFF" and (channels := tiff_channels(data)) > _TIFF_CHANNELS:
        raise ImageError(name, f"a TIFF with {channels} channels; Genus reads grey, RGB and CMYK")
    try:
        image = _plugin(format, name)(BytesIO(data))
        width, height = image.size
        mode = image.mode
        check_size(width, height)
        if format == "TIFF" and (deep := _deep_tiff(image, data, name)) is not None:
            return deep
        if width * height > _PILLOW_LIMIT and format in ("TIFF", "GIF", "ICO"):
            raise ImageError(name, f"{width} x {height} pixels are too many for a {format} of this kind")
        if scale > 1:
            image.draft(None, (max(1, width // scale), max(1, height // scale)))
        image.load()
        if orientation is None:
            orientation = _orientation(image)
        pixels = upright(_rgb(image), orientation)
    except ImageError:
        raise
    except Exception as error:  # plugins raise anything at all on damaged files
        raise _explain(error, format, name) from error
    if scale == 1:
        height, width = pixels.shape[:2]
    return PillowPicture(pixels, width, height, mode)


def image_pixels(image: "Image", name: str) -> NDArray[np.uint8]:
    """Return the pixels of a PIL image, RGB and upright.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode; it is not changed.
    name : str
        For errors.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)

    Raises
    ------
    ImageError
        It is empty, damaged or of a mode that has no RGB.
    """
    if 0 in image.size:
        raise ImageError(name, "it has no pixels")
    try:
        image.load()
        return upright(_rgb(image), _orientation(image))
    except Exception as error:  # plugins raise anything at all on damaged files
        raise _explain(error, image.format or "image", name) from error


def _plugin(format: str, name: str) -> "Callable[[BytesIO], ImageFile]":
    module, _, attribute = _PLUGINS[format].partition(":")
    try:
        plugin = getattr(import_module(module), attribute)
    except ImportError as error:
        raise ImageError(name, 'a HEIC photo; reading it needs: pip install "genus[heif]"') from error
    if format == "AVIF" and not _has_avif():
        raise ImageError(name, "an AVIF image, which this build of Pillow cannot read")
    return plugin  # type: ignore[no-any-return]


def _has_avif() -> bool:
    from PIL import features

    return bool(features.check("avif"))


def _rgb(image: "Image") -> NDArray[np.uint8]:
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return to_rgb(np.asarray(image))
    if image.has_transparency_data:
        if image.mode == "La":
            image = image.convert("LA")
        return over_white(np.asarray(image.convert("RGBA")))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _orientation(image: "Image") -> int:
    # TIFF and HEIF are turned by their plugins
    if image.format in ("TIFF", "HEIF"):
        return 1
    exif = image.info.get("exif")
    return exif_orientation(exif) if isinstance(exif, bytes) else 1


def _deep_tiff(image: "ImageFile", data: bytes, name: str) -> PillowPicture | None:
    """Decode with OpenCV a TIFF of 16-bit colours (Pillow keeps 8) or of more pixels than Pillow likes."""
    tags: Any = getattr(image, "tag_v2", {})
    width, height = image.size
    bits = tags.get(_BITS_PER_SAMPLE, (1,))
    deep = image.mode in ("RGB", "RGBA", "RGBX") and max(bits) == 16
    big = width * height > _PILLOW_LIMIT and image.mode in ("RGB", "L", "I;16")
    if not (deep or big):
        return None
    if deep and tags.get(_PLANAR) == 2:  # Pillow and OpenCV both mix them up without a word
        raise ImageError(
            name, "a TIFF with 16-bit colours in separate planes; save it with interleaved colours"
        )
    from genus.images.opencv_decode import decode_deep

    pixels = decode_deep(without_orientation(data))
    if pixels is None:
        return None
    pixels = upright(pixels, exif_orientation(data))
    mode = f"{image.mode};16" if deep else image.mode
    return PillowPicture(pixels, pixels.shape[1], pixels.shape[0], mode)


def _explain(error: Exception, format: str, name: str) -> ImageError:
    text = str(error).strip().split("\n")[0]
    if isinstance(error, MemoryError):
        return ImageError(name, "not enough memory to decode it")
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return truncated(name, format)
    if "unknown pixel mode" in text or "conversion from" in text:
        return ImageError(name, f"a {format} with a number or kind of channels that Genus cannot read")
    return ImageError(name, f"damaged {format}: {text or type(error).__name__}")
