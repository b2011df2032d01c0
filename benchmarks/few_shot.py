"""How good is a model of 1, 2, 5, 10 or 20 images a class, and does it know how uncertain that is?

`python benchmarks/few_shot.py [--quick]` draws so many images a class from every single-label set, ten times, and
judges on up to 800 of the others. All methods see the same features, those of the preset "balanced". "Genus" is what
training does: a classifier chosen beforehand where there are few images, else the best of a search. "with a pile" adds
500 unlabelled images of the same kind, none of which judges; training uses them with up to five images a class.

The second table holds what training itself would say, each image judged in turn, against the accuracy on the others.

Prints Markdown; writes benchmarks/out/few_shot.json.
"""

import argparse
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from genus.classify.few import few_shot_head, is_few, judge_beforehand
from genus.classify.fitted import fit_final
from genus.classify.selection import select
from genus.classify.spreading_head import SpreadingHead
from genus.data.duplicates import duplicate_groups
from genus.data.splits import stratified_folds
from genus.features.feature_set import feature_set_for
from genus.features.stream import extract
from genus.metrics.intervals import wilson
from real_sets import OUT, SINGLE_LABEL, load_set

COUNTS = (1, 2, 5, 10, 20)
N_DRAWS = 10
N_JUDGES = 800
N_PILE = 500
METHODS = ("nearest centroid", "logistic regression", "best of a search", "Genus", "Genus with a pile")
LEAST_TO_SEARCH = 5  # images a class


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Features, class codes and groups of duplicates of one set."""

    X: NDArray[np.float32]
    codes: NDArray[np.int64]
    groups: NDArray[np.int64]
    blocks: tuple[Any, ...]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the smallest set, two draws")
    args = parser.parse_args()
    sets = ("hymenoptera",) if args.quick else SINGLE_LABEL
    n_draws = 2 if args.quick else N_DRAWS
    right: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    said: dict[int, list[tuple[float, float, bool]]] = defaultdict(list)
    for name in sets:
        known = features_of(name)
        for count in COUNTS:
            for seed in range(n_draws):
                one_draw(name, known, count, seed, right, said)
    show(sets, right)
    show_said(said)
    OUT.mkdir(exist_ok=True)
    rows = [{"set": s, "method": m, "count": k, "accuracy": v} for (s, m, k), v in right.items()]
    (OUT / "few_shot.json").write_text(json.dumps({"accuracy": rows, "said": said}, indent=1), "utf-8")


def features_of(name: str) -> Features:
    """Compute, or take from the cache, the features of a set."""
    data = load_set(name)
    table = extract(data.sources, feature_set_for("balanced"))
    data = data.take(table.kept)
    main_block = table.X[:, table.blocks[0].start : table.blocks[0].stop]
    groups = duplicate_groups(table.content_hashes, table.hashes, main_block)
    codes = np.unique(np.asarray(data.labels), return_inverse=True)[1].astype(np.int64)
    return Features(table.X, codes, groups, tuple(table.blocks))


def draw(known: Features, count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return `count` images a class, no two of them duplicates, and all images that are no duplicates of these."""
    order = np.random.default_rng(seed).permutation(len(known.codes))
    _, first = np.unique(known.groups[order], return_index=True)
    distinct = order[np.sort(first)]
    chosen = np.concatenate(
        [distinct[known.codes[distinct] == c][:count] for c in range(known.codes.max() + 1)]
    )
    return chosen, order[~np.isin(known.groups[order], known.groups[chosen])]


def one_draw(name: str, known: Features, count: int, seed: int, right: Any, said: Any) -> None:
    """Fit every method on one draw and judge it; adds to `right` and `said`."""
    chosen, others = draw(known, count, seed)
    judges, pile = others[:N_JUDGES], others[N_JUDGES:][:N_PILE]
    if len(pile) < N_PILE:  # a small set: half of what is left
        judges, pile = others[: len(others) // 2], others[len(others) // 2 :]
    X, codes, true = known.X[chosen], known.codes[chosen], known.codes[judges]

    def note(method: str, fitted: Any) -> float:
        accuracy = float((fitted.predict(known.X[judges]) == true).mean())
        right[name, method, count].append(accuracy)
        return accuracy

    note("nearest centroid", NearestCentroid().fit(X, codes))
    note("logistic regression", LogisticRegression(max_iter=1000).fit(X, codes))
    head = few_shot_head(known.blocks)
    groups, keys = known.groups[chosen], [str(i) for i in chosen]
    folds = stratified_folds(codes, keys, groups, n_folds=min(max(count, 2), 10), random_state=seed)
    if count >= LEAST_TO_SEARCH:
        found = fit_final(select(X, codes, folds % 5, heads="balanced", blocks=known.blocks), X, codes)
        note("best of a search", found)
    if is_few(codes, groups):
        accuracy = note("Genus", head.fit(X, codes))
        if count > 1:
            logits = judge_beforehand(head, X, codes, folds).logits
            hits = int((logits.argmax(axis=1) == codes).sum())
            low, high = wilson(hits, len(codes))
            said[count].append((hits / len(codes), accuracy, bool(low <= accuracy <= high)))
    else:
        note("Genus", found)
    note("Genus with a pile", SpreadingHead(**head.get_params(), pile=known.X[pile]).fit(X, codes))


def show(sets: tuple[str, ...], right: Any) -> None:
    """Print accuracies with the 95% interval of the mean over draws."""
    print("| set | method |", *(f" {count} |" for count in COUNTS))
    print("|---|---|", "---:|" * len(COUNTS), sep="")
    for name in sets:
        for method in METHODS:
            print(f"| {name} | {method} |", *(f" {_mean(right[name, method, k])} |" for k in COUNTS))
    for method in METHODS:
        means = [[100 * np.mean(right[name, method, k] or [np.nan]) for name in sets] for k in COUNTS]
        cells = ("–" if np.isnan(mean).any() else f"{np.mean(mean):.1f}" for mean in means)
        print(f"| mean | {method} |", *(f" {cell} |" for cell in cells))


def show_said(said: Any) -> None:
    """Print what training says of itself beside the truth."""
    print(
        "\n| images a class | trainings | said | truth | interval holds the truth |\n|---:|---:|---:|---:|---:|"
    )
    for count, rows in sorted(said.items()):
        claimed, truth, held = (100 * float(np.mean(column)) for column in zip(*rows, strict=True))
        print(f"| {count} | {len(rows)} | {claimed:.1f}% | {truth:.1f}% | {held:.0f}% |")


def _mean(values: list[float]) -> str:
    if not values:
        return "–"
    x = 100 * np.asarray(values)
    half = student.ppf(0.975, len(x) - 1) * x.std(ddof=1) / len(x) ** 0.5
    return f"{x.mean():.1f} ± {half:.1f}"


if __name__ == "__main__":
    main()
