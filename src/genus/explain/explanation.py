"""What an explanation is: the evidence for one class in one image, as numbers, as boxes, as a picture."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from genus.explain.boxes import Box, boxes_of, boxes_round
from genus.explain.outline import outlined

_THRESHOLD = 0.5  # where there is no picture to look at
_STRENGTH = 0.65  # of the colour where the evidence is largest
_HOT = np.array([255, 96, 0], np.float32)
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_COLOUR = 0.25  # of the picture's own: orange must be seen on orange flowers

N_LISTED = 6
"""How many boxes of an image a page lists, and a picture numbers."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """The evidence for one class in one image.

    Attributes
    ----------
    image : str
        What the image is called.
    label : str
        The class.
    probability : float in [0, 1]
        What the model gives it.
    evidence : (h, w) float32
        How much each place adds to the log-odds of the class; what speaks against it is below 0. Of methods that bring
        several maps together ("combined", "views", "layer-cam") it is in no unit.
    method : str
        How it was found (see `genus.explain.explainer.METHODS`).
    size : (int, int)
        Height and width of the image in pixels, upright.
    region : (float, float, float, float)
        Top, left, bottom, right of what the map covers, in pixels of the image; outside of it where it is padded.
    ranking : tuple of (str, float)
        The most probable classes of the image, whatever was asked for.
    extent : (h, w) float32 or None
        Where what shows the evidence is, if something is known of that beside the evidence itself.
    picture : (side, side, 3) uint8 or None
        What the map covers, as the model sees it; its colours tell boxes where things end.
    """

    image: str
    label: str
    probability: float
    evidence: NDArray[np.float32]
    method: str
    size: tuple[int, int]
    region: tuple[float, float, float, float]
    ranking: tuple[tuple[str, float], ...] = ()
    extent: NDArray[np.float32] | None = field(default=None, repr=False)
    picture: NDArray[np.uint8] | None = field(default=None, repr=False)

    def boxes(self, threshold: float | None = None) -> tuple[Box, ...]:
        """Return the boxes round the evidence, in pixels of the image, the one with most evidence first.

        Parameters
        ----------
        threshold : float or None
            Between 0 and 1: box what has so large a part of the largest evidence, and do not look at the picture. None:
            the outline that parts the picture's colours best (see `genus.explain.outline`).
        """
        if threshold is None:
            return self._outlined
        return self._in_image(boxes_of(self.evidence, threshold))

    @cached_property
    def _outlined(self) -> tuple[Box, ...]:
        if self.picture is None:
            return self.boxes(_THRESHOLD)
        extent = self.evidence if self.extent is None else self.extent
        found = boxes_round(outlined(self.evidence, extent, self.picture), self.evidence)
        return self._in_image(found) or self.boxes(_THRESHOLD)

    def on(self, height: int, width: int) -> NDArray[np.float32]:
        """Return the evidence for each pixel of the image at any size, float32 (height, width); 0 outside the map."""
        top, left, bottom, right = self.region
        scale_y, scale_x = height / self.size[0], width / self.size[1]
        h, w = self.evidence.shape
        # the map's cells are areas: the centre of the first is half a cell inside
        across = (right - left) * scale_x / w
        down = (bottom - top) * scale_y / h
        forth = np.array(
            [[across, 0, (left * scale_x) + across / 2 - 0.5], [0, down, (top * scale_y) + down / 2 - 0.5]]
        )
        spread = cv2.copyMakeBorder(self.evidence, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
        forth[:, 2] -= forth[:, 0] + forth[:, 1]  # of the border
        found = cv2.warpAffine(spread, forth, (width, height), flags=cv2.INTER_LINEAR)
        rows, columns = (np.arange(height) + 0.5) / scale_y, (np.arange(width) + 0.5) / scale_x
        inside = ((rows >= top) & (rows <= bottom))[:, None] & ((columns >= left) & (columns <= right))
        return np.where(inside, np.asarray(found, np.float32), np.float32(0))

    def overlay(self, picture: NDArray[np.uint8], *, with_boxes: bool = False) -> NDArray[np.uint8]:
        """Colour a picture of the image where the evidence is.

        Parameters
        ----------
        picture : (height, width, 3) uint8
            The image at any size, RGB, upright.
        with_boxes : bool, default False
            Whether to draw the boxes; where there are several, the first six with their numbers.

        Returns
        -------
        (height, width, 3) uint8
        """
        height, width = picture.shape[:2]
        heat = np.maximum(self.on(height, width), 0)
        heat /= max(float(heat.max(initial=0.0)), 1e-12)
        grey = picture.astype(np.float32).mean(axis=2, keepdims=True)
        calm = _COLOUR * picture + (1 - _COLOUR) * grey
        share = _STRENGTH * heat[:, :, None]
        mixed = np.asarray(np.clip((1 - share) * calm + share * _HOT, 0, 255), np.uint8)
        if with_boxes:
            _draw(self.boxes(), mixed, width / self.size[1], height / self.size[0])
        return mixed

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: all but the map."""
        return {
            "image": self.image,
            "label": self.label,
            "probability": self.probability,
            "method": self.method,
            "ranking": [
                {"label": name, "probability": round(probability, 6)} for name, probability in self.ranking
            ],
            "boxes": [{key: round(value, 4) for key, value in asdict(box).items()} for box in self.boxes()],
        }

    def _in_image(self, boxes: tuple[Box, ...]) -> tuple[Box, ...]:
        """Return the boxes in pixels of the image; what is padded has none."""
        found = (self._in_pixels(box) for box in boxes)
        return tuple(box for box in found if min(box.right - box.left, box.bottom - box.top) > 0)

    def _in_pixels(self, box: Box) -> Box:
        top, left, bottom, right = self.region
        height, width = self.size
        x, y = (
            np.clip(left + np.array([box.left, box.right]) * (right - left), 0, width).tolist(),
            np.clip(top + np.array([box.top, box.bottom]) * (bottom - top), 0, height).tolist(),
        )
        return Box(x[0], y[0], x[1], y[1], box.score)


def _draw(boxes: Sequence[Box], picture: NDArray[np.uint8], across: float, down: float) -> None:
    """Draw boxes into a picture that is so many times as wide and high as the image."""
    side = min(picture.shape[:2])
    width = max(1, round(side / 120))
    for number, box in enumerate(boxes, start=1):
        left, top = round(box.left * across), round(box.top * down)
        cv2.rectangle(
            picture, (left, top), (round(box.right * across), round(box.bottom * down)), _WHITE, width
        )
        if len(boxes) > 1 and number <= N_LISTED:
            size = max(0.3, side / 500)
            (across_digit, up), _ = cv2.getTextSize(str(number), cv2.FONT_HERSHEY_SIMPLEX, size, width)
            corner = left + across_digit + 2 * width, top + up + 4 * width
            cv2.rectangle(picture, (left, top), corner, _WHITE, cv2.FILLED)
            at = left + width, corner[1] - 2 * width
            cv2.putText(picture, str(number), at, cv2.FONT_HERSHEY_SIMPLEX, size, _BLACK, width, cv2.LINE_AA)
