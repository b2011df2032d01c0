"""From samples of any depth to 8-bit RGB: one rule for files, arrays and medical images.

======================  =================================================================================
samples                 what becomes of them
======================  =================================================================================
bool                    black and white
uint8                   taken as they are
integers in 0..65535    8, 10, 12, 14 or 16 bits, whichever is the least that holds the image's largest
                        value; the upper 8 of those bits are kept (a 12-bit scan in a 16-bit file is
                        neither black nor white)
floats in [0, 1]        times 255
floats in [0, 65535]    like integers
anything else           stretched from the image's smallest to its largest value; NaN is the smallest
alpha                   laid over white
======================  =================================================================================
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_DEPTHS = (8, 10, 12, 14, 16)


def to_8_bits(samples: NDArray[Any]) -> NDArray[np.uint8]:
    """Bring samples of any number type to 0..255 by the rule of this module.

    Parameters
    ----------
    samples : ndarray of any shape
        bool, integers or floats.

    Returns
    -------
    ndarray of uint8, same shape

    Examples
    --------
    >>> to_8_bits(np.array([0, 2048, 4095], np.uint16))  # 12 bits in 16
    array([  0, 128, 255], dtype=uint8)
    >>> to_8_bits(np.array([0.0, 0.5, 1.0]))
    array([  0, 128, 255], dtype=uint8)
    """
    if samples.dtype == np.uint8:
        return samples
    if samples.dtype == np.bool_:
        return samples.astype(np.uint8) * np.uint8(255)
    if samples.size == 0:
        return samples.astype(np.uint8)
    if samples.dtype.kind == "f":
        return _floats(samples.astype(np.float64 if samples.dtype.itemsize > 4 else np.float32))
    low, high = int(samples.min()), int(samples.max())
    if low < 0 or high > 65535:
        return _stretch(samples.astype(np.float64))
    return _upper_bits(samples, high)


def over_white(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay colours with alpha over white.

    Parameters
    ----------
    samples : ndarray of uint8, shape (h, w, 4)
        Red, green, blue, alpha (not premultiplied).

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)

    Examples
    --------
    >>> over_white(np.array([[[0, 0, 0, 0], [10, 20, 30, 255]]], np.uint8)).tolist()
    [[[255, 255, 255], [10, 20, 30]]]
    """
    alpha = samples[..., 3:].astype(np.uint16)
    if int(alpha.min(initial=255)) == 255:
        return np.ascontiguousarray(samples[..., :3])
    blended = samples[..., :3] * alpha
    blended += 255 * (255 - alpha) + 127  # at most 255 * 255 + 127: fits 16 bits
    return (blended // 255).astype(np.uint8)


def to_rgb(samples: NDArray[Any]) -> NDArray[np.uint8]:
    """Bring an image of any depth and 1 to 4 channels to 8-bit RGB.

    Parameters
    ----------
    samples : ndarray, shape (h, w) or (h, w, 1 | 2 | 3 | 4)
        Grey; grey; grey and alpha; RGB; RGB and alpha.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
        May be a view that repeats a grey plane, or `samples` itself.
    """
    if samples.ndim == 2:
        samples = samples[..., None]
    channels = samples.shape[2]
    if channels not in (2, 4):
        return np.broadcast_to(to_8_bits(samples), (*samples.shape[:2], 3))
    colours = to_8_bits(samples[..., :-1])
    colours = np.broadcast_to(colours, (*samples.shape[:2], 3))
    return over_white(np.concatenate([colours, _alpha(samples[..., -1:])], axis=2))


def _alpha(alpha: NDArray[Any]) -> NDArray[np.uint8]:
    # an alpha plane uses the whole range of its type: its largest value says nothing
    if alpha.dtype == np.uint16:
        return (alpha >> 8).astype(np.uint8)
    return to_8_bits(alpha)


def _upper_bits(samples: NDArray[Any], high: int) -> NDArray[np.uint8]:
    bits = next(depth for depth in _DEPTHS if high < 1 << depth)
    return (samples >> (bits - 8)).astype(np.uint8)


def _floats(samples: NDArray[Any]) -> NDArray[np.uint8]:
    finite = samples[np.isfinite(samples)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    samples = np.clip(np.nan_to_num(samples, nan=low, posinf=high, neginf=low), low, high)
    if low >= 0 and high <= 1:
        return (samples * 255 + 0.5).astype(np.uint8)
    if low >= 0 and high <= 65535:
        return _upper_bits(np.rint(samples).astype(np.uint16), round(high))
    return _stretch(samples.astype(np.float64))


def _stretch(samples: NDArray[np.float64]) -> NDArray[np.uint8]:
    low, high = float(samples.min()), float(samples.max())
    if not low < high:
        return np.zeros(samples.shape, np.uint8)
    scale = high / 255 - low / 255  # divided first: the difference itself may overflow
    return np.clip((samples / scale - low / scale) + 0.5, 0, 255).astype(np.uint8)
