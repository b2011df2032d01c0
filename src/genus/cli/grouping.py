"""The words and tables in which `genus cluster` and `genus name` tell what they found."""

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from genus.cli.group_folder import GroupFolder
from genus.cli.output import aligned, print_line, size_text
from genus.cli.training import print_notes, print_skipped

if TYPE_CHECKING:
    from genus.estimators.grouped import GroupedImages
    from genus.estimators.grouping_cost import GroupingPlan

_MAX_GROUPS = 40
_MAX_TRIALS = 8
_WORTH_NAMING = 0.15  # a guess below this is not offered in the command that one may copy
_MAX_PROPOSED = 3


def print_groups(grouped: "GroupedImages") -> None:
    """Print which groups there are."""
    from genus.report.group_words import basis, headline
    from genus.report.words import percent
    from genus.wording import count

    print_line(f"{headline(grouped)} {basis(grouped)}")
    print_line()
    n = max(1, sum(grouped.sizes.values()))
    known = grouped.truth is not None
    rows = [("Group", "name", "images", "", "cohesion", "known labels" if known else "")]
    for number, size in list(grouped.sizes.items())[:_MAX_GROUPS]:
        labels = ", ".join(f"{label} {percent(share, 0)}" for label, share in grouped.known_labels(number))
        name = grouped.group_names.get(number, "")
        share = percent(size / n, 0)
        rows.append((str(number), name, f"{size:,}", share, f"{grouped.cohesion[number]:.2f}", labels))
    print(*aligned(_without_empty_columns(rows), right=[0]), sep="\n")
    if len(grouped.sizes) > _MAX_GROUPS:
        print_line(f"  and {len(grouped.sizes) - _MAX_GROUPS:,} more (the page shows all)")
    noise = int((grouped.labels[grouped.row >= 0] < 0).sum())
    if noise:
        print_line(f"{count(noise, 'image')} in no group: unlike all others.")
    print_notes(grouped.comparison["notes"])
    print_skipped(grouped.skipped)


def print_trials(grouped: "GroupedImages") -> None:
    """Print what was tried, and why the winner won."""
    from genus.report.group_words import why
    from genus.report.words import duration

    compared = grouped.comparison
    print_line()
    print_line(why(grouped))
    if compared["n_clusters"] == 1:
        return
    truth = compared["rows"][0]["truth"] is not None
    head = ("", "Tried", "rows", "groups", "agreement", "silhouette", "stability", "time")
    rows = [(*head, "adjusted Rand" if truth else "")]
    for i, row in enumerate(compared["rows"][:_MAX_TRIALS]):
        rows.append(
            (
                "*" if i == 0 else "",
                row["name"],
                row["preparation"],
                str(row["n_clusters"]),
                *(_figure(row[name]) for name in ("agreement", "silhouette", "stability")),
                duration(row["seconds"]),
                _figure(row["truth"]["adjusted_rand"]) if truth else "",
            )
        )
    right = [3, 4, 5, 6, 7, 8]
    print(*aligned(_without_empty_columns(rows), right=[i for i in right if i < 8 or truth]), sep="\n")


def print_files(folder: GroupFolder, n_filed: int | None = None) -> None:
    """Print where everything is, and what to do next."""
    from genus.wording import count

    rows = [
        ("Page", f"{folder.page} ({size_text(folder.page.stat().st_size)})"),
        ("Table", str(folder.table)),
        ("Model", f"{folder.model} ({size_text(folder.model.stat().st_size)})"),
    ]
    if n_filed is not None:
        rows.append(("Sorted", f"{folder.sorted} ({count(n_filed, 'image')})"))
    print_line()
    print(*aligned(rows, indent=""), sep="\n")


def print_next(grouped: "GroupedImages", folder: GroupFolder) -> None:
    """Print how to go on: look, then name."""
    unnamed = [number for number in sorted(grouped.numbers) if number not in grouped.group_names]
    if not unnamed:
        return
    shown = " ".join(f"{number}=NAME" for number in unnamed[:2])
    place = shlex.quote(str(folder.path))
    print_line()
    print_line(f"Next: look at the page, then genus name {place} {shown}{' ...' if len(unnamed) > 2 else ''}")
    print_line(f"      (genus name {place} --suggest proposes names)")


def print_grouping_plan(plan: "GroupingPlan") -> None:
    """Print what grouping would do."""
    from genus.report.words import duration
    from genus.wording import count

    print_line(f"{count(plan.n_images, 'image')} from {plan.origin}.")
    print_line(f"Features: {plan.features}")
    print_line("Time, less where features are in the cache already:")
    stages = [(name, f"about {duration(seconds)}") for name, seconds in plan.seconds.items()]
    print(*aligned(stages), sep="\n")
    print_line(f"Memory: about {plan.memory_mb:,.0f} MB")
    print_line("Nothing was done.")


def print_names(
    grouped: "GroupedImages", folder: GroupFolder, counts: Mapping[str, int], n_filed: int | None
) -> None:
    """Print which names there are, and what has none."""
    from genus.estimators.naming import DROPPED
    from genus.wording import count

    if counts:
        n = sum(counts.values())
        print_line(f"{count(n, 'image')} in {count(len(counts), 'class', 'classes')}: {folder.labels}")
        print(*aligned([(label, f"{size:,}") for label, size in counts.items()], right=[1]), sep="\n")
    else:
        print_line("No group has a name yet, so there is no labels.csv.")
    for what, numbers in (
        ("without a name yet, and left out", [n for n in grouped.sizes if n not in grouped.group_names]),
        ("dropped", [n for n in grouped.sizes if grouped.group_names.get(n) == DROPPED]),
    ):
        if numbers:
            images = count(sum(grouped.sizes[number] for number in numbers), "image")
            listed = ", ".join(map(str, numbers))
            print_line(f"{'Group' if len(numbers) == 1 else 'Groups'} {listed} ({images}): {what}.")
    if n_filed is not None:
        print_line(f"Sorted: {folder.sorted} ({count(n_filed, 'image')})")
    if len(counts) > 1:
        print_line()
        print_line(f"Next: genus train {shlex.quote(str(folder.labels))}")


def print_guesses(guesses: Mapping[int, Sequence[tuple[str, float]]], folder: GroupFolder) -> None:
    """Print proposed names, and say what they are worth."""
    from genus.report.words import percent

    print_line("Guesses by the built-in model, which knows ImageNet's 1000 classes and nothing else:")
    rows = []
    for number, found in guesses.items():
        likely = [f"{name} {percent(p, 0)}" for name, p in found if p >= 0.01][:_MAX_PROPOSED]
        rows.append((str(number), ", ".join(likely) or "no idea"))
    print(*aligned(rows, right=[0]), sep="\n")
    sure = [
        (number, found[0][0]) for number, found in guesses.items() if found and found[0][1] >= _WORTH_NAMING
    ]
    if sure:
        pairs = " ".join(shlex.quote(f"{number}={name}") for number, name in sure)
        print_line()
        print_line("Nothing was named. Look at the page; where you agree:")
        print_line(f"  genus name {shlex.quote(str(folder.path))} {pairs}")


def _figure(value: float) -> str:
    return f"{value:.2f}" if value == value else "-"


def _without_empty_columns(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Leave out columns in which nothing stands, not even a heading; and those with nothing but a heading."""
    kept = [i for i in range(len(rows[0])) if any(row[i] for row in rows[1:])]
    return [[row[i] for i in kept] for row in rows]
