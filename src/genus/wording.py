"""Numbers with what they count, as they stand in messages and on pages."""


def count(n: int, thing: str = "", things: str | None = None) -> str:
    """Write a number with its thousands parted, and what it counts.

    Examples
    --------
    >>> count(1360), count(1, "image"), count(0, "image"), count(2, "class", "classes")
    ('1,360', '1 image', '0 images', '2 classes')
    """
    if not thing:
        return f"{n:,}"
    return f"{n:,} {thing if n == 1 else things or thing + 's'}"
