"""Small copies of images for pages and reports."""

from base64 import b64encode

from genus.errors import ImageError, ParameterError
from genus.images.decode import DEFAULT_LIMITS, Limits, decode
from genus.images.preprocess import resize
from genus.images.source import ImageSource


def thumbnail(
    source: ImageSource, size: int = 160, *, quality: int = 80, limits: Limits = DEFAULT_LIMITS
) -> bytes:
    """Return a small copy as JPEG.

    Parameters
    ----------
    source : ImageSource
        See `genus.images.source.as_source`.
    size : int, default 160
        Its longer side in pixels; smaller images keep theirs.
    quality : int, default 80
        JPEG quality, 1 to 100.
    limits : Limits
        What is too much.

    Returns
    -------
    bytes

    Raises
    ------
    ImageError
        The image cannot be read.
    ParameterError
        `size` or `quality` cannot work.

    Examples
    --------
    >>> import numpy as np
    >>> from genus.images.source import as_source
    >>> thumbnail(as_source(np.zeros((400, 300), np.uint8)), 64)[:3] == bytes([0xFF, 0xD8, 0xFF])
    True
    """
    if not 1 <= size <= 4096 or not 1 <= quality <= 100:
        raise ParameterError(f"size must be 1 to 4096 and quality 1 to 100, not {size} and {quality}.")
    import cv2

    pixels = decode(source, (size, size), limits).pixels
    height, width = pixels.shape[:2]
    scale = min(1.0, size / max(height, width))
    small = resize(pixels, max(1, round(height * scale)), max(1, round(width * scale)))
    done, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not done:
        raise ImageError(source.name, "its thumbnail could not be written as JPEG")
    return encoded.tobytes()


def data_uri(jpeg: bytes) -> str:
    """Return a JPEG as text that stands in the `src` of an HTML image.

    Examples
    --------
    >>> data_uri(b"...")
    'data:image/jpeg;base64,Li4u'
    """
    return "data:image/jpeg;base64," + b64encode(jpeg).decode("ascii")
