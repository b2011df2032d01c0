"""What augmentation makes of a person's own images, as one page or one picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genus.cnn.augmentation import Augmentation
from genus.data.dataset import Dataset, SkippedImage
from genus.errors import DataError, ImageError, MissingExtraError, ParameterError
from genus.files import atomic_write, write_text
from genus.images.decode import DEFAULT_LIMITS, Limits
from genus.images.preprocess import Fit, Preprocess, load_pixels, resize
from genus.report.augmentation_words import augmentation_facts
from genus.report.page import render_page
from genus.report.preview import by_turns, check_preview, fitting_text, jpeg_uri

if TYPE_CHECKING:
    from PIL.Image import Image

    from genus.cnn.augment import Augmenter

_SMALL, _LARGE = 96, 160  # sides of a picture that is shown, in pixels
_GAP, _LINE = 8, 16
_PAPER, _INK, _FAINT = (255, 255, 255), (25, 25, 25), (120, 120, 120)
_LEAST_SHARE = 0.005

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which images are shown, and how often.

    Parameters
    ----------
    n_images : int, default 6
        At most so many, of every class in turn.
    n_draws : int, default 8
        How many epochs: in each an image is seen in another way.
    side : int, default 224
        Of what the network sees, in pixels.
    fit : {"squash", "crop", "pad"}, default "squash"
        How images of other proportions are brought to that size.
    seed : int, default 0
        Of all that is random.
    """

    n_images: int = 6
    n_draws: int = 8
    side: int = 224
    fit: Fit = "squash"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, most in (("n_images", 100), ("n_draws", 64)):
            if not 1 <= getattr(self, name) <= most:
                raise ParameterError(f"{name} must be from 1 to {most}, not {getattr(self, name)!r}.")


@dataclass(frozen=True, slots=True, eq=False)
class AugmentedImage:
    """One image as a network in training would see it.

    Attributes
    ----------
    name : str
    label : str or None
    original : (side, side, 3) uint8
        As the network sees it when it is measured.
    draws : tuple of (side, side, 3) uint8
        One for each epoch.
    mixed : tuple of (side, side, 3) uint8
        The draws mixed with those of other images; empty without MixUp and CutMix.
    shares : tuple of str
        The labels of `mixed`: "70% daisy, 30% rose".
    """

    name: str
    label: str | None
    original: Pixels
    draws: tuple[Pixels, ...]
    mixed: tuple[Pixels, ...] = ()
    shares: tuple[str, ...] = ()


def augmented_images(
    dataset: Dataset, augmentation: Augmentation, sampling: Sampling, *, limits: Limits = DEFAULT_LIMITS
) -> tuple[tuple[AugmentedImage, ...], tuple[SkippedImage, ...]]:
    """Augment some images of a data set.

    Parameters
    ----------
    dataset : Dataset
    augmentation : Augmentation
    sampling : Sampling
    limits : Limits
        What is refused as too large.

    Returns
    -------
    tuple of AugmentedImage, tuple of SkippedImage
        Those shown; those that would have been and cannot be read.

    Raises
    ------
    MissingExtraError
        PyTorch is not installed.
    DataError
        None of the images can be read.
    """
    if find_spec("torch") is None:
        raise MissingExtraError("Augmentation", "cnn")
    from genus.cnn.augment import Augmenter
    from genus.cnn.pixels import enlarged

    preprocess = enlarged(Preprocess(sampling.side, sampling.side, sampling.fit), augmentation.margin)
    rows, pixels, skipped = _readable(dataset, preprocess, sampling.n_images, limits)
    if not rows:
        reason = f": {skipped[0].source}: {skipped[0].reason}" if skipped else ""
        raise DataError(f"none of the images can be read{reason}")
    augmenter = Augmenter(augmentation, sampling.side, fit=sampling.fit, seed=sampling.seed)
    return _augmented(dataset, rows, np.stack(pixels), augmenter, sampling.n_draws), tuple(skipped)


def write_augmentation(
    path: str | PathLike[str], images: Sequence[AugmentedImage], augmentation: Augmentation, title: str
) -> None:
    """Write augmented images as one HTML page or one PNG, by the suffix of `path`; whole or not at all.

    Raises
    ------
    ParameterError
        The suffix is neither .html nor .png.
    OutputError
        It cannot be written.
    """
    check_preview(path)
    facts = augmentation_facts(augmentation)
    if Path(path).suffix.lower() == ".png":
        done = "; ".join(f"{fact.label}: {fact.value}" for fact in facts)
        with atomic_write(path) as file:
            _sheet(images, f"{title}: {done or 'nothing is done'}").save(file, "PNG")
        return
    values = {
        "title": title,
        "facts": facts,
        "n_draws": len(images[0].draws),
        "side": len(images[0].original),
        "images": [_view(image) for image in images],
    }
    write_text(path, render_page("augmentation.html", values))


def _readable(
    dataset: Dataset, preprocess: Preprocess, n: int, limits: Limits
) -> tuple[list[int], list[Pixels], list[SkippedImage]]:
    rows: list[int] = []
    pixels: list[Pixels] = []
    skipped: list[SkippedImage] = []
    for i in by_turns(dataset):
        if len(rows) == n:
            break
        try:
            pixels.append(load_pixels(dataset.sources[i], preprocess, limits)[0])
            rows.append(i)
        except ImageError as error:
            skipped.append(SkippedImage(error.source, error.reason))
    return rows, pixels, skipped


def _augmented(
    dataset: Dataset, rows: list[int], pixels: Pixels, augmenter: "Augmenter", n_draws: int
) -> tuple[AugmentedImage, ...]:
    from genus.cnn.examples import draw_examples

    shown = dataset.take(rows)
    names, targets = _targets(shown)
    found = draw_examples(augmenter, pixels, targets, rows, n_draws)
    said = shown.label_texts() or (None,) * len(rows)
    return tuple(
        AugmentedImage(
            name=shown.names[i],
            label=said[i],
            original=found.originals[i],
            draws=tuple(draws[i] for draws in found.draws),
            mixed=tuple(mixed[i] for mixed in found.mixed),
            shares=tuple(_share_text(names, shares[i]) for shares in found.targets),
        )
        for i in range(len(rows))
    )


def _targets(shown: Dataset) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Return label names and what is known of each image; an image without any label is a class of its own."""
    if shown.label_sets is not None:
        return shown.label_sets.names, shown.label_sets.values.astype(np.float32)
    labels = [label or "no label" for label in shown.labels or (None,) * len(shown)]
    names = tuple(dict.fromkeys(labels))
    return names, np.eye(len(names), dtype=np.float32)[[names.index(label) for label in labels]]


def _share_text(names: Sequence[str], shares: NDArray[np.float32]) -> str:
    order = np.argsort(-shares, kind="stable")
    known = [f"{shares[i]:.0%} {names[i]}" for i in order if shares[i] >= _LEAST_SHARE]
    return ", ".join(known) or ("unknown" if (shares < 0).any() else "no label")


def _view(image: AugmentedImage) -> dict[str, object]:
    return {
        "name": image.name,
        "short_name": Path(image.name).name,
        "label": image.label,
        "original": jpeg_uri(_sized(image.original)),
        "draws": [jpeg_uri(_sized(draw)) for draw in image.draws],
        "mixed": [
            {"picture": jpeg_uri(_sized(pixels)), "shares": share}
            for pixels, share in zip(image.mixed, image.shares, strict=True)
        ],
    }


def _sized(pixels: Pixels) -> Pixels:
    """Return a picture as large as it is shown: a small one in larger dots, so that nothing is smoothed."""
    side = len(pixels)
    if side > _LARGE:
        return resize(pixels, _LARGE, _LARGE)
    times = -(-_SMALL // side)
    return pixels.repeat(times, axis=0).repeat(times, axis=1)


def _sheet(images: Sequence[AugmentedImage], heading: str) -> "Image":
    from PIL import Image, ImageDraw, ImageFont

    side = len(_sized(images[0].original))
    n_columns = 1 + len(images[0].draws)
    letters = max(1, side // 7)
    lines = wrap(heading, n_columns * letters)
    heights = [side + 2 * _LINE + _GAP + (side + 2 * _LINE + _GAP if image.mixed else 0) for image in images]
    size = n_columns * (side + _GAP) + _GAP, sum(heights) + (2 + len(lines)) * _LINE
    sheet = Image.new("RGB", size, _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for number, line in enumerate(lines, 1):
        draw.text((_GAP, number * _LINE), fitting_text(line, 2 * len(line)), _INK, font)
    y = (2 + len(lines)) * _LINE
    for image, height in zip(images, heights, strict=True):
        for column, pixels in enumerate((image.original, *image.draws)):
            sheet.paste(Image.fromarray(_sized(pixels)), (_GAP + column * (side + _GAP), y))
        below = y + side + 2
        named = f"{image.label}: {Path(image.name).name}" if image.label else image.name
        draw.text((_GAP, below), fitting_text(named, n_columns * letters), _INK, font)
        for column, (pixels, share) in enumerate(zip(image.mixed, image.shares, strict=True)):
            x = _GAP + (column + 1) * (side + _GAP)
            sheet.paste(Image.fromarray(_sized(pixels)), (x, below + _LINE + _GAP))
            for place, part in enumerate(share.split(", ")[:2]):
                lower = below + (1 + place) * _LINE + _GAP + side
                draw.text((x, lower), fitting_text(part, letters), _FAINT, font)
        y += height
    return sheet
