"""From what is to be done to the numbers of each image: where its pixels come from, and what becomes of colours.

Everything here is arithmetic on a few numbers an image, in NumPy: the same on every device.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.cnn.augmentation import Augmentation
from genus.cnn.chance import Chance, Floats, Stream
from genus.cnn.operations import Operations, draw_operations
from genus.images.preprocess import Fit

_SIGMA, _SIGMA_SIDE = (0.1, 2.0), 224  # of the blur: pixels, in a picture of so many
_LUMA = np.array([0.299, 0.587, 0.114])
_TO_YIQ = np.array([_LUMA, [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


@dataclass(frozen=True, slots=True)
class Frame:
    """The sizes of stored and of resulting pictures.

    Attributes
    ----------
    height, width : int
        Of the stored picture.
    side : int
        Of the square result.
    fit : {"squash", "crop", "pad"}
        What is seen where nothing is cropped: with "crop" the middle at its own scale, else the whole picture.
    """

    height: int
    width: int
    side: int
    fit: Fit = "squash"

    @property
    def scales(self) -> tuple[float, float]:
        """Stored pixels to a resulting one, across and down."""
        across, down = self.width / self.side, self.height / self.side
        return (min(1.0, across, down),) * 2 if self.fit == "crop" else (across, down)

    @property
    def is_whole(self) -> bool:
        """Whether a resulting pixel is a stored one."""
        return self.scales == (1.0, 1.0)

    @property
    def center(self) -> tuple[float, float]:
        """The middle of what is seen, in stored pixels from the left and from the top."""
        if not self.is_whole:
            return self.width / 2, self.height / 2
        half = self.side / 2  # in whole pixels from the edge, so that nothing is interpolated
        return (self.width - self.side) // 2 + half, (self.height - self.side) // 2 + half


@dataclass(frozen=True, slots=True, eq=False)
class Tones:
    """What becomes of values, one by one; arrays of n, as in `Operations`."""

    autocontrast: NDArray[np.bool_]
    equalize: NDArray[np.bool_]
    solarize: NDArray[np.int64]
    posterize: NDArray[np.int64]

    @property
    def any(self) -> NDArray[np.bool_]:
        """Which images are changed."""
        return self.autocontrast | self.equalize | (self.solarize < 256) | (self.posterize < 8)


@dataclass(frozen=True, slots=True, eq=False)
class Colors:
    """A matrix for the colours of each image: `matrix @ rgb + lift * (the image's mean luminance)`.

    Attributes
    ----------
    matrix : (n, 3, 3) float
    lift : (n,) float
    """

    matrix: Floats
    lift: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is done to n images, in this order; None where nothing is.

    Attributes
    ----------
    matrix : (n, 2, 3) float
        From a place (x, y, 1) in the result to one in the stored picture; whole numbers are the middles of pixels.
    is_whole : bool
        Whether all places are middles of pixels.
    sigma : (n,) float or None
        Of the Gaussian blur, in pixels; 0: none.
    sharpness : (n,) float or None
        1: as it is; 0: smoothed.
    tones : Tones or None
    colors : Colors or None
    boxes : (n, 4) int or None
        Top, left, bottom, right of what is hidden; empty where nothing is.
    """

    matrix: Floats
    is_whole: bool
    sigma: Floats | None = None
    sharpness: Floats | None = None
    tones: Tones | None = None
    colors: Colors | None = None
    boxes: NDArray[np.int64] | None = None

    @property
    def recolors(self) -> bool:
        """Whether anything is done but moving and hiding."""
        stages = self.sigma, self.sharpness, self.tones, self.colors
        return any(stage is not None for stage in stages)


def make_plan(augmentation: Augmentation, frame: Frame, seed: int, epoch: int, indices: ArrayLike) -> Plan:
    """Look up the random numbers of some images in one epoch, and say what they mean."""
    chance = Chance.of(seed, epoch, indices)
    drawn = None
    if augmentation.operations:
        drawn = draw_operations(chance, augmentation.operations, augmentation.magnitude, Stream.OPERATIONS)
    flips = _flips(augmentation, chance, Chance.of(seed, 0, indices), epoch)
    sigma = None
    if augmentation.blur:
        low, high = (limit * frame.side / _SIGMA_SIDE for limit in _SIGMA)
        blurred = chance.happens(Stream.BLUR, augmentation.blur)
        sigma = blurred * chance.uniform(Stream.BLUR_SIGMA, low, high)
    return Plan(
        matrix=_geometry(augmentation, frame, chance, drawn, flips),
        is_whole=frame.is_whole and not augmentation.moves,
        sigma=sigma,
        sharpness=drawn.sharpness if drawn else None,
        tones=Tones(drawn.autocontrast, drawn.equalize, drawn.solarize, drawn.posterize) if drawn else None,
        colors=_colors(augmentation, chance, drawn),
        boxes=_hidden(augmentation, frame.side, chance),
    )


def still_plan(frame: Frame, n: int) -> Plan:
    """Return the plan that shows what evaluation sees."""
    turn = np.broadcast_to(np.eye(2), (n, 2, 2))
    return Plan(_composed(frame, *_view(frame, n), turn, np.zeros((n, 2))), frame.is_whole)


def _geometry(
    augmentation: Augmentation, frame: Frame, chance: Chance, drawn: Operations | None, flips: Floats
) -> Floats:
    scales, centers = _view(frame, len(chance))
    if augmentation.crop:
        scales, centers = _crops(augmentation, frame, chance)
    most = round(augmentation.shift * frame.side)
    moved = np.zeros((len(chance), 2))
    if most:
        steps = [chance.uniform(s, -most, most + 1) for s in (Stream.SHIFT_X, Stream.SHIFT_Y)]
        moved = np.floor(np.stack(steps, 1))
    if drawn:
        moved += frame.side * np.stack([drawn.move_x, drawn.move_y], 1)
    if augmentation.moves:
        flips = _affine(augmentation, chance, drawn) @ flips
    return _composed(frame, scales, centers, flips, moved)


def _composed(frame: Frame, scales: Floats, centers: Floats, turn: Floats, moved: Floats) -> Floats:
    """Return center + scale * (move + turn @ place), where a place is seen from the middle of the result."""
    linear = scales[:, :, None] * turn
    from_middle = 0.5 - frame.side / 2
    start = centers + scales * moved + linear.sum(2) * from_middle - 0.5
    return np.concatenate([linear, start[:, :, None]], 2)


def _view(frame: Frame, n: int) -> tuple[Floats, Floats]:
    return np.broadcast_to(frame.scales, (n, 2)), np.broadcast_to(frame.center, (n, 2))


def _crops(augmentation: Augmentation, frame: Frame, chance: Chance) -> tuple[Floats, Floats]:
    """Return scales and centres (n, 2) of rectangles of random area, aspect and place."""
    low, high = augmentation.crop or (1.0, 1.0)
    area = chance.uniform(Stream.CROP_AREA, low, high)
    aspect = np.exp(chance.uniform(Stream.CROP_ASPECT, *np.log(augmentation.aspect)))
    parts = np.minimum(1.0, np.stack([np.sqrt(area * aspect), np.sqrt(area / aspect)], 1))
    places = np.stack([chance.uniform(Stream.CROP_X), chance.uniform(Stream.CROP_Y)], 1)
    size = np.array([frame.width, frame.height], np.float64)
    return size * parts / frame.side, size * (parts / 2 + places * (1 - parts))


def _flips(augmentation: Augmentation, chance: Chance, first: Chance, epoch: int) -> Floats:
    """Return mirrorings and quarter turns (n, 2, 2)."""
    mirrored = np.zeros(len(chance), np.bool_)
    if augmentation.mirror == "random":
        mirrored = chance.happens(Stream.MIRROR, 0.5)
    elif augmentation.mirror == "alternate":
        mirrored = first.happens(Stream.MIRROR, 0.5) ^ bool(epoch % 2)
    upside_down = chance.happens(Stream.UPSIDE_DOWN, 0.5 * augmentation.upside_down)
    turns = np.floor(chance.uniform(Stream.QUARTER_TURNS, 0, 4 if augmentation.quarter_turns else 1))
    across, down = 1.0 - 2.0 * mirrored, 1.0 - 2.0 * upside_down
    cos, sin = np.rint(np.cos(turns * np.pi / 2)), np.rint(np.sin(turns * np.pi / 2))
    return np.stack([np.stack([cos * across, -sin * down], 1), np.stack([sin * across, cos * down], 1)], 1)


def _affine(augmentation: Augmentation, chance: Chance, drawn: Operations | None) -> Floats:
    """Return rotations, shears and zooms (n, 2, 2), from places in the result to places in the picture."""
    degrees = chance.uniform(Stream.ROTATE, -augmentation.rotate, augmentation.rotate)
    most = augmentation.shear
    shear_x = np.tan(np.radians(chance.uniform(Stream.SHEAR_X, -most, most)))
    shear_y = np.tan(np.radians(chance.uniform(Stream.SHEAR_Y, -most, most)))
    if drawn:
        degrees, shear_x, shear_y = degrees + drawn.rotate, shear_x + drawn.shear_x, shear_y + drawn.shear_y
    most = np.log1p(augmentation.zoom)
    scale = np.exp(-chance.uniform(Stream.ZOOM, -most, most))
    cos, sin = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    turn: Floats = np.stack([np.stack([cos, -sin], 1), np.stack([sin, cos], 1)], 1)
    ones = np.ones_like(shear_x)
    # one shear after the other, not both at once: the area stays, whatever the angles
    both = np.stack([np.stack([ones + shear_x * shear_y, shear_x], 1), np.stack([shear_y, ones], 1)], 1)
    affine: Floats = turn @ both
    return affine


def _colors(augmentation: Augmentation, chance: Chance, drawn: Operations | None) -> Colors | None:
    a = augmentation
    if not (a.brightness or a.contrast or a.saturation or a.hue or a.grey or drawn):
        return None
    brightness = chance.uniform(Stream.BRIGHTNESS, 1 - a.brightness, 1 + a.brightness)
    contrast = chance.uniform(Stream.CONTRAST, 1 - a.contrast, 1 + a.contrast)
    saturation = chance.uniform(Stream.SATURATION, 1 - a.saturation, 1 + a.saturation)
    if drawn:
        brightness, contrast = brightness * drawn.brightness, contrast * drawn.contrast
        saturation = saturation * drawn.saturation
    saturation = saturation * ~chance.happens(Stream.GREY, a.grey)
    angle = 2 * np.pi * chance.uniform(Stream.HUE, -a.hue, a.hue)
    chroma = np.zeros((len(chance), 3, 3))
    chroma[:, 0, 0] = 1
    chroma[:, 1, 1] = chroma[:, 2, 2] = saturation * np.cos(angle)
    chroma[:, 2, 1] = saturation * np.sin(angle)
    chroma[:, 1, 2] = -chroma[:, 2, 1]
    # greys stay what they are under chroma, so that contrast's share of the mean may be added after it
    matrix = (contrast * brightness)[:, None, None] * (_FROM_YIQ @ chroma @ _TO_YIQ)
    return Colors(matrix, (1 - contrast) * brightness)


def _hidden(augmentation: Augmentation, side: int, chance: Chance) -> NDArray[np.int64] | None:
    if not augmentation.erase:
        return None
    area = chance.uniform(Stream.ERASE_AREA, *augmentation.erase_area)
    aspect = np.exp(chance.uniform(Stream.ERASE_ASPECT, *np.log(augmentation.erase_aspect)))
    boxes = boxes_of(area, aspect, chance.uniform(Stream.ERASE_X), chance.uniform(Stream.ERASE_Y), side)
    return np.where(chance.happens(Stream.ERASE, augmentation.erase)[:, None], boxes, 0)


def boxes_of(area: Floats, aspect: Floats, x: Floats, y: Floats, side: int) -> NDArray[np.int64]:
    """Return rectangles, clipped to the picture.

    Parameters
    ----------
    area : (n,) float
        Shares of the picture.
    aspect : (n,) float
        Width over height.
    x, y : (n,) float
        The middles, in shares of the side.
    side : int

    Returns
    -------
    (n, 4) int64
        Top, left, bottom, right.
    """
    height, width = np.rint(side * np.sqrt(area / aspect)), np.rint(side * np.sqrt(area * aspect))
    top, left = np.rint(y * side - height / 2), np.rint(x * side - width / 2)
    edges = np.stack([top, left, top + height, left + width], 1)
    boxes: NDArray[np.int64] = np.clip(edges, 0, side).astype(np.int64)
    return boxes
