"""The features of every course on the subject, as plain ONNX operators.

========================  =====================================================================
`COLOR_HISTOGRAM`         which colours there are: Swain and Ballard, "Color Indexing" (1991)
`HOG`                     which edges run where: Dalal and Triggs (2005)
`LBP`                     which textures are where: Ojala, Pietikainen and Maenpaa (2002)
`THUMBNAIL`               the pixels themselves: Torralba, Fergus and Freeman (2008)
========================  =====================================================================

Each is a backbone (`genus.features.backbone.Backbone`) without learned weights: it runs in every engine and
is carried inside the model file like a network. They are baselines and teaching material; a pre-trained
network is better at photographs. Votes are interpolated rather than counted where their sources allow it,
so that rounding, which differs between engines, cannot move a pixel from one bin to another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from genus.errors import ParameterError
from genus.features.backbone import BackboneTensors
from genus.graph import GraphBuilder

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in every classical paper


@dataclass(frozen=True, slots=True)
class ColorHistogram:
    """A joint histogram of the colours of the whole picture, in opponent axes.

    Parameters
    ----------
    red_green, blue_yellow, white_black : int
        Number of bins along the axes r - g, 2b - r - g and r + g + b.
    native_size : int
        The picture size in pixels where none is named.

    Notes
    -----
    Swain and Ballard, "Color Indexing" (International Journal of Computer Vision 7, 1991), with their axes
    and their 16 x 16 x 8 bins. A pixel votes for the two nearest bins of each axis in proportion to its
    nearness. The features sum to 1; they do not change when the picture is flipped or its pixels are
    shuffled. Cost: about 4000 multiplications a pixel.
    """

    red_green: int = 16
    blue_yellow: int = 16
    white_black: int = 8
    native_size: int = 64
    tolerates_bf16: ClassVar[bool] = False  # values near an edge would change sides

    @property
    def identity(self) -> str:
        """The bins and the version of the graph."""
        return f"color-histogram/{self.red_green}x{self.blue_yellow}x{self.white_black}/1"

    def build(self, b: GraphBuilder, images: str, size: int) -> BackboneTensors:
        """Add the histogram to a graph (see `Backbone.build`); `size` is any side of at least 1."""
        _check_size("color-histogram", size, least=1)
        pixels = b.op("Reshape", images, b.constant(np.array([0, -1, 3], np.int64)))  # (N, pixels, 3)
        rg = self._memberships(b, pixels, (1, -1, 0), (-255, 255), self.red_green)
        by = self._memberships(b, pixels, (-1, -1, 2), (-510, 510), self.blue_yellow)
        wb = self._memberships(b, pixels, (1, 1, 1), (0, 765), self.white_black)
        by = b.op("Mul", by, b.constant(np.float32(1 / size**2)))
        rg = b.op("Transpose", rg, perm=[0, 2, 1])
        slices = []
        # one brightness at a time: all at once would hold pixels x 128 numbers for each picture
        for level in range(self.white_black):
            weight = b.op("Gather", wb, b.constant(np.array([level], np.int64)), axis=2)  # (N, pixels, 1)
            joint = b.op("MatMul", rg, b.op("Mul", by, weight))  # (N, red_green, blue_yellow)
            slices.append(b.op("Flatten", joint, axis=1))
        n_features = self.red_green * self.blue_yellow * self.white_black
        return BackboneTensors(b.op("Concat", *slices, axis=1), n_features)

    @staticmethod
    def _memberships(
        b: GraphBuilder, pixels: str, axis: Sequence[float], limits: tuple[float, float], n_bins: int
    ) -> str:
        low, high = limits
        scale = (n_bins - 1) / (high - low)  # the first bin's centre lies on `low`, the last one's on `high`
        weights = (np.array(axis, np.float32) * np.float32(scale)).reshape(3, 1)
        place = b.op("MatMul", pixels, b.constant(weights))  # (N, pixels, 1)
        bins = np.arange(n_bins, dtype=np.float32) + np.float32(low * scale)
        return _triangle(b, b.op("Sub", place, b.constant(bins)))  # (N, pixels, n_bins)


@dataclass(frozen=True, slots=True)
class Hog:
    """Histograms of oriented gradients.

    Parameters
    ----------
    cell : int
        Side of a cell in pixels.
    n_orientations : int
        Number of bins over 180 degrees; the sign of a gradient does not count.
    native_size : int
        The picture size in pixels where none is named.

    Notes
    -----
    Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection" (CVPR 2005): gradients by [-1,
    0, 1] without smoothing, the colour channel with the largest one, votes by magnitude interpolated
    between the two nearest orientations and the four nearest cells, overlapping blocks of 2 x 2 cells,
    L2-Hys normalisation. Left out: gamma compression and the Gaussian window inside blocks (about 1% each
    in the paper). There are `(size / 8 - 1)**2 * 36` features: 1,764 for a picture of 64 x 64, 8,100 for
    128 x 128.
    """

    cell: int = 8
    n_orientations: int = 9
    native_size: int = 64
    tolerates_bf16: ClassVar[bool] = False  # values near an edge would change sides

    @property
    def identity(self) -> str:
        """The cells, the orientations and the version of the graph."""
        return f"hog/{self.cell}/{self.n_orientations}/1"

    def build(self, b: GraphBuilder, images: str, size: int) -> BackboneTensors:
        """Add the descriptor to a graph (see `Backbone.build`); `size` is a multiple of the cell's side."""
        _check_size("hog", size, least=2 * self.cell, multiple=self.cell)
        gx, gy = _strongest_gradient(b, b.op("Transpose", images, perm=[0, 3, 1, 2]))
        votes = self._votes(b, gx, gy)  # (N, n_orientations, size, size)
        cells = b.op(
            "Conv",
            votes,
            b.constant(self._nearness()),
            strides=[self.cell] * 2,
            pads=[self.cell // 2] * 4,
            group=self.n_orientations,
        )
        n_blocks = size // self.cell - 1
        blocks = self._blocks(b, cells, n_blocks)
        n_features = 4 * self.n_orientations * n_blocks**2
        return BackboneTensors(b.op("Flatten", blocks, axis=1), n_features)

    def _votes(self, b: GraphBuilder, gx: str, gy: str) -> str:
        magnitude = b.op("Sqrt", b.op("Add", b.op("Mul", gx, gx), b.op("Mul", gy, gy)))
        vertical = b.op("Less", b.op("Abs", gx), b.constant(np.float32(1e-6)))
        # +90 and -90 degrees are the same orientation, so the sign of the replaced zero does not matter
        divisor = b.op("Where", vertical, b.constant(np.float32(1e-6)), gx)
        angle = b.op("Atan", b.op("Div", gy, divisor))
        n = self.n_orientations
        centres = (np.arange(n, dtype=np.float32) + 0.5).reshape(1, n, 1, 1)
        place = b.op("Mul", angle, b.constant(np.float32(n / np.pi)))
        turn = b.op("Sub", place, b.constant(centres))
        # the nearest way round the circle of n bins
        turns = b.op("Round", b.op("Mul", turn, b.constant(np.float32(1 / n))))
        turn = b.op("Sub", turn, b.op("Mul", turns, b.constant(np.float32(n))))
        return b.op("Mul", _triangle(b, turn), magnitude)

    def _nearness(self) -> NDArray[np.float32]:
        """Return (n_orientations, 1, 2 cell, 2 cell): the share a cell has in each pixel around it."""
        distance = np.abs(np.arange(2 * self.cell) + 0.5 - self.cell) / self.cell
        share = np.outer(1 - distance, 1 - distance).astype(np.float32)
        return np.tile(share, (self.n_orientations, 1, 1, 1))

    @staticmethod
    def _blocks(b: GraphBuilder, cells: str, n_blocks: int) -> str:
        corners = [_crop(b, cells, y, x, n_blocks) for y in (0, 1) for x in (0, 1)]
        blocks = b.op("Concat", *corners, axis=1)
        blocks = _unit_length(b, blocks, epsilon=1.0)
        blocks = b.op("Min", blocks, b.constant(np.float32(0.2)))
        return _unit_length(b, blocks, epsilon=1e-2)


@dataclass(frozen=True, slots=True)
class Lbp:
    """Histograms of uniform, rotation-invariant local binary patterns at three radii, over a grid of regions.

    Parameters
    ----------
    rings : tuple of (int, int)
        Number of points and radius in pixels of each circle.
    grid : int
        The picture is divided into `grid` x `grid` regions with a histogram each; 1 takes it as a whole.
    native_size : int
        The picture size in pixels where none is named.

    Notes
    -----
    The operators LBP(8,1), LBP(16,2) and LBP(24,3), `riu2`, of Ojala, Pietikainen and Maenpaa,
    "Multiresolution Gray-Scale and Rotation Invariant Texture Classification with Local Binary Patterns"
    (IEEE Transactions on Pattern Analysis and Machine Intelligence 24, 2002): 10 + 18 + 26 numbers;
    histograms by region after Ahonen, Hadid and Pietikainen, "Face Description with Local Binary Patterns"
    (same journal, 28, 2006). A point counts as not darker than the centre down to 1/128 of a grey level
    below it, so that rounding does not draw patterns into flat areas. Each histogram sums to 1; there are
    54 `grid`**2 features.
    """

    rings: tuple[tuple[int, int], ...] = ((8, 1), (16, 2), (24, 3))
    grid: int = 4
    native_size: int = 64
    tolerates_bf16: ClassVar[bool] = False  # values near an edge would change sides

    @property
    def identity(self) -> str:
        """The circles, the grid and the version of the graph."""
        return f"lbp/{self.rings}/{self.grid}/1"

    def build(self, b: GraphBuilder, images: str, size: int) -> BackboneTensors:
        """Add the histograms to a graph (see `Backbone.build`); `size` is a multiple of the grid."""
        reach = max(radius for _, radius in self.rings)
        _check_size("lbp", size, least=max(self.grid, reach + 1), multiple=self.grid)
        luma = b.constant(np.array(_LUMA, np.float32).reshape(1, 3, 1, 1))
        grey = b.op("Conv", b.op("Transpose", images, perm=[0, 3, 1, 2]), luma)
        pads = b.constant(np.array([0, 0, reach, reach] * 2, np.int64))
        padded = b.op("Pad", grey, pads, mode="edge")
        histograms = [self._ring(b, padded, n, radius, reach, size) for n, radius in self.rings]
        n_features = sum(n + 2 for n, _ in self.rings) * self.grid**2
        return BackboneTensors(b.op("Concat", *histograms, axis=1), n_features)

    def _ring(self, b: GraphBuilder, grey: str, n: int, radius: int, reach: int, size: int) -> str:
        kernels = b.constant(ring_kernels(n, radius, reach))
        difference = b.op("Conv", grey, kernels)  # (N, n, size, size)
        bits = b.op("Cast", b.op("Greater", difference, b.constant(np.float32(-1 / 128))), to=1)
        order = b.constant(np.roll(np.arange(n, dtype=np.int64), 1))
        changes = b.op("Abs", b.op("Sub", bits, b.op("Gather", bits, order, axis=1)))
        axes = b.constant(np.array([1], np.int64))
        n_changes, n_ones = b.op("ReduceSum", changes, axes), b.op("ReduceSum", bits, axes)
        uniform = b.op("Less", n_changes, b.constant(np.float32(2.5)))
        code = b.op("Where", uniform, n_ones, b.constant(np.float32(n + 1)))  # (N, 1, size, size)
        codes = np.arange(n + 2, dtype=np.float32).reshape(1, n + 2, 1, 1)
        one_hot = _triangle(b, b.op("Sub", code, b.constant(codes)))
        region = [size // self.grid] * 2
        histogram = b.op("AveragePool", one_hot, kernel_shape=region, strides=region)
        return b.op("Flatten", histogram, axis=1)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """The pixels of the picture themselves, with zero mean and unit length.

    Parameters
    ----------
    largest : int
        The largest size allowed: the features grow with its square.
    native_size : int
        The picture size in pixels where none is named.

    Notes
    -----
    Torralba, Fergus and Freeman, "80 Million Tiny Images" (IEEE Transactions on Pattern Analysis and
    Machine Intelligence 30, 2008), who found 32 x 32 colour pixels to be enough to tell scenes. Removing
    the mean of all values and scaling to unit length makes it blind to brightness and contrast. There are
    `3 * size**2` features, by row, column and channel; a picture of one colour gives zeros.
    """

    largest: int = 64
    native_size: int = 32
    tolerates_bf16: ClassVar[bool] = False  # values near an edge would change sides

    @property
    def identity(self) -> str:
        """The version of the graph."""
        return "thumbnail/1"

    def build(self, b: GraphBuilder, images: str, size: int) -> BackboneTensors:
        """Add the pixels to a graph (see `Backbone.build`); `size` is at most `largest`."""
        _check_size("thumbnail", size, least=1, most=self.largest)
        values = b.op("Flatten", images, axis=1)
        values = b.op("Sub", values, b.op("ReduceMean", values, axes=[1], keepdims=1))
        return BackboneTensors(_unit_length(b, values, epsilon=1.0), 3 * size**2)


COLOR_HISTOGRAM = ColorHistogram()
HOG = Hog()
LBP = Lbp()
THUMBNAIL = Thumbnail()


def ring_kernels(n_points: int, radius: int, reach: int) -> NDArray[np.float32]:
    """Return the convolutions that give each circle point's grey level minus the centre's.

    Parameters
    ----------
    n_points : int
        Points on the circle, the first to the right of the centre, then counter-clockwise.
    radius : int
        In pixels, at most `reach`.
    reach : int
        Half the side of the kernels.

    Returns
    -------
    (n_points, 1, 2 reach + 1, 2 reach + 1) float32
        Bilinear weights; every kernel sums to 0.

    Examples
    --------
    >>> ring_kernels(4, 1, 1)[0, 0]
    array([[ 0.,  0.,  0.],
           [ 0., -1.,  1.],
           [ 0.,  0.,  0.]], dtype=float32)
    """
    angle = 2 * np.pi * np.arange(n_points) / n_points
    points = np.stack([-radius * np.sin(angle), radius * np.cos(angle)], axis=1).round(9) + reach
    grid = np.arange(2 * reach + 1)
    near = np.maximum(0.0, 1.0 - np.abs(points[:, :, None] - grid))  # (n, 2, side)
    kernels: NDArray[np.float32] = (near[:, 0, :, None] * near[:, 1, None, :]).astype(np.float32)
    kernels[:, reach, reach] -= 1
    return kernels[:, None]


def _check_size(name: str, size: int, *, least: int, most: int | None = None, multiple: int = 1) -> None:
    if size < least or size % multiple or (most is not None and size > most):
        rule = f"at least {least}" + (f" and at most {most}" if most is not None else "")
        rule += f" and a multiple of {multiple}" if multiple > 1 else ""
        raise ParameterError(f"{name}@{size}: the size must be {rule}. Write, for example, {name}@32.")


def _triangle(b: GraphBuilder, distance: str) -> str:
    """Weight 1 at distance 0, falling to 0 at distance 1."""
    return b.op("Relu", b.op("Sub", b.constant(np.float32(1)), b.op("Abs", distance)))


def _unit_length(b: GraphBuilder, x: str, epsilon: float) -> str:
    """Divide by the Euclidean length over axis 1; `epsilon` keeps what is nearly zero small."""
    squares = b.op("ReduceSum", b.op("Mul", x, x), b.constant(np.array([1], np.int64)))
    length = b.op("Sqrt", b.op("Add", squares, b.constant(np.float32(epsilon**2))))
    return b.op("Div", x, length)


def _crop(b: GraphBuilder, x: str, top: int, left: int, side: int) -> str:
    starts = b.constant(np.array([top, left], np.int64))
    ends = b.constant(np.array([top + side, left + side], np.int64))
    return b.op("Slice", x, starts, ends, b.constant(np.array([2, 3], np.int64)))


def _strongest_gradient(b: GraphBuilder, x: str) -> tuple[str, str]:
    """Horizontal and vertical [-1, 0, 1] differences (N, 1, h, w) of the channel where they are largest."""
    kernel = np.zeros((3, 1, 3, 3), np.float32)
    kernel[:, 0, 1, 0], kernel[:, 0, 1, 2] = -1, 1
    padded = b.op("Pad", x, b.constant(np.array([0, 0, 1, 1] * 2, np.int64)), mode="edge")
    dx = b.op("Conv", padded, b.constant(kernel), group=3)
    dy = b.op("Conv", padded, b.constant(kernel.transpose(0, 1, 3, 2)), group=3)
    squares = b.op("Add", b.op("Mul", dx, dx), b.op("Mul", dy, dy))
    gx, gy, best = (_channel(b, t, 0) for t in (dx, dy, squares))
    for c in (1, 2):
        stronger = b.op("Greater", _channel(b, squares, c), best)
        gx = b.op("Where", stronger, _channel(b, dx, c), gx)
        gy = b.op("Where", stronger, _channel(b, dy, c), gy)
        best = b.op("Where", stronger, _channel(b, squares, c), best)
    return gx, gy


def _channel(b: GraphBuilder, x: str, channel: int) -> str:
    return b.op("Gather", x, b.constant(np.array([channel], np.int64)), axis=1)
