"""Images of no known class: how well they are told, by what sign, and what it costs to say "unknown".

`python benchmarks/unknown.py [--quick]` trains on three quarters of the images of two thirds of the classes of every
single-label set, with three seeds. The last quarter of these classes is known; unknown are the images of the classes
left out (400 at most), and beside them 100 of each of the other sets mixed in. Signs of the unknown: the novelty in the
model file (distance to the nearest stored image), and on the same features those of a logistic regression: its energy
(Liu et al., 2020, "Energy-based out-of-distribution detection"), one less its largest probability (Hendrycks and
Gimpel, 2017), and novelty and energy together (the sum of both, each in quartile ranges of known images).

Prints Markdown; writes benchmarks/out/unknown.json.
"""

import argparse
import json
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from conformal import SEEDS, TEST_SHARE
from genus.classify.logistic import LogisticHead
from genus.data.dataset import Dataset
from genus.data.duplicates import duplicate_groups
from genus.data.splits import split_off
from genus.estimators.classifier import ImageClassifier
from genus.features.feature_set import feature_set_for
from genus.features.stream import extract
from genus.metrics.unknown import auroc
from real_sets import OUT, SINGLE_LABEL, load_set

SHARES = (0.01, 0.05, 0.1)
MOST_LEFT, EACH_OTHER = 400, 100
Floats = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one set, one seed")
    args = parser.parse_args()
    names = ("hymenoptera", "trashnet") if args.quick else SINGLE_LABEL
    sets = {name: readable(name) for name in names}
    results = {
        name: [measure(name, sets, seed) for seed in SEEDS[: 1 if args.quick else None]] for name in names
    }
    show_signs(results)
    show_rejected(results)
    OUT.mkdir(exist_ok=True)
    (OUT / "unknown.json").write_text(json.dumps(results, indent=1), "utf-8")


def readable(name: str) -> tuple[Dataset, NDArray[np.float32], NDArray[np.int64]]:
    """Return the images of a set that can be read, their features and their duplicate groups."""
    data = load_set(name)
    table = extract(data.sources, feature_set_for("balanced"))
    return data.take(table.kept), table.X, duplicate_groups(table.content_hashes, table.hashes, table.X)


def measure(name: str, sets: dict[str, Any], seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    data, X, groups = sets[name]
    classes = rng.permutation(sorted(data.classes))
    # two classes must remain to train on: of two none is left out
    out = classes[: len(classes) // 3]
    labels = np.asarray(data.labels)
    left = np.isin(labels, out)
    rows = np.flatnonzero(~left)
    codes = np.unique(labels[rows], return_inverse=True)[1]
    keys = [data.sources[i].name for i in rows]
    aside = split_off(codes, keys, groups[rows], size=TEST_SHARE, random_state=seed)
    train, known = rows[~aside], rows[aside]
    model = ImageClassifier(random_state=seed, test_size=0.05).fit(data.take(train))
    unknown = rng.permutation(np.flatnonzero(left))[:MOST_LEFT]
    others = [
        (sets[other][0].take(some), sets[other][1][some])
        for other in sets
        if other != name
        for some in [rng.permutation(len(sets[other][1]))[:EACH_OTHER]]
    ]
    head = LogisticHead(blocks=[(0, X.shape[1])]).fit(X[train], labels[train])
    parts = {
        "known": [(data.take(known), X[known])],
        "left out": [(data.take(unknown), X[unknown])] if len(unknown) else [],
        "mixed in": others,
    }
    signs = {
        part: joined([signs_of(model, head, some, rows_) for some, rows_ in found])
        for part, found in parts.items()
        if found
    }
    add_both(signs)
    return figures(model, signs)


def signs_of(model: ImageClassifier, head: LogisticHead, data: Dataset, X: Any) -> dict[str, Floats]:
    logits = head.logits(X).astype(np.float64)
    top = np.exp(logits.max(axis=1) - logsumexp(logits, axis=1))
    novelty = model._predictor.novelty(replace(data, labels=None)).astype(np.float64)
    return {"novelty": novelty, "energy": -logsumexp(logits, axis=1), "probability": 1 - top}


def joined(parts: list[dict[str, Floats]]) -> dict[str, Floats]:
    return {sign: np.concatenate([part[sign] for part in parts]) for sign in parts[0]}


def add_both(signs: dict[str, dict[str, Floats]]) -> None:
    """Add the sum of novelty and energy, each in quartile ranges of the known images."""
    for part in signs.values():
        part["both"] = np.zeros(len(part["novelty"]))
    for sign in ("novelty", "energy"):
        low, middle, high = np.percentile(signs["known"][sign], [25, 50, 75])
        for part in signs.values():
            part["both"] += (part[sign] - middle) / max(high - low, 1e-12)


def figures(model: ImageClassifier, signs: dict[str, dict[str, Floats]]) -> dict[str, Any]:
    known = signs.pop("known")
    limits = {share: model._predictor.rules.reject_above(share) for share in SHARES}
    estimate = [row.found.value for row in model.result_.left_out]
    return {
        "auroc": {
            part: {sign: auroc(known[sign], values).value for sign, values in found.items()}
            for part, found in signs.items()
        },
        "estimate": float(np.mean(estimate)),
        "given up": {str(share): float((known["novelty"] > limit).mean()) for share, limit in limits.items()},
        "caught": {
            part: {str(share): float((found["novelty"] > limit).mean()) for share, limit in limits.items()}
            for part, found in signs.items()
        },
    }


def show_signs(results: dict[str, list[dict[str, Any]]]) -> None:
    signs = ("novelty", "energy", "probability", "both")
    print(f"| set | unknown | {' | '.join(signs)} | estimated in training |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for part in ("left out", "mixed in"):
        every = []
        for name, runs in results.items():
            found = [run["auroc"][part] for run in runs if part in run["auroc"]]
            if not found:
                continue
            every.append([np.mean([row[sign] for row in found]) for sign in signs])
            estimate = f"{np.mean([run['estimate'] for run in runs]):.3f}" if part == "left out" else ""
            print(f"| {name} | {part} | {' | '.join(f'{value:.3f}' for value in every[-1])} | {estimate} |")
        print(f"| mean | {part} | {' | '.join(f'{value:.3f}' for value in np.mean(every, axis=0))} | |")
    print()


def show_rejected(results: dict[str, list[dict[str, Any]]]) -> None:
    print("| set | asked | known given up | left out caught | mixed in caught |")
    print("|---|---:|---:|---:|---:|")
    for name, runs in results.items():
        for share in map(str, SHARES):
            given_up = np.mean([run["given up"][share] for run in runs])
            caught = [
                f"{np.mean([run['caught'][part][share] for run in runs]):.0%}"
                if part in runs[0]["caught"]
                else ""
                for part in ("left out", "mixed in")
            ]
            print(f"| {name} | {float(share):.0%} | {given_up:.1%} | {' | '.join(caught)} |")


if __name__ == "__main__":
    main()
