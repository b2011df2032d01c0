"""Is the evidence where the object is, and is it what the model goes by?

`python benchmarks/evidence.py [--quick] [--only scenes,cells,faithful] [--sets flower_photos]` holds evidence maps
against boxes that people have drawn: of the built-in model on everyday scenes (of its classes for a thing the most
probable one, where that is among its ten most probable of all), and of a model trained on one half of the blood cells
for the other half, for labels that it names. Pointing: the place of most evidence lies in a box of the class. Found:
the first box and a box of the class share more than half of their union. Objects: of all that people have boxed, the
share that any box finds so. Beside it the middle of the picture (as a box: the whole picture), and where the network is
most active, whatever the class.

Then what a model of each photo set loses if what the map points at is blurred (deletion: less is better) or keeps if
all else is (insertion: more is better), as the mean probability of the class it names; beside it maps of chance and of
edges (Sobel).

What the methods do was settled on every second case of the scenes, on the first thirty blood images of each model and
on the first twenty images of each photo set; the figures are those of the others. The scenes that it was settled on
are printed too, by themselves.

Prints Markdown; writes benchmarks/out/evidence.json.
"""

import argparse
import csv
import json
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence_classes import SAME
from genus.data.read import read_dataset
from genus.estimators.classifier import ImageClassifier
from genus.explain.boxes import Box
from genus.explain.explainer import Explainer
from genus.explain.explanation import Explanation
from genus.explain.faithfulness import faithfulness
from genus.explain.outline import positive
from genus.images.preprocess import load_image
from genus.images.source import ImageSource, as_source
from genus.model_file import ModelFile
from genus.predictor import built_in
from real_sets import OUT, data_folder, load_set

METHODS = ("combined", "views", "places", "linear", "occlusion")
GRADIENTS = ("grad-cam", "layer-cam")
PHOTO_SETS = ("flower_photos", "trashnet", "hymenoptera", "ucmerced")
N_SETTLED, N_IMAGES = 20, 40  # of each photo set
CELLS = range(30, 70)  # images of each half
TOP = 10
LARGE = 0.04  # of the picture

Evidence = NDArray[np.float32]
Drawn = dict[str, list[Box]]


@dataclass(frozen=True)
class Case:
    """An image, and a class whose boxes are known."""

    model: ModelFile
    image: ImageSource
    name: str
    boxes: list[Box]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a few images")
    parser.add_argument("--only", default="scenes,cells,faithful", help="parts, with commas between")
    parser.add_argument("--sets", default=",".join(PHOTO_SETS), help="for faithful, with commas between")
    args = parser.parse_args()
    parts, found = args.only.split(","), {}
    if "scenes" in parts:
        cases = scenes()[: 6 if args.quick else None]
        found["everyday scenes"] = localise(cases[1::2])
        found["scenes it was settled on"] = localise(cases[::2])
    if "cells" in parts:
        found["blood cells"] = localise(cells(2 if args.quick else None))
    show_places(found)
    if "faithful" in parts:
        sets = PHOTO_SETS[:1] if args.quick else args.sets.split(",")
        found["faithful"] = {name: faithful(name, 3 if args.quick else N_IMAGES) for name in sets}
        show_faithful(found["faithful"])
    OUT.mkdir(exist_ok=True)
    (OUT / "evidence.json").write_text(json.dumps(found, indent=1), "utf-8")


def methods() -> tuple[str, ...]:
    return (*METHODS, *GRADIENTS) if find_spec("torch") else METHODS


def drawn_boxes(name: str) -> dict[str, Drawn]:
    """Return what people have drawn, in parts of the image's sides, by image and label."""
    found: dict[str, Drawn] = defaultdict(lambda: defaultdict(list))
    with open(data_folder() / name / "boxes.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if "cx" in row:
                x, y, w, h = (float(row[key]) for key in ("cx", "cy", "w", "h"))
                box = Box(x - w / 2, y - h / 2, x + w / 2, y + h / 2, 1)
            else:  # blood cells, 640 x 480 pixels
                left, top, right, bottom = (float(row[key]) for key in ("xmin", "ymin", "xmax", "ymax"))
                box = Box(left / 640, top / 480, right / 640, bottom / 480, 1)
            found[row["image"]][row["label"]].append(box)
    return found


def scenes() -> list[Case]:
    """The built-in model on everyday scenes: the classes that are there, and among its ten most probable."""
    model = built_in().model
    # the built-in model looks at the middle of a picture; evidence outside is nothing it could find
    squash = replace(model, preprocess=replace(model.preprocess, fit="squash"))
    run = squash.open(engine="onnxruntime")
    found = []
    for name, drawn in sorted(drawn_boxes("coco128").items()):
        path = data_folder() / "coco128" / name
        if not path.is_file():
            continue
        proba = run(load_image(as_source(path), squash.preprocess).pixels[None])["probabilities"][0]
        top = {model.classes[code]: float(proba[code]) for code in np.argsort(-proba)[:TOP].tolist()}
        for label, boxes in drawn.items():
            if known := [same for same in SAME.get(label, ()) if same in top]:
                found.append(Case(squash, as_source(path), max(known, key=top.__getitem__), boxes))
    return found


def cells(n: int | None) -> list[Case]:
    """Models of one half of the blood cells on the other, for the labels that they name."""
    data = read_dataset(data_folder() / "bccd" / "labels.csv", multilabel=True).labelled()
    order = np.random.default_rng(0).permutation(len(data))
    half, drawn = len(order) // 2, drawn_boxes("bccd")
    cases = []
    for train, test in ((order[:half], order[half:]), (order[half:], order[:half])):
        classifier = ImageClassifier(random_state=0, test_size=0.1).fit(data.take(np.sort(train)))
        test = np.sort(test)[list(CELLS)[:n]]
        named = classifier.predict(replace(data.take(test), label_sets=None))
        for i, names in zip(test.tolist(), named, strict=True):
            image = data.sources[i]
            known = drawn[f"images/{image.name.rsplit('/', 1)[-1]}"]
            cases += [Case(classifier.model_, image, name, known[name]) for name in names if name in known]
    return cases


def localise(cases: list[Case]) -> dict[str, Any]:
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)
    explainers: dict[tuple[int, str], Explainer] = {}
    for case in cases:
        large = max(area(box) for box in case.boxes) >= LARGE
        for method in methods():
            key = id(case.model), method
            if key not in explainers:
                explainers[key] = Explainer(case.model, method=method, n_images=len(cases))
            start = time.perf_counter()
            (one,) = explainers[key].explain(case.image, classes=[case.name])
            boxes = in_parts(one)
            seconds[method].append(time.perf_counter() - start)
            rows[method].append({**judged(one.evidence, boxes, case.boxes), "large": large})
        middle, active = np.zeros((9, 9), np.float32), activity(case)
        middle[4, 4] = 1
        whole = [Box(0.0, 0.0, 1.0, 1.0, 1.0)]
        rows["middle, whole picture"].append({**judged(middle, whole, case.boxes), "large": large})
        one = replace(one, evidence=active, extent=None)
        rows["activity"].append({**judged(active, in_parts(one), case.boxes), "large": large})
    runs = {method: explainer.n_runs_ for (_, method), explainer in explainers.items()}
    return {
        "n": len(cases),
        "n_large": sum(row["large"] for row in rows["views"]),
        "n_objects": sum(len(case.boxes) for case in cases),
        "names": dict(
            sorted((name, sum(case.name == name for case in cases)) for name in {c.name for c in cases})
        ),
        "maps": {
            name: {**summary(some), "seconds": mean(seconds.get(name, ()))} for name, some in rows.items()
        },
        "runs": runs,
        "by_name": {
            name: {
                method: summary([row for row, case in zip(some, cases, strict=True) if case.name == name])
                for method, some in rows.items()
            }
            for name in sorted({case.name for case in cases})
            if len({case.name for case in cases}) <= 5
        },
    }


def judged(evidence: Evidence, boxes: list[Box], drawn: list[Box]) -> dict[str, Any]:
    hits = [max((overlap(box, one) for box in boxes), default=0.0) > 0.5 for one in drawn]
    first = max((overlap(boxes[0], one) for one in drawn), default=0.0) if boxes else 0.0
    return {
        "pointing": points_at(evidence, drawn),
        "found": first > 0.5,
        "objects": hits,
        "n_boxes": len(boxes),
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    large = [row for row in rows if row["large"]]
    return {
        "pointing": mean(row["pointing"] for row in rows),
        "found": mean(row["found"] for row in rows),
        "found_large": mean(row["found"] for row in large),
        "objects": mean(hit for row in rows for hit in row["objects"]),
        "n_boxes": mean(row["n_boxes"] for row in rows),
    }


def mean(values: Iterable[Any]) -> float:
    return float(np.mean([float(value) for value in values] or [np.nan]))


def in_parts(one: Explanation) -> list[Box]:
    height, width = one.size
    return [
        Box(box.left / width, box.top / height, box.right / width, box.bottom / height, box.score)
        for box in one.boxes()
    ]


def activity(case: Case) -> Evidence:
    run = case.model.open(engine="onnxruntime", outputs=("feature_map",))
    pixels = load_image(case.image, case.model.preprocess).pixels
    return np.asarray(np.linalg.norm(run(pixels[None])["feature_map"][0], axis=0), np.float32)


def points_at(evidence: Evidence, boxes: list[Box]) -> bool:
    large = positive(evidence - evidence.min())
    row, column = np.unravel_index(int(large.argmax()), large.shape)
    y, x = (row + 0.5) / large.shape[0], (column + 0.5) / large.shape[1]
    return any(box.left <= x <= box.right and box.top <= y <= box.bottom for box in boxes)


def area(box: Box) -> float:
    return (box.right - box.left) * (box.bottom - box.top)


def overlap(a: Box, b: Box) -> float:
    width = max(0.0, min(a.right, b.right) - max(a.left, b.left))
    height = max(0.0, min(a.bottom, b.bottom) - max(a.top, b.top))
    return width * height / max(1e-9, area(a) + area(b) - width * height)


def faithful(name: str, n: int) -> dict[str, Any]:
    data = load_set(name)
    order = np.random.default_rng(0).permutation(len(data))
    kept = N_SETTLED + N_IMAGES
    model = ImageClassifier(random_state=0, test_size=0.1).fit(data.take(np.sort(order[kept:]))).model_
    run = model.open(n_images=10_000, outputs=("probabilities",))
    explainers = {method: Explainer(model, method=method, n_images=n) for method in methods()}
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    rng = np.random.default_rng(0)
    for i in order[N_SETTLED : N_SETTLED + n].tolist():
        source = data.sources[i]
        pixels = load_image(source, model.preprocess).pixels
        code = int(run(pixels[None])["probabilities"][0].argmax())
        name_ = [model.classes[code]]
        maps = {method: one.explain(source, classes=name_)[0].evidence for method, one in explainers.items()}
        maps |= {"chance": rng.random((9, 9), np.float32), "edges": edges(pixels)}
        for way, evidence in maps.items():
            one = faithfulness(lambda x: run(x)["probabilities"], pixels, evidence, code)
            found[way].append((one.deletion, one.insertion))
    rows = {way: np.array(values) for way, values in found.items()}
    return {
        way: {
            "deletion": float(values[:, 0].mean()),
            "insertion": float(values[:, 1].mean()),
            # how far from that of edges, and how sure that is: the mean of differences with its standard error
            "deletion_less": spread(rows["edges"][:, 0] - values[:, 0]),
            "insertion_more": spread(values[:, 1] - rows["edges"][:, 1]),
        }
        for way, values in rows.items()
    }


def spread(values: NDArray[np.float64]) -> list[float]:
    return [float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))]


def edges(pixels: NDArray[np.uint8]) -> Evidence:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    size = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return np.asarray(cv2.GaussianBlur(size, (0, 0), 8), np.float32)


def show_places(found: dict[str, Any]) -> None:
    print("| data | map | predictions | seconds | pointing | found | found, large | boxes | objects |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for data, rows in found.items():
        title = f"{data}: {rows['n']} cases, {rows['n_large']} large, {rows['n_objects']} objects"
        for name, row in rows["maps"].items():
            runs, seconds = rows["runs"].get(name, ""), row["seconds"]
            shares = " | ".join(f"{row[key]:.0%}" for key in ("pointing", "found", "found_large"))
            took = "" if np.isnan(seconds) else f"{seconds:.1f}"
            last = f"{row['n_boxes']:.1f} | {row['objects']:.0%}"
            print(f"| {title} | {name} | {runs} | {took} | {shares} | {last} |")
            title = ""
    print()
    for data, rows in found.items():
        for label, by_method in rows["by_name"].items():
            for name, row in by_method.items():
                shares = " | ".join(f"{row[key]:.0%}" for key in ("pointing", "found", "objects"))
                print(f"| {data}, {label} ({rows['names'][label]}) | {name} | {shares} |")
    print()


def show_faithful(found: dict[str, Any]) -> None:
    print("| set | map | deletion | insertion | less than edges | more than edges |")
    print("|---|---|---:|---:|---:|---:|")
    for data, rows in found.items():
        for way, row in rows.items():
            apart = (f"{row[key][0]:+.3f} ± {row[key][1]:.3f}" for key in ("deletion_less", "insertion_more"))
            print(
                f"| {data} | {way} | {row['deletion']:.3f} | {row['insertion']:.3f} | {' | '.join(apart)} |"
            )


if __name__ == "__main__":
    main()
