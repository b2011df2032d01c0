"""What convolutional networks are worth and cost.

`python benchmarks/cnn.py [--only scratch tutorial card finetune prefix] [--quick]`

scratch, tutorial, card: CIFAR-10 from nothing; see `cnn_scratch.py`.

finetune: three photo sets, a quarter of each set aside: errors of `balanced` on frozen features, and with `--cnn
finetune`, of the models that are saved. The same splits as `benchmarks/accuracy.py`, and the same part of CIFAR-10.

prefix: what it saves to compute the frozen beginning of a network once, with the engines, in int8.

Prints Markdown; writes benchmarks/out/cnn.json after every part, and cnn_finetune.json after every training, from which
an interrupted run goes on. The device is named: a GPU is used where there is one.
"""

import argparse
import json
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from accuracy import sets_aside, with_baseline_features
from cnn_scratch import card, scratch, tutorial
from genus.cnn.augment import Augmenter
from genus.cnn.augmentation import PRESETS
from genus.cnn.devices import choose_place
from genus.cnn.networks import make_network
from genus.cnn.pixels import enlarged, store_pixels
from genus.data.dataset import Dataset
from genus.estimators.activations import compute_activations
from genus.estimators.classifier import ImageClassifier
from genus.estimators.network_options import FINETUNE, NetworkOptions
from genus.estimators.network_plan import Material, plan_network
from genus.features.feature_set import find_backbone
from genus.features.quantized import int8_ranges
from genus.features.runtime import Runtime
from genus.features.trained import FrozenPrefix
from genus.images.preprocess import Preprocess
from real_sets import OUT, load_set

PHOTO_SETS = ("flower_photos", "trashnet", "cifar10")
RUNS = OUT / "cnn_finetune.json"


def main() -> None:
    args = arguments()
    place = choose_place(args.device)
    found: dict[str, Any] = {
        "device": place.name,
        "threads": torch.get_num_threads(),
        "cores": len(os.sched_getaffinity(0)),
    }
    print(
        f"PyTorch {torch.__version__} on {place.name}, {found['threads']} threads, {found['cores']} cores\n"
    )
    for part in args.only:
        found[part] = PARTS[part](**{**vars(args), "place": place})
        OUT.mkdir(exist_ok=True)
        (OUT / "cnn.json").write_text(json.dumps(found, indent=1), "utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--sets", nargs="+", default=list(PHOTO_SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--device", default="auto", help="what trains from nothing: cpu, cuda")
    parser.add_argument("--minutes", type=float, default=15, help="for training from nothing")
    parser.add_argument("--whole", action="store_true", help="that pictures do not grow while it does")
    parser.add_argument(
        "--airbench", type=Path, help="airbench94.py of github.com/KellerJordan/cifar10-airbench"
    )
    parser.add_argument("--quick", action="store_true", help="a part of the images, one seed, few epochs")
    args = parser.parse_args()
    if args.quick:
        args.seeds, args.sets = [0], ["hymenoptera"]
    return args


# --- fine-tuning -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Errors:
    dataset: str
    seed: int
    n: int
    frozen: int
    tuned: int
    chosen: str
    frozen_seconds: float
    seconds: float


def finetune(*, seeds: list[int], sets: list[str], quick: bool, **_: Any) -> dict[str, Any]:
    known = earlier_runs()
    found = []
    for name in sets:
        for seed in seeds:
            found.append(known.get((name, seed)) or both_ways(name, seed, quick=quick))
            print(found[-1], flush=True)
            write_runs(found)
    print(
        "\n| set | test images | frozen `balanced` | with `--cnn finetune` | fewer errors | seconds | with |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name in sets:
        show_errors(name, [one for one in found if one.dataset == name])
    show_errors("all", found)
    shares = [share_saved([one for one in found if one.dataset == name]) for name in sets]
    print(f"\nFewer errors, the mean over sets: {np.mean(shares):.1%}\n")
    return {"runs": [asdict(one) for one in found], "mean_saved": float(np.mean(shares))}


def earlier_runs() -> dict[tuple[str, int], Errors]:
    """Read what a run that was interrupted had found; delete the file to begin anew."""
    if not RUNS.exists():
        return {}
    rows = (Errors(**values) for values in json.loads(RUNS.read_text("utf-8")))
    return {(row.dataset, row.seed): row for row in rows}


def write_runs(found: list[Errors]) -> None:
    OUT.mkdir(exist_ok=True)
    RUNS.write_text(json.dumps([asdict(one) for one in found], indent=1), "utf-8")


def share_saved(rows: list[Errors]) -> float:
    return 1 - sum(row.tuned for row in rows) / max(1, sum(row.frozen for row in rows))


def show_errors(name: str, rows: list[Errors]) -> None:
    n, frozen, tuned = (sum(getattr(row, key) for row in rows) for key in ("n", "frozen", "tuned"))
    seconds, more = (np.mean([getattr(row, key) for row in rows]) for key in ("frozen_seconds", "seconds"))
    print(
        f"| {name} | {n} | {frozen} ({1 - frozen / n:.2%}) | {tuned} ({1 - tuned / n:.2%}) | {share_saved(rows):.1%} "
        f"| {seconds:.0f} | {more:.0f} |"
    )


def both_ways(name: str, seed: int, *, quick: bool) -> Errors:
    data, test = divided(name, seed)
    marked = replace(data, splits=tuple("test" if aside else "train" for aside in test))
    found = []
    for cnn in (None, "finetune"):
        start = time.perf_counter()
        runtime = Runtime(cache=False)  # both compute all features
        model = ImageClassifier("balanced", cnn=cnn, random_state=seed, runtime=runtime).fit(marked)
        seconds = time.perf_counter() - start
        aside = data.take(np.flatnonzero(test))
        wrong = model.predict(list(aside.sources)) != np.asarray(aside.labels)
        found.append((int(wrong.sum()), seconds, model.result_.network))
    chosen = "" if found[1][2] is None else found[1][2].chosen
    return Errors(name, seed, int(test.sum()), found[0][0], found[1][0], chosen, found[0][1], found[1][1])


def divided(name: str, seed: int) -> tuple[Dataset, np.ndarray]:
    """Set the images aside that `benchmarks/accuracy.py` sets aside."""
    data, table = with_baseline_features(name)
    (test,) = sets_aside(data, table, [seed])
    return data, test


# --- what is computed once -------------------------------------------------------------------------------------------


def prefix(*, quick: bool, **_: Any) -> dict[str, Any]:
    """Time the frozen beginning: by the engines, in int8 and float32, and by PyTorch as an epoch of training would."""
    data = load_set("flower_photos").take(np.arange(64 if quick else 512))
    plan = plan_network(NetworkOptions(FINETUNE), Material(len(data), 5, 256, 260), on_processor=True)
    augmentation = PRESETS["standard"]
    store = store_pixels(data.sources, enlarged(Preprocess(plan.size, plan.size), augmentation.margin))
    augmenter = Augmenter(augmentation, plan.size)
    lite: Any = find_backbone(plan.network)
    network = make_network(plan.network, 5, random_state=0)
    n_blocks, found = plan.n_blocks or 0, {}
    for precision in ("int8", "float32"):
        backbone = lite.quantized(int8_ranges(plan.network)) if precision == "int8" else lite
        start = time.perf_counter()
        compute_activations(store, FrozenPrefix(backbone, n_blocks), augmenter, 1, runtime=Runtime())
        found[f"engine, {precision}"] = len(store) / (time.perf_counter() - start)
    first, _rest = network.split(n_blocks)
    first.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    start = time.perf_counter()
    with torch.no_grad():
        for rows in np.array_split(np.arange(len(store)), max(1, len(store) // 32)):
            first(augmenter(store.batch(rows), 0, rows).float())
    found["PyTorch, float32"] = len(store) / (time.perf_counter() - start)
    print(f"| the frozen beginning of {plan.network}, {plan.size} pixels | images/s |\n|---|---:|")
    for what, speed in found.items():
        print(f"| {what} | {speed:,.0f} |")
    return found


PARTS = {"scratch": scratch, "tutorial": tutorial, "card": card, "finetune": finetune, "prefix": prefix}

if __name__ == "__main__":
    main()
