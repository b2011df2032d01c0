"""What grouping costs in time and memory, each measurement in a process of its own.

Called by `clustering.py`. The peak of memory is that of the whole process; beside it stands what the process had
taken before the work began: Python, the libraries, the rows.
"""

import json
import math
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.cluster import AgglomerativeClustering

from genus.cluster.comparison import compare_views
from genus.cluster.constraints import Constraints
from genus.cluster.preparation import Preparation
from genus.cluster.trials import ALGORITHMS, make_template
from genus.cluster.views import PREPARATIONS, Views
from genus.estimators.clusterer import ImageClusterer
from real_sets import SINGLE_LABEL, load_set

SIZES = (1000, 10_000, 100_000)
QUICK_SIZES = (500, 1000, 2000)
N_GROUPS = 20
AGGLOMERATIVE_ROWS = 50_000
EXACT_ROWS = 10_000  # scikit-learn keeps all distances: 800 MB for so many
N_IMAGES = 10_000
COMPARISON_GOAL = 60.0  # seconds
WHOLE = "the whole comparison"


def measure_growth(quick: bool) -> dict[str, Any]:
    """Time the comparison, and each algorithm on all rows, at growing numbers of rows."""
    sizes = QUICK_SIZES if quick else SIZES
    print("\n| | " + " | ".join(f"{n:,} rows" for n in sizes) + " | grows as | peak of memory at the end |")
    print("|---|" + "---:|" * (len(sizes) + 2))
    results: dict[str, Any] = {}
    for name in (WHOLE, *ALGORITHMS):
        runs = [in_process("growth", name=name, n=n) for n in sizes]
        seconds = [run["seconds"] for run in runs]
        exponent = math.log(seconds[-1] / seconds[-2]) / math.log(sizes[-1] / sizes[-2])
        cells = " | ".join(f"{value:.2f} s" for value in seconds)
        print(f"| {name} | {cells} | n^{exponent:.2f} | {memory_text(runs[-1])} |", flush=True)
        results[name] = runs
    return results


def measure_memory(quick: bool) -> dict[str, Any]:
    """Measure Ward on many rows, beside scikit-learn's on as many as it can bear."""
    n, exact = (4500, 1000) if quick else (AGGLOMERATIVE_ROWS, EXACT_ROWS)
    print("\n| Ward's tree | rows | seconds | peak of memory | all distances would take |")
    print("|---|---:|---:|---:|---:|")
    results = {}
    for name, task, rows in (("Genus", "ward", n), ("scikit-learn", "scikit-ward", exact)):
        run = in_process(task, n=rows)
        table = rows * (rows - 1) / 2 * 8 / 1e6
        print(
            f"| {name} | {rows:,} x 64 | {run['seconds']:.1f} | {memory_text(run)} | {table:,.0f} MB |",
            flush=True,
        )
        results[name] = run
    return results


def measure_comparison(quick: bool) -> dict[str, Any]:
    """Time all that `genus cluster` does with 10,000 real images whose features are in the cache."""
    n = 400 if quick else N_IMAGES
    in_process("images", n=n)  # fills the cache
    run = in_process("images", n=n)
    print("\n| images | of them different | seconds | goal | groups | peak of memory |")
    print("|---:|---:|---:|---:|---:|---:|")
    print(
        f"| {run['n_images']:,} | {run['n_distinct']:,} | {run['seconds']:.1f} | {COMPARISON_GOAL:.0f} "
        f"| {run['n_groups']} | {memory_text(run)} |",
        flush=True,
    )
    return run


def memory_text(run: dict[str, Any]) -> str:
    return f"{run['peak_mb']:,.0f} MB, of which {run['before_mb']:,.0f} before it began"


def in_process(task: str, **arguments: Any) -> dict[str, Any]:
    """Run one of `TASKS` in a fresh process; returns its seconds, memory and what else it found."""
    command = [sys.executable, __file__, json.dumps({"task": task, **arguments})]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def growth(name: str, n: int) -> Callable[[], dict[str, Any]]:
    views = made_up_views(n)
    if name == WHOLE:
        return lambda: {"n_groups": compare_views(views).n_clusters}
    rng = np.random.default_rng(0)
    template = make_template(name, N_GROUPS, rng, views.plain, Constraints.of(n))
    return lambda: {"n_groups": template.fit(views.plain).n_clusters_}


def ward(n: int) -> Callable[[], dict[str, Any]]:
    return growth("Ward", n)


def scikit_ward(n: int) -> Callable[[], dict[str, Any]]:
    rows = made_up_views(n).plain
    return lambda: {"n_groups": AgglomerativeClustering(N_GROUPS).fit(rows).n_clusters_}


def images(n: int) -> Callable[[], dict[str, Any]]:
    """Group images of all sets together."""
    sources = [source for name in SINGLE_LABEL for source in load_set(name).sources]
    order = np.sort(np.random.default_rng(0).permutation(len(sources))[:n])
    chosen = [sources[i] for i in order]
    clusterer = ImageClusterer(random_state=0)

    def work() -> dict[str, Any]:
        found = clusterer.fit(chosen).grouped_
        return {
            "n_images": len(found.names),
            "n_distinct": len(found.rows),
            "n_groups": len(found.numbers),
        }

    return work


def made_up_views(n: int) -> Views:
    """Return rows like prepared features: 60 groups that run into one another, unit length."""
    rng = np.random.default_rng(0)
    rows = {}
    for name, kind in PREPARATIONS.items():
        d = int(kind["n_components"])
        scale = np.linspace(1, 0.1, d)
        centers = rng.normal(size=(60, d)) * scale
        made = (centers[rng.choice(60, n)] + rng.normal(size=(n, d)) * scale).astype(np.float32)
        rows[name] = made / np.linalg.norm(made, axis=1, keepdims=True)
    return Views({name: Preparation() for name in rows}, rows)


def peak_mb() -> float:
    """Return the peak of this process; `ru_maxrss` alone would know that of the process that started it, too."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text("utf-8"))[1]) * 1024 / 1e6  # type: ignore[index]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


TASKS: dict[str, Callable[..., Callable[[], dict[str, Any]]]] = {
    "growth": growth,
    "ward": ward,
    "scikit-ward": scikit_ward,
    "images": images,
}


def main() -> None:
    arguments: dict[str, Any] = json.loads(sys.argv[1])
    work = partial(TASKS[arguments.pop("task")], **arguments)()
    before, start = peak_mb(), time.perf_counter()
    found = work()
    seconds = time.perf_counter() - start
    print(json.dumps({**found, "seconds": seconds, "before_mb": before, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
