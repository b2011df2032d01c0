"""What convolutional networks are worth and cost.

`python benchmarks/cnn.py [--only scratch finetune prefix] [--quick]`

scratch: CIFAR-10 from nothing: accuracy on the 10,000 test images against wall time, of the speed-run network as Genus
trains it, in fifteen minutes at most; in the same run the tutorial's network in a plain PyTorch loop, and how many
images a second the speed-run network sees when it is trained in plain float32 eager mode, as most scripts do it.

finetune: three photo sets, a quarter of each set aside: errors of `balanced` on frozen features, and with `--cnn
finetune`, of the models that are saved. The same splits as `benchmarks/accuracy.py`, and the same part of CIFAR-10.

prefix: what it saves to compute the frozen beginning of a network once, with the engines, in int8.

Prints Markdown; writes benchmarks/out/cnn.json after every part, and cnn_finetune.json after every training, from which
an interrupted run goes on. The device is named: a GPU is used where there is one.
"""

import argparse
import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from accuracy import sets_aside, with_baseline_features
from genus.cnn.augment import Augmenter
from genus.cnn.augmentation import PRESETS
from genus.cnn.devices import choose_place
from genus.cnn.lesson import Circumstances, Lesson
from genus.cnn.networks import make_network
from genus.cnn.pixels import PixelStore, enlarged, store_pixels
from genus.cnn.recipe import Recipe
from genus.cnn.training import train_network
from genus.cnn.training_examples import PixelExamples
from genus.data.dataset import Dataset
from genus.data.read import read_dataset
from genus.estimators.activations import compute_activations
from genus.estimators.classifier import ImageClassifier
from genus.estimators.network_options import FINETUNE, NetworkOptions
from genus.estimators.network_plan import Material, plan_network, suitable_recipe
from genus.features.feature_set import find_backbone
from genus.features.quantized import int8_ranges
from genus.features.runtime import Runtime
from genus.features.trained import FrozenPrefix
from genus.images.preprocess import Preprocess
from real_sets import OUT, data_folder, load_set

PARTS = ("scratch", "finetune", "prefix")
PHOTO_SETS = ("flower_photos", "trashnet", "cifar10")
NAIVE_STEPS = 12
MINUTES = 15
RUNS = OUT / "cnn_finetune.json"


def main() -> None:
    args = arguments()
    found: dict[str, Any] = {"device": choose_place().name, "cores": torch.get_num_threads()}
    print(f"PyTorch {torch.__version__} on {found['device']}, {found['cores']} threads\n")
    for part in args.only:
        found[part] = globals()[part](quick=args.quick, seeds=args.seeds, sets=args.sets)
        OUT.mkdir(exist_ok=True)
        (OUT / "cnn.json").write_text(json.dumps(found, indent=1), "utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--sets", nargs="+", default=list(PHOTO_SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--quick", action="store_true", help="a part of the images, one seed, few epochs")
    args = parser.parse_args()
    if args.quick:
        args.seeds, args.sets = [0], ["hymenoptera"]
    return args


# --- from scratch ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cifar:
    store: PixelStore
    y: np.ndarray
    train: np.ndarray
    test: np.ndarray
    seconds: float


def cifar(*, quick: bool) -> Cifar:
    data = read_dataset(data_folder() / "cifar10.parquet").labelled()
    splits = np.asarray(data.splits)
    keep = np.arange(len(data))
    if quick:
        keep = np.sort(np.random.default_rng(0).permutation(len(data))[:3000])
    data, splits = data.take(keep), splits[keep]
    start = time.perf_counter()
    store = store_pixels(data.sources, Preprocess(32, 32))
    y = np.searchsorted(sorted(data.classes), np.asarray(data.labels))
    seconds = time.perf_counter() - start
    return Cifar(store, y, np.flatnonzero(splits == "train"), np.flatnonzero(splits == "test"), seconds)


def scratch(*, quick: bool, **_: Any) -> dict[str, Any]:
    data = cifar(quick=quick)
    found: dict[str, Any] = {"decoding": data.seconds}
    place = choose_place()
    name, recipe = "speedrun", suitable_recipe("speedrun", len(data.train), 32)
    if quick:
        recipe = replace(recipe, epochs=2)
    rows = [
        (f"Genus, {name}", e.number, e.seconds, e.validation_score) for e in genus_run(data, name, recipe)
    ]
    # of whole epochs; the last one may have been cut short by the clock
    whole = rows[-2] if len(rows) > 1 else rows[-1]
    ours = whole[1] * len(data.train) / whole[2]
    rows += [("PyTorch's tutorial network", *row) for row in tutorial_run(data, 2 if quick else 10)]
    naive = naive_speed(data, name, recipe)
    found |= {"curves": rows, "images_per_second": ours, "naive_images_per_second": naive}
    print(f"CIFAR-10 from nothing; {place.name}. Decoding all images once took {data.seconds:.0f} s.\n")
    print("| network | epochs | seconds | accuracy |\n|---|---:|---:|---:|")
    for what, epoch, seconds, score in rows:
        print(f"| {what} | {epoch} | {seconds:.0f} | {score:.2%} |")
    print(
        f"\nImages a second in training: {ours:,.0f}, in plain float32 eager mode {naive:,.0f} "
        f"({ours / naive:.2f} times).\n"
    )
    return found


def genus_run(data: Cifar, name: str, recipe: Recipe) -> list[Any]:
    network = make_network(name, 10, size=32, random_state=0)
    network.prepare(data.store.batch(data.train[:2000]))
    examples = PixelExamples(data.store, recipe.augmentation, 32, n_classes=10)

    def judge(logits: np.ndarray) -> float:
        return float((logits.argmax(1) == data.y[data.test]).mean())

    lesson = Lesson(examples, data.y, data.train, data.test, judge)
    around = Circumstances(choose_place(), seconds=60.0 * MINUTES)
    return list(train_network(network, lesson, recipe, around).epochs)


class TutorialNet(nn.Module):
    """The network of PyTorch's "Training a classifier" (pytorch.org/tutorials/beginner/blitz/cifar10_tutorial.html)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2).flatten(1)
        return self.fc3(functional.relu(self.fc2(functional.relu(self.fc1(x)))))


def tutorial_run(data: Cifar, epochs: int) -> Iterable[tuple[int, float, float]]:
    """As it stands in the tutorial, batches of 4 and SGD; the pictures are in memory already."""
    torch.manual_seed(0)
    net, begun, spent = TutorialNet(), time.perf_counter(), 0.0
    optimizer = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)
    y = torch.from_numpy(data.y)
    for epoch in range(1, epochs + 1):
        begun = time.perf_counter()
        order = np.random.default_rng(epoch).permutation(data.train)
        for start in range(0, len(order), 4):
            rows = order[start : start + 4]
            optimizer.zero_grad()
            functional.cross_entropy(net(data.store.batch(rows) / 127.5 - 1), y[rows]).backward()
            optimizer.step()
        spent += time.perf_counter() - begun
        with torch.no_grad():
            parts = np.array_split(data.test, 20)
            right = sum(int((net(data.store.batch(p) / 127.5 - 1).argmax(1) == y[p]).sum()) for p in parts)
        yield epoch, spent, right / len(data.test)


def naive_speed(data: Cifar, name: str, recipe: Recipe) -> float:
    """Images a second of the same network and batches in plain eager mode: float32, channels first."""
    network = make_network(name, 10, size=32, random_state=0).train()
    place = choose_place()
    network.to(place.device)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, nesterov=True)
    augment = Augmenter(recipe.augmentation, 32)
    y = torch.from_numpy(data.y).to(place.device)
    begun = 0.0
    for step in range(NAIVE_STEPS + 2):
        if step == 2:  # the first steps set things up
            begun = time.perf_counter()
        rows = data.train[step * recipe.batch_size :][: recipe.batch_size]
        images = augment(data.store.batch(rows), 0, rows).to(place.device).contiguous()
        optimizer.zero_grad()
        functional.cross_entropy(network(images.float()), y[rows]).backward()
        optimizer.step()
    if place.device.type == "cuda":
        torch.cuda.synchronize()
    return NAIVE_STEPS * recipe.batch_size / (time.perf_counter() - begun)


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


def finetune(*, seeds: list[int], sets: list[str], quick: bool) -> dict[str, Any]:
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


if __name__ == "__main__":
    main()
