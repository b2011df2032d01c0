"""Pictures with little in them: dark, blown out, blurred, empty, grey among coloured ones, of odd shape or size."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from genus.audit.facts import Facts
from genus.audit.finding import Finding, Found

Floats = NDArray[np.float64]
Rule = Callable[[Facts], Iterator[Finding]]

_DARK, _BRIGHT = 0.85, 0.85  # share of pixels that are nearly black, or white
_MOST_AFFECTED = (
    0.2  # of the images: what so many have belongs to the set, as black does to pictures of the sky
)
_LOW_ENTROPY = 2.0  # bits of 6
_LOW_CONTRAST = 0.02
_GREY, _COLOURED = 0.01, 0.04  # mean distance from grey of a grey picture, and of most in a coloured set
_ODD = 5.0  # robust standard deviations
_MAD = 1.4826
_TINY = 32  # pixels
_BLURRED = 0.5  # of the usual steepness of edges
_BORDER = 0.12  # of a side


def check_pictures(facts: Facts) -> Found:
    """Report pictures with little in them, and those that are unlike the others in shape, size or colour.

    What more than a fifth of the images have belongs to the set, and is not reported: black is usual in pictures of the
    night sky.
    """
    if "brightness" not in facts.statistics:
        return Found(left_out="the pictures were not looked at")
    found: list[Finding] = []
    for rule in (_dark, _bright, _blurry, _empty, _grey, _tiny, _odd_size, _odd_aspect, _border):
        some = list(rule(facts))
        if len(some) <= _MOST_AFFECTED * len(facts) or len(some) == 1:
            found += some
    return Found(tuple(found))


def _dark(facts: Facts) -> Iterator[Finding]:
    share = facts.statistics["dark_share"]
    for row in np.flatnonzero(share >= _DARK):
        severity = _between(share[row], _DARK, 1.0)
        yield Finding(int(row), "dark", severity, f"{share[row]:.0%} of it is nearly black")


def _bright(facts: Facts) -> Iterator[Finding]:
    share = facts.statistics["bright_share"]
    for row in np.flatnonzero(share >= _BRIGHT):
        severity = _between(share[row], _BRIGHT, 1.0)
        yield Finding(
            int(row), "bright", severity, f"{share[row]:.0%} of it is nearly white: blown out or empty"
        )


def _blurry(facts: Facts) -> Iterator[Finding]:
    """Held against the set: how sharp pictures are depends on what they are of."""
    sharp = np.where(facts.statistics["contrast"] > _LOW_CONTRAST, facts.statistics["sharpness"], np.nan)
    if not np.isfinite(sharp).any():
        return
    relative = sharp / max(float(np.nanmedian(sharp)), 1e-6)
    for row, z in _far(-np.log(np.maximum(relative, 1e-3)), least_spread=0.15):
        if relative[row] < _BLURRED:
            yield Finding(
                row, "blurry", _over(z), f"its edges are {relative[row]:.0%} as steep as is usual here"
            )


def _empty(facts: Facts) -> Iterator[Finding]:
    entropy, contrast = facts.statistics["entropy"], facts.statistics["contrast"]
    for row in np.flatnonzero((contrast < _LOW_CONTRAST) & (entropy < _LOW_ENTROPY)):
        severity = 1 - 0.5 * float(entropy[row]) / _LOW_ENTROPY
        yield Finding(
            int(row), "low_information", severity, "next to nothing is in it: one colour, or nearly"
        )


def _grey(facts: Facts) -> Iterator[Finding]:
    colour = facts.statistics["colour"]
    if not np.isfinite(colour).any() or np.nanmedian(colour) < _COLOURED:
        return
    for row in np.flatnonzero(colour < _GREY):
        yield Finding(int(row), "grey", 0.5, "a grey picture among coloured ones")


def _tiny(facts: Facts) -> Iterator[Finding]:
    side = np.minimum(facts.statistics["width"], facts.statistics["height"])
    for row in np.flatnonzero(side < _TINY):
        severity = _between(float(_TINY - side[row]), 0, _TINY)
        yield Finding(int(row), "tiny", severity, f"its shorter side has {side[row]:.0f} pixels")


def _odd_size(facts: Facts) -> Iterator[Finding]:
    pixels = np.log(facts.statistics["width"] * facts.statistics["height"])
    for row, z in _far(np.abs(pixels - np.nanmedian(pixels)), least_spread=0.2):
        yield Finding(
            row, "odd_size", _over(z), f"{_size(facts, row)}: much larger or smaller than the others"
        )


def _odd_aspect(facts: Facts) -> Iterator[Finding]:
    aspect = np.log(facts.statistics["width"] / facts.statistics["height"])
    for row, z in _far(np.abs(aspect - np.nanmedian(aspect)), least_spread=0.12):
        yield Finding(row, "odd_aspect", _over(z), f"{_size(facts, row)}: of another shape than the others")


def _border(facts: Facts) -> Iterator[Finding]:
    border = facts.statistics["border"]
    for row in np.flatnonzero(border >= _BORDER):
        severity = 0.4 + 0.4 * min(1.0, float(border[row]))
        yield Finding(
            int(row), "border", severity, f"{border[row]:.0%} of a side is a frame or bar of one colour"
        )


def _size(facts: Facts, row: int) -> str:
    return f"{facts.statistics['width'][row]:.0f} x {facts.statistics['height'][row]:.0f} pixels"


def _far(values: Floats, *, least_spread: float) -> Iterator[tuple[int, float]]:
    """Yield what is far above the median, with how many robust standard deviations; NaN is not."""
    middle = float(np.nanmedian(values))
    spread = max(_MAD * float(np.nanmedian(np.abs(values - middle))), least_spread)
    z = (values - middle) / spread
    for row in np.flatnonzero(np.nan_to_num(z, nan=0.0) > _ODD):
        yield int(row), float(z[row])


def _over(z: float) -> float:
    return round(float(1 - 0.6 * np.exp((_ODD - z) / _ODD)), 4)


def _between(value: float, low: float, high: float) -> float:
    """Return a severity from 0.5 to 1."""
    return round(0.5 + 0.5 * float(np.clip((value - low) / (high - low), 0, 1)), 4)
