"""What `genus search` says and writes."""

from typing import TYPE_CHECKING, Any

from genus.cli.console import Console
from genus.cli.output import aligned, print_json, print_line
from genus.wording import count

if TYPE_CHECKING:
    from genus.estimators.image_index import ImageIndex
    from genus.estimators.index_hits import Hit, SearchResult
    from genus.features.runtime import Runtime


def write_results(
    index: "ImageIndex", *, save: str | None, export: str | None, force: bool, console: Console
) -> None:
    """Write the index and its vectors where that was asked for."""
    if save is not None:
        index.save(save, force=force, progress=console)
    if export is not None:
        index.export(export, force=force)


def write_page(
    path: str,
    found: "SearchResult",
    asked: list[str],
    unlike: list[str],
    box: tuple[float, float, float, float] | None,
    *,
    index: "ImageIndex",
    data: str,
    runtime: "Runtime",
) -> None:
    """Write the page with the pictures."""
    from genus.estimators.index_query import cut_out
    from genus.images.source import as_source
    from genus.report.search import write_search

    sources = [as_source(name) for name in asked]
    if box is not None:
        sources.append(cut_out(sources[0], box, runtime))
    against = [as_source(name) for name in unlike]
    write_search(path, found, sources, against, data=data, about=index.info(), limits=runtime.limits)


def print_found(
    found: "SearchResult", index: "ImageIndex", k: int, *, html: str | None, json: bool, console: Console
) -> None:
    """Print the hits, the most alike first."""
    for note in found.notes:
        console.say(note)
    if json:
        skipped = [{"source": one.source, "reason": one.reason} for one in index.skipped]
        print_json({**found.to_dict(), "page": html, "skipped": skipped})
        return
    is_probability = found.score_means.startswith("probability")
    rows = [_row(hit, is_probability) for hit in found.hits]
    if rows:
        print(*aligned(rows, right=[0], indent=""), sep="\n")
    if len(found.hits) < k:
        which = f"{found.n_allowed:,} of {found.n_images:,} images that meet the conditions"
        print_line(f"No more than {count(len(found.hits), 'picture')} found among the {which}.")
    if html is not None:
        print_line(f"Page: {html}")


def _row(hit: "Hit", is_probability: bool) -> tuple[str, ...]:
    score = f"{hit.score:.0%}" if is_probability else f"{hit.score:.3f}"
    remarks = ["the same file"] if hit.same_file else []
    remarks += [f"{len(hit.copies)} more of it"] if hit.copies else []
    remarks += [hit.file] if hit.file in ("changed", "vanished") else []
    return score, hit.label or "", hit.image, ", ".join(remarks)


def print_identified(queries: list[str], index: "ImageIndex", rate: float, *, json: bool) -> None:
    """Print a name for each image, or that it is unknown."""
    found = [(name, index.identify(name, false_accept_rate=rate)) for name in queries]
    if json:
        print_json({"identified": [{"image": name, **each.to_dict()} for name, each in found]})
        return
    for name, each in found:
        how = f"similarity {each.similarity:.3f}, needed {each.threshold:.3f}"
        print_line(f"{name}: {each.name or 'unknown'} (nearest {each.nearest}, {how})")
    last = found[-1][1]
    how_often = f"at most {rate:.3g}" if last.is_assured else f"about {rate:.3g}"
    needed = "" if last.is_assured else f" (it takes {last.names_needed:,} to assure it)"
    print_line(
        f"Of strangers {how_often} get a name, measured on {last.n_strangers:,} images of {last.n_names:,} names"
        f"{needed}; of known ones {last.accepted:.1%} get theirs."
    )


def print_index(index: "ImageIndex", data: str, *, save: str | None, export: str | None, json: bool) -> None:
    """Describe the index."""
    about = index.info()
    if json:
        print_json({**about, "saved": save, "exported": export})
        return
    print(*aligned(list(_facts(about, data, save, export).items()), indent=""), sep="\n")


def _facts(about: dict[str, Any], data: str, save: str | None, export: str | None) -> dict[str, str]:
    facts = {
        "Data": data,
        "Images": f"{about['n_images']:,}, {about['n_labelled']:,} of them with a label",
        "Features": about["features"],
        "Vectors": f"{about['width']} numbers in {about['storage']}",
        "Search": "every image is compared",
        "Score": about["score_means"],
    }
    if about["recall"]:
        facts["Search"] = (
            f"a graph of neighbours, which finds {about['recall']['value']:.1%} of the ten nearest"
        )
    if "retrieval" in about:
        both = {name: each["mean_average_precision"] for name, each in about["retrieval"].items()}
        facts["Mean average precision"] = (
            f"{both['chosen']:.3f} ({both['without_labels']:.3f} without labels)"
        )
    facts |= {"Index": save} if save else {}
    facts |= {"Exported to": export} if export else {}
    return facts
