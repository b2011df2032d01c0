"""Is the chosen grouping near the best that was tried, what is it worth, and what does it cost?

`python benchmarks/clustering.py [--only PART ...] [--sets NAME ...] [--quick]`

choice
    The single-label sets with their labels hidden. With the number of classes given, and with it unknown: the adjusted
    Rand index of the grouping that `genus.cluster.comparison` chooses, beside the best and the median of all
    that were tried. With the number unknown, "all" means every algorithm, preparation and number of groups.
subsets
    The search for the number on random classes of the sets.
seeds
    Adjusted Rand index with a few labels known.
path
    Two sets from unlabelled images to a classifier: each group gets the name of its majority class, a classifier is
    trained on these labels and tested on images set aside, beside one trained on the true labels.
kmeans
    Seconds and inertia of K-Means beside scikit-learn's on rows drawn from 100 overlapping groups, k = 50.
growth
    Seconds and memory at 1,000, 10,000 and 100,000 rows.
memory
    Ward's tree of 50,000 rows.
comparison
    All that `genus cluster` does with 10,000 images whose features are in the cache.

Prints Markdown; adds to benchmarks/out/clustering.json.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans as ScikitKMeans

from clustering_cost import measure_comparison, measure_growth, measure_memory
from clustering_path import measure_path, measure_seeds, measure_subsets, set_views
from genus.cluster.comparison import Comparison, compare_views
from genus.cluster.kmeans import KMeans
from genus.cluster.number_search import candidate_numbers
from real_sets import OUT, SINGLE_LABEL

GOALS = {"given": 0.95, "unknown": 0.80}
ROUNDS = 3
SHAPES = ((20_000, 512), (200_000, 128))
PARTS = ("choice", "subsets", "seeds", "path", "kmeans", "growth", "memory", "comparison")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--sets", nargs="+", default=list(SINGLE_LABEL), choices=SINGLE_LABEL)
    parser.add_argument("--quick", action="store_true", help="the smallest set, few rows")
    args = parser.parse_args()
    measure: dict[str, Callable[[], dict[str, Any]]] = {
        "choice": lambda: measure_choice(["hymenoptera"] if args.quick else args.sets),
        "subsets": lambda: measure_subsets(args.quick),
        "seeds": lambda: measure_seeds(args.quick),
        "path": lambda: measure_path(args.quick),
        "kmeans": lambda: measure_kmeans([(2000, 64)] if args.quick else SHAPES),
        "growth": lambda: measure_growth(args.quick),
        "memory": lambda: measure_memory(args.quick),
        "comparison": lambda: measure_comparison(args.quick),
    }
    for part in args.only:
        keep(part, measure[part]())


def keep(part: str, found: dict[str, Any]) -> None:
    """Add what was found to the record; parts that were measured before stay in it."""
    OUT.mkdir(exist_ok=True)
    file = OUT / "clustering.json"
    record = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    file.write_text(json.dumps({**record, part: found}, indent=1), "utf-8")


def measure_choice(sets: list[str]) -> dict[str, Any]:
    results: dict[str, Any] = {}
    print("\n| set | number | groups | chosen | of the best | best tried | median tried | seconds |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for name in sets:
        views, classes = set_views(name)
        labels = classes.tolist()
        known = compare_views(views, n_clusters=len(set(labels)), y=labels)
        results[f"{name} given"] = show(name, "given", known, truths(known))
        found = compare_views(views, y=labels)
        tried = truths(found)
        for number in candidate_numbers(len(views)):
            tried += truths(compare_views(views, n_clusters=number, y=labels))
        results[f"{name} unknown"] = show(name, "unknown", found, tried)
    for kind, goal in GOALS.items():
        shares = [row["share"] for key, row in results.items() if key.endswith(kind)]
        print(f"\nnumber {kind}: {np.mean(shares):.1%} of the best on average (goal {goal:.0%})")
    return results


def truths(found: Comparison) -> list[float]:
    return [row.truth.adjusted_rand for row in found.rows if row.truth is not None]


def show(name: str, kind: str, found: Comparison, tried: list[float]) -> dict[str, Any]:
    chosen = found.winner.truth.adjusted_rand if found.winner.truth else float("nan")
    best, median = max(tried), float(np.median(tried))
    print(
        f"| {name} | {kind} | {found.n_clusters} | {chosen:.3f} ({found.winner.name}) | {chosen / best:.0%} "
        f"| {best:.3f} | {median:.3f} | {found.seconds:.0f} |",
        flush=True,
    )
    return {
        "groups": found.n_clusters,
        "chosen": chosen,
        "share": chosen / best,
        "best": best,
        "median": median,
        "seconds": found.seconds,
        "table": [row.to_dict() for row in found.rows],
        "numbers": [row.to_dict() for row in found.numbers],
    }


def measure_kmeans(shapes: Any) -> dict[str, Any]:
    results: dict[str, Any] = {}
    print("\n| rows | scikit-learn | Genus | times as fast | inertia, Genus over scikit-learn |")
    print("|---|---:|---:|---:|---:|")
    for n, d in shapes:
        X = overlapping_groups(n, d)
        peers, ours = [], []
        for seed in range(ROUNDS):
            peers.append(timed(partial(scikit_inertia, X, seed)))
            ours.append(timed(partial(genus_inertia, X, seed)))
        seconds = [float(np.median([s for s, _ in runs])) for runs in (peers, ours)]
        ratio = float(np.mean([i for _, i in ours]) / np.mean([i for _, i in peers]))
        print(
            f"| {n:,} x {d} | {seconds[0]:.2f} s | {seconds[1]:.2f} s | {seconds[0] / seconds[1]:.1f} | {ratio:.4f} |",
            flush=True,
        )
        results[f"{n}x{d}"] = {"scikit-learn": peers, "genus": ours, "inertia_ratio": ratio}
    return results


def scikit_inertia(X: NDArray[np.float32], seed: int) -> float:
    return float(ScikitKMeans(50, random_state=seed).fit(X).inertia_)


def genus_inertia(X: NDArray[np.float32], seed: int) -> float:
    return KMeans(50, random_state=seed).fit(X).inertia_


def overlapping_groups(n: int, d: int) -> NDArray[np.float32]:
    """Return rows like prepared features: 100 groups of different size and spread that run into one another."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(100, 2.0))
    codes = rng.choice(100, n, p=shares)
    scale = np.linspace(1.0, 0.1, d)
    centers = rng.normal(size=(100, d)) * scale
    spreads = rng.uniform(0.5, 1.5, 100)[codes, None]
    return (centers[codes] + spreads * scale * rng.normal(size=(n, d))).astype(np.float32)


def timed(run: Callable[[], float]) -> tuple[float, float]:
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, float(result)


if __name__ == "__main__":
    main()
