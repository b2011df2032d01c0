"""`genus name`: groups get names, and become labels."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genus.cli.console import Console
from genus.cli.group_folder import GroupFolder, how_to_file
from genus.cli.grouping import print_guesses, print_names
from genus.cli.options import Engine, EngineName, Json, Quiet, Workers, make_runtime
from genus.cli.output import print_json
from genus.cli.sorting import HowToFile
from genus.errors import ParameterError

if TYPE_CHECKING:
    from genus.estimators.grouped import GroupedImages
    from genus.features.runtime import Runtime


def name(
    folder: Annotated[str, typer.Argument(metavar="OUT", help="The folder that genus cluster wrote.")],
    pairs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[N=NAME...]", help="A group's number and its name; - for a name drops it."),
    ] = None,
    suggest: Annotated[
        bool,
        typer.Option("--suggest", help="Propose names from the built-in model's 1000 classes: guesses."),
    ] = False,
    above: Annotated[
        float,
        typer.Option(
            "--above", metavar="P", min=0, max=1, help="Leave out images whose group is less sure than P."
        ),
    ] = 0.0,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the named images to OUT/sorted/<name>/ as well.")
    ] = False,
    link: Annotated[bool, typer.Option("--link", help="Link them there instead.")] = False,
    json: Json = False,
    quiet: Quiet = False,
    engine: Engine = EngineName.auto,
    workers: Workers = None,
) -> None:
    """Give groups names, and make labels of them.

    OUT/labels.csv then holds each image of a named group with its label and how sure its group is; genus train reads
    it. Several groups may share a name. Names add up from one call to the next, and a later one replaces an earlier
    one of the same group; without any, those there are get shown.

    Examples:
      genus name out/ --suggest
      genus name out/ 0=daisy 1=tulip 3=daisy 4=-
      genus name out/ --above 0.6 --link
    """
    console = Console(quiet)
    place = GroupFolder(Path(folder))
    how = how_to_file(copy=copy, link=link)
    names = _names(pairs or [])
    grouped = place.read()
    if how is not None:
        place.check_sorted()
    if names:
        grouped = grouped.renamed(names)
        place.write_names(grouped, console)
    result: dict[str, object] = {}
    if names or how is not None or not suggest:
        result = _label(grouped, place, above, how, console, json=json)
    if suggest:
        guesses = _guesses(grouped, make_runtime(engine=engine, workers=workers), console)
        result["suggestions"] = {
            number: [{"name": guess, "confidence": p} for guess, p in found]
            for number, found in guesses.items()
        }
        if not json:
            print_guesses(guesses, place)
    if json:
        print_json(result)


def _label(
    grouped: "GroupedImages",
    place: GroupFolder,
    above: float,
    how: HowToFile | None,
    console: Console,
    *,
    json: bool,
) -> dict[str, object]:
    """Write the labels, and file the images if that was asked for; returns what was done."""
    from genus.estimators.naming import named_images

    images = named_images(grouped, above)
    if grouped.group_names:
        place.write_labels(images)
    folders = {one.image: one.label for one in images}
    n_filed = None if how is None else place.file_images(folders, how, console)
    counts = dict(Counter(one.label for one in images))
    if not json:
        print_names(grouped, place, counts, n_filed)
    return {
        "names": grouped.group_names,
        "counts": counts,
        "labels": place.labels if grouped.group_names else None,
        "n_filed": n_filed,
    }


def _names(pairs: list[str]) -> dict[int, str]:
    """Read "3=daisy"."""
    names: dict[int, str] = {}
    for pair in pairs:
        number, equals, text = pair.partition("=")
        text = text.strip()
        if not equals or not number.strip().isdecimal():
            raise ParameterError(f"{pair!r}: expected a group's number and its name, such as 3=daisy.")
        if not text:
            raise ParameterError(f"{pair!r}: no name after the sign. To drop the group: {number}=-")
        if names.get(int(number), text) != text:
            raise ParameterError(f"group {int(number)} gets two names: {names[int(number)]!r} and {text!r}.")
        names[int(number)] = text
    return names


def _guesses(
    grouped: "GroupedImages", runtime: "Runtime", console: Console
) -> dict[int, list[tuple[str, float]]]:
    from genus.estimators.naming import suggest_names
    from genus.predictor import built_in

    unnamed = [number for number in grouped.numbers if number not in grouped.group_names]
    guesses = suggest_names(grouped, built_in(runtime), progress=console)
    return {number: found for number, found in guesses.items() if number in unnamed or not unnamed}
