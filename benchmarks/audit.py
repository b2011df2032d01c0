"""Audits on data with known errors: wrong labels, copies of pictures, and what an audit costs.

`python benchmarks/audit.py [--quick] [--only labels|copies|cost]` prints Markdown and writes benchmarks/out/audit.json.

Labels: a part of CIFAR-10 with the labels that people gave it (Wei et al., 2022, "Learning with noisy labels
revisited"), and with noise that is injected: 5, 10 and 20% of the labels, uniform or to the class that is most like it.
Wrong labels are ranked by the audit, and by cleanlab's `normalized_margin` on out-of-fold probabilities of
scikit-learn's logistic regression on the same features (standardised). Accuracy is that of a logistic regression on
images with right labels that neither has seen: learned from all, without those whose labels look wrong (severity of
0.5 and more), and with these corrected to what is suggested.

Copies: 12 named transformations of photographs, beside the unchanged set. F1 of pairs (original, copy), against
imagehash's phash at the best distance with no more false pairs than the audit has (and at its best F1, at any cost).

Cost: all images of CIFAR-10, with nothing kept from before: time and peak memory of the whole audit.

It needs the packages cleanlab and imagehash, which Genus does not depend on.
"""

import argparse
import csv
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from genus.audit.finding import SUSPECT
from genus.audit.label_noise import doubt, noise_rate, probability_wrong
from genus.classify.truth import OneClass
from genus.data.read import read_dataset
from genus.estimators.audit import Audit
from genus.estimators.out_of_fold import out_of_fold
from genus.features.comparable import comparable, last_layers
from genus.features.feature_set import FeatureSet, feature_set_for
from genus.features.stream import extract
from genus.images.decode import decode
from genus.images.source import as_source
from real_sets import OUT, data_folder, image_files

N_IMAGES, N_JUDGES = 4000, 1000
PHOTOS = 150
QUICK = ("people, most agree", "people, one each", "uniform 10%", "confusable 10%")
ALIKE = {
    0: 8,
    8: 0,
    1: 9,
    9: 1,
    3: 5,
    5: 3,
    4: 7,
    7: 4,
    2: 6,
    6: 2,
}  # airplane-ship, car-truck, cat-dog ...
Floats = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="half the images, four of nine sets of labels")
    parser.add_argument("--only", choices=("labels", "copies", "cost"))
    parser.add_argument("--n", type=int, default=60_000, help="images of the audit whose cost is measured")
    args = parser.parse_args()
    parts = {
        "labels": lambda: labels(quick=args.quick),
        "copies": lambda: copies(40 if args.quick else PHOTOS),
        "cost": lambda: cost(2000 if args.quick else args.n),
    }
    results = {name: part() for name, part in parts.items() if args.only in (None, name)}
    OUT.mkdir(exist_ok=True)
    (OUT / "audit.json").write_text(json.dumps(results, indent=1), "utf-8")


# Labels


def labels(*, quick: bool) -> list[dict[str, Any]]:
    X, Z, table = cifar(2500 if quick else N_IMAGES)
    clean = np.unique(table["clean"], return_inverse=True)[1]
    n_judges = 500 if quick else N_JUDGES
    train, judges = slice(0, len(Z) - n_judges), slice(len(Z) - n_judges, None)
    sets = noisy_sets(table, clean)
    if quick:
        sets = {name: sets[name] for name in QUICK}
    heads = (
        "wrong | estimated | AP, audit | AP, cleanlab | P@k, audit | P@k, cleanlab "
        "| look wrong (of these are) | accuracy | without these | with these corrected"
    )
    print(f"| labels | {heads} |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    rows = []
    for name, codes in sets.items():
        row = measure(X[train], Z[train], codes[train], clean[train], (Z[judges], clean[judges]))
        rows.append({"labels": name, **row})
        rate = f"{row['rate']:.1%} ({row['low']:.1%} to {row['high']:.1%})"
        ranked = f"{row['ap']:.3f} | {row['ap_cleanlab']:.3f}"
        ranked = f"{ranked} | {row['precision']:.1%} | {row['precision_cleanlab']:.1%}"
        found = f"{row['suspect']:.1%} ({row['suspect_wrong']:.0%})"
        after = " | ".join(f"{row[key]:.1%}" for key in ("before", "without", "corrected"))
        print(f"| {name} | {row['wrong']:.1%} | {rate} | {ranked} | {found} | {after} |", flush=True)
    print()
    return rows


def cifar(n: int) -> tuple[NDArray[np.float32], NDArray[np.float32], dict[str, NDArray[np.str_]]]:
    """Features as they are and normalised of some images with labels by people, and these labels."""
    data = read_dataset(data_folder() / "cifar10.parquet")
    with open(data_folder() / "cifar10_human_labels.csv", encoding="utf-8") as file:
        known = list(csv.DictReader(file))
    place = {name.partition("] ")[2]: i for i, name in enumerate(data.names)}
    chosen = [known[i] for i in np.random.default_rng(0).permutation(len(known))[:n]]
    features = feature_set_for("balanced")
    X = extract([data.sources[place[row["image"]]] for row in chosen], features).X
    plain = last_layer(X, features)
    table = {column: np.array([row[column] for row in chosen]) for column in chosen[0]}
    return plain, comparable(X, features.blocks), table


def last_layer(X: NDArray[np.float32], features: FeatureSet) -> NDArray[np.float32]:
    """What others would take: the features of the last layers, as they are."""
    return np.concatenate([X[:, start:stop] for start, stop in last_layers(features.blocks)], axis=1)


def noisy_sets(table: dict[str, NDArray[np.str_]], clean: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    people = {"people, most agree": "aggre", "people, one each": "random1", "people, worst": "worse"}
    sets = {name: np.unique(table[column], return_inverse=True)[1] for name, column in people.items()}
    for share in (0.05, 0.1, 0.2):
        wrong = rng.random(len(clean)) < share
        other = (clean + rng.integers(1, 10, len(clean))) % 10
        sets[f"uniform {share:.0%}"] = np.where(wrong, other, clean)
        sets[f"confusable {share:.0%}"] = np.where(wrong, [ALIKE[c] for c in clean.tolist()], clean)
    return sets


def measure(
    X: NDArray[np.float32],
    Z: NDArray[np.float32],
    codes: NDArray[np.int64],
    clean: NDArray[np.int64],
    judges: tuple[NDArray[np.float32], NDArray[np.int64]],
) -> dict[str, float]:
    from cleanlab.rank import get_label_quality_scores

    wrong = codes != clean
    k = int(wrong.sum())
    split = StratifiedKFold(5, shuffle=True, random_state=0)
    folds = np.empty(len(codes), np.int64)
    for fold, (_, rows) in enumerate(split.split(Z, codes)):
        folds[rows] = fold
    proba = out_of_fold(Z, OneClass(codes.astype(np.intp)), folds)
    ours = doubt(proba, codes)
    plain = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200, C=0.01))
    theirs = 1 - get_label_quality_scores(
        codes,
        cross_val_predict(plain, X, codes, cv=split, method="predict_proba"),
        method="normalized_margin",
    )
    rate = noise_rate(proba, codes)
    suspect = probability_wrong(ours, rate.value) >= SUSPECT
    others = np.where(np.arange(proba.shape[1]) == codes[:, None], -1, proba)
    corrected = np.where(suspect, others.argmax(axis=1), codes)
    return {
        "wrong": float(wrong.mean()),
        "rate": rate.value,
        "low": rate.low,
        "high": rate.high,
        "ap": float(average_precision_score(wrong, ours)),
        "ap_cleanlab": float(average_precision_score(wrong, theirs)),
        "precision": precision(ours, wrong, k),
        "precision_cleanlab": precision(theirs, wrong, k),
        "before": accuracy(Z, codes, judges),
        "suspect": float(suspect.mean()),
        "suspect_wrong": float(wrong[suspect].mean()),
        "without": accuracy(Z[~suspect], codes[~suspect], judges),
        "corrected": accuracy(Z, corrected, judges),
    }


def precision(score: Floats, wrong: NDArray[np.bool_], k: int) -> float:
    return float(wrong[np.argsort(-score, kind="stable")[:k]].mean())


def accuracy(Z: NDArray[np.float32], codes: NDArray[np.int64], judges: tuple[Any, Any]) -> float:
    from genus.classify.logistic import LogisticHead

    head = LogisticHead(5.0, power=1.0).fit(Z, codes)
    return float((head.predict(judges[0]) == judges[1]).mean())


# Copies of pictures


def copies(n: int) -> dict[str, Any]:
    import imagehash
    from PIL import Image

    files = image_files(data_folder() / "flower_photos" / "train")
    chosen = [files[i] for i in np.random.default_rng(0).permutation(len(files))[:n]]
    originals = [decode(as_source(file)).pixels for file in chosen]
    hashes = [imagehash.phash(Image.fromarray(picture)) for picture in originals]
    found: dict[str, Any] = {}
    print(
        "| changed by | recall, audit | false, audit | F1, audit | F1, phash, no more false | F1, phash, at its best |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    for name, change in TRANSFORMATIONS.items():
        changed = [np.ascontiguousarray(change(picture)) for picture in originals]
        audit = Audit.of([*originals, *changed], preset="fast", checks=["duplicates"])
        pairs = audited_pairs(audit)
        right = {(i, i + n) for i in range(n)}
        same = base_pairs(found, pairs, n)
        false = len(pairs - right - same)
        others = [imagehash.phash(Image.fromarray(picture)) for picture in changed]
        equal, best = hash_f1([*hashes, *others], right, same, false)
        found[name] = {
            "recall": len(pairs & right) / n,
            "false": false,
            "f1": f1(len(pairs & right), false, n),
            "phash_equal": equal,
            "phash_best": best,
        }
        row = found[name]
        print(
            f"| {name} | {row['recall']:.0%} | {false} | {row['f1']:.3f} | {equal:.3f} | {best:.3f} |",
            flush=True,
        )
    print()
    return found


def base_pairs(found: dict[str, Any], pairs: set[tuple[int, int]], n: int) -> set[tuple[int, int]]:
    """Pairs that are left out of the count: of pictures that were twice in the set before anything was changed."""
    originals = {(i, j) for i, j in pairs if j < n}
    return {(a, b) for i, j in originals for a in (i, i + n) for b in (j, j + n) if a < b} | {
        (j, i + n) for i, j in originals
    }


def audited_pairs(audit: Audit) -> set[tuple[int, int]]:
    groups: dict[int, set[int]] = {}
    for row in audit.rows:
        if row.group is not None:
            groups.setdefault(row.group, set()).add(int(row.image.split()[1]))
    return {(i, j) for group in groups.values() for i in group for j in group if i < j}


def hash_f1(hashes: list[Any], right: set[Any], left_out: set[Any], most_false: int) -> tuple[float, float]:
    """F1 of pairs of near hashes: at the best distance with no more false pairs than allowed, and at the best."""
    bits = np.array([h.hash.ravel() for h in hashes])
    apart = (bits[:, None] != bits[None]).sum(axis=2)
    i, j = np.triu_indices(len(bits), 1)
    is_right = np.array([(a, b) in right for a, b in zip(i.tolist(), j.tolist(), strict=True)])
    counted = (
        np.array([(a, b) not in left_out for a, b in zip(i.tolist(), j.tolist(), strict=True)]) | is_right
    )
    scores = []
    for most in range(0, 33):
        near = (apart[i, j] <= most) & counted
        false = int((near & ~is_right).sum())
        scores.append((false, f1(int((near & is_right).sum()), false, len(right))))
    allowed = [score for false, score in scores if false <= most_false]
    return max(allowed, default=0.0), max(score for _, score in scores)


def f1(hits: int, false: int, n: int) -> float:
    return 2 * hits / max(hits + false + n, 1)


def crop(picture: NDArray[np.uint8], share: float, top: float = 0.5, left: float = 0.5) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    h, w = int(height * share), int(width * share)
    y, x = int((height - h) * top), int((width - w) * left)
    return picture[y : y + h, x : x + w]


def saved(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 20])[1], cv2.IMREAD_COLOR)


def turned(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 5, 1.0)
    return cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)


def recoloured(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + 15) % 180
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def marked(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    found = picture.copy()
    cv2.putText(found, "SAMPLE", (8, found.shape[0] - 12), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (255, 255, 255), 3)
    return found


TRANSFORMATIONS: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    "JPEG at quality 20": saved,
    "half the size": lambda p: cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "proportions 10:7": lambda p: cv2.resize(p, None, fx=1, fy=0.7, interpolation=cv2.INTER_AREA),
    "crop to 80%": lambda p: crop(p, 0.8),
    "crop to 60%, a corner": lambda p: crop(p, 0.6, 0.0, 0.0),
    "mirrored": lambda p: p[:, ::-1],
    "mirrored and cropped": lambda p: crop(p, 0.8)[:, ::-1],
    "brighter": lambda p: np.clip(p * 1.4 + 10.0, 0, 255).astype(np.uint8),
    "hue shifted": recoloured,
    "grey": lambda p: np.repeat(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2),
    "turned by 5 degrees": turned,
    "watermark": marked,
}


# Cost


def cost(n: int) -> dict[str, float]:
    data = read_dataset(data_folder() / "cifar10.parquet").take(range(n))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GENUS_CACHE"] = str(Path(folder) / "cache")  # nothing is known beforehand
        start = time.perf_counter()
        audit = Audit.of(data, preset="fast")
        seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{n:,} images: {seconds:.0f} s, at most {memory:.1f} GiB of memory; found {audit.counts}")
    return {"n": n, "seconds": seconds, "GiB": memory}


if __name__ == "__main__":
    main()
