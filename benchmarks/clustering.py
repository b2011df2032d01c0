"""Is the chosen grouping near the best that was tried? And how fast is K-Means?

`python benchmarks/clustering.py [--only choice kmeans] [--sets ...] [--quick]`

choice
    The single-label sets with their labels hidden. With the number of classes given, and with it unknown: the adjusted
    Rand index of the grouping that `genus.cluster.comparison` chooses, beside the best and the median of all
    that were tried. With the number unknown, "all" means every algorithm, preparation and number of groups.
kmeans
    Seconds and inertia of K-Means beside scikit-learn's on rows drawn from 100 overlapping groups, k = 50, and on
    features of photographs.

Prints Markdown; writes benchmarks/out/clustering.json.
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

from genus.cluster.comparison import Comparison, compare_views
from genus.cluster.kmeans import KMeans
from genus.cluster.number_search import candidate_numbers
from genus.cluster.views import Views, fit_preparations, make_views
from genus.features.feature_set import feature_set_for
from genus.features.stream import extract
from genus.features.table import FeatureTable
from real_sets import OUT, SINGLE_LABEL, load_set

GOALS = {"given": 0.95, "unknown": 0.80}
ROUNDS = 3
SHAPES = ((20_000, 512), (200_000, 128))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=["choice", "kmeans"], choices=["choice", "kmeans"])
    parser.add_argument("--sets", nargs="+", default=list(SINGLE_LABEL), choices=SINGLE_LABEL)
    parser.add_argument("--quick", action="store_true", help="the smallest set, few rows")
    args = parser.parse_args()
    record: dict[str, Any] = {}
    if "choice" in args.only:
        record["choice"] = measure_choice(["hymenoptera"] if args.quick else args.sets)
    if "kmeans" in args.only:
        record["kmeans"] = measure_kmeans([(2000, 64)] if args.quick else SHAPES)
    OUT.mkdir(exist_ok=True)
    (OUT / "clustering.json").write_text(json.dumps(record, indent=1), "utf-8")


def measure_choice(sets: list[str]) -> dict[str, Any]:
    results: dict[str, Any] = {}
    print("| set | number | groups | chosen | of the best | best tried | median tried | seconds |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for name in sets:
        data = load_set(name)
        table = extract(data.sources, feature_set_for("balanced"))
        labels = [str(data.labels[i]) for i in table.kept]  # type: ignore[index]
        views = views_of(table)
        known = compare_views(views, n_clusters=len(set(labels)), y=labels)
        results[f"{name} given"] = show(name, "given", known, truths(known))
        found = compare_views(views, y=labels)
        tried = truths(found)
        for number in candidate_numbers(len(table)):
            tried += truths(compare_views(views, n_clusters=number, y=labels))
        results[f"{name} unknown"] = show(name, "unknown", found, tried)
    for kind, goal in GOALS.items():
        shares = [row["share"] for key, row in results.items() if key.endswith(kind)]
        print(f"\nnumber {kind}: {np.mean(shares):.1%} of the best on average (goal {goal:.0%})")
    return results


def views_of(table: FeatureTable) -> Views:
    """Prepare rows as `ImageClusterer` does."""
    made = fit_preparations(
        table.X,
        blocks=[(b.start, b.stop) for b in table.blocks],
        use=[i for i, b in enumerate(table.blocks) if not b.middle],
    )
    return make_views(made, [(np.arange(len(table)), table.X)], len(table))


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
