"""`genus cache`: show, bound or clear the cache of computed features."""

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from genus.cli.options import Json
from genus.cli.output import aligned, print_json, size_text
from genus.errors import ParameterError
from genus.wording import count

if TYPE_CHECKING:
    from genus.features.cache import CacheStats

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


class Action(StrEnum):
    """What to do with the cache."""

    size = "size"
    limit = "limit"
    clear = "clear"


def cache(
    action: Annotated[
        Action, typer.Argument(metavar="[size|limit|clear]", help="What to do.", show_default=False)
    ] = Action.size,
    bound: Annotated[
        str | None,
        typer.Argument(metavar="[BYTES]", help="With limit: the most it may take, such as 500M or 2G."),
    ] = None,
    json: Json = False,
) -> None:
    """Show, bound or clear the cache of computed features.

    What was computed from an image once is looked up the next time, wherever the file has moved. The cache never
    grows beyond its limit: what was unused for longest goes first. Clearing it loses nothing but time. It lies in
    the folder that GENUS_CACHE names, else in the user's cache folder.

    Examples:
      genus cache
      genus cache limit 2G
      genus cache clear
    """
    if (bound is not None) != (action is Action.limit):
        raise ParameterError(
            "`genus cache limit BYTES` takes a size, such as 2G; the other actions take none."
        )

    from genus.features.cache import FeatureCache
    from genus.features.cache_limit import write_limit

    if bound is not None:
        write_limit(parse_bytes(bound))
    with FeatureCache() as features:
        if action is Action.clear:
            from genus.estimators.index_cache import clear_searches

            features.clear()
            clear_searches()
        elif action is Action.limit:
            features.prune()
        stats = features.stats()
    if json:
        print_json(stats.to_dict())
    else:
        _print(stats)


def parse_bytes(text: str) -> int:
    """Read a number of bytes, such as "500M", "2 GB" or "1073741824".

    Examples
    --------
    >>> parse_bytes("2G"), parse_bytes("1.5 kB")
    (2147483648, 1536)
    """
    found = re.fullmatch(r"([\d_]+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower())
    if not found:
        raise ParameterError(f"{text!r} is no size; write a number of bytes, or one with K, M, G or T: 2G.")
    return int(float(found[1]) * _UNITS[found[2]])


def _print(stats: "CacheStats") -> None:
    rows = [
        ("Place", stats.path),
        ("Size", f"{size_text(stats.n_bytes)} of at most {size_text(stats.limit)}"),
        ("Holds", f"{count(stats.n_rows, 'feature vector')} of {count(stats.n_images, 'image')}"),
    ]
    if stats.problem:
        rows.append(("Problem", stats.problem))
    print(*aligned(rows, indent=""), sep="\n")
