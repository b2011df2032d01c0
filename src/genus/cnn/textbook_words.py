r"""The convolutional network of every primer, written as one short line.

"conv32-pool-conv64-pool-flatten-dense128" reads from pixels to embedding; the classifier comes by itself::

    network    = spatial {"-" spatial} "-" ("flatten" | "gap") {"-" flat}
    spatial    = conv | "pool" [n] | "avgpool" [n] | "norm" | drop
    flat       = "dense" n | drop
    conv       = "conv" n ["x" k]
    drop       = "drop" share

=============  ======================================================================================
convN, convNxK  N filters of 3 x 3, or K x K (odd) places with zeros round the picture; then ReLU
pool, poolN    the largest value of each 2 x 2, or N x N, places
avgpoolN       their mean
norm           batch normalisation; behind a convolution before its ReLU
dropP          leaves out a share P of the values while training: drop0.5
flatten        all values of the map in one row
gap            the mean of each channel of the map: global average pooling, which keeps evidence maps exact
denseN         N neurons that see all values; then ReLU
=============  ======================================================================================

LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition" (Proc. IEEE, 1998); weights
begin as in He et al., "Delving Deep into Rectifiers" (ICCV 2015).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from genus.errors import ParameterError

_WORD = re.compile(
    r"(?P<kind>conv|pool|avgpool|norm|drop|flatten|gap|dense)(?P<number>\d+(?:\.\d+)?)?(?:x(?P<kernel>\d+))?"
)
_SPATIAL = ("conv", "pool", "avgpool", "norm", "drop")
_FLAT = ("dense", "drop")
_ALLOWED = "convN, convNxK, pool, poolN, avgpool, avgpoolN, norm, dropP, flatten, gap, denseN"
_MAX_WIDTH, _MAX_KERNEL = 8192, 31


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a description.

    Attributes
    ----------
    text, kind : str
        As it is written, and without its numbers.
    number : float or None
        Where it has one.
    kernel : int
        The side of a convolution's filters.
    norm : bool
        Whether batch normalisation follows the convolution, before its ReLU; that "norm" is then no word of its own.
    """

    text: str
    kind: str
    number: float | None = None
    kernel: int = 3
    norm: bool = False


def parse(description: str) -> tuple[Word, ...]:
    """Read a description such as "conv32-pool-flatten-dense128".

    Raises
    ------
    ParameterError
        A word cannot be understood, or stands where it cannot; the message names it and says what is allowed.

    Examples
    --------
    >>> [(word.kind, word.norm) for word in parse("conv32x5-norm-pool-gap")]
    [('conv', True), ('pool', False), ('gap', False)]
    >>> parse("conv32-pol-gap")
    Traceback (most recent call last):
    genus.errors.ParameterError: 'conv32-pol-gap': 'pol' (word 2) is no layer; there are convN, convNxK, pool, ...
    """
    words = [_word(description, place, text) for place, text in enumerate(description.split("-"), start=1)]
    ends = [place for place, word in enumerate(words) if word.kind in ("flatten", "gap")]
    if len(ends) != 1:
        raise ParameterError(
            f"{description!r}: 'flatten' or 'gap' must come once, between the map and what sees all of it; "
            f"here it comes {len(ends)} times."
        )
    for place, word in enumerate(words):
        allowed = _SPATIAL if place < ends[0] else _FLAT
        if place != ends[0] and word.kind not in allowed:
            raise ParameterError(
                f"{description!r}: {word.text!r} (word {place + 1}) cannot stand "
                f"{'before' if place < ends[0] else 'behind'} {words[ends[0]].text!r}; "
                f"there can be {', '.join(allowed)}."
            )
    if not any(word.kind == "conv" for word in words):
        raise ParameterError(f"{description!r}: there must be a convolution, such as conv32.")
    return _with_norms(words)


def _with_norms(words: Sequence[Word]) -> tuple[Word, ...]:
    """Join each "norm" that follows a convolution to it."""
    joined: list[Word] = []
    for word in words:
        if word.kind == "norm" and joined and joined[-1].kind == "conv" and not joined[-1].norm:
            joined[-1] = replace(joined[-1], norm=True)
        else:
            joined.append(word)
    return tuple(joined)


def _word(description: str, place: int, text: str) -> Word:
    found = _WORD.fullmatch(text)
    where = f"{description!r}: {text!r} (word {place})"
    if found is None:
        raise ParameterError(f"{where} is no layer; there are {_ALLOWED}.")
    kind, digits, kernel = found["kind"], found["number"], found["kernel"]
    number = None if digits is None else float(digits)
    if kernel is not None and kind != "conv":
        raise ParameterError(f"{where}: only a convolution has a size behind an x, such as conv32x5.")
    problem = _problem(kind, number, digits or "", int(kernel or 3))
    if problem:
        raise ParameterError(f"{where}: {problem}.")
    return Word(text, kind, number, int(kernel or 3))


def _problem(kind: str, number: float | None, digits: str, kernel: int) -> str:
    """Say what is wrong with a word's numbers; empty where nothing is."""
    whole = digits.isdigit()
    if kind in ("conv", "dense") and not (whole and 1 <= int(digits) <= _MAX_WIDTH):
        return f"it takes a whole number from 1 to {_MAX_WIDTH}, such as {kind}64"
    if kind == "conv" and not (kernel % 2 == 1 and kernel <= _MAX_KERNEL):
        return f"the side of its filters must be odd, from 1 to {_MAX_KERNEL}, such as conv32x5"
    if kind in ("pool", "avgpool") and digits and not (whole and 2 <= int(digits) <= _MAX_KERNEL):
        return f"it takes a whole number from 2 to {_MAX_KERNEL}, or none for 2"
    if kind == "drop" and not (number is not None and 0 <= number < 1):
        return "it takes the share that is left out, from 0 to below 1, such as drop0.5"
    if kind in ("norm", "flatten", "gap") and digits:
        return "it takes no number"
    return ""
