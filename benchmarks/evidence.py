"""Is the evidence where the object is, and is it what the model goes by?

`python benchmarks/evidence.py [--quick]` holds evidence maps against boxes that people have drawn: of the built-in
model on everyday scenes (classes that both know, where they are among its ten most probable), and of a model trained on
one half of the blood cells for the other half, for labels that it names. Pointing: the place of most evidence lies in a
box of the class. Found: the box round the most evidence and a box of the class share more than half of their union.
Beside it the middle of the picture (as a box: the whole picture), and where the network is most active, whatever the
class.

Then what a model of each photo set loses if what the map points at is blurred (deletion: less is better) or keeps if
all else is (insertion: more is better), as the mean probability of the class it names, on 60 images set aside; beside
it maps of chance and of edges (Sobel).

Prints Markdown; writes benchmarks/out/evidence.json.
"""

import argparse
import csv
import json
from collections import defaultdict
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from genus.data.read import read_dataset
from genus.estimators.classifier import ImageClassifier
from genus.explain.boxes import Box, boxes_of, fine
from genus.explain.explainer import Explainer
from genus.explain.faithfulness import faithfulness
from genus.images.preprocess import load_image
from genus.images.source import ImageSource, as_source
from genus.model_file import ModelFile
from genus.predictor import built_in
from real_sets import OUT, data_folder, load_set

METHODS = ("places", "linear", "occlusion")
PHOTO_SETS = ("flower_photos", "trashnet", "hymenoptera", "ucmerced")
N_IMAGES = 60
TOP = 10
THRESHOLDS = (0.3, 0.4, 0.5, 0.6)
# what everyday scenes call it, and ImageNet
SAME = {
    "airplane": "airliner",
    "banana": "banana",
    "broccoli": "broccoli",
    "bus": "minibus",
    "elephant": "African elephant",
    "laptop": "laptop",
    "microwave": "microwave",
    "orange": "orange",
    "pizza": "pizza",
    "stop sign": "street sign",
    "teddy bear": "teddy",
    "toilet": "toilet seat",
    "traffic light": "traffic light",
    "train": "bullet train",
    "umbrella": "umbrella",
    "vase": "vase",
    "zebra": "zebra",
    "bear": "American black bear",
    "bench": "park bench",
    "clock": "wall clock",
    "dining table": "dining table",
    "tennis racket": "racket",
    "tie": "Windsor tie",
    "cell phone": "cellular telephone",
    "bowl": "soup bowl",
    "wine glass": "red wine",
}

Evidence = NDArray[np.float32]
Drawn = dict[str, list[Box]]
Case = tuple[ModelFile, ImageSource, list[tuple[str, list[Box]]]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a few images")
    args = parser.parse_args()
    n = 5 if args.quick else None
    found: dict[str, Any] = {"everyday scenes": scenes(n), "blood cells": cells(n)}
    show_places(found)
    sets = PHOTO_SETS[:1] if args.quick else PHOTO_SETS
    found["faithful"] = {name: faithful(name, n or N_IMAGES) for name in sets}
    show_faithful(found["faithful"])
    OUT.mkdir(exist_ok=True)
    (OUT / "evidence.json").write_text(json.dumps(found, indent=1), "utf-8")


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


def scenes(n: int | None) -> dict[str, Any]:
    """The built-in model on everyday scenes: the classes that are there, and among its ten most probable."""
    model = built_in().model
    known = {label: name for label, name in SAME.items() if name in model.classes}
    cases = [
        (
            as_source(data_folder() / "coco128" / image),
            [(known[label], boxes) for label, boxes in drawn.items() if label in known],
        )
        for image, drawn in sorted(drawn_boxes("coco128").items())
        if (data_folder() / "coco128" / image).is_file()
    ]
    # the built-in model looks at the middle of a picture; evidence outside is nothing it could find
    squash = replace(model, preprocess=replace(model.preprocess, fit="squash"))
    run = squash.open(engine="onnxruntime")
    likely = []
    for image, asked in cases:
        proba = run(load_image(image, squash.preprocess).pixels[None])["probabilities"][0]
        top = {model.classes[code] for code in np.argsort(-proba)[:TOP].tolist()}
        likely.append((squash, image, [(name, boxes) for name, boxes in asked if name in top]))
    return localise([case for case in likely if case[2]][:n])


def cells(n: int | None) -> dict[str, Any]:
    """Models of one half of the blood cells on the other, for the labels that they name."""
    data = read_dataset(data_folder() / "bccd" / "labels.csv", multilabel=True).labelled()
    order = np.random.default_rng(0).permutation(len(data))
    half, drawn = len(order) // 2, drawn_boxes("bccd")
    cases = []
    for train, test in ((order[:half], order[half:]), (order[half:], order[:half])):
        classifier = ImageClassifier(random_state=0, test_size=0.1).fit(data.take(np.sort(train)))
        test = np.sort(test)[: n or 50]
        for i, names in zip(
            test.tolist(), classifier.predict(replace(data.take(test), label_sets=None)), strict=True
        ):
            image = data.sources[i]
            known = drawn[f"images/{image.name.rsplit('/', 1)[-1]}"]
            cases.append((classifier.model_, image, [(name, known[name]) for name in names if name in known]))
    return localise(cases)


def localise(cases: list[Case]) -> dict[str, Any]:
    points: dict[str, list[bool]] = defaultdict(list)
    overlaps: dict[str, list[bool]] = defaultdict(list)
    explainers: dict[tuple[int, str], Explainer] = {}
    for model, image, asked in cases:
        if not asked:
            continue
        names = [name for name, _ in asked]
        for method in METHODS:
            key = id(model), method
            explainers.setdefault(key, Explainer(model, method=method))
            for one, (_, boxes) in zip(explainers[key].explain(image, classes=names), asked, strict=True):
                points[method].append(points_at(one.evidence, boxes))
                for threshold in THRESHOLDS:
                    drawn = boxes_of(one.evidence, threshold)
                    hit = bool(drawn) and max(overlap(drawn[0], box) for box in boxes) > 0.5
                    overlaps[f"{method} {threshold}"].append(hit)
        middle, active = np.zeros((9, 9), np.float32), activity(model, image)
        middle[4, 4] = 1
        for name, evidence in (("middle", middle), ("activity", active)):
            points[name] += [points_at(evidence, boxes) for _, boxes in asked]
        whole = Box(0.0, 0.0, 1.0, 1.0, 1.0)
        overlaps["middle 0.5"] += [max(overlap(whole, box) for box in boxes) > 0.5 for _, boxes in asked]
        drawn = boxes_of(active)
        overlaps["activity 0.5"] += [max(overlap(drawn[0], box) for box in boxes) > 0.5 for _, boxes in asked]
    return {
        "n": len(points["places"]),
        "pointing": {name: float(np.mean(hits)) for name, hits in points.items()},
        "found": {name: float(np.mean(hits)) for name, hits in overlaps.items()},
    }


def activity(model: ModelFile, image: ImageSource) -> Evidence:
    run = model.open(engine="onnxruntime", outputs=("feature_map",))
    pixels = load_image(image, model.preprocess).pixels
    return np.asarray(np.linalg.norm(run(pixels[None])["feature_map"][0], axis=0), np.float32)


def points_at(evidence: Evidence, boxes: list[Box]) -> bool:
    large = fine(np.maximum(evidence - evidence.min(), 0))
    row, column = np.unravel_index(int(large.argmax()), large.shape)
    y, x = (row + 0.5) / large.shape[0], (column + 0.5) / large.shape[1]
    return any(box.left <= x <= box.right and box.top <= y <= box.bottom for box in boxes)


def overlap(a: Box, b: Box) -> float:
    width = max(0.0, min(a.right, b.right) - max(a.left, b.left))
    height = max(0.0, min(a.bottom, b.bottom) - max(a.top, b.top))
    areas = [(box.right - box.left) * (box.bottom - box.top) for box in (a, b)]
    return width * height / max(1e-9, sum(areas) - width * height)


def faithful(name: str, n: int) -> dict[str, Any]:
    data = load_set(name)
    order = np.random.default_rng(0).permutation(len(data))
    model = ImageClassifier(random_state=0, test_size=0.1).fit(data.take(np.sort(order[n:]))).model_
    run = model.open(engine="onnxruntime", outputs=("probabilities",))
    explainers = {method: Explainer(model, method=method) for method in METHODS}
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    rng = np.random.default_rng(0)
    for i in order[:n].tolist():
        source = data.sources[i]
        pixels = load_image(source, model.preprocess).pixels
        code = int(run(pixels[None])["probabilities"][0].argmax())
        maps = {method: one.explain(source)[0].evidence for method, one in explainers.items()}
        maps |= {"chance": rng.random((9, 9), np.float32), "edges": edges(pixels)}
        for way, evidence in maps.items():
            one = faithfulness(lambda x: run(x)["probabilities"], pixels, evidence, code)
            found[way].append((one.deletion, one.insertion))
    return {way: np.mean(rows, axis=0).tolist() for way, rows in found.items()}


def edges(pixels: NDArray[np.uint8]) -> Evidence:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    size = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return np.asarray(cv2.GaussianBlur(size, (0, 0), 8), np.float32)


def show_places(found: dict[str, Any]) -> None:
    print("| data | map | cases | pointing | " + " | ".join(f"found at {t}" for t in THRESHOLDS) + " |")
    print("|---|---|---:|---:|" + "---:|" * len(THRESHOLDS))
    for data, row in found.items():
        for name, value in row["pointing"].items():
            shares = [row["found"].get(f"{name} {t}") for t in THRESHOLDS]
            cells_ = " | ".join("" if share is None else f"{share:.0%}" for share in shares)
            print(f"| {data} | {name} | {row['n']} | {value:.0%} | {cells_} |")
    print()


def show_faithful(found: dict[str, Any]) -> None:
    print("| set | map | deletion | insertion |")
    print("|---|---|---:|---:|")
    for data, rows in found.items():
        for way, (deletion, insertion) in rows.items():
            print(f"| {data} | {way} | {deletion:.3f} | {insertion:.3f} |")


if __name__ == "__main__":
    main()
