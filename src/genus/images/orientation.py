"""Turning pixels upright by EXIF orientation."""

from typing import cast

import numpy as np
from numpy.typing import NDArray


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo what the camera noted as orientation.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (h, w, 3)
        As stored in the file.
    orientation : int
        EXIF orientation (tag 0x0112), 1 to 8; 1 means upright already.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3), or (w, h, 3) where `turned(orientation)`

    Examples
    --------
    >>> upright(np.zeros((2, 5, 3), np.uint8), 6).shape
    (5, 2, 3)
    """
    if orientation == 1:
        return pixels
    import cv2

    if turned(orientation):
        pixels = cast("NDArray[np.uint8]", cv2.transpose(pixels))
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)  # 1 left-right, 0 top-bottom, -1 both
    return pixels if flip is None else cast("NDArray[np.uint8]", cv2.flip(pixels, flip))


def turned(orientation: int) -> bool:
    """Whether width and height change places."""
    return orientation >= 5
