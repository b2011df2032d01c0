"""Make `src/genus/features/int8_ranges.json`: the range that each activation of the int8 networks must represent.

For every network, sixty random images of each of five sets (seed 0), at the network's own size and at 320 pixels, run
through the float32 graph, which reports the smallest and largest value of each activation for each image. The range
is the 3rd percentile of the minima and the 97th of the maxima: a few extreme images would cost all others precision.

`python benchmarks/calibrate_int8.py` compares with the table that ships; `--write` replaces it.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from genus.features.lite import LITE0, LITE1, LITE2, EfficientNetLite
from genus.features.precision import Recording
from genus.graph import GraphBuilder
from genus.images.preprocess import Preprocess, load_image
from genus.images.source import as_source
from real_sets import ROOT, data_folder, image_files

SETS = ("flower_photos", "trashnet", "hymenoptera", "ucmerced", "coco128")
PER_SET = 60
LARGE = 320
QUANTILE = 0.97
BATCH = 20
TABLE = ROOT / "src" / "genus" / "features" / "int8_ranges.json"

Extremes = dict[str, list[NDArray[np.float32]]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="replace the table that ships")
    parser.add_argument("--per-set", type=int, default=PER_SET)
    parser.add_argument("--networks", nargs="+", type=int, default=[0, 1, 2], choices=[0, 1, 2])
    args = parser.parse_args()
    paths = chosen_images(args.per_set)
    networks = [(LITE0, LITE1, LITE2)[i] for i in args.networks]
    made = {f"efficientnet-lite{n.variant}": calibrate(n, paths) for n in networks}
    compare(made)
    if args.write:
        TABLE.write_text(json.dumps(made, indent=0) + "\n", "utf-8")
        print(f"wrote {TABLE}")


def chosen_images(per_set: int) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = []
    for name in SETS:
        files = image_files(data_folder() / name)
        paths += [files[i] for i in rng.permutation(len(files))[:per_set]]
    return paths


def calibrate(network: EfficientNetLite, paths: list[Path]) -> dict[str, tuple[float, float]]:
    """Return the range of each activation."""
    low: Extremes = {}
    high: Extremes = {}
    for size in (network.native_size, LARGE):
        record(network, size, paths, low, high)
    return {
        name: (rounded(np.quantile(np.concatenate(low[name]), 1 - QUANTILE)), rounded(upper(high[name])))
        for name in low
    }


def upper(values: list[NDArray[np.float32]]) -> float:
    return float(np.quantile(np.concatenate(values), QUANTILE))


def rounded(value: float) -> float:
    return float(f"{value:.4g}")


def record(network: EfficientNetLite, size: int, paths: list[Path], low: Extremes, high: Extremes) -> None:
    recording = Recording([])
    b = GraphBuilder()
    recorder = EfficientNetLite(network.variant, network.repeats, network.native_size, recording)
    recorder.build(b, b.op("Cast", "images", to=1), size)
    model = b.model([("images", np.uint8, ["N", size, size, 3])])
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    preprocess = Preprocess(size, size)
    for start in range(0, len(paths), BATCH):
        pictures = [load_image(as_source(path), preprocess).pixels for path in paths[start : start + BATCH]]
        values = dict(zip(names, session.run(names, {"images": np.stack(pictures)}), strict=True))
        for name in recording.names:
            low.setdefault(name, []).append(values[f"{name}/min"])
            high.setdefault(name, []).append(values[f"{name}/max"])
    print(
        f"lite{network.variant} at {size}: {len(paths)} images, {len(recording.names)} activations",
        flush=True,
    )


def compare(made: dict[str, dict[str, tuple[float, float]]]) -> None:
    shipped = json.loads(TABLE.read_text("utf-8")) if TABLE.exists() else {}
    for network, ranges in made.items():
        old = shipped.get(network, {})
        widths = [
            abs(ranges[name][side] - old[name][side]) / max(old[name][1] - old[name][0], 1e-6)
            for name in ranges
            if name in old
            for side in (0, 1)
        ]
        if widths:
            print(f"{network}: differs from the table that ships by at most {max(widths):.1%} of a range")


if __name__ == "__main__":
    main()
