"""Pictures for the tests, and their encodings."""

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

PHOTOS = [np.ascontiguousarray(photo) for photo in load_sample_images().images]  # two, 427 x 640, RGB


def corners(height: int = 40, width: int = 60) -> np.ndarray:
    """Red, green, blue and yellow quarters: every turn and flip of it differs."""
    pixels = np.zeros((height, width, 3), np.uint8)
    top, left = slice(None, height // 2), slice(None, width // 2)
    bottom, right = slice(height // 2, None), slice(width // 2, None)
    pixels[top, left] = 220, 30, 30
    pixels[top, right] = 30, 200, 30
    pixels[bottom, left] = 30, 30, 210
    pixels[bottom, right] = 220, 220, 40
    return pixels


def encode(image: Any, format: str, **options: Any) -> bytes:
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def exif(orientation: int) -> bytes:
    block = Image.Exif()
    block[0x0112] = orientation
    return block.tobytes()


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Mean absolute difference, in grey levels."""
    assert a.shape == b.shape
    return float(np.abs(a.astype(np.float64) - b).mean())
