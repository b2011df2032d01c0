"""Medical images: the first frame of a DICOM file, as a doctor's viewer would show it."""

import warnings
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.errors import ImageError
from genus.images.samples import to_8_bits, to_rgb


def decode_dicom(
    data: bytes, name: str, *, check_size: Callable[[int, int], None]
) -> tuple[NDArray[np.uint8], str]:
    """Decode the first frame of a DICOM file.

    Grey values pass through the modality rescaling and the first window of the file; without a window they are
    stretched from the smallest to the largest value. MONOCHROME1 is inverted, so that high means bright.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        The image's name, for errors.
    check_size : callable
        Called with width and height before pixels are allocated; raises where they are too many.

    Returns
    -------
    pixels : ndarray of uint8, shape (h, w, 3)
    mode : str
        The photometric interpretation, for example "MONOCHROME2".

    Raises
    ------
    ImageError
        It holds no image, is damaged, is compressed in a way that needs more packages, or pydicom is missing.
    """
    try:
        import pydicom
        from pydicom.pixels.utils import pixel_array
    except ImportError as error:
        raise ImageError(name, 'a DICOM image; reading it needs: pip install "genus[dicom]"') from error
    try:
        dataset = pydicom.dcmread(BytesIO(data))
        if "PixelData" not in dataset:
            raise ImageError(name, "a DICOM file without an image in it")
        check_size(int(dataset.Columns), int(dataset.Rows))
        frame = pixel_array(dataset, index=0)
        mode = str(dataset.PhotometricInterpretation)
        return _to_rgb(dataset, frame, mode), mode
    except ImageError:
        raise
    except Exception as error:  # pydicom raises anything at all on damaged files
        raise ImageError(
            name, f"damaged or unsupported DICOM: {str(error).strip()[:200] or type(error).__name__}"
        ) from error


def _to_rgb(dataset: Any, frame: NDArray[Any], mode: str) -> NDArray[np.uint8]:
    from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_windowing

    if mode == "PALETTE COLOR":
        return to_rgb(apply_color_lut(frame, dataset))
    if frame.ndim == 3:
        return to_rgb(frame)
    values = np.asarray(apply_windowing(apply_modality_lut(frame, dataset), dataset), np.float64)
    spread = float(values.max() - values.min()) or 1.0
    grey = to_8_bits((values - values.min()) / spread)
    return to_rgb(255 - grey if mode == "MONOCHROME1" else grey)


warnings.filterwarnings("ignore", category=UserWarning, module=r"pydicom\.")
