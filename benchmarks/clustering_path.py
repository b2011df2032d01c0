"""From unlabelled images to a classifier, the script playing the person; and what the choice of the number is worth.

Called by `clustering.py`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.cluster.comparison import Comparison, compare_views
from genus.cluster.constraints import Constraints
from genus.cluster.views import Views, fit_preparations, make_views
from genus.data.dataset import Dataset
from genus.data.duplicates import duplicate_groups
from genus.data.splits import split_off
from genus.estimators.classifier import ImageClassifier
from genus.estimators.clusterer import ImageClusterer
from genus.estimators.naming import named_images
from genus.features.feature_set import feature_set_for
from genus.features.stream import extract
from genus.features.table import FeatureTable
from real_sets import load_set

PATH_SETS = ("flower_photos", "ucmerced")
SUBSET_SETS = ("ucmerced", "trashnet", "cifar10")
TEST_SHARE = 0.2
MULTIPLES = (1, 2, 4)  # groups asked for, in classes
N_SEEDS = (0, 1, 3, 5, 10)  # labels known of each class
SEED_SETS = ("flower_photos", "trashnet", "ucmerced")
N_SUBSETS = 12


def measure_path(quick: bool) -> dict[str, Any]:
    """Group, name each group after its majority class, train, and test on images set aside."""
    print("\n| set | groups | names given | labels right | accuracy | supervised | of it |")
    print("|---|---|---:|---:|---:|---:|---:|")
    results: dict[str, Any] = {}
    for name in ("hymenoptera",) if quick else PATH_SETS:
        train, test = two_parts(load_set(name))
        supervised = accuracy(train, test)
        n_classes = len(train.classes)
        asked: list[int | None] = [None, *(n_classes * times for times in MULTIPLES)]
        for number in asked[:2] if quick else asked:
            labelled, n_names = named_by_majority(train, number)
            right = float(np.mean([a == b for a, b in zip(*true_and_given(train, labelled), strict=True)]))
            reached = accuracy(labelled, test)
            kind = "searched for" if number is None else f"asked for {number}"
            print(
                f"| {name} | {kind} | {n_names} | {right:.1%} | {reached:.2%} | {supervised:.2%} "
                f"| {reached / supervised:.1%} |",
                flush=True,
            )
            results[f"{name} {kind}"] = {
                "names": n_names,
                "labels_right": right,
                "accuracy": reached,
                "supervised": supervised,
            }
    return results


def two_parts(data: Dataset) -> tuple[Dataset, Dataset]:
    """Set a fifth aside, duplicates on one side."""
    table = extract(data.sources, feature_set_for("balanced"))
    readable = data.take(table.kept)
    groups = duplicate_groups(table.content_hashes, table.hashes, table.X)
    codes = np.searchsorted(np.array(sorted(readable.classes)), np.asarray(readable.labels))
    aside = split_off(codes, table.content_hashes, groups, size=TEST_SHARE)
    return readable.take(np.flatnonzero(~aside)), readable.take(np.flatnonzero(aside))


def named_by_majority(train: Dataset, number: int | None) -> tuple[Dataset, int]:
    """Return the images with the labels that a person would give by naming groups, and how many names that took."""
    clusterer = ImageClusterer(number, random_state=0).fit(replace(train, labels=None))
    labels = np.asarray(train.labels)
    names = {
        group: Counter(labels[clusterer.labels_ == group].tolist()).most_common(1)[0][0]
        for group in clusterer.grouped_.numbers
    }
    given = {one.image: one.label for one in named_images(clusterer.grouped_.renamed(names))}
    return replace(train, labels=tuple(given.get(name) for name in train.names)), len(names)


def true_and_given(train: Dataset, labelled: Dataset) -> tuple[list[str], list[str]]:
    """Return the true labels and the given ones, where one was given."""
    pairs = [(a, b) for a, b in zip(train.labels or (), labelled.labels or (), strict=True) if a and b]
    return [a for a, _ in pairs], [b for _, b in pairs]


def accuracy(train: Dataset, test: Dataset) -> float:
    """Train as `genus train` does, and return the share of test images that are right."""
    return ImageClassifier(random_state=0).fit(train.labelled()).score(test)


def measure_seeds(quick: bool) -> dict[str, Any]:
    """Say what a few known labels are worth, the number of groups being known."""
    print("\n| set | " + " | ".join(f"{n} seeds a class" for n in N_SEEDS) + " |")
    print("|---|" + "---:|" * len(N_SEEDS))
    results: dict[str, Any] = {}
    for name in ("hymenoptera",) if quick else SEED_SETS:
        views, labels = set_views(name)
        row = []
        for n_seeds in N_SEEDS:
            draws = [seeded(views, labels, n_seeds, draw) for draw in range(3 if n_seeds else 1)]
            row.append(float(np.mean(draws)))
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in row) + " |", flush=True)
        results[name] = dict(zip(map(str, N_SEEDS), row, strict=True))
    return results


def seeded(views: Views, labels: NDArray[np.str_], n_seeds: int, draw: int) -> float:
    """Return the adjusted Rand index of the groups of the images that are no seeds."""
    rng = np.random.default_rng(draw)
    known: list[str | None] = [None] * len(labels)
    for label in np.unique(labels):
        for i in rng.choice(np.flatnonzero(labels == label), n_seeds, replace=False):
            known[i] = str(label)
    hidden = [None if known[i] else str(labels[i]) for i in range(len(labels))]
    wishes = Constraints.of(len(labels), seeds=known) if n_seeds else None
    return chosen(compare_views(views, n_clusters=len(np.unique(labels)), y=hidden, constraints=wishes))


def measure_subsets(quick: bool) -> dict[str, Any]:
    """Try the search for the number on random classes of the sets: is it right on more than a few lucky sets?"""
    print("\n| of | classes | groups found | chosen | best tried with the true number |")
    print("|---|---:|---:|---:|---:|")
    rng = np.random.default_rng(0)
    rows = []
    for name in ("hymenoptera",) if quick else SUBSET_SETS:
        views, labels = set_views(name)
        classes = np.unique(labels)
        for _ in range(1 if quick else N_SUBSETS // len(SUBSET_SETS)):
            k = int(rng.integers(2, min(15, len(classes)) + 1))
            rows.append(subset(name, views, labels, rng.choice(classes, k, replace=False)))
    away = float(np.mean([abs(np.log2(row["found"] / row["classes"])) for row in rows]))
    share = float(np.mean([row["chosen"] / row["best"] for row in rows]))
    print(
        f"\nfound number off by a factor of {2**away:.2f} on average; "
        f"{share:.0%} of the best that was tried with the true number"
    )
    return {"rows": rows, "factor": 2**away, "share": share}


def subset(name: str, views: Views, labels: NDArray[np.str_], classes: NDArray[np.str_]) -> dict[str, Any]:
    """Group the images of some classes, the number unknown, and then known."""
    keep = np.flatnonzero(np.isin(labels, classes))
    part, truth = views.take(keep), labels[keep].tolist()
    found = compare_views(part, y=truth)
    best = max(
        row.truth.adjusted_rand
        for row in compare_views(part, n_clusters=len(classes), y=truth).rows
        if row.truth
    )
    print(
        f"| {name} | {len(classes)} | {found.n_clusters} | {chosen(found):.3f} | {best:.3f} |",
        flush=True,
    )
    return {
        "set": name,
        "classes": len(classes),
        "found": found.n_clusters,
        "chosen": chosen(found),
        "best": best,
    }


def chosen(found: Comparison) -> float:
    return found.winner.truth.adjusted_rand if found.winner.truth else float("nan")


def set_views(name: str) -> tuple[Views, NDArray[np.str_]]:
    """Return the prepared rows of a set, and its labels."""
    data = load_set(name)
    table = extract(data.sources, feature_set_for("balanced"))
    labels: Sequence[str | None] = data.labels or ()
    return views_of(table), np.array([str(labels[i]) for i in table.kept])


def views_of(table: FeatureTable) -> Views:
    """Prepare rows as `ImageClusterer` does."""
    made = fit_preparations(
        table.X,
        blocks=[(b.start, b.stop) for b in table.blocks],
        use=[i for i, b in enumerate(table.blocks) if not b.middle],
    )
    return make_views(made, [(np.arange(len(table)), table.X)], len(table))
