"""Are sets of names as good as their word? Coverage on images set aside, beside what was asked for.

`python benchmarks/conformal.py [--quick]` trains on three quarters of every single-label set, with three seeds, and
asks for sets of names on the rest. Chance alone moves the coverage of a test set; the least that it leaves, 1 time in
20, is the beta-binomial bound beside it, for the test set of one seed. The coverage is that of the seeds together.

Prints Markdown; writes benchmarks/out/conformal.json.
"""

import argparse
import json
import math
from dataclasses import asdict
from typing import Any

import numpy as np
from scipy.stats import betabinom

from genus.data.dataset import Dataset
from genus.data.duplicates import duplicate_groups
from genus.data.splits import split_off
from genus.estimators.classifier import ImageClassifier
from genus.features.feature_set import feature_set_for
from genus.features.stream import extract
from genus.metrics.conformal import Coverage, measure_coverage
from real_sets import OUT, SINGLE_LABEL, load_set

COVERAGES = (0.8, 0.9, 0.95, 0.99)
TEST_SHARE = 0.25
SEEDS = (0, 1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the smallest set, one seed")
    args = parser.parse_args()
    results = {}
    print(
        "| set | asked | covered | bound | names | with one name | worst class | by class: covered | names | worst |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name in ("hymenoptera",) if args.quick else SINGLE_LABEL:
        results[name] = measure(name, SEEDS[:1] if args.quick else SEEDS)
    OUT.mkdir(exist_ok=True)
    (OUT / "conformal.json").write_text(json.dumps(results, indent=1), "utf-8")


def measure(name: str, seeds: tuple[int, ...]) -> list[dict[str, Any]]:
    runs = [answers(load_set(name), seed) for seed in seeds]
    codes = np.concatenate([run[0] for run in runs])
    rows = []
    for place, asked in enumerate(COVERAGES):
        plain, fair = (
            measure_coverage(np.concatenate([run[1][kind][place] for run in runs]), codes, asked)
            for kind in ("plain", "by class")
        )
        bound = least_covered(int(np.mean([run[2] for run in runs])), len(codes) // len(runs), asked)
        show(name, plain, fair, bound)
        rows.append({"plain": asdict(plain), "by class": asdict(fair), "bound": bound})
    return rows


def answers(data: Dataset, seed: int) -> tuple[Any, dict[str, list[Any]], int]:
    """Return the true classes of the test images, the sets for each coverage, and how many images were scored."""
    table = extract(data.sources, feature_set_for("balanced"))
    data = data.take(table.kept)
    groups = duplicate_groups(table.content_hashes, table.hashes, table.X)
    codes = np.searchsorted(np.array(sorted(data.classes)), np.asarray(data.labels))
    aside = split_off(codes, table.content_hashes, groups, size=TEST_SHARE, random_state=seed)
    # the images set aside judge; none is needed inside the training, so as few as may be go there
    model = ImageClassifier(random_state=seed, test_size=0.05).fit(data.take(np.flatnonzero(~aside)))
    test = data.take(np.flatnonzero(aside))
    proba = model.predict_proba(test)
    true = np.searchsorted(model.classes_, np.asarray(test.labels), sorter=np.argsort(model.classes_))
    true = np.argsort(model.classes_)[true]
    scores = model._predictor.rules.conformal(0.5)
    sets = {
        kind: [scores.sets(proba, asked, by_class=kind == "by class") for asked in COVERAGES]
        for kind in ("plain", "by class")
    }
    return true, sets, int(scores.n.sum())


def least_covered(n_scored: int, n: int, asked: float) -> float:
    rank = min(n_scored, math.ceil((n_scored + 1) * asked))
    return float(betabinom.ppf(0.05, n, rank, n_scored + 1 - rank)) / n


def show(name: str, plain: Coverage, fair: Coverage, bound: float) -> None:
    print(
        f"| {name} | {plain.asked:.0%} | {plain.covered:.1%} | {bound:.1%} | {plain.names:.2f} | {plain.alone:.0%} "
        f"| {plain.worst:.1%} | {fair.covered:.1%} | {fair.names:.2f} | {fair.worst:.1%} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
