"""The fast way: OpenCV decodes what it decodes right (see `genus.images.header.Header.plain`)."""

from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from genus.images.samples import to_8_bits, to_rgb

# what is wrong with a file is said once, by ImageError, and not on stderr by OpenCV
_set_log_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel  # OpenCV 4, OpenCV 5
_set_log_level(0)

_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


def decode_plain(data: bytes, scale: int) -> NDArray[np.uint8] | None:
    """Decode to RGB at 1/`scale` of the size; None where OpenCV cannot.

    Parameters
    ----------
    data : bytes
        An encoded image.
    scale : {1, 2, 4, 8}
        More than 1 for JPEG only, which is decoded at that scale and not shrunk afterwards.

    Returns
    -------
    ndarray of uint8, shape (ceil(h / scale), ceil(w / scale), 3), as stored (not turned upright), or None
    """
    try:
        # BGR, converted afterwards: IMREAD_COLOR_RGB came with OpenCV 4.11 and excludes the reduced scales
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS[scale] | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    if bgr is None:
        return None
    return cast("NDArray[np.uint8]", cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=bgr))


def decode_deep(data: bytes) -> NDArray[np.uint8] | None:
    """Decode 16-bit colours, of which Pillow keeps the upper byte only; None where OpenCV cannot.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3), as stored (not turned upright), or None
    """
    try:
        stored: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if stored is None:
        return None
    if stored.ndim == 3 and stored.shape[2] in (3, 4):
        stored = stored[..., [2, 1, 0, 3][: stored.shape[2]]]
    return to_rgb(stored) if stored.ndim == 2 or stored.shape[2] > 1 else to_8_bits(stored)
