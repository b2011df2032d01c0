"""The page of `genus search`: what was asked, and what was found."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import PurePath
from typing import Any

from genus.estimators.index_hits import Hit, SearchResult
from genus.files import write_text
from genus.images.decode import DEFAULT_LIMITS, Limits
from genus.images.source import ImageSource
from genus.report.content import Fact
from genus.report.page import render_page
from genus.report.pictures import small_copy

MAX_HITS = 500
"""Pictures on a page."""
_SIDE = 240


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture with its caption.

    Attributes
    ----------
    name, short_name : str
    thumbnail : str or None
        A data URI; None where the image cannot be read.
    hit : Hit or None
        None for what was asked.
    """

    name: str
    short_name: str
    thumbnail: str | None
    hit: Hit | None = None


def render_search(
    result: SearchResult,
    asked: Sequence[ImageSource],
    unlike: Sequence[ImageSource],
    *,
    data: str,
    about: dict[str, Any],
    limits: Limits = DEFAULT_LIMITS,
) -> str:
    """Render a page that holds all its pictures and asks nothing of any network.

    Parameters
    ----------
    result : SearchResult
    asked, unlike : sequence of ImageSource
        The examples, of what is looked for and of what is not.
    data : str
        What was searched in.
    about : dict
        From `ImageIndex.info`.
    limits : Limits
        The largest image that is decoded.
    """
    shown = [
        Shown(
            hit.image,
            PurePath(hit.image).name,
            None if hit.source is None else small_copy(hit.source, size=_SIDE, limits=limits),
            hit,
        )
        for hit in result.hits[:MAX_HITS]
    ]
    values = {
        "result": result,
        "data": data,
        "asked": [_asked(source, limits) for source in asked],
        "unlike": [_asked(source, limits) for source in unlike],
        "hits": shown,
        "n_more": len(result.hits) - len(shown),
        "facts": _facts(result, about),
        "is_probability": result.score_means.startswith("probability"),
        "score": _score_in_words(result.score_means),
    }
    return render_page("search.html", values)


def write_search(
    path: str | PathLike[str],
    result: SearchResult,
    asked: Sequence[ImageSource],
    unlike: Sequence[ImageSource],
    *,
    data: str,
    about: dict[str, Any],
    limits: Limits = DEFAULT_LIMITS,
) -> None:
    """Write the page, whole or not at all (see `render_search`).

    Raises
    ------
    OutputError
        It cannot be written.
    """
    write_text(path, render_search(result, asked, unlike, data=data, about=about, limits=limits))


def _score_in_words(score_means: str) -> str:
    if score_means.startswith("probability"):
        return "The number is how often two images that are so alike are of the same class."
    if score_means == "cosine":
        return "The number is the cosine of the features: 1 for the same picture."
    if score_means == "mean cosine":
        return "The number is the mean of the cosines of the features with all examples."
    return "The number is the similarity to what was asked for, less half of that to what is not meant."


def _facts(result: SearchResult, about: dict[str, Any]) -> list[Fact]:
    found = f"{result.n_images:,}"
    if result.n_allowed < result.n_images:
        found += f", {result.n_allowed:,} of which meet the conditions"
    method = "every image was compared"
    if result.method == "graph":
        method = f"a graph of neighbours, which finds {result.recall:.1%} of the ten nearest"
    facts = [
        Fact("Images", found),
        Fact("Features", str(about["features"])),
        Fact("How", method),
        Fact("Time", f"{result.seconds:.2f} s"),
    ]
    retrieval = about.get("retrieval")
    if retrieval:
        chosen, plain = (retrieval[name]["mean_average_precision"] for name in ("chosen", "without_labels"))
        words = (
            f"{chosen:.3f}" if chosen == plain else f"{chosen:.3f}; {plain:.3f} before tuning to the labels"
        )
        facts.append(Fact("Mean average precision", words))
    return facts


def _asked(source: ImageSource, limits: Limits) -> Shown:
    return Shown(source.name, PurePath(source.name).name, small_copy(source, size=_SIDE, limits=limits))
