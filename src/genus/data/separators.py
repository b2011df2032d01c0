"""Telling whether texts are lists of names, and what stands between the names."""

from collections import Counter, defaultdict
from collections.abc import Iterable

SEPARATORS = ("|", ";", ",")
_CERTAIN = ("|", ";")  # hardly part of a name; a comma often is: "tench, Tinca tinca"
_ENOUGH = 0.5


def find_separator(texts: Iterable[str], *, expected: bool) -> str | None:
    """Return what separates the names in these texts; None where they look like whole names.

    Parameters
    ----------
    texts : iterable of str
    expected : bool
        Whether lists are likely, from what the column is called: then a `|` or `;` anywhere decides.

    Notes
    -----
    Otherwise what stands between two separators must look like a name of its own: at least half of the parts recur in
    other texts. And where no lists are expected, half of those that recur must move (stand in another place, or in
    a text of more or fewer parts), which they do in lists and not in names made of parts, such as "red;car" and
    "red;bus".

    Examples
    --------
    >>> find_separator(["cat,dog", "dog", "bird,cat,dog"], expected=False)
    ','
    >>> find_separator(["tench, Tinca tinca", "goldfish, Carassius auratus"], expected=True) is None
    True
    """
    whole = set(texts)
    for separator in SEPARATORS:
        if not any(separator in text for text in whole):
            continue
        if (expected and separator in _CERTAIN) or _recur(whole, separator, moving=not expected):
            return separator
    return None


def split_text(text: str, separator: str) -> list[str]:
    """Return the names in a text."""
    return [name for part in text.split(separator) if (name := part.strip())]


def _recur(whole: set[str], separator: str, *, moving: bool) -> bool:
    places: dict[str, set[tuple[int, int]]] = defaultdict(set)
    found_in: Counter[str] = Counter()
    in_lists: Counter[str] = Counter()
    for text in whole:
        parts = split_text(text, separator)
        found_in.update(set(parts))
        if len(parts) > 1:
            in_lists.update(parts)
        for place, part in enumerate(parts):
            places[part].add((place, len(parts)))
    again = {part: n for part, n in in_lists.items() if found_in[part] > 1}
    if not again or sum(again.values()) < _ENOUGH * in_lists.total():
        return False
    return not moving or sum(len(places[part]) > 1 for part in again) >= _ENOUGH * len(again)
