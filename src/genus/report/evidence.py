"""The page of `genus explain`: each image, where the evidence is, and which labelled images are like it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import PathLike

import cv2
import numpy as np
from numpy.typing import NDArray

from genus.explain.examples import Example
from genus.explain.explanation import N_LISTED, Explanation
from genus.files import write_text
from genus.images.thumbnail import data_uri
from genus.report.page import render_page
from genus.report.pictures import small_copy

Pixels = NDArray[np.uint8]

MAX_IMAGES = 200
"""Images on a page: about 20 MB of it."""
_SIDE = 420  # of a picture on the page, in pixels, at most
_QUALITY = 82


@dataclass(frozen=True, slots=True)
class ShownExample:
    """A labelled image that is like another: its thumbnail as a data URI, None if it cannot be read."""

    found: Example
    thumbnail: str | None


@dataclass(frozen=True, slots=True)
class ShownImage:
    """One image on the page.

    Attributes
    ----------
    name : str
    picture : str
        The image as a data URI.
    found : tuple of Explanation
        For each class that was asked for.
    overlays : tuple of str
        The evidence for each in colour, data URIs.
    examples : tuple of ShownExample
        The labelled images that are most like it.
    """

    name: str
    picture: str
    found: tuple[Explanation, ...]
    overlays: tuple[str, ...]
    examples: tuple[ShownExample, ...] = ()


def shown_image(
    found: Sequence[Explanation], picture: Pixels, examples: Sequence[Example] = ()
) -> ShownImage:
    """Prepare one image; `picture` (h, w, 3) is the whole image, upright, at any size."""
    scale = min(1.0, _SIDE / max(picture.shape[:2]))
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return ShownImage(
        found[0].image,
        jpeg_uri(small),
        tuple(found),
        tuple(jpeg_uri(one.overlay(small, with_boxes=True)) for one in found),
        tuple(ShownExample(one, small_copy(one.source)) for one in examples),
    )


def write_evidence(
    path: str | PathLike[str],
    images: Iterable[ShownImage],
    *,
    model: str,
    way: str,
    n_more: int = 0,
    n_skipped: int = 0,
    examples_of: str = "",
) -> None:
    """Write the page, whole or not at all; it holds all pictures and asks nothing of any network.

    Parameters
    ----------
    path : path
    images : iterable of ShownImage
    model : str
        What it is called.
    way : str
        How the evidence was found, in words.
    n_more : int
        Images that were explained and are not on the page.
    n_skipped : int
        Images that could not be read.
    examples_of : str
        What the examples were taken from.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    values = {
        "model": model,
        "way": way,
        "images": list(images),
        "n_listed": N_LISTED,
        "n_more": n_more,
        "n_skipped": n_skipped,
        "examples_of": examples_of,
    }
    write_text(path, render_page("evidence.html", values))


def jpeg_uri(pixels: Pixels) -> str:
    """Return a picture (h, w, 3), RGB, as text that stands in the `src` of an HTML image."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    return data_uri(cv2.imencode(".jpg", pixels[:, :, ::-1], quality)[1].tobytes())
