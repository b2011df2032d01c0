"""Stopping in a tree where it is sure: how often that is right, and how deep it goes.

`python benchmarks/taxonomy.py [--quick]` trains on three quarters of sets whose classes form a tree, with three seeds,
and asks for the deepest taxon that is sure on the rest. Beside it the plain way: the deepest taxon whose probability
reaches what was asked for, which trusts the probabilities. Chance alone moves the share of right answers; the least
that it leaves, 1 time in 20, is the beta-binomial bound beside it, for the test set of one seed.

Prints Markdown; writes benchmarks/out/taxonomy.json.
"""

import argparse
import json
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformal import COVERAGES, SEEDS, TEST_SHARE, least_covered
from genus.data.duplicates import duplicate_groups
from genus.data.splits import split_off
from genus.estimators.classifier import ImageClassifier
from genus.features.feature_set import feature_set_for
from genus.features.stream import extract
from genus.metrics.sure import SureTaxa, measure_sure
from genus.metrics.taxa import evaluate_taxa
from genus.taxonomy import TOP, Taxonomy
from real_sets import OUT, load_set

TREES = {
    "cifar10": {
        "animal": {"mammal": ["cat", "deer", "dog", "horse"], "other animal": ["bird", "frog"]},
        "vehicle": {"on the road": ["automobile", "truck"], "elsewhere": ["airplane", "ship"]},
    },
    "ucmerced": {
        "built": {
            "houses": [
                "buildings",
                "denseresidential",
                "mediumresidential",
                "sparseresidential",
                "mobilehomepark",
            ],
            "traffic": ["airplane", "freeway", "intersection", "overpass", "parkinglot", "runway"],
            "sites": ["storagetanks", "tenniscourt", "baseballdiamond", "golfcourse"],
        },
        "green": ["agricultural", "chaparral", "forest"],
        "water": ["beach", "harbor", "river"],
    },
}

Run = tuple[SureTaxa, NDArray[np.float32], NDArray[np.int64]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one set, one seed")
    args = parser.parse_args()
    results: dict[str, Any] = {}
    for name in ("ucmerced",) if args.quick else TREES:
        runs = [trained(name, seed) for seed in (SEEDS[:1] if args.quick else SEEDS)]
        results[name] = {"figures": figures(name, runs), "sure": [stopping(name, runs, c) for c in COVERAGES]}
    OUT.mkdir(exist_ok=True)
    (OUT / "taxonomy.json").write_text(json.dumps(results, indent=1), "utf-8")


def trained(name: str, seed: int) -> Run:
    """Return what was learned, the probabilities of the images set aside, and their true taxa."""
    data = load_set(name)
    table = extract(data.sources, feature_set_for("balanced"))
    data = data.take(table.kept)
    groups = duplicate_groups(table.content_hashes, table.hashes, table.X)
    codes = np.searchsorted(np.array(sorted(data.classes)), np.asarray(data.labels))
    aside = split_off(codes, table.content_hashes, groups, size=TEST_SHARE, random_state=seed)
    model = ImageClassifier(taxonomy=parents_of(TREES[name]), random_state=seed, test_size=0.05)
    model.fit(data.take(np.flatnonzero(~aside)))
    test = data.take(np.flatnonzero(aside))
    sure = SureTaxa.from_dict(model.model_.details["taxonomy"])
    place_of = dict(zip(model.classes_.tolist(), sure.taxonomy.classes, strict=True))
    return sure, model.predict_proba(test), np.array([place_of[label] for label in test.labels or ()])


def parents_of(tree: dict[str, Any], above: str | None = None) -> dict[str, str | None]:
    """Flatten a nested tree to what each taxon belongs to."""
    found: dict[str, str | None] = {}
    for taxon, below in tree.items():
        found[taxon] = above
        inside = {child: {} for child in below} if isinstance(below, list) else below
        found |= parents_of(inside, taxon)
    return found


def figures(name: str, runs: list[Run]) -> dict[str, float]:
    """Print and return the figures of the tree, the mean over the seeds; mistakes in it beside those of chance."""
    found: dict[str, list[float]] = {}
    for sure, proba, true in runs:
        for figure in evaluate_taxa(sure, proba, true).figures:
            found.setdefault(figure.name, []).append(figure.value)
        found.setdefault("distance of a random other class", []).append(blind_distance(sure.taxonomy, true))
    means = {figure: float(np.mean(values)) for figure, values in found.items()}
    print(f"\n{name}: " + ", ".join(f"{figure} {value:.3f}" for figure, value in means.items()))
    print(
        "\n| set | asked | right | bound | depth | with a class | nothing | plain: right | depth | with a class |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    return means


def blind_distance(tree: Taxonomy, true: NDArray[np.int64]) -> float:
    """Return how far off a mistake would be that knew nothing of the tree."""
    costs = tree.distance(true[:, None], np.array(tree.classes)[None, :])
    return float(costs.sum() / (costs > 0).sum())


def stopping(name: str, runs: list[Run], asked: float) -> dict[str, Any]:
    """Print and return how stopping did, over the seeds, beside the plain way."""
    rows = [measure_sure(sure, proba, true, asked) for sure, proba, true in runs]
    ours = {
        key: float(np.mean([getattr(row, key) for row in rows]))
        for key in ("covered", "depth", "full", "nothing")
    }
    plain = {
        key: float(np.mean([one[key] for one in (by_probability(*run, asked) for run in runs)]))
        for key in ("covered", "depth", "full")
    }
    bound = least_covered(int(runs[0][0].scores.n.sum()), len(runs[0][2]), asked)
    print(
        f"| {name} | {asked:.0%} | {ours['covered']:.1%} | {bound:.1%} | {ours['depth']:.2f} | {ours['full']:.0%} "
        f"| {ours['nothing']:.1%} | {plain['covered']:.1%} | {plain['depth']:.2f} | {plain['full']:.0%} |"
    )
    return {"asked": asked, "genus": [asdict(row) for row in rows], "plain": plain, "bound": bound}


def by_probability(
    sure: SureTaxa, proba: NDArray[np.float32], true: NDArray[np.int64], asked: float
) -> dict[str, float]:
    """Stop at the deepest taxon on the way to the most probable class whose probability is what was asked for."""
    tree = sure.taxonomy
    way = tree.lineage[np.array(tree.classes)[proba.argmax(axis=1)]]
    on_way = np.take_along_axis(tree.proba(proba), np.maximum(way, 0), axis=1)
    steps = ((way != TOP) & (on_way >= asked)).sum(axis=1)
    said = np.where(steps > 0, way[np.arange(len(way)), np.maximum(steps - 1, 0)], TOP)
    return {
        "covered": float((tree.common(said, true) == said).mean()),
        "depth": float(steps.mean()),
        "full": float((steps == (way != TOP).sum(axis=1)).mean()),
    }


if __name__ == "__main__":
    main()
