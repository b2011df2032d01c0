"""Pictures before and after pre-processing, as one page or one picture: what a model will see."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genus.data.dataset import Dataset
from genus.data.label_sets import LabelSets
from genus.errors import ImageError, ParameterError
from genus.files import atomic_write, write_text
from genus.images.decode import DEFAULT_LIMITS, Limits, decode
from genus.images.preprocess import Preprocess, resize
from genus.images.thumbnail import data_uri
from genus.report.page import render_page

if TYPE_CHECKING:
    from PIL.Image import Image

_SIDE = 160  # of a picture, in pixels
_GAP = 12
_LINE = 16  # height of a line of text
_COLUMNS = 3
_FORMATS = (".html", ".htm", ".png")
_PAPER, _INK, _FAINT = (255, 255, 255), (25, 25, 25), (120, 120, 120)

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class PreviewPicture:
    """One image before and after.

    Attributes
    ----------
    name : str
    label : str or None
    about : str
        Size, format and mode of the original; why it cannot be read, if so.
    before, after : uint8 (h, w, 3) or None
        Small copies of the upright original and of what the model sees; None if it cannot be read.
    """

    name: str
    label: str | None
    about: str
    before: Pixels | None
    after: Pixels | None


def preview_pictures(
    dataset: Dataset, preprocess: Preprocess, *, n: int = 24, limits: Limits = DEFAULT_LIMITS
) -> tuple[PreviewPicture, ...]:
    """Prepare some images of a data set, of every class in turn.

    Parameters
    ----------
    dataset : Dataset
    preprocess : Preprocess
        What the model will see.
    n : int, default 24
        At most so many images.
    limits : Limits
        What is refused as too large.
    """
    return tuple(_prepare(dataset, i, preprocess, limits) for i in by_turns(dataset)[:n])


def check_preview(path: str | PathLike[str]) -> None:
    """Raise `ParameterError` unless the name ends in a format that `write_preview` writes."""
    if Path(path).suffix.lower() not in _FORMATS:
        raise ParameterError(f"{path}: a preview's name must end in .html or .png.")


def write_preview(
    path: str | PathLike[str], pictures: Sequence[PreviewPicture], title: str, preprocess: Preprocess
) -> None:
    """Write pictures as one HTML page or one PNG, by the suffix of `path`; whole or not at all.

    Raises
    ------
    ParameterError
        The suffix is neither .html nor .png.
    OutputError
        It cannot be written.
    """
    check_preview(path)
    seen = f"{preprocess.width} × {preprocess.height} pixels, {preprocess.fit}"
    if Path(path).suffix.lower() != ".png":
        values = {"title": title, "seen": seen, "pictures": [_uris(picture) for picture in pictures]}
        write_text(path, render_page("preview.html", values))
        return
    with atomic_write(path) as file:
        _sheet(pictures, f"{title}: {seen}").save(file, "PNG")


def by_turns(dataset: Dataset) -> list[int]:
    """Order images so that every class gets its first before any gets its second, spread over the class."""
    labels = _rarest(dataset.label_sets) if dataset.label_sets is not None else dataset.labels
    members: dict[str | None, list[int]] = {}
    for i, label in enumerate(labels or (None,) * len(dataset)):
        members.setdefault(label, []).append(i)
    turns = []
    for rows in members.values():
        spread = sorted(range(len(rows)), key=lambda k: bin(k)[:1:-1])  # 0, the middle, the quarters ...
        turns += [(turn, rows[k]) for turn, k in enumerate(spread)]
    return [i for _, i in sorted(turns)]


def _rarest(sets: LabelSets) -> list[str | None]:
    """Return the rarest label of each image; None where it has none."""
    counts = sets.counts()
    return [min(sets[i], key=counts.__getitem__, default=None) for i in range(len(sets))]


def _prepare(dataset: Dataset, i: int, preprocess: Preprocess, limits: Limits) -> PreviewPicture:
    source, said = dataset.sources[i], dataset.take([i]).label_texts()
    label = said[0] if said else None
    try:
        decoded = decode(source, preprocess.at_least, limits)
    except ImageError as error:
        return PreviewPicture(source.name, label, error.reason, None, None)
    info = decoded.info
    about = f"{info.width} × {info.height} {info.format} {info.mode}"
    after = preprocess.apply(decoded.pixels)
    return PreviewPicture(source.name, label, about, _small(decoded.pixels), _small(after))


def _small(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    return resize(pixels, max(1, round(height * scale)), max(1, round(width * scale)))


def _uris(picture: PreviewPicture) -> dict[str, str | None]:
    return {
        "name": picture.name,
        "short_name": Path(picture.name).name,
        "label": picture.label,
        "about": picture.about,
        "before": jpeg_uri(picture.before),
        "after": jpeg_uri(picture.after),
    }


def jpeg_uri(pixels: Pixels | None) -> str | None:
    """Return pixels as a JPEG that stands in the `src` of an HTML image; None for none."""
    if pixels is None:
        return None
    import cv2

    found, data = cv2.imencode(
        ".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85]
    )
    return data_uri(data.tobytes()) if found else None


def _sheet(pictures: Sequence[PreviewPicture], heading: str) -> "Image":
    from PIL import Image, ImageDraw, ImageFont

    width, height = 2 * _SIDE + 3 * _GAP, _SIDE + 2 * _LINE + 2 * _GAP
    n_rows = -(-len(pictures) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * width, n_rows * height + 3 * _LINE), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    draw.text((_GAP, _LINE), fitting_text(heading, 130), _INK, font)
    for place, picture in enumerate(pictures):
        x, y = place % _COLUMNS * width + _GAP, place // _COLUMNS * height + 3 * _LINE
        for offset, pixels in ((0, picture.before), (_SIDE + _GAP, picture.after)):
            if pixels is None:
                draw.rectangle((x + offset, y, x + offset + _SIDE, y + _SIDE), outline=_FAINT)
            else:
                sheet.paste(Image.fromarray(pixels), (x + offset, y))
        below = y + _SIDE + 2
        named = f"{picture.label}: {Path(picture.name).name}" if picture.label else picture.name
        draw.text((x, below), fitting_text(named), _INK, font)
        draw.text((x, below + _LINE), fitting_text(picture.about), _FAINT, font)
    return sheet


_SPELT = str.maketrans(
    {"×": "x", "α": "alpha", "ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae", "Æ": "AE"}
)
"""What the font, which has ASCII only, lacks and accents do not explain."""


def fitting_text(text: str, most: int = 50) -> str:
    """Return a text that the font of pictures can show, at most so many letters long.

    Examples
    --------
    >>> fitting_text("Gänseblümchen: 中.jpg")
    'Ganseblumchen: ?.jpg'
    """
    decomposed = unicodedata.normalize("NFKD", text.translate(_SPELT))
    text = "".join(c for c in decomposed if not unicodedata.combining(c))
    text = "".join(c if c.isascii() and c.isprintable() else "?" for c in text)
    return text if len(text) <= most else f"{text[: most - 3]}..."
