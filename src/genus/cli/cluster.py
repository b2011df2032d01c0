"""`genus cluster`: unlabelled images in, groups out."""

import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genus.cli.console import Console
from genus.cli.group_folder import GroupFolder, group_folders, how_to_file
from genus.cli.grouping import print_files, print_grouping_plan, print_groups, print_next, print_trials
from genus.cli.options import (
    MAX_PIXELS,
    Engine,
    EngineName,
    Features,
    Force,
    ImageColumn,
    Json,
    LabelColumn,
    MaxPixels,
    NoCache,
    Precision,
    PrecisionChoice,
    Preset,
    PresetName,
    Quiet,
    ReaderName,
    Seed,
    Workers,
    data_name,
    make_runtime,
    read_named,
)
from genus.cli.output import print_json
from genus.cli.sorting import HowToFile
from genus.cli.wishes import read_wishes
from genus.errors import DataError, ParameterError

if TYPE_CHECKING:
    from genus.data.dataset import Dataset
    from genus.estimators.grouped import GroupedImages


def cluster(
    context: typer.Context,
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="Images: a folder, pattern or table; to split or merge, OUT."),
    ],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="OUT", help="The folder. [default: DATA's name with -groups]"),
    ] = None,
    clusters: Annotated[
        str | None,
        typer.Option("--clusters", metavar="N|A-B", help="How many groups, or a range. [default: 2-40]"),
    ] = None,
    split: Annotated[
        int | None,
        typer.Option("--split", metavar="N", min=0, help="Split group N of OUT, in --clusters parts."),
    ] = None,
    merge: Annotated[
        str | None, typer.Option("--merge", metavar="A,B", help="Make one of these groups of OUT.")
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the images to OUT/sorted/<group>/.")] = False,
    link: Annotated[bool, typer.Option("--link", help="Link them there instead.")] = False,
    algorithms: Annotated[
        str | None,
        typer.Option(
            "--algorithms",
            metavar="A,B",
            help="Try these: k-means, mini-batch-k-means, ward, average-linkage, complete-linkage, "
            "single-linkage, birch, gaussian-mixture, spectral, hdbscan. [default: all]",
        ),
    ] = None,
    metric: Annotated[
        str,
        typer.Option(
            "--metric",
            metavar="NAME",
            help="What decides: agreement, silhouette, calinski_harabasz, davies_bouldin, stability, or with "
            "--truth adjusted_rand.",
        ),
    ] = "agreement",
    dimensions: Annotated[
        int | None,
        typer.Option("--dimensions", metavar="N", min=1, help="Principal components kept of the features."),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option("--seeds", metavar="FILE", help="A table of a few images with labels to go by."),
    ] = None,
    must_link: Annotated[
        str | None,
        typer.Option("--must-link", metavar="FILE", help="A table of pairs of images that belong together."),
    ] = None,
    cannot_link: Annotated[
        str | None,
        typer.Option("--cannot-link", metavar="FILE", help="A table of pairs that do not."),
    ] = None,
    truth: Annotated[
        bool,
        typer.Option("--truth", help="Hold the groups against DATA's labels (they do not make the groups)."),
    ] = False,
    preset: Preset = PresetName.balanced,
    features: Features = None,
    precision: Precision = PrecisionChoice.int8,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what would be done, how long and how much memory; do nothing."),
    ] = False,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
    seed: Seed = 0,
    engine: Engine = EngineName.auto,
    workers: Workers = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    no_cache: NoCache = False,
    reader: ReaderName = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
) -> None:
    """Sort unlabelled images into groups.

    Several algorithms are tried, the number of groups is searched for, and the grouping that the others agree with
    most is kept. OUT then holds clusters.html, the page to look at; clusters.csv, each image with its group;
    clusters.onnx, a model that says which group a new image belongs to. `genus name` gives the groups names.

    Examples:
      genus cluster photos/ -o out/
      genus cluster photos/ -o out/ --clusters 5-20 --link
      genus cluster photos/ -o out/ --seeds some-labels.csv
      genus cluster out/ --split 3
      genus cluster out/ --merge 1,4
    """
    console = Console(quiet)
    show = _Showing(console, how_to_file(copy=copy, link=link), json)
    wanted = _number(clusters)
    if split is not None or merge is not None:
        _check_in_place(split, merge, output)
        folder = GroupFolder(Path(data))
        show.groups(_regrouped(folder, split, merge, wanted, seed, show), folder)
        return

    from genus.estimators.clusterer import ImageClusterer

    clusterer = ImageClusterer(
        wanted,
        preset=preset.value,
        features=features,
        precision=precision.value,
        n_components=dimensions,
        algorithms=_algorithms(algorithms),
        metric=metric,
        runtime=make_runtime(engine=engine, workers=workers, max_pixels=max_pixels, cache=not no_cache),
        random_state=seed,
    )
    dataset = _read(data, reader, image_column, label_column, metric, truth=truth)
    if dry_run:
        plan = clusterer.plan(dataset)
        print_json(plan.to_dict()) if json else print_grouping_plan(plan)
        return
    folder = GroupFolder(Path(output or f"{data_name(data)}-groups"))
    with folder.prepared(force=force, files_images=show.how is not None):
        dataset = folder.adopt(dataset)
        known = read_wishes(dataset, seeds, must_link, cannot_link)
        clusterer.fit(dataset, **known, progress=console, command=shlex.join(context.obj))
        folder.write(clusterer.grouped_, console)
    show.groups(clusterer.grouped_, folder, tried=True)


@dataclass(frozen=True, slots=True)
class _Showing:
    """How what was found is told, and whether the images are filed."""

    console: Console
    how: HowToFile | None
    json: bool

    def groups(self, grouped: "GroupedImages", folder: GroupFolder, *, tried: bool = False) -> None:
        """File the images if that was asked for, and print what there is."""
        n_filed = (
            None if self.how is None else folder.file_images(group_folders(grouped), self.how, self.console)
        )
        if self.json:
            print_json({**grouped.to_dict(), **folder.to_dict(), "n_filed": n_filed})
            return
        print_groups(grouped)
        if tried:
            print_trials(grouped)
        print_files(folder, n_filed)
        print_next(grouped, folder)


def _check_in_place(split: int | None, merge: str | None, output: str | None) -> None:
    if output is not None:
        raise ParameterError("--split and --merge change the groups of OUT in place, without -o.")
    if split is not None and merge is not None:
        raise ParameterError("--split and --merge are done one after the other, not at once.")


def _regrouped(
    folder: GroupFolder,
    split: int | None,
    merge: str | None,
    parts: int | tuple[int, int] | None,
    seed: int,
    show: _Showing,
) -> "GroupedImages":
    """Split or merge groups, and write all anew."""
    from genus.estimators.regrouping import merge_groups, split_group

    grouped = folder.read()
    if show.how is not None:
        folder.check_sorted()
    if split is not None:
        if isinstance(parts, tuple):
            raise ParameterError("a group is split into a number of parts, --clusters N, not into a range.")
        changed = split_group(grouped, split, parts, random_state=seed, progress=show.console)
    else:
        changed = merge_groups(grouped, _numbers(merge or ""))
    folder.write(changed, show.console)
    return changed


def _number(text: str | None) -> int | tuple[int, int] | None:
    """Read "7" or "5-20"."""
    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d+)\s*(?:(?:-|\.\.)\s*(\d+)\s*)?", text)
    if not found or int(found[1]) < 1:
        raise ParameterError(f"--clusters {text}: expected a number such as 7, or a range such as 5-20.")
    return int(found[1]) if found[2] is None else (int(found[1]), int(found[2]))


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ParameterError(f"--merge {text}: expected numbers of groups, such as 1,4.") from None


def _algorithms(text: str | None) -> list[str] | None:
    """Turn "k-means,ward" into the names that the comparison knows."""
    if text is None:
        return None
    from genus.cluster.trials import algorithm_names

    known = {name.lower().replace(" ", "-"): name for name in algorithm_names()}
    wanted = [part.strip().lower().replace(" ", "-") for part in text.split(",")]
    if unknown := [part for part in wanted if part not in known]:
        raise ParameterError(f"no algorithm named {unknown[0]!r}. There are: {', '.join(known)}.")
    return [known[part] for part in wanted]


def _read(
    data: str, reader: str | None, image: str | None, label: str | None, metric: str, *, truth: bool
) -> "Dataset":
    """Read the images, and their labels only where they were asked for: groups are made without them."""
    if metric == "adjusted_rand" and not truth:
        raise ParameterError("--metric adjusted_rand ranks by known labels; it needs --truth.")
    flat = reader is None and not truth and Path(data).expanduser().is_dir()
    dataset = read_named(
        data, "flat" if flat else reader, image, label, None, None, multilabel=False if truth else None
    )
    if truth and not any(dataset.labels or ()):
        raise DataError(f"{dataset.origin}: no labels to hold the groups against.")
    return dataset if truth else replace(dataset, labels=None, label_sets=None)
