"""What is lost by adding to a finished model, instead of training on all images again?

`python benchmarks/adding.py [--quick]` takes every single-label set apart: half of the classes are new, half of the
images are new, or one class is new and has 5 or 20 images. "added" fits the classifier from what a model of the old
images remembers and from the new images; the others learn from all images. A quarter of the images judges.

With `--temperatures` it prints something else: what the discriminants of such a memory should be divided by, for some
numbers of images a class, beside what `genus.classify.memory` takes.

Prints Markdown; writes benchmarks/out/adding.json.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from few_shot import Features, features_of
from genus.classify.calibration import best_temperature
from genus.classify.lda import LDAHead
from genus.classify.logistic import LogisticHead
from genus.classify.memory import POWER, Memory, usual_temperature
from genus.classify.scores import log_loss
from genus.normalize import normalize_blocks
from real_sets import OUT, SINGLE_LABEL

CASES = ("half of the classes", "half of the images", "a class of 5", "a class of 20")
METHODS = ("added", "all again: LDA", "all again: logistic regression")
SEEDS = (0, 1, 2)
_MAX_IMAGES = 3000

Rows = NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the smallest set, one seed")
    parser.add_argument("--temperatures", action="store_true", help="what suits the memory's head")
    args = parser.parse_args()
    sets = ("hymenoptera",) if args.quick else SINGLE_LABEL
    if args.temperatures:
        show_temperatures(sets)
        return
    found: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    kilobytes = []
    for name in sets:
        known = features_of(name)
        for case in CASES:
            for seed in SEEDS[:1] if args.quick else SEEDS:
                kilobytes += one_case(known, case, seed, found)
    print("| new | method | accuracy | mean recall | recall of what is new | log-loss |")
    print("|---|---|---:|---:|---:|---:|")
    for case in CASES:
        for method in METHODS:
            rows = found[case, method]
            if rows:
                accuracy, balanced, new, loss = (np.mean([row[key] for row in rows]) for key in rows[0])
                print(f"| {case} | {method} | {accuracy:.1%} | {balanced:.1%} | {new:.1%} | {loss:.2f} |")
    print(f"\nThe memory takes {min(kilobytes):,.0f} to {max(kilobytes):,.0f} kB.")
    OUT.mkdir(exist_ok=True)
    rows_out = [{"new": case, "method": method, "runs": runs} for (case, method), runs in found.items()]
    (OUT / "adding.json").write_text(json.dumps(rows_out, indent=1), "utf-8")


def one_case(known: Features, case: str, seed: int, found: Any) -> list[float]:
    """Learn in each way from one division and judge; returns the size of the memory in kilobytes."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(known.codes))[:_MAX_IMAGES]
    test, train = order[: len(order) // 4], order[len(order) // 4 :]
    train = train[~np.isin(known.groups[train], known.groups[test])]
    classes = rng.permutation(known.codes.max() + 1)
    train, is_new = _divided(known.codes, train, classes, case, rng)
    if len(np.unique(known.codes[train[~is_new]])) < 2:
        return []
    names = [c for c in classes if c in known.codes[train[~is_new]]]
    names += [c for c in classes if c not in names]
    place = np.argsort(names)  # old classes first, as in a memory
    X, codes = known.X[train], place[known.codes[train]]
    bounds = tuple((block.start, block.stop) for block in known.blocks)
    Z = normalize_blocks(X, bounds, POWER)
    memory = Memory.of(Z[~is_new], codes[~is_new], int(codes[~is_new].max()) + 1)
    kept = json.dumps(memory.to_dict())
    grown = Memory.from_dict(json.loads(kept)).with_rows(Z[is_new], codes[is_new], len(names))
    heads = (
        grown.head(bounds),
        LDAHead(0.3, blocks=bounds).fit(X, codes),
        LogisticHead(30, blocks=bounds).fit(X, codes),
    )
    true = place[known.codes[test]]
    whole = "images" in case
    fresh = np.unique(codes) if whole else np.setdiff1d(np.unique(codes), codes[~is_new])
    for method, head in zip(METHODS, heads, strict=True):
        logits = head.logits(known.X[test])
        right = logits.argmax(axis=1) == true
        found[case, method].append(
            {
                "accuracy": float(right.mean()),
                "balanced": float(np.mean([right[true == c].mean() for c in np.unique(true)])),
                "new": float(right[np.isin(true, fresh)].mean()),
                "log_loss": log_loss(logits, true),
            }
        )
    return [len(kept) / 1e3]


def show_temperatures(sets: Sequence[str]) -> None:
    print("| images a class | taken | suits, set by set |")
    print("|---:|---:|---|")
    for n_each in (5, 10, 20, 40, 80):
        found, taken = [], []
        for name in sets:
            known = features_of(name)
            rng, n_classes = np.random.default_rng(0), int(known.codes.max()) + 1
            order = rng.permutation(len(known.codes))
            train = np.concatenate([order[known.codes[order] == c][:n_each] for c in range(n_classes)])
            test = order[~np.isin(known.groups[order], known.groups[train])][:_MAX_IMAGES]
            bounds = tuple((block.start, block.stop) for block in known.blocks)
            Z = normalize_blocks(known.X[train], bounds, POWER)
            head = Memory.of(Z, known.codes[train], n_classes).head(bounds)
            taken.append(usual_temperature(n_classes, len(train)))
            more = best_temperature(head.logits(known.X[test]).astype(np.float64), known.codes[test])
            found.append(taken[-1] * more)
        suits = ", ".join(f"{name} {value:.0f}" for name, value in zip(sets, found, strict=True))
        print(f"| {n_each} | {min(taken):.0f} to {max(taken):.0f} | {suits} |")


def _divided(
    codes: Rows, train: Rows, classes: Rows, case: str, rng: np.random.Generator
) -> tuple[Rows, NDArray[np.bool_]]:
    """Return the training images and which of them are new."""
    if case == "half of the images":
        return train, rng.random(len(train)) < 0.5
    if case == "half of the classes":
        return train, np.isin(codes[train], classes[(len(classes) + 1) // 2 :])
    of_class = np.flatnonzero(codes[train] == classes[0])
    train = np.delete(train, of_class[int(case.split()[-1]) :])
    return train, codes[train] == classes[0]


if __name__ == "__main__":
    main()
