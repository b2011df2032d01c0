"""From an image of any shape to the pixels a model sees; the same in training and prediction."""

import json
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from genus.errors import ModelFileError, ParameterError
from genus.images.decode import DEFAULT_LIMITS, ImageInfo, Limits, decode
from genus.images.phash import perceptual_hash
from genus.images.source import ImageSource

Fit = Literal["squash", "crop", "pad"]
_FITS = ("squash", "crop", "pad")
_MAX_SIDE = 16384
_NEAR = (0.85, 3.0)  # times the size: between these the quick way of shrinking is as good
_PADDING = (124, 116, 104)  # the mean colour of ImageNet: nothing, to a network that subtracts it


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How an image of any shape becomes pixels of one size.

    Parameters
    ----------
    height, width : int
        Of the result, in pixels, 1 to 16384.
    fit : {"squash", "crop", "pad"}, default "squash"
        "squash" keeps the whole image and changes its proportions; "crop" keeps the proportions and the middle;
        "pad" keeps both and fills the rest with a neutral colour.
    crop_fraction : float, default 0.875
        For "crop": how much of the largest middle piece of the right proportions is kept, in (0, 1].

    Raises
    ------
    ParameterError
        A value cannot work.

    Notes
    -----
    Shrinking averages areas, enlarging is bicubic (see `resize`). An image that has the size already is taken as
    preprocessed and not touched.

    Examples
    --------
    >>> Preprocess(224, 224).apply(np.zeros((300, 500, 3), np.uint8)).shape
    (224, 224, 3)
    """

    height: int
    width: int
    fit: Fit = "squash"
    crop_fraction: float = 0.875

    def __post_init__(self) -> None:
        for side, value in (("height", self.height), ("width", self.width)):
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MAX_SIDE:
                raise ParameterError(
                    f"{side} must be a number of pixels from 1 to {_MAX_SIDE}, not {value!r}."
                )
        if self.fit not in _FITS:
            raise ParameterError(f"fit must be one of {', '.join(_FITS)}, not {self.fit!r}.")
        fraction = self.crop_fraction
        if not isinstance(fraction, (int, float)) or isinstance(fraction, bool) or not 0 < fraction <= 1:
            raise ParameterError(f"crop_fraction must be above 0 and at most 1, not {fraction!r}.")

    @property
    def at_least(self) -> tuple[int, int]:
        """(height, width) that an image must have so that nothing is lost: what `decode` is asked for."""
        kept = self.crop_fraction if self.fit == "crop" else 1.0
        return ceil(self.height / kept), ceil(self.width / kept)

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Bring an image to the size.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (h, w, 3)
            RGB, upright.

        Returns
        -------
        ndarray of uint8, shape (height, width, 3)
            Contiguous; `pixels` itself where nothing is to do.
        """
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or pixels.size == 0:
            raise ParameterError(
                f"pixels must be uint8 of shape (h, w, 3), not {pixels.dtype} {pixels.shape}."
            )
        if pixels.shape[:2] == (self.height, self.width):
            return np.ascontiguousarray(pixels)
        if self.fit == "pad":
            return self._pad(pixels)
        if self.fit == "crop":
            pixels = self._middle(pixels)
        return resize(pixels, self.height, self.width)

    def region(self, height: int, width: int) -> tuple[float, float, float, float]:
        """Return which part of an image the result shows: top, left, bottom, right in the image's pixels.

        Examples
        --------
        >>> Preprocess(100, 100, "crop", 1.0).region(200, 400)
        (0.0, 100.0, 200.0, 300.0)
        >>> Preprocess(100, 100, "pad").region(200, 400)
        (-100.0, 0.0, 300.0, 400.0)
        """
        if (height, width) == (self.height, self.width) or self.fit == "squash":
            return 0.0, 0.0, float(height), float(width)
        scales = height / self.height, width / self.width
        scale = max(scales) if self.fit == "pad" else self.crop_fraction * min(scales)
        shown_height, shown_width = self.height * scale, self.width * scale
        top, left = (height - shown_height) / 2, (width - shown_width) / 2
        return top, left, top + shown_height, left + shown_width

    def to_json(self) -> str:
        """Return it as a JSON object; equal settings give equal text."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Preprocess":
        """Read what `to_json` wrote.

        Raises
        ------
        ModelFileError
            It is not JSON, has unknown or missing keys, or a value cannot work.

        Examples
        --------
        >>> Preprocess.from_json(Preprocess(64, 96, "pad").to_json())
        Preprocess(height=64, width=96, fit='pad', crop_fraction=0.875)
        """
        try:
            values: Any = json.loads(text)
        except ValueError as error:
            raise ModelFileError(f"the preprocessing is not JSON: {error}") from error
        expected = set(cls.__dataclass_fields__)
        if not isinstance(values, dict) or set(values) != expected:
            found = ", ".join(sorted(values)) if isinstance(values, dict) else type(values).__name__
            raise ModelFileError(
                f"the preprocessing must have the keys {', '.join(sorted(expected))}; found {found}. "
                "A newer version of Genus may have written it."
            )
        try:
            return cls(**values)
        except ParameterError as error:
            raise ModelFileError(f"the preprocessing cannot work: {error}") from error

    def _middle(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        # cut before resizing: the short side of a 1 x 5000 strip, resized first, would make it 224 x 1,120,000
        height, width = pixels.shape[:2]
        scale = self.crop_fraction * min(height / self.height, width / self.width)
        # as much off either end: the middle to the pixel, whichever way the image is turned
        top = min(round((height - self.height * scale) / 2), (height - 1) // 2)
        left = min(round((width - self.width * scale) / 2), (width - 1) // 2)
        return pixels[top : height - top, left : width - left]

    def _pad(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = pixels.shape[:2]
        scale = min(self.height / height, self.width / width)
        inner_height = min(self.height, max(1, round(height * scale)))
        inner_width = min(self.width, max(1, round(width * scale)))
        top, left = (self.height - inner_height) // 2, (self.width - inner_width) // 2
        padded = np.empty((self.height, self.width, 3), np.uint8)
        padded[:] = _PADDING
        padded[top : top + inner_height, left : left + inner_width] = resize(
            pixels, inner_height, inner_width
        )
        return padded


def resize(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize an image: pixels are averaged along a side that shrinks, one that grows is bicubic.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (h, w, 3)
    height, width : int
        Of the result, at least 1.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3), contiguous

    Notes
    -----
    Where the image is less than three times too large, it is first brought to exactly twice the size (linear),
    then halved: OpenCV averages by whole factors five times as fast as by others, and the result is within one
    grey level of averaging areas.
    """
    import cv2

    factors = pixels.shape[0] / height, pixels.shape[1] / width
    if max(factors) > 1 and min(factors) >= _NEAR[0] and max(factors) <= _NEAR[1]:
        twice = cv2.resize(pixels, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
        return cast("NDArray[np.uint8]", cv2.resize(twice, (width, height), interpolation=cv2.INTER_AREA))
    smaller = min(height, pixels.shape[0]), min(width, pixels.shape[1])
    resized: Any = pixels
    if smaller != pixels.shape[:2]:
        # on its own: with one growing side OpenCV drops to linear for both
        resized = cv2.resize(resized, smaller[::-1], interpolation=cv2.INTER_AREA)
    if smaller != (height, width):
        resized = cv2.resize(resized, (width, height), interpolation=cv2.INTER_CUBIC)
    return cast("NDArray[np.uint8]", np.ascontiguousarray(resized))


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """An image ready for a model, with what one decoding tells of it.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
        Preprocessed RGB.
    info : ImageInfo
        About the original.
    phash : uint64
        Perceptual hash of the whole image, before any crop.
    """

    pixels: NDArray[np.uint8]
    info: ImageInfo
    phash: np.uint64


def load_image(source: ImageSource, preprocess: Preprocess, limits: Limits = DEFAULT_LIMITS) -> LoadedImage:
    """Decode an image at the scale the preprocessing needs, hash it and preprocess it.

    Parameters
    ----------
    source : ImageSource
        See `genus.images.source.as_source`.
    preprocess : Preprocess
        What the model wants to see.
    limits : Limits
        What is too much.

    Returns
    -------
    LoadedImage

    Raises
    ------
    ImageError
        It cannot be read; the error has its name and the reason.

    Examples
    --------
    >>> from genus.images.source import as_source
    >>> image = load_image(as_source(np.zeros((40, 60), np.uint8)), Preprocess(32, 32))
    >>> image.pixels.shape, image.info.width, int(image.phash)
    ((32, 32, 3), 60, 0)
    """
    decoded = decode(source, preprocess.at_least, limits)
    phash = perceptual_hash(decoded.pixels)
    return LoadedImage(preprocess.apply(decoded.pixels), decoded.info, phash)


def load_pixels(
    source: ImageSource, preprocess: Preprocess, limits: Limits = DEFAULT_LIMITS
) -> tuple[NDArray[np.uint8], ImageInfo]:
    """Decode an image and preprocess it, as `load_image` does; of small images the hash would be most of the work.

    Returns
    -------
    pixels : (height, width, 3) uint8
        Preprocessed RGB.
    info : ImageInfo
        About the original.

    Raises
    ------
    ImageError
        It cannot be read; the error has its name and the reason.

    Examples
    --------
    >>> from genus.images.source import as_source
    >>> pixels, info = load_pixels(as_source(np.zeros((40, 60), np.uint8)), Preprocess(32, 32))
    >>> pixels.shape, info.width
    ((32, 32, 3), 60)
    """
    decoded = decode(source, preprocess.at_least, limits)
    return preprocess.apply(decoded.pixels), decoded.info
