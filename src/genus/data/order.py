"""The order in which people expect names."""

import re


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sorting key that puts "class 2" before "class 10".

    Examples
    --------
    >>> sorted(["10", "2", "b", "a10", "a9"], key=natural_key)
    ['2', '10', 'a9', 'a10', 'b']
    """
    parts = re.findall(r"\d+|\D+", text)
    # isdecimal, not isdigit: int() does not read superscripts
    return tuple((0, int(p), p) if p.isdecimal() else (1, 0, p) for p in parts)
