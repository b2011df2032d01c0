"""The page of a network's layers: their filters, and what they make of one image."""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from os import PathLike

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genus.explain.layers import MAX_TILES, Layer, filters_picture, maps_picture
from genus.files import write_text
from genus.report.page import render_page

Pixels = NDArray[np.uint8]

_PALETTE = 256


@dataclass(frozen=True, slots=True, eq=False)
class LayerPictures:
    """One layer as pictures, PNG.

    Attributes
    ----------
    layer : Layer
    size : (int, int)
        Height and width of its maps.
    filters, maps : bytes
    """

    layer: Layer
    size: tuple[int, int]
    filters: bytes
    maps: bytes

    @property
    def stem(self) -> str:
        """What its files are called, before "-filters.png" and "-maps.png"."""
        return f"layer-{self.layer.number:03d}"

    @property
    def title(self) -> str:
        """The layer in a line."""
        height, width = self.size
        return f"{self.layer.kind}: {self.layer.n_channels:,} maps of {height} × {width}"

    @property
    def shown(self) -> str:
        """How many of its maps are shown."""
        n = self.layer.n_channels
        return f"{min(n, MAX_TILES)} of {n:,} maps, the most active first" if n > MAX_TILES else "all maps"


def layer_pictures(layer: Layer, maps: NDArray[np.float32]) -> LayerPictures:
    """Draw one layer; `maps` (channels, h, w) are what it makes of the image."""
    height, width = maps.shape[1:]
    return LayerPictures(layer, (height, width), png(filters_picture(layer.kernel)), png(maps_picture(maps)))


def write_layers(
    path: str | PathLike[str], layers: Iterable[LayerPictures], *, model: str, image: str, seen: Pixels
) -> None:
    """Write the page, whole or not at all; it holds all pictures and asks nothing of any network.

    Parameters
    ----------
    path : path
    layers : iterable of LayerPictures
    model, image : str
        What they are called.
    seen : (h, w, 3) uint8
        The image as the model sees it.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    networks: dict[str, list[dict[str, object]]] = {}
    for one in layers:
        networks.setdefault(one.layer.network, []).append(
            {
                "number": one.layer.number,
                "title": one.title,
                "shown": one.shown,
                "plain": one.layer.kernel.shape[2:] == (1, 1),
                "filters": png_uri(one.filters),
                "maps": png_uri(one.maps),
            }
        )
    values = {
        "model": model,
        "image": image,
        "seen": png_uri(png(seen)),
        "networks": list(networks.items()),
        "n_layers": sum(len(layers) for layers in networks.values()),
    }
    write_text(path, render_page("layers.html", values))


def png(pixels: Pixels) -> bytes:
    """Return a picture (h, w, 3), RGB, as PNG; with a palette where it has few colours, a third of the size."""
    packed = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colours, places = np.unique(packed, return_inverse=True)
    picture = Image.fromarray(pixels)
    if len(colours) <= _PALETTE:
        picture = Image.fromarray(places.reshape(packed.shape).astype(np.uint8), "P")
        picture.putpalette(
            np.stack([colours >> 16, colours >> 8 & 255, colours & 255], 1).astype(np.uint8).tobytes()
        )
    with BytesIO() as file:
        picture.save(file, "PNG", optimize=False)
        return file.getvalue()


def png_uri(data: bytes) -> str:
    """Return a PNG as text that stands in the `src` of an HTML image."""
    return "data:image/png;base64," + b64encode(data).decode("ascii")
